//! Intents and what they brought about.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use xyn_actors::record::shape;
use xyn_actors::runtime::Outcome;
use xyn_store::ids::IntentId;
use xyn_store::projection::{Asked, IntentRow, IntentStatus, Payload};
use xyn_store::scope::{CorrelationId, Principal, Stage};
use xyn_store::{Json, Reader, StoreError, Timestamp};

use super::{Failure, GateAsked, Resource, Word};
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
    /// What the gate asked that it is a word on, and of whose run it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) gate: Option<Box<GateAsked>>,
    /// The action's input, redacted, of an intent that waited for approvals or reached out. In lists a large one is
    /// `{"blob": …}`, which names where it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::any, required = false)]
    pub(crate) input: Option<Json>,
    /// The action's output, where the subject does not say it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::any, required = false)]
    pub(crate) output: Option<Json>,
    /// Why it was rejected or failed, or what is known of an uncertain one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) error: Option<Failure>,
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

impl IntentView {
    /// The intent of `row` with what is known of the gate that it is a word on.
    pub(crate) fn of(row: IntentRow, reader: &Reader) -> Result<Self, StoreError> {
        let gate = GateAsked::of(reader, row.subject.as_ref())?.map(Box::new);
        Ok(Self { gate, ..Self::from(row) })
    }
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
            subject: row.subject.as_ref().map(|subject| shape::subject(subject).into()),
            gate: None,
            input: row.input.as_ref().map(shown),
            output: row.output.as_ref().map(shown),
            error: row.fault.map(Failure::from),
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
            subject: shape::subject(&outcome.subject).into(),
            output: outcome.output,
            repeated: outcome.repeated,
        }
    }
}

/// A document, or what names the blob it is in.
fn shown(payload: &Payload) -> Json {
    match payload {
        Payload::Json(json) => json.clone(),
        Payload::Blob { .. } => Json::from(&shape::payload(payload)),
    }
}
