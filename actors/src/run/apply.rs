//! Folds recorded events into the state. An event that does not fit the state means a damaged journal.

use serde_json::{Value, json};
use xyn_store::projection::{Fault, GateMode, RunStatus, StepKey};
use xyn_store::scope::{Attribution, Principal};
use xyn_store::{Json, Timestamp};

use super::event::{Created, Event};
use super::legal::Reason;
use super::state::{Begin, COLLECT_LIMIT, Course, Fan, OpenGate, Phase, State, StepState, Undoing};

/// A recorded event that cannot follow on the state: the journal is damaged, or was written by other code.
#[derive(Debug, thiserror::Error)]
#[error("`{event}` at {at} cannot follow: {reason}")]
pub struct IllegalEvent {
    /// The event's name.
    event: &'static str,
    /// The step, or the run.
    at: String,
    /// What does not fit.
    reason: &'static str,
}

impl State {
    /// Folds `event`, recorded at `now` by `by`.
    pub fn apply(&mut self, event: &Event, now: Timestamp, by: &Attribution) -> Result<(), IllegalEvent> {
        let at = event.position();
        let illegal = |reason| IllegalEvent {
            event: event.name(),
            at: at.map_or_else(|| "run".to_owned(), |at| format!("step {at}")),
            reason,
        };
        self.admits(event).map_err(illegal)?;
        let worked = self.worked_since(event, now);
        self.fold(event, now, by).map_err(illegal)?;
        self.worked += worked;
        self.last_at = now;
        Ok(())
    }

    fn fold(&mut self, event: &Event, now: Timestamp, by: &Attribution) -> Result<(), Reason> {
        match event {
            Event::Created(created) => {
                self.create(created, now, by);
                Ok(())
            }
            Event::Started => {
                self.status = RunStatus::Running;
                self.started_at = Some(now);
                Ok(())
            }
            Event::CancelRequested { by, compensate, .. } => {
                self.cancel(by, *compensate);
                Ok(())
            }
            Event::LimitExceeded { fault } | Event::OutputsFailed { fault } => {
                self.turn_to_failing(fault);
                Ok(())
            }
            Event::Completed { outputs } => {
                self.outputs = Some(outputs.clone());
                self.end(RunStatus::Completed, now);
                Ok(())
            }
            Event::Failed { fault } => {
                self.fault = Some(fault.clone());
                self.end(RunStatus::Failed, now);
                Ok(())
            }
            Event::Cancelled => {
                self.end(RunStatus::Cancelled, now);
                Ok(())
            }
            _ => self.apply_to_step(event.position().ok_or("it names no step")?, event, now),
        }
    }

    fn create(&mut self, created: &Created, now: Timestamp, by: &Attribution) {
        for (index, output) in &created.reused {
            let step = &mut self.steps[usize::from(*index)];
            (step.started_at, step.completed_at) = (Some(now), Some(now));
            step.phase = Phase::Completed(output.clone());
        }
        let begin = Begin { created: created.clone(), at: now, attribution: by.clone() };
        self.scope = self.scope_of(&begin);
        self.begin = Some(begin);
    }

    /// A run that is failing goes on failing, so that what was done is undone; whoever asks again can only
    /// add that wish.
    fn cancel(&mut self, by: &Principal, compensate: bool) {
        match &mut self.course {
            Course::Forward => self.course = Course::Cancelling { by: by.clone(), compensate },
            Course::Cancelling { compensate: before, .. } => *before |= compensate,
            Course::Failing(_) => {}
        }
    }

    /// The first cause stands.
    fn turn_to_failing(&mut self, fault: &Fault) {
        if self.course == Course::Forward {
            self.course = Course::Failing(fault.clone());
        }
    }

    fn end(&mut self, status: RunStatus, now: Timestamp) {
        self.status = status;
        self.completed_at = Some(now);
    }

    fn apply_to_step(&mut self, at: StepKey, event: &Event, now: Timestamp) -> Result<(), Reason> {
        self.begin_item(at);
        match event {
            Event::StepCompleted { output, .. } => self.end_step(at, Phase::Completed(output.clone()), now),
            Event::StepFailed { fault, .. } => self.end_step(at, Phase::Failed(fault.clone()), now),
            Event::StepSkipped { .. } => self.end_step(at, Phase::Skipped, now),
            Event::CompensationStarted { attempt, .. } => {
                self.undoing = Some(Undoing { attempt: *attempt, backoff: None });
                Ok(())
            }
            Event::CompensationRetried { due, .. } => {
                self.undoing.iter_mut().for_each(|undoing| undoing.backoff = Some((now, *due)));
                Ok(())
            }
            Event::StepCompensated { .. } | Event::CompensationFailed { .. } => {
                self.undoing = None;
                self.completion.pop();
                Ok(())
            }
            _ => self.at_mut(at)?.apply(event, now),
        }
    }

