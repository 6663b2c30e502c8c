//! What a command means to a run: events, or a rejection. Pure; changes nothing.
//!
//! [`decide`] looks one move ahead. Whoever drives a run applies the events and decides
//! [`Command::Advance`] again until nothing follows, so that a whole chain of steps without an outside
//! effect becomes one append.

mod advance;
mod finish;
mod gate;
mod start;

use std::time::Duration;

use serde_json::Value;
use xyn_store::projection::{Fault, Purpose, StepKey};
use xyn_store::scope::Stage;
use xyn_store::{Json, Timestamp};

use super::command::{Command, Rejection};
use super::event::Event;
use super::state::State;
use crate::actions::{Registry, Surroundings};
use crate::blueprint::plan::{Call, Kind};
use crate::governance::PolicySet;
use crate::governance::approval::{Answer, Verdict};

pub(super) use gate::standing;
pub use start::{call_context, call_input, compensation_input};

/// What a decision may look at besides the run's state.
pub struct World<'a> {
    /// The registered actions.
    pub registry: &'a Registry,
    /// The policies in force.
    pub policies: &'a PolicySet,
    /// The environment.
    pub env: &'a str,
    /// The present instant.
    pub now: Timestamp,
    /// What inside actions are held against.
    pub around: &'a dyn Surroundings,
    /// Whether there is a place for a run that was not begun; without one it stays as it is.
    pub has_place: bool,
    /// Whether an attempt to do a step or item, or to undo it if told so, is being performed.
    pub performs: &'a dyn Fn(StepKey, bool) -> bool,
}

/// What `command` means to a run in `state`.
pub fn decide(state: &State, command: Command, world: &World<'_>) -> Result<Vec<Event>, Rejection> {
    if let Command::Create(created) = command {
        return if state.begin.is_some() {
            Err(Rejection::Exists)
        } else {
            Ok(vec![Event::Created(created)])
        };
    }
    if state.begin.is_none() {
        return Err(Rejection::Unknown);
    }
    if state.status.is_final() {
        return match command {
            Command::Answer { .. } | Command::Cancel { .. } => Err(Rejection::Ended),
            _ => Ok(Vec::new()),
        };
    }
    match command {
        Command::Create(_) => Err(Rejection::Exists),
        Command::Advance => Ok(in_time(state, advance::advance(state, world), world)),
        Command::Recover => Ok(finish::recover(state, world)),
        Command::Finish { at, attempt, result } => finish::finish(state, at, attempt, result, world),
        Command::FinishCompensation { at, attempt, result } => {
            finish::undone(state, at, attempt, result, world)
        }
        Command::Fire { purpose, due } => Ok(match purpose {
            Purpose::Delay(at) => gate::opened_by_timer(state, at, due),
            Purpose::Expiry(at) => gate::expired(state, at, due),
            Purpose::Retry(at) => in_time(state, start::attempt_again(state, at, due, world), world),
            Purpose::WallClock | Purpose::Intent => Vec::new(),
        }),
        Command::Answer { at, by, approve, note, elsewhere } => {
            let verdict = if approve { Verdict::Approve } else { Verdict::Reject };
            let made_at = elsewhere.map_or(world.now, |elsewhere| elsewhere.made_at);
            let answer = Answer { identity: by, verdict, at: made_at, note };
            gate::answer(state, at, answer, elsewhere.map(|elsewhere| elsewhere.asked_at))
        }
        Command::Arrive(arrival) => Ok(gate::arrive(state, &arrival)),
        Command::Cancel { by, reason, compensate } => {
            Ok(vec![Event::CancelRequested { by, reason, compensate }])
        }
        Command::WallClock => {
            // A run that is ending lets attempts end, but not for ever; what it undoes, it undoes.
            let is_late = state.time_left(world.now) == Some(Duration::ZERO);
            Ok(is_late.then(|| overtime(state)).into_iter().collect())
        }
    }
}

/// No attempt begins when the time to work is used up.
fn in_time(state: &State, events: Vec<Event>, world: &World<'_>) -> Vec<Event> {
    let begins = events.iter().any(|event| matches!(event, Event::StepStarted { input: Some(_), .. }));
    if begins && state.time_left(world.now) == Some(Duration::ZERO) { vec![overtime(state)] } else { events }
}

fn overtime(state: &State) -> Event {
    let limit = state.plan.limits.wall_clock.as_secs_f64();
    let message = format!("the run worked for longer than its limit of {limit} s");
    Event::LimitExceeded { fault: fault("wall_clock_exceeded", message) }
}

/// Whether a run in `state` needs somebody to act for it: it works, was not begun, or was cut short.
pub fn is_active(state: &State) -> bool {
    !state.status.is_final() && (state.is_held() || state.is_working() || advance::is_due(state))
}

/// The longest JSON text, in bytes, of what goes into a step or comes out of it: several fit into one entry.
pub(crate) const PAYLOAD_MAX_BYTES: usize = 1 << 20;

/// `value` as it is recorded; `field` names it when it is too large for that.
pub(super) fn bounded(field: &str, value: &Value) -> Result<Json, Fault> {
    let json = Json::from(value);
    match json.as_str().len() {
        0..=PAYLOAD_MAX_BYTES => Ok(json),
        bytes => {
            let message = format!("`{field}` has {bytes} bytes of JSON; the limit is {PAYLOAD_MAX_BYTES}");
            Err(fault("payload_too_large", message))
        }
    }
}

pub(super) fn fault(code: &str, message: impl Into<String>) -> Fault {
    Fault { code: code.into(), message: message.into() }
}

fn failed(at: StepKey, code: &str, message: impl Into<String>) -> Event {
    Event::StepFailed { at, fault: fault(code, message) }
}

/// Stage of the call's target: its own word, else the environment's.
fn stage_of(state: &State, call: &Call) -> Stage {
    let own = state.begin.as_ref().map_or(Stage::Prod, |begin| begin.created.stage);
    call.stage.unwrap_or(own)
}

/// Stage of what the step acts on.
pub(super) fn stage_at(state: &State, at: StepKey) -> Stage {
    match state.plan.steps.get(usize::from(at.step)).map(|step| &step.kind) {
        Some(Kind::Action(call)) => stage_of(state, call),
        _ => state.begin.as_ref().map_or(Stage::Prod, |begin| begin.created.stage),
    }
}
