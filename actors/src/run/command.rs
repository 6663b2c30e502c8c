//! What a run can be told. Commands carry no reply channels, so they can be logged, replayed and shown.

use serde_json::Value;
use xyn_store::Timestamp;
use xyn_store::projection::{Purpose, StepKey};
use xyn_store::scope::Principal;

use super::event::{Arrival, Created};
use crate::actions::Failure;
use crate::governance::Identity;
use crate::governance::approval::Elsewhere;

/// Something a run is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Begin.
    Create(Box<Created>),
    /// Go on with whatever is ready.
    Advance,
    /// The node, or the run's actor, starts again: attempts without a result that nobody performs are uncertain.
    Recover,
    /// An attempt ended.
    Finish {
        /// Which step or item.
        at: StepKey,
        /// Which attempt.
        attempt: u32,
        /// Its output, or why it failed.
        result: Result<Value, Failure>,
    },
    /// The undoing of a step ended.
    FinishCompensation {
        /// Which step.
        at: StepKey,
        /// Which attempt.
        attempt: u32,
        /// Why it failed.
        result: Result<(), Failure>,
    },
    /// A timer is due.
    Fire {
        /// The timer.
        purpose: Purpose,
        /// When it was due.
        due: Timestamp,
    },
    /// A person answers a gate.
    Answer {
        /// Which step or item.
        at: StepKey,
        /// Who.
        by: Identity,
        /// For or against. At an uncertain effect: for does it anew with a new key, against fails the step.
        approve: bool,
        /// Why.
        note: Option<String>,
        /// When and to which question, if it was given on another node.
        elsewhere: Option<Elsewhere>,
    },
    /// An event arrived that a gate may wait for.
    Arrive(Box<Arrival>),
    /// Stop.
    Cancel {
        /// Who asks.
        by: Principal,
        /// Why.
        reason: Option<String>,
        /// Whether what was done is to be undone.
        compensate: bool,
    },
    /// The run has worked for longer than it may.
    WallClock,
}

/// Why a command means nothing to a run as it stands. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The run has ended.
    #[error("the run has ended already")]
    Ended,
    /// The run exists already.
    #[error("the run exists already")]
    Exists,
    /// The run was never created.
    #[error("the run does not exist")]
    Unknown,
    /// The result belongs to an attempt that is over.
    #[error("step {at} is not at attempt {attempt}")]
    Stale {
        /// Which step or item.
        at: StepKey,
        /// Which attempt.
        attempt: u32,
    },
    /// There is no open gate.
    #[error("step {0} has no open gate")]
    NoGate(StepKey),
    /// The gate is not for this person, or not any more.
    #[error(transparent)]
    Approval(#[from] crate::governance::approval::Refusal),
}
