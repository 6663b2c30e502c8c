//! Hybrid logical time: when something happened, as close to the wall clock as its order allows.
//!
//! Owns the order of moments and the rule of how far another node's clock may pull ours. Never reads a clock:
//! now is an argument. Invariant: within what a node sees, what follows is later than what it follows, unless
//! that came from further in the future than [`MAX_SKEW`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// How far ahead of now another node's clock may pull ours. What claims to be later is kept and flagged.
pub const MAX_SKEW: Duration = Duration::from_secs(60);

/// A moment: physical time, and a counter for what happened within one microsecond of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hlc {
    /// Physical time, of the node itself or of one it heard from.
    pub at: Timestamp,
    /// Orders what shares that time.
    pub counter: u16,
}

impl Hlc {
    /// A moment at which nothing else happened.
    pub fn at(at: Timestamp) -> Self {
        Self { at, counter: 0 }
    }

    /// Whether this claims to be from further in the future than clocks may differ.
    pub fn is_future(self, now: Timestamp) -> bool {
        self.at > Self::believable_until(now)
    }

    /// The latest time that is believed at `now`.
    pub(super) fn believable_until(now: Timestamp) -> Timestamp {
        now.after(MAX_SKEW)
    }

    /// The next moment of the same order.
    fn successor(self) -> Self {
        match self.counter.checked_add(1) {
            Some(counter) => Self { counter, ..self },
            None => Self::at(self.at.after(Duration::from_micros(1))),
        }
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.at, self.counter)
    }
}

/// The clock of one node.
#[derive(Clone, Copy, Debug, Default)]
pub struct HybridClock {
    last: Hlc,
}

impl HybridClock {
    /// A clock that continues behind the newest of `heads`, where feeds end, that is believable at `now`: also one
    /// that heard of them before a restart.
    pub fn hearing(mut self, heads: impl IntoIterator<Item = Hlc>, now: Timestamp) -> Self {
        // As a tick would: then this clock was wrong, and others that are ahead of it were not.
        if self.last.is_future(now) {
            self.last = Hlc::default();
        }
        for head in heads {
            self.observe(head, now);
        }
        self
    }

    /// The moment of something that happens now: later than all this clock has given or seen.
    ///
    /// If the wall clock was set back by more than [`MAX_SKEW`], it was wrong before and is believed now.
    pub fn tick(&mut self, now: Timestamp) -> Hlc {
        self.last = match self.last {
            last if last.at < now || last.is_future(now) => Hlc::at(now),
            last => last.successor(),
        };
        self.last
    }

    /// Takes notice of a moment of another node. Answers whether it is believable; one from the future is
    /// not, and moves nothing.
    pub fn observe(&mut self, remote: Hlc, now: Timestamp) -> bool {
        let is_believable = !remote.is_future(now);
        if is_believable {
            self.last = self.last.max(remote);
        }
        is_believable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn what_follows_is_later_even_when_the_wall_clock_stands_still_or_steps_back() {
        let mut clock = HybridClock::default();
        let moments: Vec<Hlc> = [10, 10, 9, 11].map(|second| clock.tick(at(second))).to_vec();
        assert!(moments.is_sorted_by(|a, b| a < b), "{moments:?}");
        assert_eq!(moments[3], Hlc::at(at(11)));
    }

    #[test]
    fn a_full_counter_takes_the_next_microsecond() {
        let mut clock = HybridClock { last: Hlc { at: at(10), counter: u16::MAX } };
        assert_eq!(clock.tick(at(10)), Hlc::at(at(10).after(Duration::from_micros(1))));
    }

    #[test]
    fn a_record_from_the_year_3000_does_not_move_the_clock() {
        let mut clock = HybridClock::default();
        assert!(!clock.observe(Hlc::at(at(32_503_680_000)), at(10)));
        assert_eq!(clock.tick(at(10)), Hlc::at(at(10)));
        assert!(clock.observe(Hlc::at(at(70)), at(10)), "as far as clocks may differ");
        assert_eq!(clock.tick(at(10)), Hlc { at: at(70), counter: 1 });
    }

    #[test]
    fn a_clock_that_was_wrong_by_a_day_is_believed_when_it_is_set_right() {
        let mut clock = HybridClock::default();
        clock.tick(at(100_000));
        assert_eq!(clock.tick(at(10)), Hlc::at(at(10)));
    }

    #[test]
    fn a_new_clock_goes_on_behind_the_newest_head_that_is_believable() {
        let heads = [5, 60, 32_503_680_000].map(|second| Hlc::at(at(second)));
        let mut clock = HybridClock::default().hearing(heads, at(10));
        assert_eq!(clock.tick(at(10)), Hlc { at: at(60), counter: 1 });
        let wrong = HybridClock { last: Hlc::at(at(100_000)) };
        assert_eq!(wrong.hearing(heads, at(10)).tick(at(10)), Hlc { at: at(60), counter: 1 });
    }

    proptest! {
        #[test]
        fn nothing_pulls_a_clock_further_than_the_skew(
            steps in proptest::collection::vec((any::<bool>(), 0..1_000_000_i64, any::<u16>()), 1..50),
        ) {
            let (mut clock, mut now) = (HybridClock::default(), at(0));
            for (is_local, micros, counter) in steps {
                now = now.after(Duration::from_micros(micros as u64));
                if is_local {
                    let before = clock.last;
                    prop_assert!(clock.tick(now) > before);
                } else {
                    clock.observe(Hlc { at: at(micros), counter }, now);
                }
                prop_assert!(clock.last.at <= now.after(MAX_SKEW));
            }
        }
    }
}
