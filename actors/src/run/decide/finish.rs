//! Results: what an ended attempt means, and what a crash leaves uncertain.

use std::time::Duration;

use serde_json::{Value, json};
use xyn_store::projection::{GateMode, StepKey};
use xyn_store::{Digest, Json};

use super::start::{call_input, compensation_input};
use super::{World, bounded, failed, fault};
use crate::actions::Failure;
use crate::blueprint::plan::{Backoff, Call, FailureKind, OnUncertain, Retry, Step};
use crate::run::command::Rejection;
use crate::run::event::{Event, GateRequest};
use crate::run::state::{Course, Phase, State, StepState, Undoing};
use crate::run::work::NODE_STOPPED;

/// Attempts that an idempotent call gets when its effect is uncertain, whatever its `retry` says.
const UNCERTAIN_ATTEMPTS: u32 = 3;

/// An attempt ended with `result`.
pub(super) fn finish(
    state: &State,
    at: StepKey,
    attempt: u32,
    result: Result<Value, Failure>,
    world: &World<'_>,
) -> Result<Vec<Event>, Rejection> {
    let is_under_way =
        |step: &StepState| step.phase == Phase::Running && step.fan.is_none() && step.attempt == attempt;
    if !state.at(at).is_some_and(is_under_way) {
        return Err(Rejection::Stale { at, attempt });
    }
    Ok(match result {
        Ok(output) => vec![match bounded("output", &output) {
            Ok(output) => Event::StepCompleted { at, output },
            Err(fault) => Event::StepFailed { at, fault },
        }],
        Err(failure) => after_failure(state, at, attempt, failure, world),
    })
}

fn after_failure(
    state: &State,
    at: StepKey,
    attempt: u32,
    failure: Failure,
    world: &World<'_>,
) -> Vec<Event> {
    let step = &state.plan.steps[usize::from(at.step)];
    let call = call_input(state, at);
    let is_idempotent = step.idempotent.unwrap_or_else(|| is_idempotent(call, world));
    let is_uncertain = failure.uncertain && !is_idempotent;
    let mut events = Vec::new();
    if is_uncertain {
        events.push(Event::StepUncertain { at, failure: failure.clone() });
    }
    let may_go_on = state.course == Course::Forward;
    if is_uncertain && may_go_on && step.on_uncertain == OnUncertain::Ask {
        events.push(ask(at, &failure));
        return events;
    }
    events.push(if may_go_on && wants_again(step, attempt, &failure, is_idempotent) {
        let due = world.now.after(wait(&step.retry, attempt, &failure, &format!("{}/{at}", state.id)));
        Event::StepRetried { at, failure, due }
    } else {
        failed(at, &failure.code, failure.message)
    });
    events
}

/// Whether another attempt follows on a failed one without a person's word.
fn wants_again(step: &Step, attempt: u32, failure: &Failure, is_idempotent: bool) -> bool {
    if failure.uncertain {
        let may_repeat = is_idempotent || step.on_uncertain == OnUncertain::Retry;
        return may_repeat && attempt < UNCERTAIN_ATTEMPTS.max(step.retry.max_attempts);
    }
    attempt < step.retry.max_attempts && repeats(&step.retry, failure.kind)
}

/// Whether doing the call twice with one key is doing it once.
fn is_idempotent(call: Option<(&Call, Value)>, world: &World<'_>) -> bool {
    call.is_some_and(|(call, input)| {
        world.registry.get(&call.action).is_some_and(|action| action.spec.idempotent(Some(&input)))
    })
}

fn repeats(retry: &Retry, kind: FailureKind) -> bool {
    match retry.on.as_slice() {
        // What the peer refuses once it refuses again.
        [] => kind != FailureKind::Client,
        kinds => kinds.contains(&kind),
    }
}

