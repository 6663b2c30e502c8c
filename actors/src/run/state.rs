//! The state of a run: the fold of its events over its plan.
//!
//! Owns what is true now. It decides nothing; an event that does not fit means a damaged journal and is
//! refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use xyn_store::ids::RunId;
use xyn_store::projection::{ApprovalRow, Fault, RunStatus, StepKey, StepStatus};
use xyn_store::scope::{Attribution, Principal};
use xyn_store::{Json, Timestamp};

use super::event::{Created, GateRequest};
use crate::blueprint::{Plan, Scope};

/// Item outputs that a fan-out collects into its own output; more are left to the rows.
pub(super) const COLLECT_LIMIT: usize = 1_000;

/// What is true of a run.
#[derive(Debug)]
pub struct State {
    /// The run.
    pub id: RunId,
    /// What it executes.
    pub plan: Arc<Plan>,
    /// How it began; none before it was created.
    pub begin: Option<Begin>,
    /// Where it stands.
    pub status: RunStatus,
    /// Which way it is going.
    pub course: Course,
    /// When work began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// One for each step of the plan.
    pub steps: Vec<StepState>,
    /// What can be undone and was not: steps and items in the order of their completion.
    pub completion: Vec<StepKey>,
    /// The undoing under way, of the last in `completion`.
    pub undoing: Option<Undoing>,
    /// What it answers.
    pub outputs: Option<Json>,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// What templates see.
    pub scope: Scope,
    /// Time worked up to the last event.
    pub(super) worked: Duration,
    /// When the last event was recorded.
    pub(super) last_at: Timestamp,
}

/// How a run began.
#[derive(Clone, Debug)]
pub struct Begin {
    /// The recorded fact.
    pub created: Created,
    /// When.
    pub at: Timestamp,
    /// Who asked for it.
    pub attribution: Attribution,
}

/// Which way a run is going.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Course {
    /// Towards its outputs.
    #[default]
    Forward,
    /// A step failed: nothing new starts, what runs may end, then what was done is undone.
    Failing(Fault),
    /// Somebody asked it to stop.
    Cancelling {
        /// Who asked.
        by: Principal,
        /// Whether what was done is to be undone.
        compensate: bool,
    },
}

/// What is true of a step or of one item of its fan-out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StepState {
    /// What it is at.
    pub phase: Phase,
    /// Attempts begun.
    pub attempt: u32,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// What the last attempt was given.
    pub input: Option<Json>,
    /// The fan-out, for a step that has one.
    pub fan: Option<Box<Fan>>,
    /// People approved the action as the policy asks; it need not ask again.
    pub cleared: bool,
    /// How often a person had an uncertain effect done anew; part of the idempotency key.
    pub generation: u32,
    /// The gate that was decided last.
    pub last_gate: Option<Box<OpenGate>>,
}

/// What a step is at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Not begun.
    #[default]
    Pending,
    /// An attempt is under way, or items are.
    Running,
    /// Waits at a gate.
    Gated(Box<OpenGate>),
    /// Waits for another attempt.
    Backoff {
        /// Since when.
        since: Timestamp,
        /// When it is due.
        due: Timestamp,
    },
    /// Ended well.
    Completed(Json),
    /// Ended badly.
    Failed(Fault),
    /// Not done.
    Skipped,
}

impl Phase {
    /// Whether the step has ended.
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Completed(_) | Self::Failed(_) | Self::Skipped)
    }

    /// The word for it.
    pub fn status(&self) -> StepStatus {
        match self {
            Self::Pending => StepStatus::Created,
            Self::Running | Self::Gated(_) | Self::Backoff { .. } => StepStatus::Running,
            Self::Completed(_) => StepStatus::Completed,
            Self::Failed(_) => StepStatus::Failed,
            Self::Skipped => StepStatus::Skipped,
        }
    }
}

/// A gate that nobody decided yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenGate {
    /// What it waits for.
    pub request: GateRequest,
    /// Since when.
    pub since: Timestamp,
    /// Words given so far.
    pub answers: Vec<ApprovalRow>,
}

/// The fan-out of a step. Only items under way are kept; the others live in their rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Fan {
    /// The list. A snapshot does not repeat it: the journal holds it.
    #[serde(skip)]
    pub items: Arc<[Value]>,
    /// The first item that was not begun.
    pub next: u32,
    /// Items begun and not forgotten yet.
    pub active: BTreeMap<u32, StepState>,
    /// Items under way.
    pub running: u32,
    /// Items that ended well.
    pub completed: u32,
    /// Items that ended badly.
    pub failed: u32,
    /// Why the first of them did.
    pub fault: Option<Fault>,
    /// Outputs of the first [`COLLECT_LIMIT`] items by index; of all when their undoing may need them.
    pub outputs: BTreeMap<u32, Json>,
}

/// How far an undoing has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undoing {
    /// Attempts begun.
    pub attempt: u32,
    /// When the next attempt is due, and since when it is waited for; none while an attempt is under way.
    pub backoff: Option<(Timestamp, Timestamp)>,
}

impl Fan {
    /// Items in the list.
    pub fn count(&self) -> u32 {
        // INVARIANT: `decide` lets no longer list through.
        u32::try_from(self.items.len()).unwrap_or(u32::MAX)
    }
}

impl StepState {
    /// Whether it is begun and not ended. What people let go on is open although its work has not begun.
    pub fn is_open(&self) -> bool {
        match self.phase {
            Phase::Pending => self.last_gate.is_some(),
            _ => !self.phase.is_ended(),
        }
    }
}

impl State {
    /// A run of `plan` before its first event.
    pub fn new(id: RunId, plan: Arc<Plan>) -> Self {
        let steps = plan.steps.iter().map(|_| StepState::default()).collect();
        let scope = Scope::new(&Value::Null, &plan.vars, &Value::Null);
        Self {
            id,
            plan,
            begin: None,
            status: RunStatus::Created,
            course: Course::Forward,
            started_at: None,
            completed_at: None,
            steps,
            completion: Vec::new(),
            undoing: None,
            outputs: None,
            fault: None,
            scope,
            worked: Duration::ZERO,
            last_at: Timestamp::EPOCH,
        }
    }

    /// The state of a step, or of an item that is under way.
    pub fn at(&self, at: StepKey) -> Option<&StepState> {
        let step = self.steps.get(usize::from(at.step))?;
        match at.item {
            None => Some(step),
            Some(item) => step.fan.as_ref()?.active.get(&item),
        }
    }

    /// Every step and item that is begun and not ended.
    pub fn open(&self) -> impl Iterator<Item = (StepKey, &StepState)> {
        self.steps
            .iter()
            .enumerate()
            .flat_map(|(index, step)| {
                let index = index as u16;
                let items = step.fan.iter().flat_map(move |fan| {
                    fan.active.iter().map(move |(&item, state)| (StepKey::item(index, item), state))
                });
                std::iter::once((StepKey::step(index), step)).chain(items)
            })
            .filter(|(_, step)| step.is_open())
    }

    /// Forgets items that have ended, and lists that nothing asks for any more; their rows were rendered.
    pub fn forget_ended_items(&mut self) {
        for (step, plan) in self.steps.iter_mut().zip(&self.plan.steps) {
            if step.phase.is_ended() && plan.compensate.is_none() {
                step.fan = None;
            }
            if let Some(fan) = &mut step.fan {
                fan.active.retain(|_, item| !item.phase.is_ended());
            }
        }
    }
}
