//! Gates: what a step waits for, and what decides it.

use serde_json::{Value, json};
use xyn_store::projection::{ApprovalRow, GateMode, GateStatus, StepKey};
use xyn_store::{Json, Timestamp};

use super::{World, failed, stage_at};
use crate::blueprint::EventPattern;
use crate::blueprint::plan::{Gate, GateTimeout, Kind, OnTimeout};
use crate::governance::approval::{self, Answer, Approval, Given, Outcome, Verdict};
use crate::run::command::Rejection;
use crate::run::event::{Arrival, Event, GateRequest};
use crate::run::state::{OpenGate, Phase, State};

/// The gate that a step asks for.
pub(super) fn request(state: &State, at: StepKey, gate: &Gate, world: &World<'_>) -> Event {
    let expires = |timeout: &Option<GateTimeout>| timeout.map(|timeout| world.now.after(timeout.after));
    let open = |mode| GateRequest {
        mode,
        approvers: Vec::new(),
        min: 0,
        allow_requester: None,
        expires_at: None,
        prompt: None,
    };
    let request = match gate {
        Gate::Timer { delay } => {
            GateRequest { expires_at: Some(world.now.after(*delay)), ..open(GateMode::Timer) }
        }
        Gate::Event { event_type, timeout, .. } => {
            GateRequest { expires_at: expires(timeout), ..open(GateMode::Event(event_type.to_string())) }
        }
        Gate::Manual { approvers, min, allow_requester, prompt, timeout } => {
            let prompt = match prompt.as_ref().map(|prompt| prompt.render(&state.scope_at(at))).transpose() {
                Ok(prompt) => prompt.map(|prompt| Json::from(&prompt)),
                Err(error) => return failed(at, "template_failed", format!("`prompt`: {error}")),
            };
            GateRequest {
                approvers: approvers.clone(),
                min: *min,
                allow_requester: *allow_requester,
                expires_at: expires(timeout),
                prompt,
                ..open(GateMode::Manual)
            }
        }
    };
    Event::GateRequested { at, gate: Box::new(request) }
}

fn open_gate(state: &State, at: StepKey) -> Option<&OpenGate> {
    match &state.at(at)?.phase {
        Phase::Gated(gate) => Some(gate),
        _ => None,
    }
}

/// A person answers: the question that was asked at `asked_at`, or the one that is open.
pub(super) fn answer(
    state: &State,
    at: StepKey,
    answer: Answer,
    asked_at: Option<Timestamp>,
) -> Result<Vec<Event>, Rejection> {
    let gate = open_gate(state, at)
        .filter(|gate| matches!(gate.request.mode, GateMode::Manual | GateMode::Policy | GateMode::Uncertain))
        .filter(|gate| asked_at.is_none_or(|asked_at| asked_at == gate.since))
        .ok_or(Rejection::NoGate(at))?;
    let outcome = approval::decide(&collected(state, at, gate), &answer)?;
    let Answer { identity, verdict, at: made_at, note } = answer;
    let approve = verdict == Verdict::Approve;
    let answer = ApprovalRow { principal: identity.principal, approve, at: made_at, note };
    Ok(match outcome {
        Outcome::Recorded { .. } => vec![Event::GateAnswered { at, answer }],
        Outcome::Approved => {
            let mut words = gate.answers.clone();
            words.push(answer.clone());
            let decided = Event::GateApproved { at, answer: Some(answer) };
            match gate.request.mode {
                // The step itself goes on with the next move.
                GateMode::Policy | GateMode::Uncertain => vec![decided],
                _ => vec![decided, completed(at, json!({ "approved": true, "approvals": words }))],
            }
        }
        Outcome::Rejected => {
            let message = match &answer.note {
                Some(note) => format!("rejected by {}: {note}", answer.principal),
                None => format!("rejected by {}", answer.principal),
            };
            vec![Event::GateRejected { at, answer }, failed(at, "rejected", message)]
        }
    })
}