    /// The first event of an item makes room for it.
    fn begin_item(&mut self, at: StepKey) {
        let fan = self.steps[usize::from(at.step)].fan.as_mut().filter(|fan| at.item == Some(fan.next));
        if let Some(fan) = fan {
            fan.active.insert(fan.next, StepState::default());
            fan.next += 1;
            fan.running += 1;
        }
    }

    fn at_mut(&mut self, at: StepKey) -> Result<&mut StepState, Reason> {
        let step = self.steps.get_mut(usize::from(at.step));
        let found = match at.item {
            None => step,
            Some(item) => step.and_then(|step| step.fan.as_mut()?.active.get_mut(&item)),
        };
        found.ok_or("no such step or item is under way")
    }

    fn end_step(&mut self, at: StepKey, phase: Phase, now: Timestamp) -> Result<(), Reason> {
        let step = self.at_mut(at)?;
        step.completed_at = Some(now);
        step.started_at.get_or_insert(now);
        step.phase = phase.clone();
        let plan = &self.plan.steps[usize::from(at.step)];
        let is_undoable = plan.compensate.is_some();
        // Items are undone one by one, and then nothing is left of the step itself.
        let is_whole = at.item.is_some() || plan.foreach.is_none();
        if matches!(phase, Phase::Completed(_)) && is_undoable && is_whole {
            self.completion.push(at);
        }
        match (at.item, &mut self.steps[usize::from(at.step)].fan) {
            (Some(item), Some(fan)) => fan.end_item(item, phase, is_undoable),
            _ => self.publish(at.step, phase),
        }
        Ok(())
    }

    /// Shows the ended step to templates and, when it failed, turns the run.
    fn publish(&mut self, index: u16, phase: Phase) {
        phase.publish(&self.plan.steps[usize::from(index)].id, &mut self.scope);
        if let Phase::Failed(fault) = phase {
            self.turn_to_failing(&fault);
        }
    }
}

impl Fan {
    /// An item ended.
    fn end_item(&mut self, item: u32, phase: Phase, is_undoable: bool) {
        self.running -= 1;
        match phase {
            Phase::Completed(output) => {
                self.completed += 1;
                if is_undoable || (item as usize) < COLLECT_LIMIT {
                    self.outputs.insert(item, output);
                }
            }
            Phase::Failed(fault) => {
                self.failed += 1;
                self.fault.get_or_insert(fault);
            }
            _ => {}
        }
    }
}

impl StepState {
    /// Events of a step or item under way that do not end it.
    fn apply(&mut self, event: &Event, now: Timestamp) -> Result<(), Reason> {
        match event {
            Event::StepStarted { attempt, input, .. } => {
                self.phase = Phase::Running;
                self.attempt = *attempt;
                self.started_at.get_or_insert(now);
                self.input = input.clone();
            }
            Event::StepFannedOut { items, .. } => {
                let items: Vec<Value> = items.read().map_err(|_| "its items are no list")?;
                self.phase = Phase::Running;
                self.started_at.get_or_insert(now);
                // The list may be long: what readers want to know of it is how far the step has come.
                self.input = Some(Json::from(&json!({ "items": items.len() })));
                self.fan = Some(Box::new(Fan { items: items.into(), ..Fan::default() }));
            }
            Event::StepRetried { due, .. } => self.phase = Phase::Backoff { since: now, due: *due },
            // What follows from the uncertainty is said by the event behind it.
            Event::StepUncertain { .. } => {}
            Event::GateRequested { gate, .. } => {
                self.started_at.get_or_insert(now);
                let request = (**gate).clone();
                self.phase = Phase::Gated(Box::new(OpenGate { request, since: now, answers: Vec::new() }));
            }
            Event::GateAnswered { answer, .. } => {
                if let Phase::Gated(gate) = &mut self.phase {
                    gate.answers.push(answer.clone());
                }
            }
            Event::GateApproved { .. } | Event::GateRejected { .. } | Event::GateExpired { .. } => {
                self.decide_gate(matches!(event, Event::GateApproved { .. }));
            }
            _ => return Err("it is no event of a step under way"),
        }
        Ok(())
    }

    /// Until the event behind it says what follows, the step is between two waits.
    fn decide_gate(&mut self, is_approved: bool) {
        let Phase::Gated(gate) = std::mem::take(&mut self.phase) else { return };
        match gate.request.mode {
            GateMode::Policy => self.cleared |= is_approved,
            GateMode::Uncertain => self.generation += u32::from(is_approved),
            GateMode::Manual | GateMode::Timer | GateMode::Event(_) => {}
        }
        self.last_gate = Some(gate);
    }
}
