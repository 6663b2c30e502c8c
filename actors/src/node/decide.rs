//! What a command means to the library. Pure.

use xyn_store::ids::{DraftId, RunId};
use xyn_store::projection::{
    BlueprintRow, BlueprintStatus, DraftKind, DraftRow, DraftStatus, PolicyRow, PolicyStatus,
};
use xyn_store::{Digest, Timestamp};

use crate::record::{DraftChange, Record};

/// Something the library is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
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
        /// Whether it has no faults.
        is_valid: bool,
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
pub(crate) struct Compiled {
    /// The blueprint's id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Its trigger.
    pub(crate) trigger: String,
    /// Digest of the author's bytes.
    pub(crate) digest: Digest,
}

/// The rows a command is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// The draft.
    pub(crate) draft: Option<DraftRow>,
    /// The newest version of the blueprint.
    pub(crate) blueprint: Option<BlueprintRow>,
    /// The newest version of the policy.
    pub(crate) policy: Option<PolicyRow>,
}

/// What a command comes to: the record, and the version it replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The facts.
    pub(crate) records: Vec<Record>,
}

/// Why a command means nothing to the library as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejection {
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

/// What `command` means.
pub(crate) fn decide(view: &View, command: Command, now: Timestamp) -> Result<Change, Rejection> {
    let known = |draft_id| view.draft.clone().ok_or(Rejection::UnknownDraft(draft_id));
    let records = match command {
        Command::Save { draft_id, kind, name, content, is_json, notes, source_run_id } => {
            let before = view.draft.as_ref();
            if before.is_some_and(|draft| draft.status == DraftStatus::Promoted) {
                return Err(Rejection::Frozen(draft_id));
            }
            if before.is_some_and(|draft| draft.kind != kind) {
                return Err(Rejection::OtherKind(draft_id));
            }
            let row = DraftRow {
                draft_id,
                name,
                kind,
                status: DraftStatus::Draft,
                revision: before.map_or(0, |draft| draft.revision) + 1,
                created_at: before.map_or(now, |draft| draft.created_at),
                updated_at: now,
                content,
                is_json,
                notes,
                source_run_id,
            };
            vec![Record::Draft(DraftChange::Saved, Box::new(row))]
        }
        Command::Validate { draft_id, revision, is_valid } => {
            vec![validate(known(draft_id)?, revision, is_valid)?]
        }
        Command::Promote { draft_id, blueprint } => {
            promote(known(draft_id)?, view.blueprint.as_ref(), blueprint, now)?
        }
        Command::ActivatePolicy { policy_id, name, source } => {
            let before = view.policy.as_ref();
            if let Some(same) = before.filter(|before| before.source == source) {
                return Err(Rejection::Unchanged { id: policy_id, version: same.version });
            }
            let version = before.map_or(0, |before| before.version) + 1;
            let status = PolicyStatus::Active;
            let activated = PolicyRow { policy_id, version, name, status, activated_at: now, source };
            let replaced = before.map(|before| {
                let status = PolicyStatus::Deprecated;
                Record::PolicyDeprecated(Box::new(PolicyRow { status, ..before.clone() }))
            });
            replaced.into_iter().chain([Record::PolicyActivated(Box::new(activated))]).collect()
        }
    };
    Ok(Change { records })
}

fn validate(mut row: DraftRow, revision: u32, is_valid: bool) -> Result<Record, Rejection> {
    let draft = row.draft_id;
    if row.revision != revision {
        return Err(Rejection::Moved { draft, checked: revision, current: row.revision });
    }
    let change = match (is_valid, row.status) {
        (_, DraftStatus::Promoted) => return Err(Rejection::Frozen(draft)),
        (true, _) => DraftChange::Validated,
        (false, _) => DraftChange::ValidationFailed,
    };
    row.status = if is_valid { DraftStatus::Validated } else { DraftStatus::Draft };
    Ok(Record::Draft(change, Box::new(row)))
}

/// Freezes `row` and puts what it compiles to in the place of the version `before`.
fn promote(
    mut row: DraftRow,
    before: Option<&BlueprintRow>,
    blueprint: Compiled,
    now: Timestamp,
) -> Result<Vec<Record>, Rejection> {
    let (draft, revision) = (row.draft_id, row.revision);
    match (row.kind, row.status) {
        (DraftKind::Pack, _) => return Err(Rejection::NotABlueprint(draft)),
        (_, DraftStatus::Promoted) => return Err(Rejection::Frozen(draft)),
        (_, DraftStatus::Draft) => return Err(Rejection::NotValidated { draft, revision }),
        (_, DraftStatus::Validated) => row.status = DraftStatus::Promoted,
    }
    if let Some(same) = before.filter(|before| before.digest == blueprint.digest) {
        return Err(Rejection::Unchanged { id: blueprint.id, version: same.version });
    }
    let activated = BlueprintRow {
        version: before.map_or(0, |before| before.version) + 1,
        blueprint_id: blueprint.id,
        name: blueprint.name,
        trigger: blueprint.trigger,
        digest: blueprint.digest,
        status: BlueprintStatus::Active,
        activated_at: now,
        source: row.content.clone(),
    };
    let replaced = before.map(|before| {
        let status = BlueprintStatus::Deprecated;
        Record::BlueprintDeprecated(Box::new(BlueprintRow { status, ..before.clone() }))
    });
    let promoted = Record::Draft(DraftChange::Promoted, Box::new(row));
    let activated = Record::BlueprintActivated(Box::new(activated));
    Ok([promoted].into_iter().chain(replaced).chain([activated]).collect())
}
