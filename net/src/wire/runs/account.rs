//! What a node tells of a run: what a reader on that node is shown, and no more.
//!
//! Owns the shapes, and the way from the rows of one node to those of another. Invariant: an account does not say which
//! run it is of, so that it is of the one that was asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xyn_store::ids::{ArtifactId, EventId, RunId};
use xyn_store::projection::{
    Fault, Lineage, RunRow, RunStatus, StepKey, StepRow, StepStatus, WaitKind, Waiting,
};
use xyn_store::scope::{CorrelationId, Principal};
use xyn_store::{Digest, Json, Timestamp};

use super::STEPS_MAX;
use crate::wire::Bounded;

/// What a node tells of a run. Variants and fields are append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Account {
    /// How it stands.
    Run(Box<Run>),
    /// A page of its steps.
    Steps {
        /// The steps.
        steps: Bounded<Step, STEPS_MAX>,
        /// Whether there are others behind the last one.
        has_more: bool,
    },
    /// One step; none of this name.
    Step(Option<Box<Step>>),
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the one of the run's row")]
pub struct Run {
    pub name: String,
    pub blueprint_ref: String,
    pub blueprint_digest: Digest,
    pub status: RunStatus,
    pub waiting_on: Option<Wait>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    /// As the environment calls who asked for it.
    pub actor: Principal,
    pub correlation_id: CorrelationId,
    pub causation_id: Option<EventId>,
    /// The run that it goes back to, and from which step.
    pub lineage: Option<(RunId, String)>,
    pub inputs: Json,
    pub outputs: Option<Json>,
    /// Code and message.
    pub error: Option<(String, String)>,
    pub priority: i8,
    pub labels: BTreeMap<String, String>,
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the one of the step's row")]
pub struct Step {
    pub position: StepKey,
    pub name: String,
    pub kind: String,
    pub attempt: u32,
    pub status: StepStatus,
    pub waiting_on: Option<Wait>,
    pub started_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub logs_artifact_id: Option<ArtifactId>,
    pub inputs: Option<Json>,
    pub outputs: Option<Json>,
    /// Code and message.
    pub error: Option<(String, String)>,
}

/// What is waited for, since when, and until when at the latest.
pub type Wait = (WaitKind, Timestamp, Option<Timestamp>);

impl Run {
    /// What is told of `row`, in which the environment calls who asked for it `actor`.
    pub fn of(row: RunRow, actor: Principal) -> Self {
        Self {
            name: row.name,
            blueprint_ref: row.blueprint_ref,
            blueprint_digest: row.blueprint_digest,
            status: row.status,
            waiting_on: row.waiting_on.map(wait),
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
            actor,
            correlation_id: row.correlation_id,
            causation_id: row.causation_id,
            lineage: row.lineage.map(|from| (from.run_id, from.from_step)),
            inputs: row.inputs,
            outputs: row.outputs,
            error: row.error.map(fault),
            priority: row.priority,
            labels: row.labels,
        }
    }

    /// It as a row of `run_id`.
    pub fn row(self, run_id: RunId) -> RunRow {
        RunRow {
            run_id,
            seq: 0,
            name: self.name,
            blueprint_ref: self.blueprint_ref,
            blueprint_digest: self.blueprint_digest,
            status: self.status,
            waiting_on: self.waiting_on.map(waiting),
            created_at: self.created_at,
            started_at: self.started_at,
            completed_at: self.completed_at,
            actor: self.actor,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            lineage: self.lineage.map(|(run_id, from_step)| Lineage { run_id, from_step }),
            inputs: self.inputs,
            outputs: self.outputs,
            error: self.error.map(|(code, message)| Fault { code, message }),
            priority: self.priority,
            labels: self.labels,
        }
    }
}

impl Step {
    /// Bytes of it that are long, of which an account has a bound.
    pub fn long_bytes(&self) -> usize {
        let json = [&self.inputs, &self.outputs].into_iter().flatten().map(|json| json.as_str().len());
        json.sum::<usize>() + self.error.as_ref().map_or(0, |(_, message)| message.len())
    }

    /// It as a row of `run_id`.
    pub fn row(self, run_id: RunId) -> StepRow {
        StepRow {
            run_id,
            position: self.position,
            name: self.name,
            kind: self.kind,
            attempt: self.attempt,
            status: self.status,
            waiting_on: self.waiting_on.map(waiting),
            started_at: self.started_at,
            completed_at: self.completed_at,
            logs_artifact_id: self.logs_artifact_id,
            inputs: self.inputs,
            outputs: self.outputs,
            error: self.error.map(|(code, message)| Fault { code, message }),
        }
    }
}

impl From<StepRow> for Step {
    fn from(row: StepRow) -> Self {
        Self {
            position: row.position,
            name: row.name,
            kind: row.kind,
            attempt: row.attempt,
            status: row.status,
            waiting_on: row.waiting_on.map(wait),
            started_at: row.started_at,
            completed_at: row.completed_at,
            logs_artifact_id: row.logs_artifact_id,
            inputs: row.inputs,
            outputs: row.outputs,
            error: row.error.map(fault),
        }
    }
}

fn wait(waiting: Waiting) -> Wait {
    (waiting.kind, waiting.since, waiting.until)
}

fn waiting((kind, since, until): Wait) -> Waiting {
    Waiting { kind, since, until }
}

fn fault(fault: Fault) -> (String, String) {
    (fault.code, fault.message)
}
