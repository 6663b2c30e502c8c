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

use xyn_store::Timestamp;
use xyn_store::projection::{Fault, Purpose};

use super::command::{Command, Rejection};
use super::event::Event;
use super::state::State;
use crate::actions::Registry;
use crate::governance::PolicySet;

pub(super) use start::stage_at;
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
    /// Whether there is a place for a run that was not begun; without one it stays as it is.
    pub has_place: bool,
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
        Command::Answer { at, by, approve, note } => gate::answer(state, at, &by, approve, note, world),
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

pub(super) fn fault(code: &str, message: impl Into<String>) -> Fault {
    Fault { code: code.into(), message: message.into() }
}
