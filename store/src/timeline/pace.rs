//! How much of one author's writing is taken in a minute, and how many feeds of it in an hour.
//!
//! A member that floods fills the disks of all others; this bounds what it can do before people notice, and a node
//! writes no more itself than others would take. What is over the limit is not judged: it stays with whoever has it
//! and is asked for again. So the limit delays and never decides what counts: nodes that took feeds in another order
//! have the same ones in the end. What a node wrote in former lives comes back from others and is paced as theirs is:
//! it takes nothing from what the node may write now. Invariant: what is paced comes in whole, only later.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::change;
use super::heard::{STATEMENT_BYTES_PER_FEED, STATEMENTS_PER_FEED};
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;

/// Records of one author, over all its feeds, that are taken in a minute: more than a node writes that does what
/// nodes do.
pub const RECORDS_PER_MINUTE_MAX: u64 = 2_000_000;
/// Those among them that change a shared document.
pub const DOCUMENTS_PER_MINUTE_MAX: u64 = 60_000;
/// Operations that those unfold to, and that boards hold which are opened for them: eight times what one author may be
/// of a board.
pub const OPERATIONS_PER_MINUTE_MAX: u64 = 4 << 20;
/// Bytes of records of one author that are taken in a minute. A node that writes as fast as it can makes about as many.
pub const BYTES_PER_MINUTE_MAX: u64 = 512 << 20;
/// Records of one author that are said to be statements about who belongs, and are taken in an hour: as many as are
/// [heard](STATEMENTS_PER_FEED) in four of its feeds. Whenever one comes, all that are known are read.
pub const STATEMENTS_PER_HOUR_MAX: u64 = 4 * STATEMENTS_PER_FEED as u64;
/// Bytes of them: as many as are heard in one feed, of its author and of the root. It is what bounds the sum, since an
/// author's feeds have no number in all: so much more, and no more, does it have every node read for each hour that it
/// is a member, in however many feeds. Nodes that cut a feed at different times have different feeds, so what is heard
/// cannot depend on how many there are.
pub const STATEMENT_BYTES_PER_HOUR_MAX: u64 = 2 * STATEMENT_BYTES_PER_FEED as u64;
/// Feeds of one author that are begun in an hour. A node begins one with each life of its folder; whoever makes up
/// more has others keep a row of each for ever. Those that a revocation names are so few already, and come at once.
pub const FEEDS_PER_HOUR_MAX: u64 = 64;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What was taken of each author lately. Cloning shares it: it outlives a timeline that is thrown away, so that no
/// error begins a new minute. Only what members wrote is asked for, so there are no more authors than members.
#[derive(Clone, Debug, Default)]
pub struct Pace(Arc<Mutex<BTreeMap<Source, Taken>>>);

/// Where writing comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The node itself, now.
    Own,
    /// Others, who bring what this author wrote.
    Others(PublicKey),
}

/// What an author would have taken at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    pub(super) records: u64,
    /// Records that change a shared document.
    pub(super) documents: u64,
    /// Operations that those unfold to.
    pub(super) operations: u64,
    /// Bytes of all records. Of what the node itself writes they are not counted: others take them later.
    pub(super) bytes: u64,
    /// Records with a statement about who belongs. Of the node itself they are not counted: it writes no more than are
    /// heard.
    pub(super) statements: u64,
    /// Bytes of those statements.
    pub(super) statement_bytes: u64,
    /// Feeds of which nothing was here.
    pub(super) feeds: u64,
}

impl Load {
    /// Adds a record that is `change` to a shared document.
    pub(super) fn add_change(&mut self, change: &[u8]) {
        self.records += 1;
        self.documents += 1;
        // What is no change is refused before it is unfolded.
        self.operations += change::operations(change).unwrap_or_default();
    }

