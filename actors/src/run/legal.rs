//! Which event may follow on which state.
//!
//! Owns the legality of events. Refuses whatever the core would not have decided, because it means that the
//! journal is damaged or was written by other code. Invariant: an event that is let through can be applied.

use xyn_store::projection::{RunStatus, StepKey};

use super::event::Event;
use super::state::{Course, Phase, State, StepState};

/// What does not fit.
pub(super) type Reason = &'static str;

impl State {
    /// Whether `event` may follow.
    pub(super) fn admits(&self, event: &Event) -> Result<(), Reason> {
        if self.begin.is_none() != matches!(event, Event::Created(_)) {
            return Err("a run begins with its creation, once");
        }
        if self.status.is_final() {
            return Err("the run has ended");
        }
        let is_running = self.status == RunStatus::Running;
        let is_forward = self.course == Course::Forward;
        match event {
            Event::Created(created) => {
                let is_known = |(index, _): &(u16, _)| usize::from(*index) < self.steps.len();
                require(created.blueprint_digest == self.plan.digest, "the blueprint is another version")?;
                require(created.reused.iter().all(is_known), "it reuses a step that the plan has not")
            }
            Event::Started => require(!is_running, "the run was started before"),
            Event::CancelRequested { .. } | Event::LimitExceeded { .. } => Ok(()),
            Event::Completed { .. } | Event::OutputsFailed { .. } => {
                require(is_running && is_forward, "the run is not on its way to an answer")?;
                require(self.steps.iter().all(|step| step.phase.is_ended()), "a step has not ended")
            }
            Event::Failed { .. } if !is_running => {
                let is_broken = self.begin.as_ref().is_some_and(|begin| begin.created.fault.is_some());
                require(is_broken, "the run was not started")
            }
            Event::Failed { .. } => {
                require(matches!(self.course, Course::Failing(_)), "nothing has failed")?;
                require(self.is_at_rest(), "a step has not ended")
            }
            Event::Cancelled => {
                require(matches!(self.course, Course::Cancelling { .. }), "nobody asked for it")?;
                require(self.is_at_rest(), "a step has not ended")
            }
            _ => {
                require(is_running, "the run was not started")?;
                self.admits_at(event.position().ok_or("it names no step")?, event)
            }
        }
    }

    /// Whether no step is open and nothing is being undone.
    pub(super) fn is_at_rest(&self) -> bool {
        self.open().next().is_none() && self.undoing.is_none()
    }

    /// Whether everything that the step needs has ended.
    pub(super) fn is_ready(&self, step: usize) -> bool {
        self.plan.steps[step].needs.iter().all(|&need| self.steps[need].phase.is_ended())
    }

    fn admits_at(&self, at: StepKey, event: &Event) -> Result<(), Reason> {
        let index = usize::from(at.step);
        let step = self.steps.get(index).ok_or("the plan has no such step")?;
        match (event, at.item) {
            (
                Event::CompensationStarted { .. }
                | Event::StepCompensated { .. }
                | Event::CompensationFailed { .. }
                | Event::CompensationRetried { .. },
                _,
            ) => self.admits_undo(at, event),
            (Event::StepSkipped { .. }, Some(_)) => Err("items are not skipped"),
            (_, Some(item)) => {
                let fan = step.fan.as_ref().filter(|_| step.phase == Phase::Running);
                let fan = fan.ok_or("the step did not fan out")?;
                match fan.active.get(&item) {
                    Some(item) => self.admits_work(item, event),
                    None if item == fan.next && (item as usize) < fan.items.len() => {
                        self.admits_work(&StepState::default(), event)
                    }
                    None => Err("no such item is under way"),
                }
            }
            (_, None) => {
                require(step.phase != Phase::Pending || self.is_ready(index), "what it needs has not ended")?;
                match (&self.plan.steps[index].foreach, event) {
                    (Some(_), Event::StepSkipped { .. }) | (None, _) => self.admits_work(step, event),
                    (Some(_), _) => self.admits_fan(step, event),
                }
            }
        }
    }

    /// Events of a step that fans out.
    fn admits_fan(&self, step: &StepState, event: &Event) -> Result<(), Reason> {
        let running = step.fan.as_ref().map_or(0, |fan| fan.running);
        match (event, &step.phase) {
            (Event::StepFannedOut { .. }, Phase::Pending) => {
                require(self.course == Course::Forward, "nothing starts behind a failure")
            }
            (Event::StepFailed { .. }, Phase::Pending) => Ok(()),
            (Event::StepFailed { .. } | Event::StepCompleted { .. }, Phase::Running) => {
                require(running == 0, "an item has not ended")
            }
            _ => Err("a fan-out does not do this"),
        }
    }

    /// Events of a step or item that works or waits itself.
    fn admits_work(&self, step: &StepState, event: &Event) -> Result<(), Reason> {
        let is_waiting = matches!(step.phase, Phase::Pending | Phase::Backoff { .. });
        let is_running = step.phase == Phase::Running;
        let is_gated = matches!(step.phase, Phase::Gated(_));
        match event {
            Event::StepStarted { attempt, .. } => {
                require(self.course == Course::Forward, "nothing starts behind a failure")?;
                require(is_waiting, "an attempt does not begin here")?;
                require(Some(*attempt) == step.attempt.checked_add(1), "attempts count up by one")
            }
            Event::StepRetried { .. } | Event::StepUncertain { .. } => {
                require(is_running, "no attempt is under way")
            }
            Event::GateRequested { .. } => require(is_waiting || is_running, "no gate is asked for here"),
            Event::GateAnswered { .. }
            | Event::GateApproved { .. }
            | Event::GateRejected { .. }
            | Event::GateExpired { .. } => require(is_gated, "no gate is open"),
            Event::StepCompleted { .. } => {
                let is_let_through = step.phase == Phase::Pending && step.last_gate.is_some();
                require(is_running || is_let_through, "nothing was begun that could end well")
            }
            Event::StepFailed { .. } => require(is_waiting || is_running, "the step cannot fail here"),
            Event::StepSkipped { .. } => require(step.phase == Phase::Pending, "the step was begun"),
            _ => Err("a step that does not fan out does not do this"),
        }
    }

    /// Events of undoing: always of what was completed last, one at a time.
    fn admits_undo(&self, at: StepKey, event: &Event) -> Result<(), Reason> {
        require(self.course != Course::Forward, "the run is not being undone")?;
        require(self.open().next().is_none(), "a step has not ended")?;
        require(self.completion.last() == Some(&at), "it is not what is to be undone next")?;
        let begun = self.undoing.as_ref();
        match event {
            Event::CompensationStarted { attempt, .. } => {
                let before = begun.map_or(0, |undoing| undoing.attempt);
                require(begun.is_none_or(|undoing| undoing.backoff.is_some()), "an attempt is under way")?;
                require(Some(*attempt) == before.checked_add(1), "attempts count up by one")
            }
            Event::StepCompensated { .. } | Event::CompensationRetried { .. } => {
                require(begun.is_some_and(|undoing| undoing.backoff.is_none()), "no attempt is under way")
            }
            _ => Ok(()),
        }
    }
}

fn require(holds: bool, otherwise: Reason) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(otherwise) }
}
