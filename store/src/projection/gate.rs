//! Rows of gates: what waits for people or events, and who said what.

use serde::{Deserialize, Serialize};

use super::{Changes, Row, StepKey};
use crate::clock::Timestamp;
use crate::ids::RunId;
use crate::json::Json;
use crate::scope::{Principal, Stage};
use crate::tables::{Key, Table};

/// What a gate waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateMode {
    /// People.
    Manual,
    /// A durable timer.
    Timer,
    /// An event of this name or pattern.
    Event(String),
    /// A word on an effect nobody can be certain of.
    Uncertain,
    /// People, because a policy asks for their approval of an action.
    Policy,
}

/// Where a gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateStatus {
    /// Nobody decided yet.
    Requested,
    /// Decided for.
    Approved,
    /// Decided against.
    Rejected,
    /// Nobody decided in time.
    Expired,
}

/// One person's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRow {
    /// Who gave it.
    pub principal: Principal,
    /// Whether for or against.
    pub approve: bool,
    /// When it was given.
    pub at: Timestamp,
    /// What the person adds.
    pub note: Option<String>,
}

/// A gate as lists and readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateRow {
    /// The run.
    pub run_id: RunId,
    /// Which step or item.
    pub position: StepKey,
    /// The step's id in the blueprint.
    pub step: String,
    /// What it waits for.
    pub mode: GateMode,
    /// Where it stands.
    pub status: GateStatus,
    /// Since when.
    pub requested_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Who may answer; empty means any person.
    pub approvers: Vec<String>,
    /// How many must approve.
    pub min: u32,
    /// Whether the requester counts; none means the stage's default.
    pub allow_requester: Option<bool>,
    /// Who asked for the run.
    pub requester: Principal,
    /// Stage of the target.
    pub stage: Stage,
    /// What the approver is shown.
    pub prompt: Option<Json>,
    /// Words given so far.
    pub approvals: Vec<ApprovalRow>,
}

impl Row for GateRow {
    const TABLE: Table = Table::Gates;

    fn key(&self) -> Key {
        Self::key_of(self.run_id, self.position)
    }
}

impl GateRow {
    /// The key of a gate's row.
    pub fn key_of(run_id: RunId, position: StepKey) -> Key {
        position.append_to(Key::new().bytes(run_id.as_bytes()))
    }

    /// Puts the row and keeps the indexes of open gates and event waits.
    pub fn write(&self, changes: &mut Changes) {
        changes.put(self);
        let open = self.status == GateStatus::Requested;
        let (table, key) = match &self.mode {
            GateMode::Timer => return,
            GateMode::Event(pattern) => {
                let prefix = Self::wait_prefix(pattern).bytes(self.run_id.as_bytes());
                (Table::EventWaits, self.position.append_to(prefix))
            }
            GateMode::Manual | GateMode::Uncertain | GateMode::Policy => (Table::GatesOpen, self.key()),
        };
        if open {
            changes.mark(table, key);
        } else {
            changes.unmark(table, key);
        }
    }

    /// The prefix of all waits for `pattern`.
    pub(crate) fn wait_prefix(pattern: &str) -> Key {
        Key::new().text(pattern)
    }
}
