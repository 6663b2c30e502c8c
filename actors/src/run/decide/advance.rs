//! Going on: which steps are ready, and what ends a run.

use serde_json::{Map, Value, json};
use xyn_store::Json;
use xyn_store::projection::{RunStatus, StepKey};

use super::{World, fault, start};
use crate::run::event::Event;
use crate::run::state::{COLLECT_LIMIT, Course, Fan, Phase, State, StepState};

/// Events of one move; a long fan-out takes several, so that no entry of the journal grows without bound.
const MOVE_LIMIT: usize = 512;

/// The next move of the run; nothing when it works, waits or has ended.
pub(super) fn advance(state: &State, world: &World<'_>) -> Vec<Event> {
    if state.status == RunStatus::Created {
        let broken = state.begin.as_ref().and_then(|begin| begin.created.fault.as_ref());
        return match (broken, &state.course) {
            (Some(message), _) => vec![Event::Failed { fault: fault("invalid_inputs", message) }],
            (None, Course::Cancelling { .. }) => vec![Event::Cancelled],
            (None, _) if world.has_place => vec![Event::Started],
            (None, _) => Vec::new(),
        };
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
            (Phase::Pending, _) if state.is_ready(index) => start::step(state, at, world, &mut events),
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

/// Starts items of a fan-out while there is room, and ends it behind the last one.
fn items(state: &State, at: StepKey, fan: &Fan, world: &World<'_>, events: &mut Vec<Event>) {
    if let Some(end) = end_of(at, fan) {
        return events.push(end);
    }
    let under_way = fan.active.iter().map(|(&item, step)| (StepKey::item(at.step, item), step));
    if fan.failed > 0 {
        // The step has failed already: what runs may end, nobody is kept waiting for the rest.
        return under_way.for_each(|(at, step)| abandon(at, step, events));
    }
    for (at, _) in under_way.filter(|(_, item)| item.phase == Phase::Pending) {
        start::item(state, at, world, events);
    }
    let mut running = fan.running;
    for item in fan.next..fan.count() {
        let is_failing = matches!(events.last(), Some(Event::StepFailed { .. }));
        if running >= parallel(state, at) || events.len() >= MOVE_LIMIT || is_failing {
            break;
        }
        start::item(state, StepKey::item(at.step, item), world, events);
        running += u32::from(!matches!(events.last(), Some(Event::StepCompleted { .. })));
    }
}

fn parallel(state: &State, at: StepKey) -> u32 {
    state.plan.steps[usize::from(at.step)].foreach.as_ref().map_or(1, |foreach| foreach.max_parallel.max(1))
}

/// How a fan-out ends; nothing while items are under way or to come.
fn end_of(at: StepKey, fan: &Fan) -> Option<Event> {
    let count = fan.count();
    match &fan.fault {
        _ if fan.running > 0 => None,
        Some(cause) => {
            let message = format!("{} of {count} items failed; the first: {}", fan.failed, cause.message);
            Some(Event::StepFailed { at, fault: fault(&cause.code, message) })
        }
        None if fan.next == count => Some(Event::StepCompleted { at, output: collected(fan, count) }),
        None => None,
    }
}

/// Ends a step or item that waits.
fn abandon(at: StepKey, step: &StepState, events: &mut Vec<Event>) {
    match step.phase {
        Phase::Gated(_) => events.push(Event::GateExpired { at }),
        Phase::Pending | Phase::Backoff { .. } => {}
        _ => return,
    }
    events.push(aborted(at));
}

fn aborted(at: StepKey) -> Event {
    Event::StepFailed { at, fault: fault("aborted", "the run was ending") }
}

/// The output of a fan-out: how many, and their outputs as far as they are collected.
fn collected(fan: &Fan, count: u32) -> Json {
    let items: Vec<&Json> = fan.outputs.values().take(COLLECT_LIMIT).collect();
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
                return Event::OutputsFailed { fault: fault("output_failed", message) };
            }
        };
    }
    Event::Completed { outputs: Json::from(&Value::Object(outputs)) }
}

/// Lets what runs end, ends what waits, undoes what was done in reverse order, then ends with `last`.
fn unwind(state: &State, world: &World<'_>, compensate: bool, last: Event) -> Vec<Event> {
    let mut events = Vec::new();
    for (at, step) in state.open() {
        match &step.fan {
            Some(fan) if fan.running == 0 => events.push(end_of(at, fan).unwrap_or_else(|| aborted(at))),
            Some(_) => {}
            None => abandon(at, step, &mut events),
        }
    }
    if !events.is_empty() || !state.is_at_rest() {
        return events;
    }
    match state.completion.last() {
        Some(&at) if compensate => vec![start::compensation(state, at, 1, world)],
        _ => vec![last],
    }
}

/// Whether a move follows without being told: after a turn that was cut at its limit. Then somebody must
/// act for the run although nothing is under way.
pub(super) fn is_due(state: &State) -> bool {
    let waits = |step: &StepState| matches!(step.phase, Phase::Gated(_) | Phase::Backoff { .. });
    let is_let_through = |step: &StepState| step.phase == Phase::Pending && step.last_gate.is_some();
    if state.course != Course::Forward {
        let ends =
            |step: &StepState| step.fan.as_ref().map_or(step.phase != Phase::Running, |f| f.running == 0);
        return state.is_at_rest() || state.open().any(|(_, step)| ends(step));
    }
    let is_due = |(index, step): (usize, &StepState)| match (&step.phase, &step.fan) {
        (Phase::Pending, _) => state.is_ready(index),
        (Phase::Running, Some(fan)) => {
            let has_room =
                fan.next < fan.count() && fan.running < parallel(state, StepKey::step(index as u16));
            let mut items = fan.active.values();
            fan.running == 0
                || if fan.failed > 0 { items.any(waits) } else { has_room }
                || fan.active.values().any(is_let_through)
        }
        _ => false,
    };
    state.steps.iter().enumerate().any(is_due) || state.steps.iter().all(|step| step.phase.is_ended())
}
