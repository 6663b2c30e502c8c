//! The shape of a step as its author writes it.
//!
//! Owns the keys of each kind. Which keys of a gate go with which mode is the checker's part.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Condition, List, Time};
use crate::blueprint::plan::{Backoff, FailureKind, OnTimeout, OnUncertain};

/// One unit of work.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    /// Calls a registered action.
    ActionTask(Box<ActionTask>),
    /// Computes an object.
    Transform(Transform),
    /// Waits for people, a timer or an event.
    Gate(Gate),
}

/// Calls a registered action.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionTask {
    /// Stable id within the blueprint.
    pub id: String,
    /// Steps that must have ended before; without it, the step above.
    pub needs: Option<Vec<String>>,
    /// Skip the step when this does not hold.
    pub when: Option<Condition>,
    /// A list; the step is done for each `item` of it, counted by `index`.
    pub foreach: Option<List>,
    /// Items under way at once.
    pub max_parallel: Option<u32>,
    /// Name of the action.
    pub action: String,
    /// Its input.
    #[serde(default)]
    pub with: BTreeMap<String, Value>,
    /// Stage of the target; without it, the environment's own.
    pub stage: Option<StageName>,
    /// Time one attempt may take.
    pub timeout: Option<Time>,
    /// How failed attempts are repeated.
    pub retry: Option<Retry>,
    /// What happens when nobody knows whether the effect took place.
    pub on_uncertain: Option<OnUncertain>,
    /// Whether doing it twice with the same key is doing it once; overrides the action's own word.
    pub idempotent: Option<bool>,
    /// How the effect is undone when the run fails later.
    pub compensate: Option<Compensate>,
    /// The effect cannot be undone.
    #[serde(default)]
    pub irreversible: bool,
}

/// Computes an object.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// Stable id within the blueprint.
    pub id: String,
    /// Steps that must have ended before; without it, the step above.
    pub needs: Option<Vec<String>>,
    /// Skip the step when this does not hold.
    pub when: Option<Condition>,
    /// A list; the step is done for each `item` of it, counted by `index`.
    pub foreach: Option<List>,
    /// Items under way at once.
    pub max_parallel: Option<u32>,
    /// Fields of the output and their values.
    pub set: BTreeMap<String, Value>,
}

/// Waits.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Stable id within the blueprint.
    pub id: String,
    /// Steps that must have ended before; without it, the step above.
    pub needs: Option<Vec<String>>,
    /// Skip the step when this does not hold.
    pub when: Option<Condition>,
    /// What it waits for; the other keys depend on it.
    pub mode: Mode,
    /// Manual: who may answer (`role:X`, `team:ID`, `principal:ID`); without it, any person.
    pub approvers: Option<Vec<String>>,
    /// Manual: how many distinct people must approve.
    pub min: Option<u32>,
    /// Manual: whether who started the run counts.
    pub allow_requester: Option<bool>,
    /// Manual: what the approver is shown.
    pub prompt: Option<Value>,
    /// Timer: how long.
    pub delay: Option<Time>,
    /// Event: name or pattern.
    pub event_type: Option<String>,
    /// Event: only events for which this holds; `event` is the one that came.
    #[serde(rename = "match")]
    pub matches: Option<Condition>,
    /// Manual and event: when the wait ends by itself.
    pub timeout: Option<Time>,
    /// Manual and event: and then.
    pub on_timeout: Option<OnTimeout>,
}

/// What a gate waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// People approve or reject.
    Manual,
    /// A durable timer.
    Timer,
    /// An event that matches.
    Event,
}

/// How failed attempts are repeated.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// All attempts, the first included.
    pub max_attempts: Option<u32>,
    /// How waits grow.
    pub backoff: Option<Backoff>,
    /// Wait before the second attempt.
    pub initial: Option<Time>,
    /// Longest wait.
    pub max: Option<Time>,
    /// Spread each wait over half of itself.
    pub jitter: Option<bool>,
    /// Kinds of failure that are repeated; without it, all that certainly had no effect.
    pub on: Option<Vec<FailureKind>>,
}

/// How an effect is undone.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compensate {
    /// Name of the action.
    pub action: String,
    /// Its input.
    #[serde(default)]
    pub with: BTreeMap<String, Value>,
    /// Stage of the target; without it, the environment's own.
    pub stage: Option<StageName>,
}

/// Policy level of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageName {
    /// Development.
    Dev,
    /// Staging.
    Staging,
    /// Another name of staging.
    Test,
    /// Production.
    Prod,
}
