//! The network: which nodes can reach each other, and what happens to messages on the way.
//!
//! Owns links, their weather and their blockades. Looks into no message. Invariant: what is sent within one
//! session is delivered within that session, or never.

mod shape;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use xyn_net::proto::dial::Place;
use xyn_store::Timestamp;
use xyn_store::simulation::Dice;

use crate::span::Span;
pub(crate) use shape::Shape;

/// How long a side believes in a connection on which nothing comes any more.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Thousandths.
const WHOLE: u64 = 1000;
/// The longest latency and the longest jitter.
const WAY_MAX: Span = Span::secs(3600);

/// What a link does to messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Weather {
    /// The least time a message takes.
    pub latency: Span,
    /// What comes on top of it: how much, as the shape has it.
    pub jitter: Span,
    /// How what comes on top is spread.
    pub shape: Shape,
    /// Messages in a thousand that are lost.
    pub loss: u64,
    /// Messages in a thousand that come twice.
    pub twice: u64,
    /// Bytes a second each way.
    pub rate: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            latency: Span::millis(5),
            jitter: Span::millis(20),
            shape: Shape::default(),
            loss: 0,
            twice: 0,
            rate: 10_000_000,
        }
    }
}

impl Weather {
    /// Why no network has it.
    pub(crate) fn unfit(&self) -> Option<String> {
        let Self { latency, jitter, shape, loss, twice, rate } = *self;
        if let Some((name, span)) =
            [("latency", latency), ("jitter", jitter)].into_iter().find(|it| it.1 > WAY_MAX)
        {
            return Some(format!("has a {name} of {span}; a message takes at most {WAY_MAX}"));
        }
        if let Some((name, many)) = [("loss", loss), ("twice", twice)].into_iter().find(|it| it.1 > WHOLE) {
            return Some(format!(
                "has a `{name}` of {many}, which is of a thousand messages; say at most {WHOLE}"
            ));
        }
        if jitter == Span::default() && shape != Shape::default() {
            return Some(
                "has a shape and no jitter that has it; give it a `jitter`, or leave out the `shape`".into(),
            );
        }
        (rate == 0)
            .then(|| "lets no byte through; give it a `rate`, or cut links with the fault `part`".into())
    }
}

/// Where a node is: at the other end of this link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Along(pub(crate) usize);

impl Place for Along {
    /// Nobody is waited for less than on the worst of real networks.
    fn is_local(&self) -> bool {
        false
    }
}

/// What becomes of a message that is sent.
pub(crate) struct Passage {
    /// Which of all that its sender sent on this link, from 1.
    pub(crate) number: u64,
    /// When it arrives: never, once or twice.
    pub(crate) arrivals: Vec<Timestamp>,
    /// How often it is lost, of two times where it is doubled.
    pub(crate) lost: u64,
    /// How often a blockade stops it.
    pub(crate) blocked: u64,
    pub(crate) is_doubled: bool,
    /// Whether its sender is slow.
    pub(crate) is_held_up: bool,
}

/// Two nodes that try to be connected.
pub(crate) struct Link {
    /// Both ends, the smaller number first.
    pub(crate) ends: [usize; 2],
    pub(crate) weather: Weather,
    /// How many blockades are in the way of what each end sends.
    pub(crate) blocked: [u32; 2],
    /// Which connection this is, counted from 0.
    pub(crate) session: u32,
    /// Which ends believe that they are connected.
    pub(crate) up: [bool; 2],
    /// How many messages each end sent.
    sent: [u64; 2],
    /// The last of those that came to each end, as they were sent.
    arrived: [u64; 2],
    /// Until when the way of what each end sends is taken.
    busy: [Timestamp; 2],
    pub(crate) delay: [Duration; 2],
}

impl Link {
    pub(crate) fn new(ends: [usize; 2], weather: Weather) -> Self {
        Self {
            ends,
            weather,
            blocked: [0; 2],
            session: 0,
            up: [false; 2],
            sent: [0; 2],
            arrived: [0; 2],
            busy: [Timestamp::EPOCH; 2],
            delay: [Duration::ZERO; 2],
        }
    }

    /// Which end `node` is.
    pub(crate) fn end(&self, node: usize) -> usize {
        usize::from(self.ends[1] == node)
    }

    /// Who is on the other end.
    pub(crate) fn other(&self, node: usize) -> usize {
        self.ends[1 - self.end(node)]
    }

    /// Whether messages pass both ways.
    pub(crate) fn is_open(&self) -> bool {
        self.blocked == [0; 2]
    }

    /// What becomes of a message of `bytes` that an end sends now.
    pub(crate) fn carry(&mut self, end: usize, bytes: usize, now: Timestamp, dice: &mut Dice) -> Passage {
        let weather = self.weather;
        let micros = (bytes as u64).saturating_mul(1_000_000) / weather.rate.max(1);
        let sent = self.busy[end].max(now).after(Duration::from_micros(micros));
        self.busy[end] = sent;
        self.sent[end] += 1;
        let is_doubled = dice.below(WHOLE) < weather.twice;
        let copies = if is_doubled { 2 } else { 1 };
        let mut passage = Passage {
            number: self.sent[end],
            arrivals: Vec::with_capacity(copies),
            lost: 0,
            blocked: 0,
            is_doubled,
            is_held_up: self.delay[end] > Duration::ZERO,
        };
        for _ in 0..copies {
            let is_blocked = self.blocked[end] > 0;
            let is_lost = !is_blocked && dice.below(WHOLE) < weather.loss;
            let jitter = weather.shape.draw(weather.jitter.0, dice);
            match (is_blocked, is_lost) {
                (true, _) => passage.blocked += 1,
                (false, true) => passage.lost += 1,
                (false, false) => {
                    passage.arrivals.push(sent.after(weather.latency.0 + jitter + self.delay[end]));
                }
            }
        }
        passage
    }

