//! The compiled blueprint: typed steps, resolved edges, template programs.
//!
//! A plan is immutable and carries the digest of the bytes it was compiled from; a run keeps that digest, so
//! a later version never changes a run under way. Plans refuse nothing: only [`check`](super::check) makes
//! them.

use std::time::Duration;

use serde_json::Value;
use xyn_store::Digest;
use xyn_store::scope::Stage;

use super::template::{Expression, Template};
use crate::governance::Approver;

/// A blueprint that was checked and compiled.
#[derive(Debug)]
pub struct Plan {
    /// Digest of the author's bytes.
    pub digest: Digest,
    /// The blueprint's stable id.
    pub id: String,
    /// The blueprint's name for people.
    pub name: String,
    /// What starts a run.
    pub trigger: Trigger,
    /// Typed inputs, in the author's order.
    pub inputs: Vec<Input>,
    /// Constants of this blueprint: a JSON object.
    pub vars: Value,
    /// Bounds of each run.
    pub limits: Limits,
    /// Whether every effectful step says how it is undone.
    pub saga: bool,
    /// Steps in the author's order, which is also a topological order of their edges.
    pub steps: Vec<Step>,
    /// What a completed run answers with, in the author's order.
    pub outputs: Vec<Output>,
}

/// What starts a run.
#[derive(Debug)]
pub struct Trigger {
    /// Event name or pattern (`*` one part, `**` any number).
    pub event_type: super::EventPattern,
    /// Only events for which this is true.
    pub when: Option<Expression>,
}

/// A typed input of a run.
#[derive(Debug)]
pub struct Input {
    /// Name below `inputs`.
    pub name: String,
    /// What it is for, for people.
    pub description: Option<String>,
    /// Where it comes from when an event starts the run; without it the field of that name of `event.data`.
    pub from: Option<Template>,
    /// JSON Schema that the value must fit, compiled.
    pub schema: Option<super::Schema>,
    /// Whether its absence fails the start.
    pub required: bool,
    /// Value when absent and not required.
    pub default: Option<Value>,
}

/// A named output of a completed run.
#[derive(Debug)]
pub struct Output {
    /// Name below `outputs`.
    pub name: String,
    /// Its value; the checker fills in the field of that name of the last step when the author gave none.
    pub from: Template,
}

/// Bounds of each run of a blueprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps a run may take, foreach items apart. The checker holds the plan against it, and that is enough: a run ends
    /// each step of its plan once, whatever is repeated in between, and a retry or fork is a run of its own.
    pub max_steps: u32,
    /// Time a run may work, waiting apart.
    pub wall_clock: Duration,
    /// Runs of this blueprint that may be under way at once, from their start to their end, waits included; none
    /// leaves it to the node.
    pub concurrency: Option<u32>,
}

/// One unit of work.
#[derive(Debug)]
pub struct Step {
    /// Stable id within the blueprint: letters, digits, `_` and `-`.
    pub id: String,
    /// What it does.
    pub kind: Kind,
    /// Indices of the steps that must have ended before; always smaller than this step's own index.
    pub needs: Vec<usize>,
    /// Skip the step when this is false.
    pub when: Option<Expression>,
    /// Fan out over a list; `item` and `index` are then in scope.
    pub foreach: Option<Foreach>,
    /// Time one attempt may take.
    pub timeout: Option<Duration>,
    /// How failed attempts are repeated.
    pub retry: Retry,
    /// What happens when nobody knows whether the effect took place.
    pub on_uncertain: OnUncertain,
    /// Overrides the action's own word on idempotence.
    pub idempotent: Option<bool>,
    /// How the effect is undone when the run fails later.
    pub compensate: Option<Call>,
    /// The author says that the effect cannot be undone.
    pub irreversible: bool,
}

/// What a step does.
#[derive(Debug)]
pub enum Kind {
    /// Calls a registered action.
    Action(Call),
    /// Computes an object from templates.
    Transform {
        /// Field name to template, in the author's order.
        set: Vec<(String, Template)>,
    },
    /// Waits.
    Gate(Gate),
}

impl Kind {
    /// The word the author wrote: `action_task`, `transform` or `gate`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Action(_) => "action_task",
            Self::Transform { .. } => "transform",
            Self::Gate(_) => "gate",
        }
    }
}

/// A call of a registered action.
#[derive(Debug)]
pub struct Call {
    /// Name in the registry.
    pub action: String,
    /// Input, rendered when the step starts.
    pub with: Template,
    /// Stage of the target; none means the environment's own.
    pub stage: Option<Stage>,
}

/// What a run waits for.
#[derive(Debug)]
pub enum Gate {
    /// People approve or reject.
    Manual {
        /// Who may answer; empty means any person.
        approvers: Vec<Approver>,
        /// How many distinct people must approve; at least 1.
        min: u32,
        /// Whether the principal who started the run counts; none means the stage's default.
        allow_requester: Option<bool>,
        /// What the approver is shown.
        prompt: Option<Template>,
        /// When the wait ends by itself.
        timeout: Option<GateTimeout>,
    },
    /// A durable timer.
    Timer {
        /// How long.
        delay: Duration,
    },
    /// An event that matches.
    Event {
        /// Name or pattern.
        event_type: super::EventPattern,
        /// `event` is in scope.
        matches: Option<Expression>,
        /// When the wait ends by itself.
        timeout: Option<GateTimeout>,
    },
}

impl Gate {
    /// The word the author wrote: `manual`, `timer` or `event`.
    pub fn mode(&self) -> &'static str {
        match self {
            Self::Manual { .. } => "manual",
            Self::Timer { .. } => "timer",
            Self::Event { .. } => "event",
        }
    }
}

/// How a wait ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateTimeout {
    /// After how long.
    pub after: Duration,
    /// And then.
    pub then: OnTimeout,
}

/// What an expired gate means.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// The step fails.
    #[default]
    Reject,
    /// The step completes as if approved (`output.expired` is true).
    Approve,
    /// The step is skipped (output null).
    Skip,
}

/// Fan-out of one step over a list.
#[derive(Debug)]
pub struct Foreach {
    /// Gives the list; at most 100,000 items.
    pub items: Expression,
    /// Items under way at once; at least 1.
    pub max_parallel: u32,
}

/// How failed attempts are repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// All attempts, the first included; 1 means no retry.
    pub max_attempts: u32,
    /// How waits grow.
    pub backoff: Backoff,
    /// Wait before the second attempt.
    pub initial: Duration,
    /// Longest wait.
    pub max: Duration,
    /// Spread each wait evenly over 50 % to 100 % of itself.
    pub jitter: bool,
    /// Kinds of failure that are repeated; empty means all that are certain.
    pub on: Vec<FailureKind>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 1,
            backoff: Backoff::Exponential,
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
            jitter: true,
            on: Vec::new(),
        }
    }
}

/// How waits between attempts grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Always `initial`.
    Constant,
    /// `initial`, twice it, three times it…
    Linear,
    /// `initial`, doubled each time.
    Exponential,
}

/// Why an attempt failed, as far as a retry cares.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The request never left: refused, unreachable, not resolved.
    Connect,
    /// The step's time ran out; whether it took effect is unknown.
    Timeout,
    /// The peer asked to slow down.
    RateLimit,
    /// The peer reported a fault of its own (5xx).
    Server,
    /// The peer refused the request (4xx).
    Client,
    /// Anything else that certainly had no effect.
    Other,
}

/// What happens when nobody knows whether an effect took place.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnUncertain {
    /// Do it again with the same key.
    Retry,
    /// Fail the step.
    Fail,
    /// Park the run at a gate that shows what is known.
    #[default]
    Ask,
}
