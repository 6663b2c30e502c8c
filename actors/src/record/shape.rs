//! What records say, in the shapes in which the API shows the same things.
//!
//! Owns the names of their fields: blueprints read them as `event.data`, and everybody else in the stream of
//! events. Invariant: how a record is kept does not show in what it says: no variant, no field that only
//! readers of the journal know, and no null for what is not there.

use serde_json::{Value, json};
use xyn_store::projection::{
    ApprovalRow, ArtifactRow, Asked, DraftRow, Fault, GateMode, IntentRow, Payload, Subject, WorkspaceRow,
};
use xyn_store::timeline::entry::{Entry, Refs};

use super::ResourceView;
use crate::actions::Failure;
use crate::run::{Created, Event, GateRequest};

/// `fields` without those that are null.
fn present(mut fields: Value) -> Value {
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    fields
}

/// What an intent brought about, by type and id.
pub fn subject(subject: &Subject) -> ResourceView {
    let (kind, id) = match subject {
        Subject::Event(id) => ("event", id.to_string()),
        Subject::Run(id) => ("run", id.to_string()),
        Subject::Gate(run_id, step) => ("gate", format!("{run_id}/{step}")),
        Subject::Artifact(id) => ("artifact", id.to_string()),
        Subject::Draft(id) => ("draft", id.to_string()),
        Subject::Blueprint(id, version) => ("blueprint", format!("{id}@{version}")),
        Subject::Policy(id, version) => ("policy", format!("{id}@{version}")),
        Subject::Intent(id) => ("intent", id.to_string()),
    };
    ResourceView { kind: kind.to_owned(), id }
}

/// A document, or what names the blob it is in.
pub fn payload(payload: &Payload) -> Value {
    match payload {
        Payload::Json(json) => json.to_value(),
        Payload::Blob { sha256, byte_length } => {
            json!({ "blob": { "sha256": sha256, "byte_length": byte_length } })
        }
    }
}

pub(super) fn intent(row: &IntentRow) -> Value {
    present(json!({
        "intent_id": row.intent_id,
        "action": row.action,
        "stage": row.stage,
        "actor": row.actor,
        "correlation_id": row.correlation_id,
        "at": row.at,
        "status": row.status,
        "decision": row.decision,
        "subject": row.subject.as_ref().map(subject),
        "input": row.input.as_ref().map(payload),
        "output": row.output.as_ref().map(payload),
        "error": row.fault.as_ref().map(fault),
        "approvals": row.approvals.iter().map(word).collect::<Vec<_>>(),
        "asked": row.asked.as_ref().map(asked),
    }))
}

fn asked(asked: &Asked) -> Value {
    present(json!({
        "min": asked.min, "approvers": asked.approvers, "allow_requester": asked.allow_requester,
        "expires_at": asked.expires_at,
    }))
}

fn word(row: &ApprovalRow) -> Value {
    present(json!({ "principal": row.principal, "approve": row.approve, "at": row.at, "note": row.note }))
}

fn fault(fault: &Fault) -> Value {
    json!({ "code": fault.code, "message": fault.message })
}

pub(super) fn artifact(row: &ArtifactRow) -> Value {
    present(json!({
        "artifact_id": row.artifact_id,
        "name": row.name,
        "kind": row.kind,
        "content_type": row.content_type,
        "byte_length": row.byte_length,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "run_id": row.run_id,
        "step_id": row.step_id,
        "sha256": row.sha256,
        "metadata": row.metadata,
    }))
}

pub(super) fn draft(row: &DraftRow) -> Value {
    present(json!({
        "draft_id": row.draft_id,
        "name": row.name,
        "kind": row.kind,
        "status": row.status,
        "revision": row.revision,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "content": content(row),
        "notes": row.notes,
        "source_run_id": row.source_run_id,
    }))
}

/// What a draft says: its author's text, or the object that was handed in.
pub fn content(row: &DraftRow) -> Value {
    let parsed = row.is_json.then(|| serde_json::from_str(&row.content).ok()).flatten();
    parsed.unwrap_or_else(|| Value::String(row.content.clone()))
}

pub(super) fn workspace(row: &WorkspaceRow) -> Value {
    present(json!({
        "name": row.name, "dir": row.dir, "added_at": row.added_at, "added_by": row.added_by,
        "branch": row.branch, "known": row.known,
    }))
}

/// A moment, without what depends on who asks.
pub(crate) fn moment(entry: &Entry) -> Value {
    let Entry { entry_id, at, node, note } = entry;
    json!({
        "entry_id": entry_id, "at": at.at, "counter": at.counter, "node": node, "principal": note.principal,
        "branch": note.branch, "kind": note.kind, "title": note.title, "refs": refs(&note.refs),
    })
}

