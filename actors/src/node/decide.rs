//! What a command means to the node: the facts, and what the one who gave it is answered. Pure.

use serde_json::{Value, json};
use xyn_store::Timestamp;
use xyn_store::ids::{ArtifactId, DraftId};
use xyn_store::projection::{
    BlueprintRow, BlueprintStatus, DraftKind, DraftRow, DraftStatus, PolicyRow, PolicyStatus, Subject,
};

use super::command::{Command, Compiled, Rejection};
use super::event::{DraftChange, Event};
use super::state::State;
use crate::actions::{Content, NewArtifact};

/// What a command comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The facts.
    pub events: Vec<Event>,
    /// An artifact to keep with them.
    pub artifact: Option<NewArtifact>,
    /// What it is about, as it stands now; none for what the node does by itself.
    pub subject: Option<Subject>,
    /// What the one who gave the command is answered.
    pub answer: Value,
}

/// What `command` means to the node in `state`.
pub fn decide(state: &State, command: Command, now: Timestamp) -> Result<Change, Rejection> {
    match command {
        Command::Start { version, incarnation } => Ok(own(Event::Started { version, incarnation })),
        Command::Stop if state.is_up => Ok(own(Event::Stopped)),
        Command::Stop => Err(Rejection::NotUp),
        Command::Save { draft_id, kind, name, content, is_json, notes, source_run_id } => {
            let before = state.draft.as_ref();
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
            validate(known(state, draft_id)?, revision, issues, report)
        }
        Command::Promote { draft_id, blueprint } => {
            promote(known(state, draft_id)?, state.blueprint.as_ref(), blueprint, now)
        }
        Command::ActivatePolicy { policy_id, name, source } => {
            activate(state.policy.as_ref(), policy_id, name, source, now)
        }
    }
}

/// Something of the node's own, which nobody waits for.
fn own(event: Event) -> Change {
    Change { events: vec![event], artifact: None, subject: None, answer: Value::Null }
}

fn known(state: &State, draft_id: DraftId) -> Result<DraftRow, Rejection> {
    state.draft.clone().ok_or(Rejection::UnknownDraft(draft_id))
}

fn saved(row: DraftRow) -> Change {
    Change {
        artifact: None,
        subject: Some(Subject::Draft(row.draft_id)),
        answer: json!({ "draft_id": row.draft_id, "revision": row.revision, "status": row.status }),
        events: vec![Event::Draft(DraftChange::Saved, Box::new(row))],
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
    let events = if row.status == DraftStatus::Promoted {
        Vec::new()
    } else {
        row.status = status;
        vec![Event::Draft(change, Box::new(row))]
    };
    Ok(Change { events, artifact, subject: Some(Subject::Draft(draft_id)), answer })
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
        Event::BlueprintDeprecated(Box::new(BlueprintRow { status, ..before.clone() }))
    });
    let promoted = Event::Draft(DraftChange::Promoted, Box::new(row));
    let activated = Event::BlueprintActivated(Box::new(activated));
    Ok(Change {
        events: [promoted].into_iter().chain(replaced).chain([activated]).collect(),
        artifact: None,
        answer: json!({ "blueprint_id": blueprint.id, "version": version, "status": "active" }),
        subject: Some(Subject::Blueprint(blueprint.id, version)),
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
        Event::PolicyDeprecated(Box::new(PolicyRow { status, ..before.clone() }))
    });
    let answer = json!({ "policy_id": policy_id, "version": version });
    let subject = Some(Subject::Policy(policy_id.clone(), version));
    let status = PolicyStatus::Active;
    let activated = PolicyRow { policy_id, version, name, status, activated_at: now, source };
    let events = replaced.into_iter().chain([Event::PolicyActivated(Box::new(activated))]).collect();
    Ok(Change { events, artifact: None, subject, answer })
}
