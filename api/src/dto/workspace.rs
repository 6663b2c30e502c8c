//! Workspaces: folders of the node's machine, what was kept of them and what differs.

use serde::Serialize;
use utoipa::ToSchema;
use xyn_actors::services::workspace::Compared;
use xyn_capsules::tree::{Difference, Entry, RelPath};
use xyn_store::ids::EntryId;
use xyn_store::projection::{KnownTree, WorkspaceRow};
use xyn_store::scope::Principal;
use xyn_store::timeline::entry::Branch;
use xyn_store::{Digest, Timestamp};

use crate::schema;

/// A folder whose trees are moments of the timeline.
#[derive(Serialize, ToSchema)]
pub(crate) struct Workspace {
    name: String,
    /// The folder on the node's machine.
    dir: String,
    #[schema(schema_with = schema::instant)]
    added_at: Timestamp,
    #[schema(value_type = String)]
    added_by: Principal,
    /// The branch that its next moment goes to.
    #[schema(value_type = String)]
    branch: Branch,
    /// What it was last known to be; left out before the first snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    known: Option<Known>,
}

/// A tree that a workspace was known to be.
#[derive(Serialize, ToSchema)]
struct Known {
    #[schema(schema_with = schema::digest)]
    root: Digest,
    #[schema(schema_with = schema::id)]
    entry_id: EntryId,
    #[schema(schema_with = schema::instant)]
    at: Timestamp,
    files: u64,
    size_bytes: u64,
}

impl From<WorkspaceRow> for Workspace {
    fn from(row: WorkspaceRow) -> Self {
        let WorkspaceRow { name, dir, added_at, added_by, branch, known } = row;
        let known = known.map(|KnownTree { root, entry_id, at, files, size_bytes }| Known {
            root,
            entry_id,
            at,
            files,
            size_bytes,
        });
        Self { name, dir, added_at, added_by, branch, known }
    }
}

/// What became of a snapshot.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
pub(crate) struct Kept {
    /// Whether anything changed; if not, the moment is the earlier one.
    changed: bool,
    #[schema(schema_with = schema::digest)]
    root: Digest,
    #[schema(schema_with = schema::id)]
    entry_id: EntryId,
    files: u64,
    size_bytes: u64,
    /// Devices, pipes and sockets, which no tree holds.
    skipped: u64,
}

/// What was written.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
pub(crate) struct LaidOut {
    #[schema(schema_with = schema::digest)]
    root: Digest,
    /// Files and links.
    written: u64,
    /// Files, links and folders.
    removed: u64,
    /// Bytes that were written.
    size_bytes: u64,
    /// Files and directories that were fetched from members.
    fetched: u64,
    /// Bytes of them.
    fetched_bytes: u64,
    /// The moment of it; null where the workspace is what it was known to be, or another folder was written.
    #[schema(schema_with = schema::optional_id)]
    entry_id: Option<EntryId>,
    /// The branch of that moment, which the workspace is on now: that of the restored moment where its files are what
    /// they are there now, and else the one it was on.
    branch: Option<String>,
}

/// What differs between two trees of a workspace.
#[derive(Serialize, ToSchema)]
pub(crate) struct WorkspaceDiff {
    #[schema(schema_with = schema::digest)]
    from: Digest,
    #[schema(schema_with = schema::digest)]
    to: Digest,
    /// Whether `to` is the folder as it is now, which is not kept.
    is_folder: bool,
    /// In the order of the paths.
    items: Vec<PathChange>,
    /// How many paths differ, shown or not.
    count: usize,
}

/// A path at which two trees differ.
#[derive(Serialize, ToSchema)]
struct PathChange {
    /// `added`, `removed`, `changed`, `mode` or `renamed`.
    change: &'static str,
    #[schema(value_type = String)]
    path: RelPath,
    /// Where it was before, when it was moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    renamed_from: Option<RelPath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    before: Option<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    after: Option<Content>,
}

/// What stands at a path.
#[derive(Serialize, ToSchema)]
struct Content {
    /// `file`, `executable`, `directory` or `symlink`.
    mode: &'static str,
    #[schema(schema_with = schema::digest)]
    sha256: Digest,
    size_bytes: u64,
}

impl WorkspaceDiff {
    /// What was compared, with `limit` paths at most.
    pub(crate) fn of(compared: Compared, limit: usize) -> Self {
        let Compared { from, to, is_folder, differences } = compared;
        let count = differences.len();
        Self {
            from,
            to,
            is_folder,
            items: differences.into_iter().take(limit).map(PathChange::from).collect(),
            count,
        }
    }
}

impl From<Difference> for PathChange {
    fn from(difference: Difference) -> Self {
        let content = |entry: Entry| Content {
            mode: entry.mode.as_str(),
            sha256: entry.digest,
            size_bytes: entry.size_bytes,
        };
        Self {
            change: difference.change().as_str(),
            path: difference.path,
            renamed_from: difference.from,
            before: difference.before.map(content),
            after: difference.after.map(content),
        }
    }
}