    /// The message of this number comes to an end: whether one that was sent behind it was there before it.
    pub(crate) fn is_overtaken(&mut self, end: usize, number: u64) -> bool {
        let last = &mut self.arrived[end];
        let is_overtaken = number < *last;
        *last = number.max(*last);
        is_overtaken
    }

    /// Both ends forget what was under way.
    pub(crate) fn reset(&mut self) {
        self.busy = [Timestamp::EPOCH; 2];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: usize = 10_000;
    const STILL: Weather = Weather {
        latency: Span::millis(5),
        jitter: Span::millis(0),
        shape: Shape::Square,
        loss: 0,
        twice: 0,
        rate: 1_000_000,
    };

    /// When each of `SENT` messages of a byte arrives that the first end sends, one every millisecond.
    fn arrivals(link: &mut Link) -> Vec<Vec<Timestamp>> {
        let mut dice = Dice::new(7);
        let sent_at = |number: usize| Timestamp::EPOCH.after(Duration::from_millis(number as u64));
        (0..SENT).map(|number| link.carry(0, 1, sent_at(number), &mut dice).arrivals).collect()
    }

    fn link(weather: Weather) -> Link {
        Link::new([3, 8], weather)
    }

    /// A hundredth more or less than `thousandths` of what was sent.
    fn assert_share(found: usize, thousandths: usize) {
        assert!(found.abs_diff(SENT * thousandths / 1000) < SENT / 100, "{found} of {SENT}");
    }

    #[test]
    fn on_a_still_link_each_message_comes_once_after_its_way_and_the_time_of_its_bytes() {
        let at = |micros| vec![Timestamp::EPOCH.after(Duration::from_micros(micros))];
        let mut link = link(STILL);
        let mut dice = Dice::new(7);
        let mut carry = |end, bytes| link.carry(end, bytes, Timestamp::EPOCH, &mut dice).arrivals;
        assert_eq!(carry(0, 1000), at(6_000));
        assert_eq!(carry(0, 2000), at(8_000), "behind the one before");
        assert_eq!(carry(1, 1000), at(6_000), "the other way is free");
        link.delay[0] = Duration::from_millis(100);
        assert_eq!(link.carry(0, 0, Timestamp::EPOCH, &mut dice).arrivals, at(108_000), "a slow peer");
        link.reset();
        assert_eq!(
            link.carry(0, 0, Timestamp::EPOCH, &mut dice).arrivals,
            at(105_000),
            "what was under way is forgotten"
        );
    }

    #[test]
    fn loss_loses_and_twice_doubles_as_many_as_it_says() {
        let lossy = arrivals(&mut link(Weather { loss: 100, ..STILL }));
        assert_share(lossy.iter().filter(|copies| copies.is_empty()).count(), 100);
        assert!(lossy.iter().all(|copies| copies.len() <= 1));
        let doubling = arrivals(&mut link(Weather { twice: 200, ..STILL }));
        assert_share(doubling.iter().filter(|copies| copies.len() == 2).count(), 200);
        assert!(doubling.iter().all(|copies| !copies.is_empty()));
    }

    #[test]
    fn jitter_lets_messages_overtake_each_other() {
        let in_turn = |arrivals: Vec<Vec<Timestamp>>| arrivals.concat().is_sorted();
        assert!(in_turn(arrivals(&mut link(STILL))));
        assert!(!in_turn(arrivals(&mut link(Weather { jitter: Span::millis(20), ..STILL }))));
    }

    #[test]
    fn a_blockade_of_one_way_stops_that_way_alone() {
        let mut link = link(STILL);
        link.blocked[link.end(3)] += 1;
        assert!(!link.is_open());
        assert!(arrivals(&mut link).concat().is_empty());
        let mut dice = Dice::new(7);
        assert_eq!(link.carry(link.end(8), 1, Timestamp::EPOCH, &mut dice).arrivals.len(), 1);
    }

    #[test]
    fn what_is_sent_arrives_is_lost_or_is_stopped_and_each_of_it_is_counted() {
        let mut link = link(Weather { loss: 100, twice: 200, ..STILL });
        let mut dice = Dice::new(7);
        let mut carry = |link: &mut Link| link.carry(0, 1, Timestamp::EPOCH, &mut dice);
        for number in 1..=1000 {
            let Passage { arrivals, lost, blocked, is_doubled, is_held_up, .. } = carry(&mut link);
            assert_eq!(arrivals.len() as u64 + lost, 1 + u64::from(is_doubled), "message {number}");
            assert_eq!((blocked, is_held_up), (0, false));
        }
        link.blocked[0] = 1;
        link.delay[0] = Duration::from_millis(100);
        let Passage { number, arrivals, lost, blocked, is_doubled, is_held_up } = carry(&mut link);
        assert_eq!((number, arrivals.len(), lost, is_held_up), (1001, 0, 0, true));
        assert_eq!(blocked, 1 + u64::from(is_doubled));
    }

    #[test]
    fn a_message_is_overtaken_by_one_that_was_sent_behind_it_and_not_by_its_copy() {
        let mut link = link(STILL);
        let came: Vec<bool> = [1, 1, 3, 2, 4].map(|number| link.is_overtaken(1, number)).into();
        assert_eq!(came, [false, false, false, true, false]);
        assert!(!link.is_overtaken(0, 1), "the other way is another one");
    }
}
