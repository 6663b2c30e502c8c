//! Read models: rows that answer questions, all derived from the log.
//!
//! A row is a view of a stream's folded state; the floor above renders rows from that state and hands them over in
//! the same append as the facts, so rows and facts cannot disagree. `store rebuild` folds each stream again and
//! must come to the same rows.

mod artifact;
mod capsule;
mod claim;
mod deployment;
mod gate;
mod intent;
mod library;
mod page;
mod payload;
mod peer;
mod ring;
mod run;
mod session;
mod snapshot;
mod step;
mod timer;
mod workspace;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blobs::index::pin_key;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::tables::{Key, Table, seal, unseal};

pub use artifact::ArtifactRow;
pub use capsule::{CapsuleRow, HighestRow, Origin};
pub use claim::{ClaimRow, Subject};
pub use deployment::{DeploymentRow, InvalidTarget, Release, Target};
pub use gate::{ApprovalRow, GateMode, GateRow, GateStatus};
pub use intent::{Asked, IntentRow, IntentStatus};
pub use library::{BlueprintRow, BlueprintStatus, DraftKind, DraftRow, DraftStatus, PolicyRow, PolicyStatus};
pub use page::{CURSOR_MAX_BYTES, Cursor, InvalidCursor, Page};
pub use payload::Payload;
pub use peer::{ContactRow, TermRow, VouchedRow, WitnessRow};
pub use ring::RingRow;
pub use run::{Fault, Lineage, RunFilter, RunRow, RunStatus, WaitKind, Waiting};
pub use session::SessionRow;
pub use snapshot::SnapshotRow;
pub use step::{StepKey, StepRow, StepStatus};
pub use timer::{Purpose, TimerRow};
pub use workspace::{KnownTree, WorkspaceRow};

/// A typed row of one table.
pub trait Row: Serialize + DeserializeOwned {
    /// Where rows of this type live.
    const TABLE: Table;
    /// For whom the blobs that the row names are kept: for the journal, which will name them for ever, unless rows of
    /// this type may go and their blobs with them.
    const HOLDER: &'static str = "";

    /// The row's key.
    fn key(&self) -> Key;

    /// The blobs that the row names: they must be here, and stay.
    fn blobs(&self) -> Vec<Digest> {
        Vec::new()
    }
}

/// Rows to put and remove, applied in the transaction of the append they belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(pub(crate) Vec<Change>);

/// One row to put (`value` is sealed) or to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) table: Table,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

impl Changes {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to apply.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts `row`, in place of one with the same key, and pins the blobs it names.
    pub fn put<R: Row>(&mut self, row: &R) {
        row.blobs().iter().for_each(|digest| self.pin(R::HOLDER, digest));
        let value = postcard::to_stdvec(row).expect("rows hold no type that postcard refuses");
        self.put_bytes(R::TABLE, row.key(), value);
    }

    /// Removes `row`.
    pub fn remove_row<R: Row>(&mut self, row: &R) {
        self.unmark(R::TABLE, row.key());
    }

    /// Keeps `bytes` as a small blob.
    pub fn keep_blob(&mut self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.put_bytes(Table::Blobs, Key::new().bytes(digest.as_bytes()), bytes.to_vec());
        digest
    }

    /// Keeps the blob `digest` and all it leads to for `holder`; the append is refused when it is not here.
    pub fn pin(&mut self, holder: &str, digest: &Digest) {
        self.mark(Table::Pins, pin_key(digest, holder));
    }

    /// `holder` no longer needs the blob `digest`.
    pub fn unpin(&mut self, holder: &str, digest: &Digest) {
        self.unmark(Table::Pins, pin_key(digest, holder));
    }

    /// Remembers how far a follower of the log has come.
    pub fn put_position(&mut self, follower: &str, offset: u64) {
        self.put_bytes(Table::Positions, Key::new().text(follower), offset.to_be_bytes().to_vec());
    }

    /// Puts an index entry without a value.
    pub(crate) fn mark(&mut self, table: Table, key: Key) {
        self.put_bytes(table, key, Vec::new());
    }

    /// Removes an index entry.
    pub(crate) fn unmark(&mut self, table: Table, key: Key) {
        self.0.push(Change { table, key: key.into_bytes(), value: None });
    }

    pub(crate) fn put_bytes(&mut self, table: Table, key: Key, value: Vec<u8>) {
        let key = key.into_bytes();
        let value = Some(seal(table, &key, value));
        self.0.push(Change { table, key, value });
    }

    /// The value of the row that is put by the change `at`, counted from 0; none where it is removed.
    pub(crate) fn value(&self, at: usize) -> Result<Option<&[u8]>, StoreError> {
        let Some(Change { table, key, value: Some(value) }) = self.0.get(at) else { return Ok(None) };
        Ok(Some(unseal(*table, key, value)?))
    }

    /// Adds all of `other` behind these.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}
