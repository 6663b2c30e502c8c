//! Approvals: words on gates of runs and on parked intents.
//!
//! A word on what this node asks is decided here; one on what another node asks becomes a moment of the
//! timeline ([`remote`]), and that node takes it up when it comes ([`arrive`]). Invariant: what a word
//! brings about is decided by the node that asks, once, whichever way the word came.

pub(crate) mod arrive;
pub(crate) mod ask;
pub(crate) mod people;
mod remote;

use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::ids::{IntentId, RunId};
use xyn_store::journal::AppendError;
use xyn_store::projection::{ApprovalRow, Asked, Fault, IntentRow, IntentStatus, RunRow, StepKey, Subject};
use xyn_store::timeline::approval::Matter;

use super::{field, id, runs, settle};
use crate::actions::Action;
use crate::governance::approval::{self, Answer, Approval, Given, Outcome as Verdicted, Verdict};
use crate::governance::{Decision, Effect};
use crate::record::Record;
use crate::run::Command;
use crate::runtime::{Accept, Inner, Intent, Outcome, Recording, Refusal, decision_of, stream};

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
    let step = field(&intent.input, "step_id");
    let at = match position(inner, run, step) {
        Err(missing @ Refusal::NotFound { kind: "run", .. }) => {
            return remote::answer(inner, intent, accept, Matter::Gate(run, step.to_owned()), missing).await;
        }
        at => at?,
    };
    let (approve, note) = (approve_of(&intent.input), note_of(&intent.input));
    let (by, elsewhere) = (intent.identity.clone(), accept.elsewhere);
    let command = Command::Answer { at, by, approve, note, elsewhere };
    runs::tell(inner, intent, accept, run, Subject::Gate(run, at), command).await
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

/// Records that `intent` waits for approvals, and says so.
pub(crate) async fn park(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    action: &Action,
    decision: Decision,
) -> Result<Outcome, Refusal> {
    if action.spec.redacted(&intent.input) != intent.input {
        let message = "an input with values that are never recorded cannot wait for approval".to_owned();
        return Err(Refusal::Conflict { code: "cannot_park", message });
    }
    let now = accept.now;
    let asked = decision.approvals.clone().unwrap_or_default();
    let mut parked = accept.parked(Asked {
        min: asked.min,
        approvers: asked.from_any_of.iter().map(ToString::to_string).collect(),
        allow_requester: asked.allow_requester,
        expires_at: asked.deadline(now),
    });
    let mut recording = Recording::default();
    parked.row.input = Some(recording.payload(&intent.input));
    let record = recording.park(parked);
    recording.entry(stream(intent.intent_id), 0, now, &intent.attribution(), &[record]);
    match recording.commit(inner).await {
        Ok(_) => Err(Refusal::Parked { intent_id: intent.intent_id, decision: Box::new(decision) }),
        Err(error) => inner.answer_append(error, intent),
    }
}

/// Answers a parked intent; the last word needed has it carried out.
pub(super) async fn answer_intent(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
) -> Result<Outcome, Refusal> {
    let parked: IntentId = id(&intent.input, "intent_id")?;
    let row = inner.store.read()?.get::<IntentRow>(&IntentRow::key_of(parked))?;
    let Some(mut row) = row else {
        let missing = Refusal::NotFound { kind: "intent", id: parked.to_string() };
        return remote::answer(inner, intent, accept, Matter::Intent(parked), missing).await;
    };
    let approval = approval_of(&row).filter(|_| row.status == IntentStatus::Parked);
    let approval = approval.ok_or_else(|| {
        let message = format!("intent {parked} does not wait for approval");
        Refusal::Conflict { code: "not_parked", message }
    })?;
    let (approve, note) = (approve_of(&intent.input), note_of(&intent.input));
    let verdict = if approve { Verdict::Approve } else { Verdict::Reject };
    let answer =
        Answer { identity: intent.identity.clone(), verdict, at: accept.made_at(), note: note.clone() };
    let verdict = approval::decide(&approval, &answer)
        .map_err(|refusal| Refusal::Forbidden { code: "approval_refused", message: refusal.to_string() })?;
    if verdict == Verdicted::Rejected {
        let by = &intent.identity.principal;
        let message =
            note.as_ref().map_or_else(|| format!("rejected by {by}"), |n| format!("rejected by {by}: {n}"));
        row.fault = Some(Fault { code: "rejected".to_owned(), message });
    }
    let word =
        ApprovalRow { principal: intent.identity.principal.clone(), approve, at: accept.made_at(), note };
    let expected = 1 + row.approvals.len() as u64;
    row.approvals.push(word);
    let (status, remaining) = match verdict {
        Verdicted::Recorded { remaining } => (IntentStatus::Parked, remaining),
        Verdicted::Approved => (IntentStatus::Approved, 0),
        Verdicted::Rejected => (IntentStatus::Denied, 0),
    };
    row.status = status;
    let (now, by, subject) = (accept.now, intent.attribution(), Subject::Intent(parked));
    let output = json!({ "status": status, "remaining": remaining });
    let mut recording = Recording::default();
    let accepted = recording.accept(accept.done(subject.clone()).answering(output.clone()), now, &by);
    let answered = Record::IntentAnswered(Box::new(row.clone()));
    let records: Vec<Record> = accepted.into_iter().chain([answered]).collect();
    recording.entry(stream(parked), expected, now, &by, &records);
    match recording.commit(inner).await {
        Err(AppendError::Conflict { .. }) => {
            let message = "somebody else answered at the same time; look again".to_owned();
            return Err(Refusal::Conflict { code: "answered_meanwhile", message });
        }
        Err(error) => return inner.answer_append(error, intent),
        Ok(_) if status == IntentStatus::Approved => settle::approved(inner, row).await,
        Ok(_) => {}
    }
    Ok(Outcome::new(intent.intent_id, subject, output))
}

