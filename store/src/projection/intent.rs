//! Rows of intents: who asked for what, and what became of it.

use serde::{Deserialize, Serialize};

use super::{ApprovalRow, Changes, Row, Subject};
use crate::clock::Timestamp;
use crate::ids::IntentId;
use crate::json::Json;
use crate::scope::{CorrelationId, Principal, Stage};
use crate::tables::{Key, Table};

/// What became of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentStatus {
    /// Waits for approvals.
    Parked,
    /// Allowed, and carried out or under way.
    Accepted,
    /// Refused.
    Denied,
    /// Allowed and done.
    Completed,
    /// Allowed, but it did not work.
    Failed,
}

/// An intent as lists and readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentRow {
    /// The intent.
    pub intent_id: IntentId,
    /// The action asked for.
    pub action: String,
    /// Stage of the target.
    pub stage: Stage,
    /// Who asked.
    pub actor: Principal,
    /// The interaction it belongs to.
    pub correlation_id: CorrelationId,
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub status: IntentStatus,
    /// The policy decision: a JSON object with policy, version, rule, effect and reasons.
    pub decision: Json,
    /// What it brought about.
    pub subject: Option<Subject>,
    /// The action's input, redacted, while it waits for approvals.
    pub input: Option<Json>,
    /// What a parked intent waits for.
    pub asked: Option<Asked>,
    /// Words given so far.
    pub approvals: Vec<ApprovalRow>,
}

/// The approvals that a parked intent waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// How many distinct people.
    pub min: u32,
    /// Who may answer; empty means any person.
    pub approvers: Vec<String>,
    /// Whether the requester counts; none means the stage's default.
    pub allow_requester: Option<bool>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

impl Row for IntentRow {
    const TABLE: Table = Table::Intents;

    fn key(&self) -> Key {
        Self::key_of(self.intent_id)
    }
}

impl IntentRow {
    /// Puts the row and keeps the list of parked intents.
    pub fn write(&self, changes: &mut Changes) {
        changes.put(self);
        match (self.status, &self.asked) {
            (IntentStatus::Parked, _) => changes.mark(Table::IntentsParked, self.key()),
            (_, Some(_)) => changes.unmark(Table::IntentsParked, self.key()),
            (_, None) => {}
        }
    }

    /// The key of an intent's row.
    pub fn key_of(intent_id: IntentId) -> Key {
        Key::new().bytes(intent_id.as_bytes())
    }
}