/// Where a gate stands behind the word that `event` is, which is the last one on it in `state`.
pub(in crate::run) fn standing(state: &State, event: &Event) -> Option<Value> {
    let (status, remaining) = match event {
        Event::GateAnswered { at, .. } => {
            let open = open_gate(state, *at)?;
            (GateStatus::Requested, collected(state, *at, open).remaining())
        }
        Event::GateApproved { answer: Some(_), .. } => (GateStatus::Approved, 0),
        Event::GateRejected { .. } => (GateStatus::Rejected, 0),
        _ => return None,
    };
    Some(json!({ "status": status, "remaining": remaining }))
}

/// The gate as the collecting of approvals sees it.
fn collected(state: &State, at: StepKey, gate: &OpenGate) -> Approval {
    let requester = state.begin.as_ref().map(|begin| begin.attribution.actor.clone());
    let stage = stage_at(state, at);
    let given = |row: &ApprovalRow| Given {
        principal: row.principal.clone(),
        verdict: if row.approve { Verdict::Approve } else { Verdict::Reject },
        at: row.at,
        note: row.note.clone(),
    };
    Approval {
        min: gate.request.min.max(1),
        from_any_of: gate.request.approvers.clone(),
        allow_requester: gate.request.allow_requester.unwrap_or(stage == xyn_store::scope::Stage::Dev),
        requester: requester.unwrap_or_else(xyn_store::scope::Principal::local_operator),
        expires_at: gate.request.expires_at,
        answers: gate.answers.iter().map(given).collect(),
    }
}

/// An event arrived; whichever gates wait for it open.
pub(super) fn arrive(state: &State, arrival: &Arrival) -> Vec<Event> {
    let mut events = Vec::new();
    for (at, step) in state.open() {
        let Phase::Gated(gate) = &step.phase else { continue };
        let Kind::Gate(Gate::Event { event_type, matches, .. }) =
            &state.plan.steps[usize::from(at.step)].kind
        else {
            continue;
        };
        if !matches!(gate.request.mode, GateMode::Event(_))
            || !EventPattern::matches(event_type, &arrival.name)
        {
            continue;
        }
        let view = arrival.view.to_value();
        let mut scope = state.scope_at(at);
        scope.set_event(&view);
        // A match that cannot be evaluated for this event does not match it.
        if matches.as_ref().is_none_or(|matches| matches.truthy(&scope).unwrap_or(false)) {
            events.push(Event::GateApproved { at, answer: None });
            events.push(completed(at, json!({ "event": view })));
        }
    }
    events
}

/// A timer gate's time has come.
pub(super) fn opened_by_timer(state: &State, at: StepKey, due: Timestamp) -> Vec<Event> {
    match due_gate(state, at, due) {
        Some(gate) if gate.request.mode == GateMode::Timer => {
            vec![Event::GateApproved { at, answer: None }, completed(at, json!({ "fired_at": due }))]
        }
        _ => Vec::new(),
    }
}

/// Nobody decided in time.
pub(super) fn expired(state: &State, at: StepKey, due: Timestamp) -> Vec<Event> {
    let due_gate = due_gate(state, at, due).filter(|gate| gate.request.mode != GateMode::Timer);
    let Some(gate) = due_gate else { return Vec::new() };
    let then = match &state.plan.steps[usize::from(at.step)].kind {
        Kind::Gate(
            Gate::Manual { timeout: Some(timeout), .. } | Gate::Event { timeout: Some(timeout), .. },
        ) => timeout.then,
        _ => OnTimeout::Reject,
    };
    let follows = match then {
        OnTimeout::Approve => completed(at, json!({ "approved": true, "expired": true })),
        OnTimeout::Skip => Event::StepSkipped { at },
        OnTimeout::Reject => {
            let waited = gate.request.expires_at.map_or(0, |end| end.since(gate.since).as_secs());
            failed(at, "gate_expired", format!("nobody decided within {waited} s"))
        }
    };
    vec![Event::GateExpired { at }, follows]
}

fn due_gate(state: &State, at: StepKey, due: Timestamp) -> Option<&OpenGate> {
    open_gate(state, at).filter(|gate| gate.request.expires_at.is_some_and(|end| end <= due))
}

fn completed(at: StepKey, output: Value) -> Event {
    Event::StepCompleted { at, output: Json::from(&output) }
}