/// The wait before the attempt behind `attempt`: as long as the author wants it, or as the peer asked for if that is
/// longer, but never longer than the author's longest.
fn wait(retry: &Retry, attempt: u32, failure: &Failure, what: &str) -> Duration {
    let asked = failure.retry_after.unwrap_or_default().min(retry.max);
    backoff(retry, attempt, what).max(asked)
}

/// The wait that the author wants. Jitter spreads it evenly over 50 % to 100 % of itself, by a hash of what is retried,
/// so that a replay comes to the same.
fn backoff(retry: &Retry, attempt: u32, what: &str) -> Duration {
    let factor = match retry.backoff {
        Backoff::Constant => 1,
        Backoff::Linear => attempt,
        Backoff::Exponential => 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX),
    };
    let wait = retry.initial.saturating_mul(factor).min(retry.max);
    if !retry.jitter {
        return wait;
    }
    let seed = Digest::of(format!("{what}/{attempt}").as_bytes());
    let fraction = f64::from(seed.as_bytes()[0]) / f64::from(u8::MAX);
    wait.mul_f64(0.5 + fraction / 2.0)
}

/// The gate at which a person says what to do about an uncertain effect.
fn ask(at: StepKey, failure: &Failure) -> Event {
    let prompt = json!({
        "question": "nobody knows whether this took effect: approve to do it again, reject to fail the step",
        "code": failure.code,
        "known": failure.message,
    });
    let gate = GateRequest {
        mode: GateMode::Uncertain,
        approvers: Vec::new(),
        min: 1,
        allow_requester: Some(true),
        expires_at: None,
        prompt: Some(Json::from(&prompt)),
    };
    Event::GateRequested { at, gate: Box::new(gate) }
}

/// The node, or the run's actor, starts again: attempts without a result that nobody performs have an unknown outcome.
pub(super) fn recover(state: &State, world: &World<'_>) -> Vec<Event> {
    let stopped = || {
        let message = "the node stopped before the result was recorded";
        Failure::uncertain(FailureKind::Other, NODE_STOPPED, message)
    };
    let attempts = state
        .open()
        .filter(|(at, step)| {
            step.phase == Phase::Running && step.fan.is_none() && !(world.performs)(*at, false)
        })
        .flat_map(|(at, step)| after_failure(state, at, step.attempt, stopped(), world));
    let undoing = state.undoing.as_ref().filter(|undoing| undoing.backoff.is_none());
    let undoing = undoing
        .zip(state.completion.last())
        .filter(|(_, at)| !(world.performs)(**at, true))
        .map(|(undoing, &at)| after_failed_undoing(state, at, undoing.attempt, stopped(), world));
    attempts.chain(undoing).collect()
}

/// The undoing of a step ended.
pub(super) fn undone(
    state: &State,
    at: StepKey,
    attempt: u32,
    result: Result<(), Failure>,
    world: &World<'_>,
) -> Result<Vec<Event>, Rejection> {
    let under_way = Undoing { attempt, backoff: None };
    if state.undoing.as_ref() != Some(&under_way) || state.completion.last() != Some(&at) {
        return Err(Rejection::Stale { at, attempt });
    }
    Ok(vec![match result {
        Ok(()) => Event::StepCompensated { at },
        Err(failure) => after_failed_undoing(state, at, attempt, failure, world),
    }])
}

/// Undoing is repeated as doing is, but nobody is asked: what may not be repeated is reported as not undone.
fn after_failed_undoing(
    state: &State,
    at: StepKey,
    attempt: u32,
    failure: Failure,
    world: &World<'_>,
) -> Event {
    let step = &state.plan.steps[usize::from(at.step)];
    if wants_again(step, attempt, &failure, is_idempotent(compensation_input(state, at), world)) {
        let what = format!("{}/{at}/undo", state.id);
        let due = world.now.after(wait(&step.retry, attempt, &failure, &what));
        return Event::CompensationRetried { at, failure, due };
    }
    Event::CompensationFailed { at, fault: fault(&failure.code, failure.message) }
}
