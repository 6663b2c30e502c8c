//! The shape of a blueprint as its author writes it.
//!
//! Owns the keys: the JSON Schema that editors use and the keys that the checker allows both come from these
//! types. Decides nothing about meaning; that is the checker's part.

use std::collections::BTreeMap;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod step;

pub use step::{ActionTask, Compensate, Gate, Mode, Retry, StageName, Step, Transform};

/// The JSON Schema of a blueprint, draft 2020-12.
pub fn json_schema() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Blueprint>().to_value()
}

/// A workflow: what starts it, what it takes, what it does and what it answers with.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Xyn blueprint v1")]
pub struct Blueprint {
    /// Address of this schema, for editors; ignored.
    #[serde(rename = "$schema", default)]
    pub schema: Option<String>,
    /// Stable, unique id, such as `bp.team.purpose`.
    pub id: String,
    /// Name for people; the id when left out.
    pub name: Option<String>,
    /// What it is for, for people.
    pub description: Option<String>,
    /// What starts a run.
    pub trigger: Trigger,
    /// Typed inputs of a run.
    #[serde(default)]
    pub inputs: Vec<Input>,
    /// Constants, reached as `vars.NAME`.
    #[serde(default)]
    pub vars: BTreeMap<String, Value>,
    /// Bounds of each run; never above those of the node.
    pub limits: Option<Limits>,
    /// Every action says how it is undone: `compensate`, or `irreversible: true`.
    #[serde(default)]
    pub saga: bool,
    /// The steps.
    #[schemars(length(min = 1))]
    pub plan: Vec<Step>,
    /// What a completed run answers with.
    #[serde(default)]
    pub outputs: Vec<Output>,
}

/// What starts a run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Event name or pattern: `*` stands for one part, `**` for any number.
    pub event_type: String,
    /// Only events for which this holds; `event` and `vars` are in scope.
    pub when: Option<Condition>,
}

/// A typed input.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Reached as `inputs.NAME`.
    pub name: String,
    /// What it is for, for people.
    pub description: Option<String>,
    /// Where it comes from; without it, the field of that name of `event.data`.
    pub from: Option<Value>,
    /// JSON Schema that the value must fit.
    pub schema: Option<Value>,
    /// Whether its absence fails the start.
    #[serde(default)]
    pub required: bool,
    /// Value when absent.
    pub default: Option<Value>,
}

/// A named output.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its value; without it, the field of that name of the last step's output.
    pub from: Option<Value>,
}

/// Bounds of each run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Steps a run may take, foreach items apart.
    pub max_steps: Option<u32>,
    /// Time a run may work, waiting apart.
    pub wall_clock: Option<Time>,
    /// Runs of this blueprint that may be under way at once, from start to end, waits included; further ones wait
    /// for a place. Without it only the node's own limit holds.
    pub concurrency: Option<u32>,
}

/// A length of time: `500ms`, `10m`, `1h30m`, or seconds.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Time {
    /// Seconds.
    Seconds(u64),
    /// Days, hours, minutes, seconds, milliseconds, from long to short.
    Text(#[schemars(regex(pattern = r"^(\d+|(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?)$"))] String),
}

/// A condition: `{{ expression }}`, or always or never.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Condition {
    /// Always or never.
    Constant(bool),
    /// An expression.
    Expression(String),
}

/// A list: `{{ expression }}`, or its items.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum List {
    /// Items.
    Items(Vec<Value>),
    /// An expression.
    Expression(String),
}
