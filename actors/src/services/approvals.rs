//! Approvals: words on gates of runs and on parked intents.

use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::ids::{IntentId, RunId};
use xyn_store::projection::{
    ApprovalRow, Asked, GateRow, GateStatus, IntentRow, IntentStatus, RunRow, StepKey, Subject,
};
use xyn_store::scope::Stage;
use xyn_store::{Json, Timestamp};

use super::{field, id, runs};
use crate::actions::Action;
use crate::governance::Decision;
use crate::governance::approval::{self, Answer, Approval, Given, Outcome as Verdicted, Verdict};
use crate::record::Record;
use crate::run::Command;
use crate::runtime::{Accept, Inner, Intent, Outcome, Recording, Refusal, stream};

fn approve_of(input: &Value) -> bool {
    input.get("approve").and_then(Value::as_bool).unwrap_or(false)
}

fn note_of(input: &Value) -> Option<String> {
    input.get("note").and_then(Value::as_str).map(str::to_owned)
}

/// Answers a gate of a run.
pub(super) async fn answer_gate(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
) -> Result<Outcome, Refusal> {
    let run: RunId = id(&intent.input, "run_id")?;
    let at = position(inner, run, field(&intent.input, "step_id"))?;
    let (approve, note) = (approve_of(&intent.input), note_of(&intent.input));
    let command = Command::Answer { at, by: intent.identity.clone(), approve, note };
    let subject = Subject::Gate(run, at);
    runs::tell(inner, intent, accept, run, subject.clone(), command).await?;
    let gate = inner.store.read()?.get::<GateRow>(&GateRow::key_of(run, at))?;
    let (status, remaining) = gate.map_or((GateStatus::Requested, 0), |gate| {
        let given = gate.approvals.iter().filter(|word| word.approve).count() as u32;
        (gate.status, gate.min.saturating_sub(given))
    });
    let remaining = if status == GateStatus::Requested { remaining } else { 0 };
    Ok(Outcome::new(intent.intent_id, subject, json!({ "status": status, "remaining": remaining })))
}

/// The step or item that `step_id` names: `name`, or `name.index` for an item.
pub(crate) fn position(inner: &Inner, run: RunId, step_id: &str) -> Result<StepKey, Refusal> {
    let row = inner.store.read()?.get::<RunRow>(&RunRow::key_of(run))?;
    let row = row.ok_or_else(|| Refusal::NotFound { kind: "run", id: run.to_string() })?;
    let plan = inner.plan(&row.blueprint_digest)?;
    let (name, item) = match step_id.rsplit_once('.') {
        Some((name, item)) => (name, item.parse().ok()),
        None => (step_id, None),
    };
    let step =
        plan.steps.iter().position(|step| step.id == name).filter(|_| name == step_id || item.is_some());
    let step = step.ok_or_else(|| Refusal::NotFound { kind: "step", id: step_id.to_owned() })?;
    Ok(StepKey { step: step as u16, item })
}

/// Records that `intent` waits for approvals.
pub(crate) async fn park(
    inner: &Arc<Inner>,
    intent: &Intent,
    row: IntentRow,
    action: &Action,
    decision: &Decision,
    now: Timestamp,
) -> Result<(), Refusal> {
    if action.spec.redacted(&intent.input) != intent.input {
        let message = "an input with values that are never recorded cannot wait for approval".to_owned();
        return Err(Refusal::Conflict { code: "cannot_park", message });
    }
    let asked = decision.approvals.clone().unwrap_or_default();
    let row = IntentRow {
        input: Some(Json::from(&intent.input)),
        subject: Some(Subject::Intent(intent.intent_id)),
        asked: Some(Asked {
            min: asked.min,
            approvers: asked.from_any_of.iter().map(ToString::to_string).collect(),
            allow_requester: asked.allow_requester,
            expires_at: asked.deadline(now),
        }),
        ..row
    };
    inner.record_intent(intent, 0, Record::IntentParked(Box::new(row)), now).await
}

