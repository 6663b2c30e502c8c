//! What the node can be told. Commands carry no reply channels, so they can be logged, replayed and shown.

use serde_json::Value;
use xyn_store::Digest;
use xyn_store::ids::{ArtifactId, DraftId, RunId};
use xyn_store::projection::DraftKind;

/// Something the node is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The program came up.
    Start {
        /// Its version.
        version: String,
        /// The life of the data folder.
        incarnation: u64,
    },
    /// The program goes down in good order.
    Stop,
    /// A new draft, or the next revision of one.
    Save {
        /// The draft.
        draft_id: DraftId,
        /// What it becomes.
        kind: DraftKind,
        /// Name for people.
        name: String,
        /// The author's text.
        content: String,
        /// Whether it was given as a JSON object.
        is_json: bool,
        /// Why it is as it is.
        notes: Option<String>,
        /// The run it was made from.
        source_run_id: Option<RunId>,
    },
    /// A revision was checked.
    Validate {
        /// The draft.
        draft_id: DraftId,
        /// The revision.
        revision: u32,
        /// Its faults, as JSON.
        issues: Vec<Value>,
        /// The artifact that keeps the report; none for what the node ships with.
        report: Option<ArtifactId>,
    },
    /// Make a validated revision active.
    Promote {
        /// The draft.
        draft_id: DraftId,
        /// What it compiles to: id, name, trigger.
        blueprint: Compiled,
    },
    /// Make a policy active.
    ActivatePolicy {
        /// The policy's id.
        policy_id: String,
        /// Its name.
        name: String,
        /// The author's text.
        source: String,
    },
}

/// What the library keeps of a compiled blueprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The blueprint's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its trigger.
    pub trigger: String,
    /// Digest of the author's bytes.
    pub digest: Digest,
}

/// Why a command means nothing to the node as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// What is not up cannot stop.
    #[error("the node is not up")]
    NotUp,
    /// There is no such draft.
    #[error("there is no draft `{0}`")]
    UnknownDraft(DraftId),
    /// A promoted draft is frozen.
    #[error("draft `{0}` is promoted and frozen; save a new one")]
    Frozen(DraftId),
    /// A draft does not change what it becomes.
    #[error("draft `{0}` is of another type")]
    OtherKind(DraftId),
    /// Another revision was saved meanwhile.
    #[error("draft `{draft}` is at revision {current}, not at {checked}; validate it again")]
    Moved {
        /// The draft.
        draft: DraftId,
        /// The revision that was checked.
        checked: u32,
        /// The newest revision.
        current: u32,
    },
    /// This very revision was not found valid.
    #[error("revision {revision} of draft `{draft}` was not validated; validate it first")]
    NotValidated {
        /// The draft.
        draft: DraftId,
        /// Its revision.
        revision: u32,
    },
    /// Packs come later.
    #[error("draft `{0}` is a pack; only blueprints can be promoted")]
    NotABlueprint(DraftId),
    /// The active version has these very bytes.
    #[error("version {version} of `{id}` is the same and active already")]
    Unchanged {
        /// The blueprint or policy.
        id: String,
        /// Its active version.
        version: u32,
    },
}
