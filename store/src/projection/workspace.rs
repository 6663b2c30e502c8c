//! Rows of workspaces: folders of this machine whose trees are kept.

use serde::{Deserialize, Serialize};

use super::Row;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::EntryId;
use crate::scope::Principal;
use crate::tables::{Key, Table};
use crate::timeline::entry::Branch;

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceRow {
    /// Its name, which is the same on every node that works on it.
    pub name: String,
    /// The folder, absolute and without links.
    pub dir: String,
    /// When it was added.
    pub added_at: Timestamp,
    /// By whom.
    pub added_by: Principal,
    /// The branch of the timeline that its next moment goes to.
    pub branch: Branch,
    /// The tree that the folder was last known to be; none before the first snapshot.
    pub known: Option<KnownTree>,
}

/// A tree that a folder was known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownTree {
    /// The tree.
    pub root: Digest,
    /// The moment of it.
    pub entry_id: EntryId,
    /// When that was.
    pub at: Timestamp,
    /// How many files it has.
    pub files: u64,
    /// Bytes of all files.
    pub size_bytes: u64,
}

impl Row for WorkspaceRow {
    const TABLE: Table = Table::Workspaces;

    fn key(&self) -> Key {
        Self::key_of(&self.name)
    }

    fn blobs(&self) -> Vec<Digest> {
        self.known.iter().map(|known| known.root).collect()
    }
}

impl WorkspaceRow {
    /// The key of a workspace's row.
    pub fn key_of(name: &str) -> Key {
        Key::new().text(name)
    }
}
