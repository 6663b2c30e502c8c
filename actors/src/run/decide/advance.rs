//! Going on: which steps are ready, and what ends a run.

use serde_json::{Map, Value, json};
use xyn_store::Json;
use xyn_store::projection::{Fault, RunStatus, StepKey};

use super::{World, fault, start};
use crate::run::event::Event;
use crate::run::state::{Course, Fan, Phase, State, Undo};

/// Events of one move; a long fan-out takes several, so that no entry of the journal grows without bound.
const MOVE_LIMIT: usize = 512;

/// The next move of the run; nothing when it works, waits or has ended.
pub(super) fn advance(state: &State, world: &World<'_>) -> Vec<Event> {
    if state.status == RunStatus::Created {
        let broken = state.begin.as_ref().and_then(|begin| begin.created.fault.as_ref());
        return vec![match broken {
            Some(message) => Event::Failed { fault: fault("invalid_inputs", message) },
            None => Event::Started,
        }];
    }
    match &state.course {
        Course::Forward => forward(state, world),
        Course::Failing(cause) => unwind(state, world, true, Event::Failed { fault: cause.clone() }),
        Course::Cancelling { compensate, .. } => unwind(state, world, *compensate, Event::Cancelled),
    }
}

fn forward(state: &State, world: &World<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    for (index, step) in state.steps.iter().enumerate() {
        if events.len() >= MOVE_LIMIT {
            return events;
        }
        let at = StepKey::step(index as u16);
        match (&step.phase, &step.fan) {
            (Phase::Pending, _) if is_ready(state, index) => start::step(state, at, world, &mut events),
            (Phase::Running, Some(fan)) => items(state, at, fan, world, &mut events),
            _ => {}
        }
        if matches!(events.last(), Some(Event::StepFailed { at, .. }) if at.item.is_none()) {
            // Nothing new starts behind a failure.
            return events;
        }
    }
    if events.is_empty() && state.steps.iter().all(|step| step.phase.is_ended()) {
        events.push(complete(state));
    }
    events
}

fn is_ready(state: &State, index: usize) -> bool {
    state.plan.steps[index].needs.iter().all(|&need| state.steps[need].phase.is_ended())
}

/// Starts items of a fan-out while there is room, and ends it behind the last one.
fn items(state: &State, at: StepKey, fan: &Fan, world: &World<'_>, events: &mut Vec<Event>) {
    let count = fan.items.len() as u32;
    let parallel = state.plan.steps[usize::from(at.step)].foreach.as_ref().map_or(1, |f| f.max_parallel);
    for (&item, _) in fan.active.iter().filter(|(_, item)| item.phase == Phase::Pending) {
        start::step(state, StepKey::item(at.step, item), world, events);
    }
    if fan.failed == 0 {
        let mut running = fan.running;
        for item in fan.next..count {
            if running >= parallel || events.len() >= MOVE_LIMIT {
                break;
            }
            let before = events.len();
            start::item(state, StepKey::item(at.step, item), world, events);
            match events.last() {
                Some(Event::StepFailed { .. }) => break,
                Some(Event::StepCompleted { .. }) => {}
                _ => running += u32::from(events.len() > before),
            }
        }
    }
    let is_done = fan.running == 0 && events.is_empty() && (fan.failed > 0 || fan.next == count);
    if is_done {
        events.push(match &fan.fault {
            Some(cause) => {
                let message = format!("{} of {count} items failed; the first: {}", fan.failed, cause.message);
                Event::StepFailed { at, fault: fault(&cause.code, message) }
            }
            None => Event::StepCompleted { at, output: collected(fan, count) },
        });
    }
}

/// The output of a fan-out: how many, and their outputs as far as they are collected.
fn collected(fan: &Fan, count: u32) -> Json {
    let items: Vec<&Json> = fan.outputs.values().collect();
    let truncated = (items.len() as u32) < count;
    Json::of(&json!({ "count": count, "items": items, "truncated": truncated }))
        .unwrap_or_else(|_| Json::null())
}

fn complete(state: &State) -> Event {
    let mut outputs = Map::new();
    for output in &state.plan.outputs {
        match output.from.render(&state.scope) {
            Ok(value) => outputs.insert(output.name.clone(), value),
            Err(error) => {
                let message = format!("output `{}`: {error}", output.name);
                return Event::Failed { fault: fault("output_failed", message) };
            }
        };
    }
    Event::Completed { outputs: Json::from(&Value::Object(outputs)) }
}

/// Lets what runs end, ends what waits, undoes what was done in reverse order, then ends with `last`.
fn unwind(state: &State, world: &World<'_>, compensate: bool, last: Event) -> Vec<Event> {
    let aborted = || Fault { code: "aborted".into(), message: "the run was ending".into() };
    let waits: Vec<Event> = state
        .open()
        .filter(|(_, step)| match (&step.phase, &step.fan) {
            (Phase::Gated(_) | Phase::Backoff { .. }, _) => true,
            (Phase::Running, Some(fan)) => fan.running == 0,
            _ => false,
        })
        .map(|(at, _)| Event::StepFailed { at, fault: aborted() })
        .collect();
    if !waits.is_empty() {
        return waits;
    }
    let is_busy =
        state.open().next().is_some() || state.steps.iter().any(|step| matches!(step.undo, Undo::Running(_)));
    if is_busy {
        return Vec::new();
    }
    let next = state.completion.iter().rev().find(|&&index| {
        let index = usize::from(index);
        state.plan.steps[index].compensate.is_some() && state.steps[index].undo == Undo::None
    });
    match next {
        Some(&index) if compensate => vec![start::compensation(state, StepKey::step(index), 1, world)],
        _ => vec![last],
    }
}
