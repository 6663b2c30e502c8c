//! How much of a board one author may be.
//!
//! Boards have no end, and each of them is read whole now and then; so nobody may make one as large as they please.
//! Invariant: whether a change is within its author's share follows from what stands before it in its own feed, so
//! every node says the same of it, whatever else has come.

use automerge::{Change, ChangeHash};

use super::super::change;

/// Changes of one feed to one board that are looked at.
pub const BOARD_CHANGES_MAX: u64 = 16_384;
/// Bytes of them together.
pub const BOARD_BYTES_MAX: usize = 4 << 20;
/// Operations that they unfold to together. A few bytes may stand for thousands of them, and each costs whoever reads
/// the board.
pub const BOARD_OPERATIONS_MAX: u64 = 1 << 19;
/// How often an author may go back to a number that its changes had before: it has to, where a cut took away what
/// they build on.
pub const BOARD_RESTARTS_MAX: u32 = 256;

/// What of its share of a board an author has used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Measure {
    /// [`BOARD_CHANGES_MAX`].
    #[error("{BOARD_CHANGES_MAX} changes")]
    Changes,
    /// [`BOARD_BYTES_MAX`].
    #[error("{BOARD_BYTES_MAX} bytes")]
    Bytes,
    /// [`BOARD_OPERATIONS_MAX`].
    #[error("{BOARD_OPERATIONS_MAX} operations")]
    Operations,
    /// [`BOARD_RESTARTS_MAX`].
    #[error("{BOARD_RESTARTS_MAX} times that it began anew after a cut")]
    Restarts,
}

/// What an author has used of its share of a board.
#[derive(Clone, Debug, Default)]
pub(super) struct Share {
    changes: u64,
    bytes: usize,
    operations: u64,
    restarts: u32,
    /// Number and hash of the author's last change.
    last: Option<(u64, ChangeHash)>,
    used_up: Option<Measure>,
}

/// Where a change stands among those of its author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is the first, or goes back to a number that was used.
    Anew,
    /// It comes behind this one.
    After(ChangeHash),
}

impl Share {
    /// Number and hash of the author's last change.
    pub(super) fn last(&self) -> Option<(u64, ChangeHash)> {
        self.last
    }

    /// Operations of all its changes.
    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    /// Of what one change was too much: no further one is looked at.
    pub(super) fn used_up(&self) -> Option<Measure> {
        self.used_up
    }

    /// Adds the author's next change, which is `bytes`, unless it is beyond the share.
    pub(super) fn add(&mut self, change: &Change, bytes: &[u8]) -> Result<Turn, Measure> {
        let last = self.last.replace((change.seq(), change.hash()));
        let turn = match last {
            Some((seq, hash)) if seq < change.seq() => Turn::After(hash),
            _ => Turn::Anew,
        };
        self.changes += 1;
        self.bytes = self.bytes.saturating_add(bytes.len());
        // What reads as a change was counted.
        self.operations = self.operations.saturating_add(change::operations(bytes).unwrap_or(u64::MAX));
        self.restarts += u32::from(last.is_some() && turn == Turn::Anew);
        self.used_up = self.used_up.or_else(|| self.exceeded());
        self.used_up.map_or(Ok(turn), Err)
    }

    fn exceeded(&self) -> Option<Measure> {
        let measures = [
            (self.changes > BOARD_CHANGES_MAX, Measure::Changes),
            (self.bytes > BOARD_BYTES_MAX, Measure::Bytes),
            (self.operations > BOARD_OPERATIONS_MAX, Measure::Operations),
            (self.restarts > BOARD_RESTARTS_MAX, Measure::Restarts),
        ];
        measures.into_iter().find_map(|(is_exceeded, measure)| is_exceeded.then_some(measure))
    }
}
