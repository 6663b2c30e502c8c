//! What happened to workspaces: facts of the journal, each with the row as it became.

use serde::{Deserialize, Serialize};
use xyn_store::projection::{Changes, WorkspaceRow};

/// A fact about a workspace. Variants are append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A folder is a workspace from now on.
    Added(Box<WorkspaceRow>),
    /// Its tree was kept.
    Snapshotted(Box<WorkspaceRow>),
    /// Its folder was made the tree of another moment.
    Restored(Box<WorkspaceRow>),
    /// It is no workspace any more.
    Removed(Box<WorkspaceRow>),
}

impl Event {
    /// The event's name in the catalogue.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Added(_) => "xyn.workspace.added",
            Self::Snapshotted(_) => "xyn.workspace.snapshotted",
            Self::Restored(_) => "xyn.workspace.restored",
            Self::Removed(_) => "xyn.workspace.removed",
        }
    }

    /// The workspace, as it became or last was.
    pub(crate) fn row(&self) -> &WorkspaceRow {
        match self {
            Self::Added(row) | Self::Snapshotted(row) | Self::Restored(row) | Self::Removed(row) => row,
        }
    }

    /// Puts the row that it carries, or takes it away.
    pub(crate) fn render(&self, changes: &mut Changes) {
        match self {
            Self::Added(row) | Self::Snapshotted(row) | Self::Restored(row) => changes.put(row.as_ref()),
            Self::Removed(row) => changes.remove_row(row.as_ref()),
        }
    }
}
