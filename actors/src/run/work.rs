//! Work: when a run works, and for how long it still may.
//!
//! A run works while an attempt or an undoing is under way. Its limit counts the sum of such stretches, each from one
//! recorded event to the next; waits in between do not count, and neither does a stretch that a stop of the node cut
//! short, because nobody knows when it ended. Invariant: the journal alone says how long a run has worked.

use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::projection::RunStatus;

use super::event::Event;
use super::state::{Course, Phase, State};

/// The code of what a stop of the node left without a result.
pub(super) const NODE_STOPPED: &str = "node_stopped";

impl State {
    /// Whether the run was accepted and waits for a place among those that work at once.
    pub fn is_held(&self) -> bool {
        self.status == RunStatus::Created
    }

    /// Whether an attempt of a step is under way.
    pub fn is_attempting(&self) -> bool {
        self.open().any(|(_, step)| step.phase == Phase::Running && step.fan.is_none())
    }

    /// Whether an attempt or an undoing is under way: then the run works and does not wait.
    pub fn is_working(&self) -> bool {
        self.undoing.as_ref().is_some_and(|undoing| undoing.backoff.is_none()) || self.is_attempting()
    }

    /// How long the run may work from `now` on: its limit without all it has worked, waits apart. None when no limit
    /// holds, because it only undoes what it did, or has ended.
    pub fn time_left(&self, now: Timestamp) -> Option<Duration> {
        let is_limited = self.course == Course::Forward || self.is_attempting();
        let since_last = if self.is_working() { now.since(self.last_at) } else { Duration::ZERO };
        let left = self.plan.limits.wall_clock.saturating_sub(self.worked + since_last);
        (is_limited && !self.status.is_final()).then_some(left)
    }

    /// How much of the time between the last event and `event` was work.
    pub(super) fn worked_since(&self, event: &Event, now: Timestamp) -> Duration {
        let counts = now > self.last_at && self.is_working() && !event.tells_of_stop();
        if counts { now.since(self.last_at) } else { Duration::ZERO }
    }
}

impl Event {
    /// Whether it says that the node stopped in the middle of an attempt.
    fn tells_of_stop(&self) -> bool {
        let code = match self {
            Self::StepUncertain { failure, .. }
            | Self::StepRetried { failure, .. }
            | Self::CompensationRetried { failure, .. } => &failure.code,
            Self::StepFailed { fault, .. } | Self::CompensationFailed { fault, .. } => &fault.code,
            _ => return false,
        };
        code == NODE_STOPPED
    }
}