fn refs(refs: &Refs) -> Value {
    let artifacts: Vec<_> = refs.artifacts.iter().map(|made| made.artifact_id).collect();
    present(json!({
        "run_id": refs.run,
        "artifacts": (!artifacts.is_empty()).then_some(artifacts),
        "capsule": refs.capsule,
        "workspace": refs.workspace,
        "before": refs.before,
        "after": refs.after,
        "env": refs.env,
        "stage": refs.stage,
        "domain": refs.domain,
        "parents": (!refs.parents.is_empty()).then_some(&refs.parents),
    }))
}

/// What a fact about a run says, beside the run and the step it is about.
pub(super) fn run(event: &Event) -> Value {
    match event {
        Event::Created(created) => begun(created),
        Event::Started
        | Event::Cancelled
        | Event::StepSkipped { .. }
        | Event::GateExpired { .. }
        | Event::StepCompensated { .. } => json!({}),
        Event::StepStarted { attempt, input, rule, .. } => {
            present(json!({ "attempt": attempt, "inputs": input, "rule": rule }))
        }
        Event::CompensationStarted { attempt, input, .. } => json!({ "attempt": attempt, "inputs": input }),
        Event::StepCompleted { output, .. } => json!({ "outputs": output }),
        Event::Completed { outputs } => json!({ "outputs": outputs }),
        Event::StepFailed { fault: why, .. }
        | Event::CompensationFailed { fault: why, .. }
        | Event::Failed { fault: why }
        | Event::LimitExceeded { fault: why }
        | Event::OutputsFailed { fault: why } => json!({ "error": fault(why) }),
        Event::StepRetried { failure, due, .. } | Event::CompensationRetried { failure, due, .. } => {
            json!({ "error": failed(failure), "due": due })
        }
        Event::StepUncertain { failure, .. } => json!({ "error": failed(failure) }),
        Event::StepFannedOut { items, .. } => json!({ "items": items }),
        Event::GateRequested { gate, .. } => asks(gate),
        Event::GateAnswered { answer, .. } | Event::GateRejected { answer, .. } => {
            json!({ "answer": word(answer) })
        }
        Event::GateApproved { answer, .. } => present(json!({ "answer": answer.as_ref().map(word) })),
        Event::CancelRequested { by, reason, compensate } => {
            present(json!({ "by": by, "reason": reason, "compensate": compensate }))
        }
    }
}

fn begun(created: &Created) -> Value {
    present(json!({
        "name": created.name,
        "blueprint_ref": created.blueprint_id,
        "blueprint_digest": created.blueprint_digest,
        "inputs": created.inputs,
        "event": created.event,
        "stage": created.stage,
        "labels": created.labels,
        "priority": created.priority,
        "lineage": created.lineage,
        "error": created.fault.as_ref().map(|why| json!({ "code": "invalid_inputs", "message": why })),
    }))
}

fn asks(gate: &GateRequest) -> Value {
    let (mode, event_name) = match &gate.mode {
        GateMode::Manual => ("manual", None),
        GateMode::Timer => ("timer", None),
        GateMode::Event(name) => ("event", Some(name)),
        GateMode::Uncertain => ("uncertain", None),
        GateMode::Policy => ("policy", None),
    };
    present(json!({
        "mode": mode,
        "event_name": event_name,
        "expires_at": gate.expires_at,
        "approvers": gate.approvers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "min": gate.min,
        "allow_requester": gate.allow_requester,
        "prompt": gate.prompt,
    }))
}

fn failed(failure: &Failure) -> Value {
    json!({ "code": failure.code, "message": failure.message })
}

#[cfg(test)]
mod tests {
    use xyn_store::Timestamp;
    use xyn_store::ids;
    use xyn_store::projection::StepKey;

    use super::*;

    #[test]
    fn a_subject_is_a_type_and_an_id() {
        let run = ids::derived(Timestamp::EPOCH, &[b"run"]);
        let gate = subject(&Subject::Gate(run, StepKey::item(1, 2)));
        assert_eq!((gate.kind.as_str(), gate.id), ("gate", format!("{run}/1.2")));
    }

    #[test]
    fn a_gate_says_its_mode_in_a_word_and_nothing_of_what_is_not_there() {
        let gate = |mode| GateRequest {
            mode,
            approvers: Vec::new(),
            min: 1,
            allow_requester: None,
            expires_at: None,
            prompt: None,
        };
        let event = asks(&gate(GateMode::Event("test.paid".into())));
        assert_eq!(event, json!({ "mode": "event", "event_name": "test.paid", "approvers": [], "min": 1 }));
        assert_eq!(asks(&gate(GateMode::Manual)), json!({ "mode": "manual", "approvers": [], "min": 1 }));
    }
}