    /// Adds a record that is said to be the `statement`.
    pub(super) fn add_statement(&mut self, statement: &[u8]) {
        self.records += 1;
        self.statements += 1;
        self.statement_bytes += statement.len() as u64;
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    records: Window,
    documents: Window,
    operations: Window,
    bytes: Window,
    statements: Window,
    statement_bytes: Window,
    feeds: Window,
}

/// So much since then.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    begun: Timestamp,
    amount: u64,
}

impl Pace {
    /// Whether `load` more from `source` is taken at `now`. Notes that it is.
    pub(super) fn take(&self, source: Source, load: Load, now: Timestamp) -> bool {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = sources.entry(source).or_default();
        let with = taken.with(load, now);
        *taken = with.unwrap_or(*taken);
        with.is_some()
    }

    /// Notes that what was just taken of `author` had so many operations of others looked at: a board was opened for
    /// it.
    pub(super) fn charge(&self, author: PublicKey, operations: u64) {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = &mut sources.entry(Source::Others(author)).or_default().operations;
        window.amount = window.amount.saturating_add(operations);
    }
}

impl Taken {
    fn with(self, load: Load, now: Timestamp) -> Option<Self> {
        Some(Self {
            records: self.records.with(load.records, RECORDS_PER_MINUTE_MAX, MINUTE, now)?,
            documents: self.documents.with(load.documents, DOCUMENTS_PER_MINUTE_MAX, MINUTE, now)?,
            operations: self.operations.with(load.operations, OPERATIONS_PER_MINUTE_MAX, MINUTE, now)?,
            bytes: self.bytes.with(load.bytes, BYTES_PER_MINUTE_MAX, MINUTE, now)?,
            statements: self.statements.with(load.statements, STATEMENTS_PER_HOUR_MAX, HOUR, now)?,
            statement_bytes: self.statement_bytes.with(
                load.statement_bytes,
                STATEMENT_BYTES_PER_HOUR_MAX,
                HOUR,
                now,
            )?,
            feeds: self.feeds.with(load.feeds, FEEDS_PER_HOUR_MAX, HOUR, now)?,
        })
    }
}

