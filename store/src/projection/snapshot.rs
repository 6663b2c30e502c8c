//! Snapshots of long streams: hints that spare a reader the entries before them.
//!
//! A snapshot is put by the append whose entry it shows, so it is never ahead of its stream. Whoever reads
//! one checks it and folds the whole stream where it does not fit. Invariant: nothing is lost when every
//! snapshot is deleted.

use serde::{Deserialize, Serialize};

use super::{Changes, Row};
use crate::ids::StreamId;
use crate::tables::{Key, Table};

/// The newest snapshot of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRow {
    /// The stream.
    pub stream: StreamId,
    /// The entry whose state it shows.
    pub seq: u64,
    /// The state, encoded by the floor above.
    pub state: Vec<u8>,
}

impl Row for SnapshotRow {
    const TABLE: Table = Table::Snapshots;

    fn key(&self) -> Key {
        Self::key_of(self.stream)
    }
}

impl SnapshotRow {
    /// The key of the stream's snapshot.
    pub fn key_of(stream: StreamId) -> Key {
        Key::new().bytes(stream.as_bytes())
    }

    /// Removes the stream's snapshot.
    pub fn remove(stream: StreamId, changes: &mut Changes) {
        changes.unmark(Self::TABLE, Self::key_of(stream));
    }
}
