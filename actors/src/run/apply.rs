//! Folds recorded events into the state. An event that does not fit the state means a damaged journal.

use serde_json::{Value, json};
use xyn_store::projection::{GateMode, RunStatus, StepKey};
use xyn_store::scope::Attribution;
use xyn_store::{Json, Timestamp};

use super::event::{Created, Event};
use super::state::{Begin, COLLECT_LIMIT, Course, Fan, OpenGate, Phase, State, StepState, Undo};

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
        if self.begin.is_none() != matches!(event, Event::Created(_)) {
            return Err(illegal("a run begins with its creation, once"));
        }
        if self.status.is_final() {
            return Err(illegal("the run has ended"));
        }
        match event {
            Event::Created(created) => self.create(created, now, by).map_err(illegal),
            Event::Started => {
                self.status = RunStatus::Running;
                self.started_at = Some(now);
                Ok(())
            }
            Event::CancelRequested { by, compensate, .. } => {
                self.course = Course::Cancelling { by: by.clone(), compensate: *compensate };
                Ok(())
            }
            Event::LimitExceeded { fault } => {
                self.course = Course::Failing(fault.clone());
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
            _ => match at {
                Some(at) => self.apply_to_step(at, event, now).map_err(illegal),
                None => Err(illegal("it names no step")),
            },
        }
    }

    fn create(&mut self, created: &Created, now: Timestamp, by: &Attribution) -> Result<(), &'static str> {
        if created.blueprint_digest != self.plan.digest {
            return Err("it belongs to another version of the blueprint");
        }
        let run = json!({ "run_id": self.id.to_string(), "correlation_id": by.correlation_id.as_str() });
        self.scope = crate::blueprint::Scope::new(&created.inputs.to_value(), &self.plan.vars, &run);
        if let Some(event) = &created.event {
            self.scope.set_event(&event.to_value());
        }
        for (index, output) in &created.reused {
            let name =
                self.plan.steps.get(usize::from(*index)).ok_or("it reuses an unknown step")?.id.clone();
            let step = &mut self.steps[usize::from(*index)];
            (step.started_at, step.completed_at) = (Some(now), Some(now));
            step.phase = Phase::Completed(output.clone());
            self.scope.set_step(&name, &output.to_value());
        }
        self.begin = Some(Begin { created: created.clone(), at: now, attribution: by.clone() });
        Ok(())
    }

    fn end(&mut self, status: RunStatus, now: Timestamp) {
        self.status = status;
        self.completed_at = Some(now);
    }

    fn apply_to_step(&mut self, at: StepKey, event: &Event, now: Timestamp) -> Result<(), &'static str> {
        self.begin_item(at, event)?;
        let step = self.at_mut(at).ok_or("no such step or item is under way")?;
        if step.phase.is_ended() {
            return step.apply_undo(event);
        }
        match event {
            Event::StepStarted { attempt, input, .. } => {
                step.phase = Phase::Running;
                step.attempt = *attempt;
                step.started_at.get_or_insert(now);
                step.input = input.clone();
            }
            Event::StepFannedOut { items, .. } => {
                let items: Vec<Value> = items.read().map_err(|_| "its items are no list")?;
                step.phase = Phase::Running;
                step.started_at.get_or_insert(now);
                step.fan = Some(Box::new(Fan { items: items.into(), ..Fan::default() }));
            }
            Event::StepRetried { due, .. } => step.phase = Phase::Backoff { since: now, due: *due },
            // What follows from the uncertainty is said by the event behind it.
            Event::StepUncertain { .. } => {}
            Event::GateRequested { gate, .. } => {
                step.started_at.get_or_insert(now);
                let request = (**gate).clone();
                step.phase = Phase::Gated(Box::new(OpenGate { request, since: now, answers: Vec::new() }));
            }
            Event::GateAnswered { answer, .. } => match &mut step.phase {
                Phase::Gated(gate) => gate.answers.push(answer.clone()),
                _ => return Err("it answers no open gate"),
            },
            Event::GateApproved { .. } | Event::GateRejected { .. } | Event::GateExpired { .. } => {
                let Phase::Gated(gate) = &step.phase else { return Err("it decides no open gate") };
                match gate.request.mode {
                    GateMode::Policy => step.cleared = true,
                    GateMode::Uncertain => step.generation += 1,
                    GateMode::Manual | GateMode::Timer | GateMode::Event(_) => {}
                }
                // Until the event behind it says what follows, the step is between two waits.
                if let Phase::Gated(gate) = std::mem::take(&mut step.phase) {
                    step.last_gate = Some(gate);
                }
            }
            Event::StepCompleted { output, .. } => {
                return self.end_step(at, Phase::Completed(output.clone()), now);
            }
            Event::StepFailed { fault, .. } => return self.end_step(at, Phase::Failed(fault.clone()), now),
            Event::StepSkipped { .. } => return self.end_step(at, Phase::Skipped, now),
            _ => return Err("it is no event of a step under way"),
        }
        Ok(())
    }

    /// The first event of an item makes room for it.
    fn begin_item(&mut self, at: StepKey, event: &Event) -> Result<(), &'static str> {
        let Some(item) = at.item else { return Ok(()) };
        let step = self.steps.get_mut(usize::from(at.step)).ok_or("no such step")?;
        let fan = step.fan.as_mut().ok_or("the step did not fan out")?;
        if item == fan.next
            && matches!(
                event,
                Event::StepStarted { .. } | Event::GateRequested { .. } | Event::StepFailed { .. }
            )
        {
            fan.next += 1;
            fan.running += 1;
            fan.active.insert(item, StepState::default());
        }
        Ok(())
    }

    fn at_mut(&mut self, at: StepKey) -> Option<&mut StepState> {
        let step = self.steps.get_mut(usize::from(at.step))?;
        match at.item {
            None => Some(step),
            Some(item) => step.fan.as_mut()?.active.get_mut(&item),
        }
    }

    fn end_step(&mut self, at: StepKey, phase: Phase, now: Timestamp) -> Result<(), &'static str> {
        let step = self.at_mut(at).ok_or("no such step or item is under way")?;
        step.completed_at = Some(now);
        step.started_at.get_or_insert(now);
        step.phase = phase.clone();
        match at.item {
            Some(item) => self.count_item(at.step, item, phase),
            None => self.publish(at.step, phase),
        }
        Ok(())
    }

    fn count_item(&mut self, step: u16, item: u32, phase: Phase) {
        let Some(fan) = self.steps[usize::from(step)].fan.as_mut() else { return };
        fan.running -= 1;
        match phase {
            Phase::Completed(output) => {
                fan.completed += 1;
                if (item as usize) < COLLECT_LIMIT {
                    fan.outputs.insert(item, output);
                }
            }
            Phase::Failed(fault) => {
                fan.failed += 1;
                fan.fault.get_or_insert(fault);
            }
            _ => {}
        }
    }

    /// Shows the ended step to templates and, when it failed, turns the run.
    fn publish(&mut self, index: u16, phase: Phase) {
        let name = &self.plan.steps[usize::from(index)].id;
        match phase {
            Phase::Completed(output) => {
                self.scope.set_step(name, &output.to_value());
                self.completion.push(index);
            }
            Phase::Failed(fault) => {
                if self.course == Course::Forward {
                    self.course = Course::Failing(fault);
                }
            }
            _ => self.scope.set_step(name, &Json::null().to_value()),
        }
    }
}

impl StepState {
    /// Events about the undoing of an ended step.
    fn apply_undo(&mut self, event: &Event) -> Result<(), &'static str> {
        self.undo = match event {
            Event::CompensationStarted { attempt, .. } => Undo::Running(*attempt),
            Event::StepCompensated { .. } => Undo::Done,
            Event::CompensationFailed { .. } => Undo::Failed,
            _ => return Err("the step has ended"),
        };
        Ok(())
    }
}