impl Window {
    /// With `amount` more, unless that is more than `max` within `length`. Nothing that comes in one piece is too much
    /// for ever: it is taken where nothing was before it, and the window is as much longer.
    fn with(self, amount: u64, max: u64, length: Duration, now: Timestamp) -> Option<Self> {
        let lengths = u32::try_from(self.amount.div_ceil(max).max(1)).unwrap_or(u32::MAX);
        // A clock that was set back begins a new window.
        let is_on = (self.begun..self.begun.after(length.saturating_mul(lengths))).contains(&now);
        let window = if is_on { self } else { Self { begun: now, amount: 0 } };
        let total = window.amount.saturating_add(amount);
        (total <= max || window.amount == 0 || amount == 0).then_some(Self { amount: total, ..window })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;

    fn author(byte: u8) -> Source {
        Source::Others(PublicKey::from_bytes([byte; 32]))
    }

    fn records(records: u64, documents: u64) -> Load {
        Load { records, documents, ..Load::default() }
    }

    #[test]
    fn a_flood_of_one_author_waits_for_the_next_minute_and_nobody_else_does() {
        let (pace, now) = (Pace::default(), NOW.after(HOUR));
        assert!(pace.take(author(1), records(RECORDS_PER_MINUTE_MAX - 1, 0), now));
        assert!(pace.take(author(1), records(1, 0), now));
        assert!(!pace.take(author(1), records(1, 0), now.after(MINUTE / 2)));
        assert!(pace.take(author(2), records(1, 0), now), "others are not held back");
        assert!(pace.take(author(1), records(1, 0), now.after(MINUTE)));
        let back = now.before(MINUTE);
        assert!(pace.take(author(1), records(RECORDS_PER_MINUTE_MAX, 0), back), "the clock was set back");
    }

    #[test]
    fn shared_documents_have_a_pace_of_their_own() {
        let (pace, now) = (Pace::default(), NOW.after(HOUR));
        let most = records(DOCUMENTS_PER_MINUTE_MAX, DOCUMENTS_PER_MINUTE_MAX);
        assert!(pace.take(author(1), most, now));
        assert!(!pace.clone().take(author(1), records(1, 1), now));
        assert!(pace.take(author(1), records(1, 0), now), "what is refused takes nothing away");
        assert!(pace.take(author(1), records(1, 1), now.after(MINUTE)));
    }

    #[test]
    fn what_unfolds_to_more_than_a_minute_s_worth_is_taken_once_and_keeps_the_next_waiting() {
        let (pace, now) = (Pace::default(), NOW.after(HOUR));
        let load = |operations| Load { records: 1, documents: 1, operations, ..Load::default() };
        assert!(pace.take(author(1), load(1), now));
        assert!(!pace.take(author(1), load(OPERATIONS_PER_MINUTE_MAX), now), "not behind another one");
        let now = now.after(MINUTE);
        assert!(pace.take(author(1), load(2 * OPERATIONS_PER_MINUTE_MAX + 1), now));
        assert!(!pace.take(author(1), load(1), now.after(MINUTE)));
        assert!(!pace.take(author(1), load(1), now.after(3 * MINUTE).before(Duration::from_secs(1))));
        assert!(pace.take(author(1), records(1, 0), now), "what changes no shared document is taken");
        assert!(pace.take(author(1), load(1), now.after(3 * MINUTE)));
    }

    #[test]
    fn statements_wait_for_the_next_hour_and_what_else_their_author_writes_does_not() {
        let (pace, now) = (Pace::default(), NOW.after(HOUR));
        let load = |statements| Load { records: 1, statements, ..Load::default() };
        assert!(pace.take(author(1), load(STATEMENTS_PER_HOUR_MAX), now));
        assert!(!pace.take(author(1), load(1), now.after(MINUTE)));
        assert!(pace.take(author(1), load(0), now) && pace.take(author(2), load(1), now));
        assert!(pace.take(author(1), load(1), now.after(HOUR)));
    }

    #[test]
    fn statements_that_are_long_wait_for_the_next_hour_however_few_they_are() {
        let (pace, now) = (Pace::default(), NOW.after(HOUR));
        let load = |statement_bytes| Load { records: 1, statements: 1, statement_bytes, ..Load::default() };
        assert!(pace.take(author(1), load(STATEMENT_BYTES_PER_HOUR_MAX - 1), now));
        assert!(!pace.take(author(1), load(2), now.after(MINUTE)));
        assert!(pace.take(author(1), load(1), now) && pace.take(author(2), load(2), now));
        assert!(pace.take(author(1), load(2), now.after(HOUR)));
    }

    #[test]
    fn bytes_have_a_pace_of_their_own() {
        let (pace, now) = (Pace::default(), NOW.after(HOUR));
        let load = |bytes| Load { records: 1, bytes, ..Load::default() };
        assert!(pace.take(author(1), load(BYTES_PER_MINUTE_MAX - 1), now));
        assert!(!pace.take(author(1), load(2), now));
        assert!(pace.take(author(1), load(1), now) && pace.take(author(2), load(2), now));
        assert!(pace.take(author(1), load(2), now.after(MINUTE)));
    }

    #[test]
    fn feeds_that_an_author_begins_wait_for_the_next_hour_and_those_it_has_go_on() {
        let (pace, now) = (Pace::default(), NOW.after(HOUR));
        let begun = Load { records: 1, feeds: 1, ..Load::default() };
        assert!((0..FEEDS_PER_HOUR_MAX).all(|_| pace.take(author(1), begun, now)));
        assert!(!pace.take(author(1), begun, now.after(MINUTE)));
        assert!(pace.take(author(1), records(1, 0), now.after(MINUTE)));
        assert!(pace.take(author(2), begun, now));
        assert!(pace.take(author(1), begun, now.after(HOUR)));
    }
}