/// Answers a parked intent; the last word needed has it carried out.
pub(super) async fn answer_intent(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
) -> Result<Outcome, Refusal> {
    let parked: IntentId = id(&intent.input, "intent_id")?;
    let row = inner.store.read()?.get::<IntentRow>(&IntentRow::key_of(parked))?;
    let mut row = row.ok_or_else(|| Refusal::NotFound { kind: "intent", id: parked.to_string() })?;
    let approval = match (&row.asked, row.status) {
        (Some(asked), IntentStatus::Parked) => approval_of(&row, asked),
        _ => {
            let message = format!("intent {parked} does not wait for approval");
            return Err(Refusal::Conflict { code: "not_parked", message });
        }
    };
    let (approve, note) = (approve_of(&intent.input), note_of(&intent.input));
    let verdict = if approve { Verdict::Approve } else { Verdict::Reject };
    let answer = Answer { identity: intent.identity.clone(), verdict, at: accept.now, note: note.clone() };
    let verdict = approval::decide(&approval, &answer)
        .map_err(|refusal| Refusal::Forbidden { code: "approval_refused", message: refusal.to_string() })?;
    let word = ApprovalRow { principal: intent.identity.principal.clone(), approve, at: accept.now, note };
    let expected = 1 + row.approvals.len() as u64;
    row.approvals.push(word);
    let (status, remaining) = match verdict {
        Verdicted::Recorded { remaining } => (IntentStatus::Parked, remaining),
        Verdicted::Approved => (IntentStatus::Accepted, 0),
        Verdicted::Rejected => (IntentStatus::Denied, 0),
    };
    row.status = status;
    let now = accept.now;
    let subject = Subject::Intent(parked);
    let mut recording = Recording::default();
    let accepted = recording.accept(accept.by(subject.clone()));
    let records = [accepted, Record::IntentAnswered(Box::new(row.clone()))];
    recording.entry(stream(parked), expected, now, &intent.attribution(), &records);
    if let Err(error) = recording.commit(inner).await {
        return inner.answer_append(error, intent);
    }
    let mut output = json!({ "status": status, "remaining": remaining });
    if status == IntentStatus::Accepted {
        let outcome = carry_out(inner, row, now).await?;
        output["outcome"] = outcome.output;
    }
    Ok(Outcome::new(intent.intent_id, subject, output))
}

/// Carries out an intent whose approvals are complete.
async fn carry_out(inner: &Arc<Inner>, row: IntentRow, now: Timestamp) -> Result<Outcome, Refusal> {
    let action = inner.registry.get(&row.action).cloned();
    let action = action.ok_or_else(|| Refusal::NotFound { kind: "action", id: row.action.clone() })?;
    let identity = inner.identity_of(&row.actor);
    let decision = inner.decide(&identity, &row.action, row.stage, now);
    let intent = Intent {
        intent_id: row.intent_id,
        action: row.action.clone(),
        input: row.input.as_ref().map(Json::to_value).unwrap_or_default(),
        stage: Some(row.stage),
        identity,
        session: None,
        correlation_id: row.correlation_id.clone(),
        causation_id: None,
        depth: 0,
        idempotency_key: None,
    };
    Box::pin(inner.carry_out(intent, &action, Accept::of_parked(row, now), &decision)).await
}

fn approval_of(row: &IntentRow, asked: &Asked) -> Approval {
    let given = |word: &ApprovalRow| Given {
        principal: word.principal.clone(),
        verdict: if word.approve { Verdict::Approve } else { Verdict::Reject },
        at: word.at,
        note: word.note.clone(),
    };
    Approval {
        min: asked.min,
        // INVARIANT: the policy parser lets only valid approvers through.
        from_any_of: asked.approvers.iter().filter_map(|approver| approver.parse().ok()).collect(),
        allow_requester: asked.allow_requester.unwrap_or(row.stage == Stage::Dev),
        requester: row.actor.clone(),
        expires_at: Some(asked.expires_at),
        answers: row.approvals.iter().map(given).collect(),
    }
}