/// Ends the intent `parked`, whose approvals did not come in time.
pub(crate) async fn expire(inner: &Arc<Inner>, parked: IntentId) -> Result<(), Refusal> {
    let row = inner.store.read()?.get::<IntentRow>(&IntentRow::key_of(parked))?;
    let Some(row) = row.filter(|row| row.status == IntentStatus::Parked) else { return Ok(()) };
    let seq = row.parked_seq().unwrap_or_default();
    let message = "the approvals it waited for did not come in time".to_owned();
    let fault = Fault { code: "expired".to_owned(), message };
    let by = Intent::of_row(inner, &row, Value::Null).attribution();
    let ended = IntentRow { status: IntentStatus::Denied, fault: Some(fault), ..row };
    let mut recording = Recording::default();
    let record = Record::IntentEnded(Box::new(ended));
    recording.entry(stream(parked), seq, inner.clock.now(), &by, &[record]);
    match recording.commit(inner).await {
        // A conflict: a word that came in time was faster.
        Ok(_) | Err(AppendError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The approval that the intent of `row` waits for, as its decision asks for it; none when it asks for none.
fn approval_of(row: &IntentRow) -> Option<Approval> {
    let (asked, decision) = (row.asked.as_ref()?, decision_of(&row.decision));
    if decision.effect != Effect::RequireApproval {
        return None;
    }
    let approvals = decision.approvals.unwrap_or_default();
    let given = |word: &ApprovalRow| Given {
        principal: word.principal.clone(),
        verdict: if word.approve { Verdict::Approve } else { Verdict::Reject },
        at: word.at,
        note: word.note.clone(),
    };
    let answers = row.approvals.iter().map(given).collect();
    let approval = Approval::new(approvals, row.actor.clone(), row.stage, Some(asked.expires_at));
    Some(Approval { answers, ..approval })
}

#[cfg(test)]
mod tests {
    use xyn_store::scope::{CorrelationId, Principal, Stage};
    use xyn_store::{Json, Timestamp};

    use super::*;

    fn parked(decision: Value) -> IntentRow {
        IntentRow {
            intent_id: xyn_store::ids::derived(Timestamp::EPOCH, &[b"intent"]),
            action: "git.commit".to_owned(),
            stage: Stage::Prod,
            actor: Principal::new("ann@test"),
            correlation_id: CorrelationId::parse("test").expect("fits"),
            at: Timestamp::EPOCH,
            status: IntentStatus::Parked,
            decision: Json::from(&decision),
            subject: None,
            input: None,
            withheld: false,
            output: None,
            fault: None,
            asked: Some(Asked {
                min: 1,
                approvers: vec!["role:Nobody knows".to_owned()],
                allow_requester: None,
                expires_at: Timestamp::EPOCH,
            }),
            approvals: Vec::new(),
        }
    }

    #[test]
    fn a_word_counts_by_the_decision_and_one_that_cannot_be_read_lets_nobody_approve() {
        let decision = |from: &str| {
            json!({
                "effect": "require_approval",
                "approvals": { "min": 2, "from_any_of": [from], "allow_requester": null, "expires_in_s": null },
            })
        };
        let approval = approval_of(&parked(decision("role:OwnerAdmin"))).expect("it waits");
        assert_eq!((approval.min, approval.from_any_of.len(), approval.allow_requester), (2, 1, false));
        for unreadable in [decision("role:Nobody knows"), json!({}), json!({ "effect": "allow" })] {
            assert!(approval_of(&parked(unreadable.clone())).is_none(), "{unreadable}");
        }
    }
}
