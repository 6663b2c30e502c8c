//! Gates, and what waits for people.

use serde::Serialize;
use utoipa::ToSchema;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::{EntryId, IntentId, RunId};
use xyn_store::projection::{ApprovalRow, GateMode, GateRow, GateStatus, RunRow, Subject};
use xyn_store::scope::{Principal, Stage};
use xyn_store::timeline::approval::{Given, Matter, Question, Reason};
use xyn_store::{Json, Reader, StoreError, Timestamp};

use super::IntentView;
use crate::schema;

/// Something that waits for the word of people: a gate of a run, a parked intent, or either on another node.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Approval {
    /// A gate of a run.
    Gate(GateView),
    /// An intent that a policy wants approved.
    Intent(IntentView),
    /// What another node asks, of a run or an intent there.
    Question(Box<QuestionView>),
}

/// A gate of a run.
#[derive(Serialize, ToSchema)]
pub(crate) struct GateView {
    #[schema(schema_with = schema::id)]
    pub(crate) run_id: RunId,
    /// The step's id in the blueprint; an item of a fan-out adds `.index`.
    pub(crate) step_id: String,
    /// `manual`, `uncertain` or `policy`.
    pub(crate) mode: &'static str,
    #[schema(schema_with = schema::gate_status)]
    pub(crate) status: GateStatus,
    #[schema(schema_with = schema::instant)]
    pub(crate) requested_at: Timestamp,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::instant, required = false)]
    pub(crate) expires_at: Option<Timestamp>,
    /// Who may answer; any person when empty.
    pub(crate) approvers: Vec<String>,
    /// How many must approve.
    pub(crate) min: u32,
    /// Whether the requester counts; the stage's default when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) allow_requester: Option<bool>,
    /// Who asked for the run.
    #[schema(value_type = String)]
    pub(crate) requester: Principal,
    #[schema(schema_with = schema::stage)]
    pub(crate) stage: Stage,
    /// What the approver is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::any, required = false)]
    pub(crate) prompt: Option<Json>,
    /// Words given so far.
    pub(crate) approvals: Vec<Word>,
}

/// The gate that a word was given on: what it asked, and whose run it is in.
#[derive(Serialize, ToSchema)]
pub(crate) struct GateAsked {
    #[schema(schema_with = schema::id)]
    pub(crate) run_id: RunId,
    /// What the run is called.
    pub(crate) run_name: String,
    /// The step's id in the blueprint; an item of a fan-out adds `.index`.
    pub(crate) step_id: String,
    /// Who asked for the run.
    #[schema(value_type = String)]
    pub(crate) requester: Principal,
    /// What the approver was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::any, required = false)]
    pub(crate) prompt: Option<Json>,
}

/// What another node asks people: at a gate (`run_id`, `step_id`), or about a parked intent (`intent_id`).
#[derive(Serialize, ToSchema)]
pub(crate) struct QuestionView {
    /// The node that asks, and that a word on it travels to.
    #[schema(schema_with = schema::digest)]
    pub(crate) node: PublicKey,
    /// The moment on the timeline that asks.
    #[schema(schema_with = schema::id)]
    pub(crate) entry_id: EntryId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub(crate) run_id: Option<RunId>,
    /// The step's id in the blueprint; an item of a fan-out adds `.index`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) step_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub(crate) intent_id: Option<IntentId>,
    /// What is to happen, in words.
    pub(crate) title: String,
    /// `manual`, `uncertain` or `policy`.
    #[schema(value_type = String)]
    pub(crate) mode: Reason,
    #[schema(schema_with = schema::instant)]
    pub(crate) requested_at: Timestamp,
    /// When it ends by itself. A word made before it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::instant, required = false)]
    pub(crate) expires_at: Option<Timestamp>,
    /// Who may answer; any person when empty.
    pub(crate) approvers: Vec<String>,
    /// How many must approve.
    pub(crate) min: u32,
    /// Whether the requester counts; the stage's default when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) allow_requester: Option<bool>,
    /// Who asked for what is to happen.
    #[schema(value_type = String)]
    pub(crate) requester: Principal,
    #[schema(schema_with = schema::stage)]
    pub(crate) stage: Stage,
    /// Words that are on the timeline. Those that the node was given itself are known to it alone.
    pub(crate) approvals: Vec<Word>,
}

/// One person's word.
#[derive(Serialize, ToSchema)]
pub(crate) struct Word {
    #[schema(value_type = String)]
    pub(crate) principal: Principal,
    pub(crate) approve: bool,
    #[schema(schema_with = schema::instant)]
    pub(crate) at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) note: Option<String>,
}

impl GateAsked {
    /// The gate that `subject` is, as far as it is known here.
    pub(crate) fn of(reader: &Reader, subject: Option<&Subject>) -> Result<Option<Self>, StoreError> {
        let Some(Subject::Gate(run_id, position)) = subject else { return Ok(None) };
        let Some(row) = reader.get::<GateRow>(&GateRow::key_of(*run_id, *position))? else { return Ok(None) };
        let run = reader.get::<RunRow>(&RunRow::key_of(*run_id))?;
        Ok(Some(Self {
            run_id: *run_id,
            run_name: run.map(|run| run.name).unwrap_or_default(),
            step_id: step_id(&row),
            requester: row.requester,
            prompt: row.prompt,
        }))
    }
}

/// The step's id in the blueprint; an item of a fan-out adds `.index`.
fn step_id(row: &GateRow) -> String {
    match row.position.item {
        Some(item) => format!("{}.{item}", row.step),
        None => row.step.clone(),
    }
}

impl From<GateRow> for GateView {
    fn from(row: GateRow) -> Self {
        Self {
            run_id: row.run_id,
            step_id: step_id(&row),
            mode: mode_word(&row.mode),
            status: row.status,
            requested_at: row.requested_at,
            expires_at: row.expires_at,
            approvers: row.approvers,
            min: row.min,
            allow_requester: row.allow_requester,
            requester: row.requester,
            stage: row.stage,
            prompt: row.prompt,
            approvals: row.approvals.into_iter().map(Word::from).collect(),
        }
    }
}

impl From<Question> for QuestionView {
    fn from(question: Question) -> Self {
        let Question { entry_id, node, ask, words } = question;
        let (run_id, step_id, intent_id) = match ask.matter {
            Matter::Gate(run_id, step_id) => (Some(run_id), Some(step_id), None),
            Matter::Intent(intent_id) => (None, None, Some(intent_id)),
        };
        Self {
            node,
            entry_id,
            run_id,
            step_id,
            intent_id,
            title: ask.title,
            mode: ask.reason,
            requested_at: ask.asked_at,
            expires_at: ask.expires_at,
            approvers: ask.approvers,
            min: ask.min,
            allow_requester: ask.allow_requester,
            requester: ask.requester,
            stage: ask.stage,
            approvals: words.into_iter().map(Word::from).collect(),
        }
    }
}

impl From<Given> for Word {
    fn from(word: Given) -> Self {
        Self { principal: word.principal, approve: word.approve, at: word.at.at, note: word.note }
    }
}

fn mode_word(mode: &GateMode) -> &'static str {
    match mode {
        GateMode::Manual => "manual",
        GateMode::Timer => "timer",
        GateMode::Event(_) => "event",
        GateMode::Uncertain => "uncertain",
        GateMode::Policy => "policy",
    }
}

impl From<ApprovalRow> for Word {
    fn from(row: ApprovalRow) -> Self {
        Self { principal: row.principal, approve: row.approve, at: row.at, note: row.note }
    }
}
