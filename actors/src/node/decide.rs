//! What a command means to the library: the facts, and what the one who gave it is answered. Pure.

use serde_json::{Value, json};
use xyn_store::ids::{ArtifactId, DraftId, RunId};
use xyn_store::projection::{
    BlueprintRow, BlueprintStatus, DraftKind, DraftRow, DraftStatus, PolicyRow, PolicyStatus, Subject,
};
use xyn_store::{Digest, Timestamp};

use crate::actions::{Content, NewArtifact};
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

/// What a command comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// The facts.
    pub(crate) records: Vec<Record>,
    /// An artifact to keep with them.
    pub(crate) artifact: Option<NewArtifact>,
    /// What it is about, as it stands now.
    pub(crate) subject: Subject,
    /// What the one who gave the command is answered.
    pub(crate) answer: Value,
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
    match command {
        Command::Save { draft_id, kind, name, content, is_json, notes, source_run_id } => {
            let before = view.draft.as_ref();
            if before.is_some_and(|draft| draft.status == DraftStatus::Promoted) {
                return Err(Rejection::Frozen(draft_id));
            }
            if before.is_some_and(|draft| draft.kind != kind) {
                return Err(Rejection::OtherKind(draft_id));
            }
            Ok(saved(DraftRow {
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
            }))
        }
        Command::Validate { draft_id, revision, issues, report } => {
            validate(known(view, draft_id)?, revision, issues, report)
        }
        Command::Promote { draft_id, blueprint } => {
            promote(known(view, draft_id)?, view.blueprint.as_ref(), blueprint, now)
        }
        Command::ActivatePolicy { policy_id, name, source } => {
            activate(view.policy.as_ref(), policy_id, name, source, now)
        }
    }
}

fn known(view: &View, draft_id: DraftId) -> Result<DraftRow, Rejection> {
    view.draft.clone().ok_or(Rejection::UnknownDraft(draft_id))
}

fn saved(row: DraftRow) -> Change {
    Change {
        artifact: None,
        subject: Subject::Draft(row.draft_id),
        answer: json!({ "draft_id": row.draft_id, "revision": row.revision, "status": row.status }),
        records: vec![Record::Draft(DraftChange::Saved, Box::new(row))],
    }
}

/// A promoted draft is frozen: it is checked and reported on, and stays as it is.
fn validate(
    mut row: DraftRow,
    revision: u32,
    issues: Vec<Value>,
    report: Option<ArtifactId>,
) -> Result<Change, Rejection> {
    let draft_id = row.draft_id;
    if row.revision != revision {
        return Err(Rejection::Moved { draft: draft_id, checked: revision, current: row.revision });
    }
    let is_valid = issues.is_empty();
    let answer = json!({ "is_valid": is_valid, "issues": issues });
    let artifact = report.map(|id| NewArtifact {
        id,
        name: "validation.json".to_owned(),
        kind: "report".to_owned(),
        content_type: "application/json".to_owned(),
        content: Content::Bytes(answer.to_string().into_bytes()),
        run_id: None,
        metadata: json!({ "draft_id": draft_id, "revision": revision }),
    });
    let (change, status) = match is_valid {
        true => (DraftChange::Validated, DraftStatus::Validated),
        false => (DraftChange::ValidationFailed, DraftStatus::Draft),
    };
    let records = if row.status == DraftStatus::Promoted {
        Vec::new()
    } else {
        row.status = status;
        vec![Record::Draft(change, Box::new(row))]
    };
    Ok(Change { records, artifact, subject: Subject::Draft(draft_id), answer })
}

fn promote(
    mut row: DraftRow,
    before: Option<&BlueprintRow>,
    blueprint: Compiled,
    now: Timestamp,
) -> Result<Change, Rejection> {
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
    let version = before.map_or(0, |before| before.version) + 1;
    let activated = BlueprintRow {
        version,
        blueprint_id: blueprint.id.clone(),
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
    Ok(Change {
        records: [promoted].into_iter().chain(replaced).chain([activated]).collect(),
        artifact: None,
        answer: json!({ "blueprint_id": blueprint.id, "version": version, "status": "active" }),
        subject: Subject::Blueprint(blueprint.id, version),
    })
}

fn activate(
    before: Option<&PolicyRow>,
    policy_id: String,
    name: String,
    source: String,
    now: Timestamp,
) -> Result<Change, Rejection> {
    if let Some(same) = before.filter(|before| before.source == source) {
        return Err(Rejection::Unchanged { id: policy_id, version: same.version });
    }
    let version = before.map_or(0, |before| before.version) + 1;
    let replaced = before.map(|before| {
        let status = PolicyStatus::Deprecated;
        Record::PolicyDeprecated(Box::new(PolicyRow { status, ..before.clone() }))
    });
    let answer = json!({ "policy_id": policy_id, "version": version });
    let subject = Subject::Policy(policy_id.clone(), version);
    let status = PolicyStatus::Active;
    let activated = PolicyRow { policy_id, version, name, status, activated_at: now, source };
    let records = replaced.into_iter().chain([Record::PolicyActivated(Box::new(activated))]).collect();
    Ok(Change { records, artifact: None, subject, answer })
}
