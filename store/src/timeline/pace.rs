//! How much of one author's writing is taken in a minute.
//!
//! A member that floods fills the disks of all others; this bounds what it can do before people notice. What is over
//! the limit is not judged: it stays with whoever has it and is asked for again. Invariant: a feed that is paced comes
//! in whole, only later.

use std::collections::BTreeMap;
use std::time::Duration;

use super::feed::FeedId;
use crate::clock::Timestamp;

/// Records of one feed that are taken in a minute: more than a node can write.
pub const RECORDS_PER_MINUTE_MAX: u64 = 2_000_000;

const MINUTE: Duration = Duration::from_secs(60);

/// What was taken of each feed in its present minute.
#[derive(Debug, Default)]
pub(super) struct Pace(BTreeMap<FeedId, (Timestamp, u64)>);

impl Pace {
    /// Whether `count` more records of `feed` are taken at `now`. Notes that they are.
    pub(super) fn takes(&mut self, feed: FeedId, count: u64, now: Timestamp) -> bool {
        // A clock that was set back begins a new minute.
        self.0.retain(|_, (begun, _)| (*begun..begun.after(MINUTE)).contains(&now));
        let (_, taken) = self.0.entry(feed).or_insert((now, 0));
        let is_within = taken.saturating_add(count) <= RECORDS_PER_MINUTE_MAX;
        if is_within {
            *taken += count;
        }
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::signature::PublicKey;

    #[test]
    fn a_flood_of_one_author_waits_for_the_next_minute_and_nobody_else_does() {
        let feed = |byte| FeedId { node: PublicKey::from_bytes([byte; 32]), incarnation: 1 };
        let (mut pace, now) = (Pace::default(), Timestamp::from_micros(1_700_000_000_000_000));
        assert!(pace.takes(feed(1), RECORDS_PER_MINUTE_MAX - 1, now));
        assert!(pace.takes(feed(1), 1, now));
        assert!(!pace.takes(feed(1), 1, now.after(MINUTE / 2)));
        assert!(pace.takes(feed(2), 1, now), "others are not held back");
        assert!(!pace.takes(feed(3), RECORDS_PER_MINUTE_MAX + 1, now));
        assert!(pace.takes(feed(1), 1, now.after(MINUTE)));
        assert!(pace.takes(feed(1), RECORDS_PER_MINUTE_MAX, now.before(MINUTE)), "the clock was set back");
    }
}
