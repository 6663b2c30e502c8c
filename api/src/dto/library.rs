//! The library: drafts, blueprints, policies and actions.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use xyn_actors::actions::Spec;
use xyn_actors::governance::Risk;
use xyn_actors::record::shape;
use xyn_store::ids::{DraftId, RunId};
use xyn_store::projection::{
    BlueprintRow, BlueprintStatus, DraftKind, DraftRow, DraftStatus, PolicyRow, PolicyStatus,
};
use xyn_store::{Digest, Timestamp};

use crate::schema;

/// A working blueprint or pack.
#[derive(Serialize, ToSchema)]
pub(crate) struct Draft {
    #[schema(schema_with = schema::id)]
    pub(crate) draft_id: DraftId,
    pub(crate) name: String,
    #[schema(schema_with = schema::draft_kind)]
    pub(crate) kind: DraftKind,
    #[schema(schema_with = schema::draft_status)]
    pub(crate) status: DraftStatus,
    /// From 1, one more with each save.
    pub(crate) revision: u32,
    #[schema(schema_with = schema::instant)]
    pub(crate) created_at: Timestamp,
    #[schema(schema_with = schema::instant)]
    pub(crate) updated_at: Timestamp,
    /// The author's text, or the JSON object it was given as.
    #[schema(schema_with = schema::any)]
    pub(crate) content: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub(crate) source_run_id: Option<RunId>,
}

/// A version of a blueprint.
#[derive(Serialize, ToSchema)]
pub(crate) struct BlueprintView {
    pub(crate) blueprint_id: String,
    /// From 1.
    pub(crate) version: u32,
    pub(crate) name: String,
    /// What starts it: event name or pattern.
    pub(crate) trigger: String,
    /// Digest of the author's bytes.
    #[schema(schema_with = schema::digest)]
    pub(crate) digest: Digest,
    #[schema(schema_with = schema::version_status)]
    pub(crate) status: BlueprintStatus,
    #[schema(schema_with = schema::instant)]
    pub(crate) activated_at: Timestamp,
    /// The author's text; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) source: Option<String>,
}

/// A version of a policy.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyView {
    pub(crate) policy_id: String,
    /// From 1.
    pub(crate) version: u32,
    pub(crate) name: String,
    #[schema(schema_with = schema::version_status)]
    pub(crate) status: PolicyStatus,
    #[schema(schema_with = schema::instant)]
    pub(crate) activated_at: Timestamp,
    /// The author's text; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) source: Option<String>,
}

/// What an action is for and how it is called.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActionView {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// How much a call can break.
    #[schema(schema_with = schema::risk)]
    pub(crate) risk: Risk,
    /// JSON Schema of the input.
    #[schema(schema_with = schema::any)]
    pub(crate) input_schema: Value,
    /// JSON Schema of the output.
    #[schema(schema_with = schema::any)]
    pub(crate) output_schema: Value,
}

/// What the checker says about a text.
#[derive(Serialize, ToSchema)]
pub(crate) struct Validation {
    pub(crate) is_valid: bool,
    /// All faults, in the order of the text.
    pub(crate) issues: Vec<ValidationIssue>,
}

/// A fault in a text.
#[derive(Serialize, ToSchema)]
pub(crate) struct ValidationIssue {
    /// Where in the document.
    pub(crate) path: String,
    /// From 1.
    pub(crate) line: u64,
    /// From 1, in characters.
    pub(crate) column: u64,
    /// Stable word for programs.
    #[schema(schema_with = schema::any)]
    pub(crate) code: Value,
    /// Sentence for people.
    pub(crate) message: String,
    /// How to mend it.
    pub(crate) hint: Option<String>,
}

impl From<DraftRow> for Draft {
    fn from(row: DraftRow) -> Self {
        Self {
            content: shape::content(&row),
            draft_id: row.draft_id,
            name: row.name,
            kind: row.kind,
            status: row.status,
            revision: row.revision,
            created_at: row.created_at,
            updated_at: row.updated_at,
            notes: row.notes,
            source_run_id: row.source_run_id,
        }
    }
}

impl From<BlueprintRow> for BlueprintView {
    fn from(row: BlueprintRow) -> Self {
        Self {
            blueprint_id: row.blueprint_id,
            version: row.version,
            name: row.name,
            trigger: row.trigger,
            digest: row.digest,
            status: row.status,
            activated_at: row.activated_at,
            source: Some(row.source),
        }
    }
}

impl BlueprintView {
    /// As lists show it.
    pub(crate) fn brief(row: BlueprintRow) -> Self {
        Self { source: None, ..row.into() }
    }
}

impl From<PolicyRow> for PolicyView {
    fn from(row: PolicyRow) -> Self {
        Self {
            policy_id: row.policy_id,
            version: row.version,
            name: row.name,
            status: row.status,
            activated_at: row.activated_at,
            source: Some(row.source),
        }
    }
}

impl PolicyView {
    /// As lists show it.
    pub(crate) fn brief(row: PolicyRow) -> Self {
        Self { source: None, ..row.into() }
    }
}

impl From<&Spec> for ActionView {
    fn from(spec: &Spec) -> Self {
        Self {
            name: spec.name,
            description: spec.description,
            risk: spec.risk,
            input_schema: spec.input_schema.clone(),
            output_schema: spec.output_schema.clone(),
        }
    }
}

impl From<xyn_actors::document::Issue> for ValidationIssue {
    fn from(issue: xyn_actors::document::Issue) -> Self {
        Self {
            path: issue.path,
            line: issue.line,
            column: issue.column,
            code: serde_json::to_value(issue.code).unwrap_or_default(),
            message: issue.message,
            hint: Some(issue.hint),
        }
    }
}
