//! The one registry of actions. The API, the tools list, the checker and the runs all read it.
//!
//! An action is a name, schemas, a word on idempotence, redaction rules and code. Actions never open the
//! store, never retry and never call each other: what they want recorded they return.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xyn_store::ids::{EventId, RunId};
use xyn_store::scope::{Attribution, Stage};
use xyn_store::{Digest, Timestamp};

use crate::blueprint::FailureKind;
use crate::governance::Risk;

mod artifacts_put;
mod builtin;
mod capsules;
mod deployments;
mod effects;
mod events_emit;
pub mod http_call;
mod peers;
mod redact;
mod secrets;
mod workspaces;

pub use artifacts_put::ARTIFACT_MAX_BYTES;
pub(crate) use builtin::read_run;
pub use builtin::{READ_RUN, builtin};
pub use effects::Surroundings;
pub(crate) use effects::{EffectFault, Pledged};
pub(crate) use events_emit::NAME as EMIT;

/// What everybody may know about an action.
#[derive(Clone, Debug, Serialize)]
pub struct Spec {
    /// `domain.verb`, the name blueprints and intents use.
    pub name: &'static str,
    /// One sentence for people and agents.
    pub description: &'static str,
    /// JSON Schema of the input.
    pub input_schema: Value,
    /// JSON Schema of the output.
    pub output_schema: Value,
    /// Whether doing it twice with the same key is doing it once, unless a step says otherwise.
    pub idempotent: Idempotence,
    /// How much a call can break, for rules that match on it.
    pub risk: Risk,
    /// JSON pointers into the input whose values are never recorded; `*` stands for any key, and keys match
    /// whatever their case, because header names do.
    pub redact: &'static [&'static str],
}

impl Spec {
    /// Whether the root of the environment may stand behind it: its input takes what the root `signed` elsewhere.
    pub fn is_rooted(&self) -> bool {
        self.name.starts_with("peer.") && self.input_schema["properties"]["signed"].is_object()
    }

    /// Whether the call with `input` may be done twice. Without an input, whether every call may.
    pub fn idempotent(&self, input: Option<&Value>) -> bool {
        match (self.idempotent, input) {
            (Idempotence::Always, _) => true,
            (Idempotence::Never, _) | (Idempotence::ByInput(_), None) => false,
            (Idempotence::ByInput(judge), Some(input)) => judge(input),
        }
    }

    /// `input` as it may be recorded: what `redact` names is replaced by [`REDACTED`].
    pub fn redacted(&self, input: &Value) -> Value {
        redact::redacted(input, self.redact)
    }
}

/// What stands where a secret value was.
pub const REDACTED: &str = "[redacted]";

/// Whether doing an action twice with the same key is doing it once.
#[derive(Clone, Copy, Debug)]
pub enum Idempotence {
    /// Whatever the input.
    Always,
    /// Never by itself.
    Never,
    /// A property of the call: the function judges the input and answers `false` to what it cannot read.
    ByInput(fn(&Value) -> bool),
}

impl Serialize for Idempotence {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::ByInput(_) => "by_input",
        })
    }
}

/// An action: what is known about it, and its code.
#[derive(Clone)]
pub struct Action {
    /// What everybody may know.
    pub spec: Spec,
    /// Compiled form of `spec.input_schema`.
    pub input: crate::blueprint::Schema,
    /// The code.
    pub run: Code,
}

/// How an action takes effect.
#[derive(Clone)]
pub enum Code {
    /// Its whole effect is what it returns, recorded in the same append as the step's result. Pure.
    Inside(fn(&Value, &Context) -> Result<Effects, Failure>),
    /// It reaches out: the step's start is durable before, its result after.
    Outside(Arc<dyn Outside>),
    /// A service of the Runtime carries it out as an intent of its own.
    Service,
}

/// An action whose effect lies outside the append that records it.
pub trait Outside: Send + Sync {
    /// Performs one attempt. Cancelled by dropping the future.
    fn execute(&self, input: Value, context: Context) -> BoxFuture<'static, Result<Value, Failure>>;
}

/// What an action is told about the call.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who calls, and in answer to what.
    pub attribution: Attribution,
    /// The run and step that call; none for a direct intent.
    pub step: Option<(RunId, String)>,
    /// What ids of new things are derived from: the same over retries.
    pub seed: String,
    /// Runs that started each other before the one that calls.
    pub depth: u16,
    /// The same over retries, new on a fork or a person's retry.
    pub idempotency_key: String,
    /// Stage of the target.
    pub stage: Stage,
    /// Addresses the call may reach.
    pub egress: Egress,
    /// The present instant.
    pub now: Timestamp,
}

/// Address ranges that a policy opened for one call. Public addresses are always open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// `127.0.0.0/8`, `::1`.
    pub loopback: bool,
    /// RFC 1918, unique local, carrier-grade NAT.
    pub private: bool,
    /// `169.254.0.0/16`, `fe80::/10`: also where clouds keep their metadata services.
    pub link_local: bool,
}

/// What an inside action wants recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// The step's output.
    pub output: Value,
    /// Artifacts to keep.
    pub artifacts: Vec<NewArtifact>,
    /// Events to emit.
    pub events: Vec<NewEvent>,
}

/// An artifact to keep.
#[derive(Clone, Debug, PartialEq)]
pub struct NewArtifact {
    /// Its id, derived from the cause.
    pub id: xyn_store::ids::ArtifactId,
    /// File name for people.
    pub name: String,
    /// `log`, `report`, `bundle` or `file`.
    pub kind: String,
    /// Media type.
    pub content_type: String,
    /// The bytes.
    pub content: Content,
    /// The run it belongs to, when no step makes it.
    pub run_id: Option<RunId>,
    /// A JSON object, free for the author.
    pub metadata: Value,
}

/// The bytes of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Here.
    Bytes(Vec<u8>),
    /// In the blob store already.
    Stored {
        /// Their digest.
        sha256: Digest,
        /// Their number.
        byte_length: u64,
    },
}

/// An event to emit.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Its id, derived from the cause or given by the sender.
    pub id: EventId,
    /// Its name.
    pub name: String,
    /// When it happened, as the sender says; none means now.
    pub occurred_at: Option<Timestamp>,
    /// What it is about: type and id.
    pub resource: Option<(String, String)>,
    /// What it says.
    pub data: Value,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What a retry looks at.
    pub kind: FailureKind,
    /// The effect may have taken place: the request went out and no answer came back.
    pub uncertain: bool,
    /// Stable word for programs, such as `connection_refused`.
    pub code: String,
    /// Sentence for people.
    pub message: String,
    /// How long the peer asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that certainly had no effect.
    pub fn certain(kind: FailureKind, code: &str, message: impl Into<String>) -> Self {
        Self { kind, uncertain: false, code: code.into(), message: message.into(), retry_after: None }
    }

    /// A failure after the request went out: nobody knows whether it took effect.
    pub fn uncertain(kind: FailureKind, code: &str, message: impl Into<String>) -> Self {
        Self { uncertain: true, ..Self::certain(kind, code, message) }
    }
}

/// All actions by name.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Action>);

impl Registry {
    /// Adds `action`; a later one of the same name replaces it.
    pub fn register(&mut self, spec: Spec, run: Code) -> Result<(), crate::blueprint::InvalidSchema> {
        let input = crate::blueprint::Schema::compile(&spec.input_schema)?;
        self.0.insert(spec.name, Action { spec, input, run });
        Ok(())
    }

    /// The action called `name`.
    pub fn get(&self, name: &str) -> Option<&Action> {
        self.0.get(name)
    }

    /// All actions, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Action> {
        self.0.values()
    }
}
