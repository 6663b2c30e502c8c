//! What stories say: results, answers, arrivals and the passing of time, by the names of steps.

use std::time::Duration;

use serde_json::{Value, json};
use xyn_store::Json;
use xyn_store::ids::EventId;
use xyn_store::projection::StepKey;
use xyn_store::scope::Principal;

use super::super::{Arrival, Command, Event};
use super::story::{REQUESTER, Story};
use super::words::tell;
use crate::actions::Failure;
use crate::blueprint::FailureKind;
use crate::governance::{Identity, Role};

/// How long a run may work unless its blueprint or node says otherwise.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);

/// A person who owns data and policies.
pub(super) fn person(name: &str) -> Identity {
    Identity { principal: Principal::new(name), roles: vec![Role::OwnerAdmin], teams: Vec::new() }
}

/// A failure that certainly had no effect.
pub(super) fn fault(kind: FailureKind) -> Failure {
    Failure::certain(kind, "broken", "it did not work")
}

/// A failure behind which nobody knows whether it took effect.
pub(super) fn unsure() -> Failure {
    Failure::uncertain(FailureKind::Timeout, "timeout", "no answer")
}

impl Story {
    /// The attempt of `step` under way ends well.
    pub(super) fn succeeds(self, step: &str, output: Value) -> Self {
        let attempt = self.attempt(step);
        self.result_of(step, attempt, Ok(output))
    }

    pub(super) fn fails(self, step: &str, failure: Failure) -> Self {
        let attempt = self.attempt(step);
        self.result_of(step, attempt, Err(failure))
    }

    pub(super) fn result_of(self, step: &str, attempt: u32, result: Result<Value, Failure>) -> Self {
        let at = self.key(step);
        self.when(Command::Finish { at, attempt, result })
    }

    /// The undoing of `step` under way ends.
    pub(super) fn undoes(self, step: &str, result: Result<(), Failure>) -> Self {
        let at = self.key(step);
        let attempt = self.state.undoing.as_ref().map_or(0, |undoing| undoing.attempt);
        self.when(Command::FinishCompensation { at, attempt, result })
    }

    pub(super) fn answers(self, who: &str, step: &str, approve: bool) -> Self {
        let (at, by) = (self.key(step), person(who));
        self.when(Command::Answer { at, by, approve, note: None, elsewhere: None })
    }

    pub(super) fn cancels(self, compensate: bool) -> Self {
        let by = Principal::new(REQUESTER);
        self.when(Command::Cancel { by, reason: None, compensate })
    }

    pub(super) fn arrives(self, name: &str, data: Value) -> Self {
        let event_id: EventId = "0198c0de-0000-7000-8000-00000000000e".parse().expect("a UUID");
        let view = Json::from(&json!({ "event_id": event_id, "event_name": name, "data": data }));
        self.when(Command::Arrive(Box::new(Arrival { event_id, name: name.to_owned(), view })))
    }

    /// Time passes, and whatever is due fires.
    pub(super) fn waits(mut self, time: Duration) -> Self {
        self.now = self.now.after(time);
        let mut events = Vec::new();
        while let Some((due, purpose)) = self.state.timers().into_iter().find(|(due, _)| *due <= self.now) {
            events.extend(self.tell(Command::Fire { purpose, due }).expect("a timer is always heard"));
        }
        self.last = Ok(events);
        self
    }

    /// Time passes in which nothing is heard.
    pub(super) fn works_for(mut self, time: Duration) -> Self {
        self.now = self.now.after(time);
        self
    }

    /// The run is told that it has worked for as long as a node allows by default.
    pub(super) fn works_for_too_long(self) -> Self {
        self.works_for(HOUR).when(Command::WallClock)
    }

    pub(super) fn attempt(&self, step: &str) -> u32 {
        self.state.at(self.key(step)).map_or(0, |step| step.attempt)
    }

    /// The idempotency keys of all attempts of `step`, in order.
    pub(super) fn keys(&self, step: &str, undoes: bool) -> Vec<&str> {
        let at = self.key(step);
        let of_step = self.work.iter().filter(|work| work.at == at && work.undoes == undoes);
        of_step.map(|work| work.context.idempotency_key.as_str()).collect()
    }

    /// Where `name` stands in the plan; `name.3` is item 3.
    pub(super) fn key(&self, name: &str) -> StepKey {
        let (step, item) = name.split_once('.').map_or((name, None), |(step, item)| (step, Some(item)));
        let index = self.state.plan.steps.iter().position(|known| known.id == step);
        let index = index.unwrap_or_else(|| panic!("no step `{step}`")) as u16;
        StepKey { step: index, item: item.map(|item| item.parse().expect("a number")) }
    }

    pub(super) fn told(&self, events: &[Event]) -> Vec<String> {
        events.iter().map(|event| tell(&self.state, event)).collect()
    }
}
