//! Replay: whether today's code decides what a run's history records. It has no effect.
//!
//! Owns telling what a run decides by itself from what came from outside. Invariant: the state moves along
//! the record, whatever today's code decides.

use std::sync::Arc;

use xyn_store::ids::RunId;
use xyn_store::scope::Attribution;

use super::apply::IllegalEvent;
use super::command::Command;
use super::decide::{World, decide};
use super::event::Event;
use super::state::{Phase, State};
use crate::blueprint::Plan;

/// A run that is folded anew, and what was found on the way.
#[derive(Debug)]
pub struct Replay {
    state: State,
    /// Events folded.
    pub events: u64,
    /// Where the record and today's code part, in words.
    pub differences: Vec<String>,
}

impl Replay {
    /// A replay of run `id` of `plan`, before its first entry.
    pub fn new(id: RunId, plan: Arc<Plan>) -> Self {
        Self { state: State::new(id, plan), events: 0, differences: Vec::new() }
    }

    /// Folds one entry, recorded `by` somebody at the instant of `world`: what today's code decides by itself
    /// must stand in it; what came from outside is taken over.
    pub fn fold(
        &mut self,
        events: &[Event],
        world: &World<'_>,
        by: &Attribution,
    ) -> Result<(), IllegalEvent> {
        let state = &mut self.state;
        let mut rest = events;
        while let Some(next) = rest.first() {
            let decided = match state.begin {
                Some(_) => decide(state, Command::Advance, world).unwrap_or_default(),
                None => Vec::new(),
            };
            let is_same =
                !decided.is_empty() && rest.len() >= decided.len() && decided.iter().zip(rest).all(same);
            let count = if is_same {
                decided.len()
            } else {
                if !comes_from_outside(state, next) {
                    let today = decided.first().map_or("nothing", |event| event.name());
                    let at = next.position().map(|at| format!(" of step {at}")).unwrap_or_default();
                    self.differences
                        .push(format!("recorded `{}`{at}; today's code decides {today}", next.name()));
                }
                1
            };
            for event in &rest[..count] {
                state.apply(event, world.now, by)?;
            }
            self.events += count as u64;
            rest = &rest[count..];
        }
        state.forget_ended_items();
        Ok(())
    }
}

/// Whether a decided event is the recorded one. Which rule let a call through may have changed since.
fn same((decided, recorded): (&Event, &Event)) -> bool {
    match (decided, recorded) {
        (
            Event::StepStarted { at, attempt, input, .. },
            Event::StepStarted { at: at2, attempt: attempt2, input: input2, .. },
        ) => (at, attempt, input) == (at2, attempt2, input2),
        _ => decided == recorded,
    }
}

/// Whether `event` says what the world did, not what the run decided by itself.
fn comes_from_outside(state: &State, event: &Event) -> bool {
    match event {
        Event::Started | Event::StepFannedOut { .. } | Event::Completed { .. } => false,
        Event::StepStarted { attempt, .. } => *attempt > 1,
        Event::StepCompleted { at, .. } | Event::StepFailed { at, .. } | Event::StepSkipped { at } => {
            // A result of an attempt, or what a decided gate led to.
            state.at(*at).is_some_and(|step| step.phase == Phase::Running || step.last_gate.is_some())
        }
        _ => true,
    }
}
