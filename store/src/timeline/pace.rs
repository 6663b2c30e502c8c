//! How much of one author's writing is taken in a minute.
//!
//! A member that floods fills the disks of all others; this bounds what it can do before people notice, and a node
//! writes no more itself than others would take. What is over the limit is not judged: it stays with whoever has it
//! and is asked for again. Invariant: a feed that is paced comes in whole, only later.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::feed::FeedId;
use crate::clock::Timestamp;

/// Records of one feed that are taken in a minute: more than a node writes that does what nodes do.
pub const RECORDS_PER_MINUTE_MAX: u64 = 2_000_000;
/// Those among them that change a shared document. Each may have another one opened, and in it all that was
/// written there before; of its entry documents an author has one open at a time.
pub const DOCUMENTS_PER_MINUTE_MAX: u64 = 60_000;

const MINUTE: Duration = Duration::from_secs(60);

/// What was taken of each feed in its present minute. Cloning shares it: it outlives a timeline that is thrown
/// away, so that no error begins a new minute.
#[derive(Clone, Debug, Default)]
pub struct Pace(Arc<Mutex<BTreeMap<FeedId, Minute>>>);

#[derive(Debug)]
struct Minute {
    begun: Timestamp,
    records: u64,
    documents: u64,
}

impl Pace {
    /// Whether `records` more of `feed`, which change so many `documents`, are taken at `now`. Notes that they are.
    pub(super) fn takes(&self, feed: FeedId, records: u64, documents: u64, now: Timestamp) -> bool {
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back begins a new minute.
        minutes.retain(|_, it| (it.begun..it.begun.after(MINUTE)).contains(&now));
        let minute = minutes.entry(feed).or_insert(Minute { begun: now, records: 0, documents: 0 });
        let records = minute.records.saturating_add(records);
        let documents = minute.documents.saturating_add(documents);
        let is_within = records <= RECORDS_PER_MINUTE_MAX && documents <= DOCUMENTS_PER_MINUTE_MAX;
        if is_within {
            (minute.records, minute.documents) = (records, documents);
        }
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::signature::PublicKey;

    fn feed(byte: u8) -> FeedId {
        FeedId { node: PublicKey::from_bytes([byte; 32]), incarnation: 1 }
    }

    #[test]
    fn a_flood_of_one_author_waits_for_the_next_minute_and_nobody_else_does() {
        let (pace, now) = (Pace::default(), Timestamp::from_micros(1_700_000_000_000_000));
        assert!(pace.takes(feed(1), RECORDS_PER_MINUTE_MAX - 1, 0, now));
        assert!(pace.takes(feed(1), 1, 0, now));
        assert!(!pace.takes(feed(1), 1, 0, now.after(MINUTE / 2)));
        assert!(pace.takes(feed(2), 1, 0, now), "others are not held back");
        assert!(!pace.takes(feed(3), RECORDS_PER_MINUTE_MAX + 1, 0, now));
        assert!(pace.takes(feed(1), 1, 0, now.after(MINUTE)));
        assert!(pace.takes(feed(1), RECORDS_PER_MINUTE_MAX, 0, now.before(MINUTE)), "the clock was set back");
    }

    #[test]
    fn shared_documents_have_a_pace_of_their_own() {
        let (pace, now) = (Pace::default(), Timestamp::from_micros(1_700_000_000_000_000));
        assert!(pace.takes(feed(1), DOCUMENTS_PER_MINUTE_MAX, DOCUMENTS_PER_MINUTE_MAX, now));
        assert!(!pace.clone().takes(feed(1), 1, 1, now));
        assert!(pace.takes(feed(1), 1, 0, now), "what is refused takes nothing away");
        assert!(pace.takes(feed(1), 1, 1, now.after(MINUTE)));
    }
}
