//! Rows of runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Changes, Row};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::{EventId, RunId};
use crate::json::Json;
use crate::scope::{CorrelationId, Principal};
use crate::tables::{Key, Table};

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Accepted, not begun.
    Created,
    /// Begun; `waiting_on` says what it waits for, if it does.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly; `error` says why.
    Failed,
    /// Ended because somebody asked.
    Cancelled,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Created, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// Whether the run has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What keeps a running run or step from going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitKind {
    /// A manual gate.
    Gate,
    /// A durable timer.
    Timer,
    /// An event.
    Event,
    /// An approval that a policy asks for.
    Approval,
    /// A rate limit or the wait before another attempt.
    RateLimit,
    /// A place among those that work at once.
    Worker,
}

/// A wait: what for, since when, and until when at the latest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What for.
    pub kind: WaitKind,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

/// Why a run or step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Stable word for programs.
    pub code: String,
    /// Sentence for people.
    pub message: String,
}

/// The run that a retry or fork goes back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The earlier run.
    pub run_id: RunId,
    /// The step from which the work is done anew.
    pub from_step: String,
}

/// A run as lists and readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// The run.
    pub run_id: RunId,
    /// Sequence of the run's stream that this row shows.
    pub seq: u64,
    /// Name for people: the blueprint's.
    pub name: String,
    /// The blueprint's id.
    pub blueprint_ref: String,
    /// Digest of the blueprint's bytes.
    pub blueprint_digest: Digest,
    /// Where it stands.
    pub status: RunStatus,
    /// What it waits for.
    pub waiting_on: Option<Waiting>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Who asked for it.
    pub actor: Principal,
    /// The interaction it belongs to.
    pub correlation_id: CorrelationId,
    /// The event that started it.
    pub causation_id: Option<EventId>,
    /// The run it retries or forks.
    pub lineage: Option<Lineage>,
    /// Its inputs: a JSON object.
    pub inputs: Json,
    /// Its outputs, once completed.
    pub outputs: Option<Json>,
    /// Why it failed.
    pub error: Option<Fault>,
    /// Higher goes first; 0 unless asked for.
    pub priority: i8,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
}

impl Row for RunRow {
    const TABLE: Table = Table::Runs;

    fn key(&self) -> Key {
        Self::key_of(self.run_id)
    }
}

impl RunRow {
    /// The key of the run's row.
    pub fn key_of(run_id: RunId) -> Key {
        Key::new().bytes(run_id.as_bytes())
    }

    /// Puts the row and moves its index entry from status `was`.
    pub fn write(&self, was: Option<RunStatus>, changes: &mut Changes) {
        changes.put(self);
        if was != Some(self.status) {
            if let Some(was) = was {
                changes.unmark(Table::RunsByStatus, Self::status_key(was, self.run_id));
            }
            changes.mark(Table::RunsByStatus, Self::status_key(self.status, self.run_id));
        }
    }

    /// Moves the run into or out of the list of those that somebody must act for.
    pub fn mark_active(run_id: RunId, was: bool, is: bool, changes: &mut Changes) {
        match (was, is) {
            (false, true) => changes.mark(Table::RunsActive, Self::key_of(run_id)),
            (true, false) => changes.unmark(Table::RunsActive, Self::key_of(run_id)),
            _ => {}
        }
    }

    fn status_key(status: RunStatus, run_id: RunId) -> Key {
        Key::new().u8(status as u8).bytes(run_id.as_bytes())
    }

    /// The prefix of all index entries of `status`.
    pub(crate) fn status_prefix(status: RunStatus) -> Key {
        Key::new().u8(status as u8)
    }
}

/// Which runs a list shows. Empty shows all.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only runs that stand here.
    pub status: Option<RunStatus>,
    /// Only runs of this blueprint.
    pub blueprint: Option<String>,
    /// Only runs accepted at or after.
    pub since: Option<Timestamp>,
    /// Only runs accepted before.
    pub until: Option<Timestamp>,
    /// Only runs with this label.
    pub label: Option<(String, String)>,
}

impl RunFilter {
    /// Whether `row` is shown.
    pub fn admits(&self, row: &RunRow) -> bool {
        self.status.is_none_or(|status| row.status == status)
            && self.blueprint.as_ref().is_none_or(|id| row.blueprint_ref == *id)
            && self.since.is_none_or(|since| row.created_at >= since)
            && self.until.is_none_or(|until| row.created_at < until)
            && self.label.as_ref().is_none_or(|(key, value)| row.labels.get(key) == Some(value))
    }
}
