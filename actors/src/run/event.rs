//! What happened to a run: the facts its stream consists of.
//!
//! Variants and fields are append-only: postcard writes them by position, and old journals stay readable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xyn_store::ids::EventId;
use xyn_store::projection::{ApprovalRow, Fault, GateMode, Lineage, StepKey};
use xyn_store::scope::{Principal, Stage};
use xyn_store::{Digest, Json, Timestamp};

use crate::actions::Failure;
use crate::governance::Approver;

/// A fact about a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The run was accepted.
    Created(Box<Created>),
    /// Work began.
    Started,
    /// An attempt of a step began.
    StepStarted {
        /// Which step or item.
        at: StepKey,
        /// From 1.
        attempt: u32,
        /// What it was given, redacted; none for what only computes.
        input: Option<Json>,
        /// The policy rule that let it through.
        rule: Option<String>,
    },
    /// A step ended well.
    StepCompleted {
        /// Which step or item.
        at: StepKey,
        /// What it gave.
        output: Json,
    },
    /// A step ended badly.
    StepFailed {
        /// Which step or item.
        at: StepKey,
        /// Why.
        fault: Fault,
    },
    /// A step was not done, because its condition was false.
    StepSkipped {
        /// Which step.
        at: StepKey,
    },
    /// An attempt failed; another one follows.
    StepRetried {
        /// Which step or item.
        at: StepKey,
        /// Why the attempt failed.
        failure: Failure,
        /// When the next one is due.
        due: Timestamp,
    },
    /// A step fans out over a list.
    StepFannedOut {
        /// Which step.
        at: StepKey,
        /// The list: a JSON array.
        items: Json,
    },
    /// Nobody knows whether a step took effect.
    StepUncertain {
        /// Which step or item.
        at: StepKey,
        /// What is known.
        failure: Failure,
    },
    /// A step waits at a gate.
    GateRequested {
        /// Which step or item.
        at: StepKey,
        /// The gate.
        gate: Box<GateRequest>,
    },
    /// A person gave a word, and more words are needed.
    GateAnswered {
        /// Which step or item.
        at: StepKey,
        /// The word.
        answer: ApprovalRow,
    },
    /// A gate was decided for.
    GateApproved {
        /// Which step or item.
        at: StepKey,
        /// The deciding word; none for a timer or event.
        answer: Option<ApprovalRow>,
    },
    /// A gate was decided against.
    GateRejected {
        /// Which step or item.
        at: StepKey,
        /// The deciding word.
        answer: ApprovalRow,
    },
    /// Nobody decided a gate in time.
    GateExpired {
        /// Which step or item.
        at: StepKey,
    },
    /// Somebody asked the run to stop.
    CancelRequested {
        /// Who.
        by: Principal,
        /// Why.
        reason: Option<String>,
        /// Whether what was done is to be undone.
        compensate: bool,
    },
    /// The undoing of a completed step began.
    CompensationStarted {
        /// Which step or item.
        at: StepKey,
        /// From 1.
        attempt: u32,
        /// What it was given, redacted.
        input: Json,
    },
    /// A completed step was undone.
    StepCompensated {
        /// Which step.
        at: StepKey,
    },
    /// A completed step could not be undone.
    CompensationFailed {
        /// Which step.
        at: StepKey,
        /// Why.
        fault: Fault,
    },
    /// The run ended well.
    Completed {
        /// What it answers: a JSON object.
        outputs: Json,
    },
    /// The run ended badly.
    Failed {
        /// Why.
        fault: Fault,
    },
    /// The run ended because somebody asked.
    Cancelled,
    /// The run reached one of its limits.
    LimitExceeded {
        /// Which one.
        fault: Fault,
    },
    /// All steps ended, but what the run answers cannot be told.
    OutputsFailed {
        /// Why.
        fault: Fault,
    },
    /// An attempt of an undoing failed; another one follows.
    CompensationRetried {
        /// Which step or item.
        at: StepKey,
        /// Why the attempt failed.
        failure: Failure,
        /// When the next one is due.
        due: Timestamp,
    },
}

