//! Intents and what they brought about.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use xyn_actors::runtime::Outcome;
use xyn_store::ids::IntentId;
use xyn_store::projection::{Asked, IntentRow, IntentStatus, Subject};
use xyn_store::scope::{CorrelationId, Principal, Stage};
use xyn_store::{Json, Timestamp};

use super::{Resource, Word};
use crate::schema;

/// A request to do something, and what became of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct IntentView {
    #[schema(schema_with = schema::id)]
    pub(crate) intent_id: IntentId,
    /// The action asked for.
    pub(crate) action: String,
    #[schema(schema_with = schema::stage)]
    pub(crate) stage: Stage,
    /// Who asked.
    #[schema(value_type = String)]
    pub(crate) actor: Principal,
    /// The interaction it belongs to.
    #[schema(value_type = String)]
    pub(crate) correlation_id: CorrelationId,
    #[schema(schema_with = schema::instant)]
    pub(crate) at: Timestamp,
    #[schema(schema_with = schema::intent_status)]
    pub(crate) status: IntentStatus,
    /// The policy decision: policy, version, rule, effect and reasons.
    #[schema(schema_with = schema::any)]
    pub(crate) decision: Json,
    /// What it brought about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) subject: Option<Resource>,
    /// The action's input, redacted, while it waits for approvals.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::any, required = false)]
    pub(crate) input: Option<Json>,
    /// Words given so far.
    pub(crate) approvals: Vec<Word>,
    /// Whose approval it waits for, or waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) asked: Option<AskedFor>,
}

/// Whose approval an intent needs.
#[derive(Serialize, ToSchema)]
pub(crate) struct AskedFor {
    /// How many must approve.
    pub(crate) min: u32,
    /// Who may; any person when empty.
    pub(crate) approvers: Vec<String>,
    /// Whether the requester counts; the stage's default when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) allow_requester: Option<bool>,
    /// When it ends by itself.
    #[schema(schema_with = schema::instant)]
    pub(crate) expires_at: Timestamp,
}

/// What an accepted intent brought about.
#[derive(Serialize, ToSchema)]
pub(crate) struct OutcomeView {
    #[schema(schema_with = schema::id)]
    pub(crate) intent_id: IntentId,
    /// What it is about.
    pub(crate) subject: Resource,
    /// The action's output.
    #[schema(schema_with = schema::any)]
    pub(crate) output: Value,
    /// It was done before under the same idempotency key; nothing was done now.
    pub(crate) repeated: bool,
}

impl From<IntentRow> for IntentView {
    fn from(row: IntentRow) -> Self {
        Self {
            intent_id: row.intent_id,
            action: row.action,
            stage: row.stage,
            actor: row.actor,
            correlation_id: row.correlation_id,
            at: row.at,
            status: row.status,
            decision: row.decision,
            subject: row.subject.map(|subject| resource(&subject)),
            input: row.input,
            approvals: row.approvals.into_iter().map(Word::from).collect(),
            asked: row.asked.map(AskedFor::from),
        }
    }
}

impl From<Asked> for AskedFor {
    fn from(asked: Asked) -> Self {
        Self {
            min: asked.min,
            approvers: asked.approvers,
            allow_requester: asked.allow_requester,
            expires_at: asked.expires_at,
        }
    }
}

impl From<Outcome> for OutcomeView {
    fn from(outcome: Outcome) -> Self {
        Self {
            intent_id: outcome.intent_id,
            subject: resource(&outcome.subject),
            output: outcome.output,
            repeated: outcome.repeated,
        }
    }
}

/// What an intent brought about, by type and id.
fn resource(subject: &Subject) -> Resource {
    let (kind, id) = match subject {
        Subject::Event(id) => ("event", id.to_string()),
        Subject::Run(id) => ("run", id.to_string()),
        Subject::Gate(run_id, step) => ("gate", format!("{run_id}/{step}")),
        Subject::Artifact(id) => ("artifact", id.to_string()),
        Subject::Draft(id) => ("draft", id.to_string()),
        Subject::Blueprint(id, version) => ("blueprint", format!("{id}@{version}")),
        Subject::Policy(id, version) => ("policy", format!("{id}@{version}")),
        Subject::Intent(id) => ("intent", id.to_string()),
    };
    Resource { kind: kind.to_owned(), id }
}
