//! Runs.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use xyn_actors::services::runs::elsewhere;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::{EventId, RunId};
use xyn_store::projection::{Fault, RunRow, RunStatus, WaitKind, Waiting};
use xyn_store::scope::{CorrelationId, Principal};
use xyn_store::{Digest, Json, Timestamp};

use crate::schema;

/// One execution of a blueprint.
#[derive(Serialize, ToSchema)]
pub(crate) struct Run {
    #[schema(schema_with = schema::id)]
    pub(crate) run_id: RunId,
    /// Name for people: the blueprint's.
    pub(crate) name: String,
    /// The blueprint's id.
    pub(crate) blueprint_ref: String,
    /// Digest of the blueprint's bytes.
    #[schema(schema_with = schema::digest)]
    pub(crate) blueprint_digest: Digest,
    #[schema(schema_with = schema::run_status)]
    pub(crate) status: RunStatus,
    /// What a running run waits for; null when it works or has ended.
    pub(crate) waiting_on: Option<WaitingOn>,
    #[schema(schema_with = schema::instant)]
    pub(crate) created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::instant, required = false)]
    pub(crate) started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::instant, required = false)]
    pub(crate) completed_at: Option<Timestamp>,
    /// Who asked for it.
    #[schema(value_type = String)]
    pub(crate) actor: Principal,
    /// The interaction it belongs to.
    #[schema(value_type = String)]
    pub(crate) correlation_id: CorrelationId,
    /// The event that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub(crate) causation_id: Option<EventId>,
    /// The run that this one retries or forks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) lineage: Option<Lineage>,
    #[schema(value_type = Object)]
    pub(crate) inputs: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    pub(crate) outputs: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) error: Option<Failure>,
    /// Higher goes first.
    pub(crate) priority: i8,
    pub(crate) labels: BTreeMap<String, String>,
    /// The node that ran it and tells of it, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) told_by: Option<Teller>,
}

/// Another node that tells of a run.
#[derive(Serialize, ToSchema)]
pub(crate) struct Teller {
    #[schema(schema_with = schema::digest)]
    pub(crate) node: PublicKey,
    /// Whom its certificate names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub(crate) principal: Option<Principal>,
}

/// What something waits for.
#[derive(Serialize, ToSchema)]
pub(crate) struct WaitingOn {
    #[schema(schema_with = schema::wait_kind)]
    pub(crate) kind: WaitKind,
    #[schema(schema_with = schema::instant)]
    pub(crate) since: Timestamp,
    /// When the wait ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::instant, required = false)]
    pub(crate) until: Option<Timestamp>,
}

/// Why a run or step failed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Failure {
    /// Stable word for programs.
    pub(crate) code: String,
    /// Sentence for people.
    pub(crate) message: String,
}

/// The run that a retry or fork goes back to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Lineage {
    #[schema(schema_with = schema::id)]
    pub(crate) run_id: RunId,
    /// The step from which the work is done anew.
    pub(crate) from_step: String,
}

/// What folding a run's history through today's code comes to.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
pub(crate) struct ReplayReport {
    /// Whether today's code decides the same.
    deterministic: bool,
    /// Recorded events that were folded.
    events: u64,
    /// Where it decides otherwise.
    differences: Vec<String>,
}

impl Run {
    /// The run of `row`, as `teller` tells it.
    pub(crate) fn told(teller: elsewhere::Teller, row: RunRow) -> Self {
        Self { told_by: Some(teller.into()), ..row.into() }
    }
}

impl From<elsewhere::Teller> for Teller {
    fn from(elsewhere::Teller { node, principal }: elsewhere::Teller) -> Self {
        Self { node, principal }
    }
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Self {
        Self {
            run_id: row.run_id,
            name: row.name,
            blueprint_ref: row.blueprint_ref,
            blueprint_digest: row.blueprint_digest,
            status: row.status,
            waiting_on: row.waiting_on.map(WaitingOn::from),
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
            actor: row.actor,
            correlation_id: row.correlation_id,
            causation_id: row.causation_id,
            lineage: row.lineage.map(|from| Lineage { run_id: from.run_id, from_step: from.from_step }),
            inputs: row.inputs,
            outputs: row.outputs,
            error: row.error.map(Failure::from),
            priority: row.priority,
            labels: row.labels,
            told_by: None,
        }
    }
}

impl From<Waiting> for WaitingOn {
    fn from(waiting: Waiting) -> Self {
        Self { kind: waiting.kind, since: waiting.since, until: waiting.until }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { code: fault.code, message: fault.message }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row() -> RunRow {
        let at = Timestamp::from_micros(1_700_000_000_000_042);
        RunRow {
            run_id: "0190f5fe-7c00-7a00-8000-000000000001".parse().expect("an id"),
            seq: 7,
            name: "Auto-remediation".into(),
            blueprint_ref: "bp.fix".into(),
            blueprint_digest: Digest::of(b"source"),
            status: RunStatus::Running,
            waiting_on: Some(Waiting { kind: WaitKind::Gate, since: at, until: None }),
            created_at: at,
            started_at: Some(at),
            completed_at: None,
            actor: Principal::local_operator(),
            correlation_id: CorrelationId::parse("c-1").expect("a correlation id"),
            causation_id: None,
            lineage: None,
            inputs: Json::from(&json!({"host": "web-1"})),
            outputs: None,
            error: None,
            priority: 0,
            labels: BTreeMap::from([("team".into(), "ops".into())]),
        }
    }

    #[test]
    fn a_waiting_run_has_these_fields_and_no_others() {
        let shown = serde_json::to_value(Run::from(row())).expect("renders");
        let at = "2023-11-14T22:13:20.000042Z";
        let expected = json!({
            "run_id": "0190f5fe-7c00-7a00-8000-000000000001",
            "name": "Auto-remediation",
            "blueprint_ref": "bp.fix",
            "blueprint_digest": Digest::of(b"source").to_string(),
            "status": "running",
            "waiting_on": {"kind": "gate", "since": at},
            "created_at": at,
            "started_at": at,
            "actor": "operator@local",
            "correlation_id": "c-1",
            "inputs": {"host": "web-1"},
            "priority": 0,
            "labels": {"team": "ops"},
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_failed_run_says_why_and_waits_for_nothing() {
        let error = Some(Fault { code: "timeout".into(), message: "took too long".into() });
        let row = RunRow { status: RunStatus::Failed, waiting_on: None, error, ..row() };
        let shown = serde_json::to_value(Run::from(row)).expect("renders");
        assert_eq!(shown["waiting_on"], json!(null));
        assert_eq!(shown["error"], json!({"code": "timeout", "message": "took too long"}));
    }
}