/// How a run begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// The blueprint's id.
    pub blueprint_id: String,
    /// Digest of the blueprint's bytes.
    pub blueprint_digest: Digest,
    /// The blueprint's name.
    pub name: String,
    /// A JSON object.
    pub inputs: Json,
    /// The event that started it, as its templates see it.
    pub event: Option<Json>,
    /// Stage of the environment.
    pub stage: Stage,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// Higher goes first.
    pub priority: i8,
    /// The run it retries or forks.
    pub lineage: Option<Lineage>,
    /// Results taken over from that run: step index and output (null for a skipped step).
    pub reused: Vec<(u16, Json)>,
    /// Runs that started each other before this one.
    pub depth: u16,
    /// Why the run cannot begin, when its event gave it inputs that do not fit.
    pub fault: Option<String>,
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateRequest {
    /// People, a timer, an event, or a word on an uncertain effect.
    pub mode: GateMode,
    /// Who may answer; empty means any person.
    pub approvers: Vec<Approver>,
    /// How many must approve.
    pub min: u32,
    /// Whether the requester counts; none means the stage's default.
    pub allow_requester: Option<bool>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// What the approver is shown.
    pub prompt: Option<Json>,
}

/// An event as gates and triggers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its id.
    pub event_id: EventId,
    /// Its name.
    pub name: String,
    /// It as templates see it: a JSON object with `event_id, event_name, occurred_at, data, …`.
    pub view: Json,
}

impl Event {
    /// The catalogue's name for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created(_) => "xyn.run.created",
            Self::Started => "xyn.run.started",
            Self::StepStarted { .. } | Self::StepFannedOut { .. } => "xyn.step.started",
            Self::StepCompleted { .. } => "xyn.step.completed",
            Self::StepFailed { .. } => "xyn.step.failed",
            Self::StepSkipped { .. } => "xyn.step.skipped",
            Self::StepRetried { .. } => "xyn.step.retried",
            Self::StepUncertain { .. } => "xyn.step.uncertain",
            Self::GateRequested { .. } => "xyn.gate.requested",
            Self::GateAnswered { .. } => "xyn.gate.answered",
            Self::GateApproved { .. } => "xyn.gate.approved",
            Self::GateRejected { .. } => "xyn.gate.rejected",
            Self::GateExpired { .. } => "xyn.gate.expired",
            Self::CancelRequested { .. } => "xyn.run.cancel_requested",
            Self::CompensationStarted { .. } => "xyn.compensation.started",
            Self::StepCompensated { .. } => "xyn.step.compensated",
            Self::CompensationFailed { .. } => "xyn.compensation.failed",
            Self::Completed { .. } => "xyn.run.completed",
            Self::Failed { .. } => "xyn.run.failed",
            Self::Cancelled => "xyn.run.cancelled",
            Self::LimitExceeded { .. } => "xyn.run.limit_exceeded",
            Self::OutputsFailed { .. } => "xyn.run.outputs_failed",
            Self::CompensationRetried { .. } => "xyn.compensation.retried",
        }
    }

    /// Whether it ends the attempts under way.
    pub fn aborts(&self) -> bool {
        matches!(self, Self::CancelRequested { .. } | Self::LimitExceeded { .. })
    }

    /// The step or item it is about.
    pub fn position(&self) -> Option<StepKey> {
        match self {
            Self::StepStarted { at, .. }
            | Self::StepCompleted { at, .. }
            | Self::StepFailed { at, .. }
            | Self::StepSkipped { at }
            | Self::StepRetried { at, .. }
            | Self::StepFannedOut { at, .. }
            | Self::StepUncertain { at, .. }
            | Self::GateRequested { at, .. }
            | Self::GateAnswered { at, .. }
            | Self::GateApproved { at, .. }
            | Self::GateRejected { at, .. }
            | Self::GateExpired { at }
            | Self::CompensationStarted { at, .. }
            | Self::StepCompensated { at }
            | Self::CompensationFailed { at, .. }
            | Self::CompensationRetried { at, .. } => Some(*at),
            Self::Created(_)
            | Self::Started
            | Self::CancelRequested { .. }
            | Self::Completed { .. }
            | Self::Failed { .. }
            | Self::Cancelled
            | Self::LimitExceeded { .. }
            | Self::OutputsFailed { .. } => None,
        }
    }
}
