//! Steps of runs.

use serde::Serialize;
use utoipa::ToSchema;
use xyn_actors::services::runs::elsewhere;
use xyn_store::ids::{ArtifactId, RunId};
use xyn_store::projection::{StepRow, StepStatus};
use xyn_store::{Json, Timestamp};

use super::{Failure, Teller, WaitingOn};
use crate::schema;

/// One unit of a run, or one item of its fan-out.
#[derive(Serialize, ToSchema)]
pub(crate) struct Step {
    /// The step's id in the blueprint; an item adds `.index`.
    pub(crate) step_id: String,
    #[schema(schema_with = schema::id)]
    pub(crate) run_id: RunId,
    /// Name for people.
    pub(crate) name: String,
    /// `agent_task`, `action_task`, `transform` or `gate`.
    pub(crate) kind: String,
    /// Attempts begun.
    pub(crate) attempt: u32,
    #[schema(schema_with = schema::step_status)]
    pub(crate) status: StepStatus,
    /// What a running step waits for; null when it works or has ended.
    pub(crate) waiting_on: Option<WaitingOn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::instant, required = false)]
    pub(crate) started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::instant, required = false)]
    pub(crate) completed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub(crate) logs_artifact_id: Option<ArtifactId>,
    /// What it was given, redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::any, required = false)]
    pub(crate) inputs: Option<Json>,
    /// What it gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::any, required = false)]
    pub(crate) outputs: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) error: Option<Failure>,
    /// The node that ran it and tells of it, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) told_by: Option<Teller>,
}

impl Step {
    /// The step of `row`, as `teller` tells it.
    pub(crate) fn told(teller: elsewhere::Teller, row: StepRow) -> Self {
        Self { told_by: Some(teller.into()), ..row.into() }
    }
}

impl From<StepRow> for Step {
    fn from(row: StepRow) -> Self {
        Self {
            step_id: row.name.clone(),
            run_id: row.run_id,
            name: row.name,
            kind: row.kind,
            attempt: row.attempt,
            status: row.status,
            waiting_on: row.waiting_on.map(WaitingOn::from),
            started_at: row.started_at,
            completed_at: row.completed_at,
            logs_artifact_id: row.logs_artifact_id,
            inputs: row.inputs,
            outputs: row.outputs,
            error: row.error.map(Failure::from),
            told_by: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use xyn_store::projection::StepKey;

    use super::*;

    #[test]
    fn an_item_of_a_fan_out_has_these_fields_and_no_others() {
        let run_id: RunId = "0190f5fe-7c00-7a00-8000-000000000001".parse().expect("an id");
        let at = Timestamp::from_micros(1_700_000_000_000_042);
        let row = StepRow {
            run_id,
            position: StepKey::item(2, 7),
            name: "ping.7".into(),
            kind: "action_task".into(),
            attempt: 2,
            status: StepStatus::Completed,
            waiting_on: None,
            started_at: Some(at),
            completed_at: Some(at),
            logs_artifact_id: None,
            inputs: Some(Json::from(&json!({"url": "x"}))),
            outputs: Some(Json::null()),
            error: None,
        };
        let expected = json!({
            "step_id": "ping.7",
            "run_id": run_id.to_string(),
            "name": "ping.7",
            "kind": "action_task",
            "attempt": 2,
            "status": "completed",
            "waiting_on": null,
            "started_at": at.to_string(),
            "completed_at": at.to_string(),
            "inputs": {"url": "x"},
            "outputs": null,
        });
        assert_eq!(serde_json::to_value(Step::from(row)).expect("renders"), expected);
    }
}
