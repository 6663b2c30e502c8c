//! Rows of intents: who asked for what, and what became of it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ApprovalRow, Changes, Fault, Payload, Purpose, Row, Subject, TimerRow};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::{IntentId, StreamId};
use crate::json::Json;
use crate::scope::{CorrelationId, Principal, Stage};
use crate::tables::{Key, Table};

/// What became of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentStatus {
    /// Waits for approvals.
    Parked,
    /// Allowed, and reaching out at the moment.
    Accepted,
    /// Refused, by a policy or by people.
    Denied,
    /// Allowed and done.
    Completed,
    /// Allowed, but it did not work.
    Failed,
    /// Its approvals are complete; what it asks for has not begun.
    Approved,
    /// It reached out, and nobody knows whether it took effect.
    Uncertain,
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
    /// The action's input, redacted, of an intent that waits for approvals or reaches out.
    pub input: Option<Payload>,
    /// Values of the input were not recorded, so it cannot be carried out again from this row.
    pub withheld: bool,
    /// The action's output; none when the subject says it all, or before the end.
    pub output: Option<Payload>,
    /// Why it was rejected or failed, or what is known of an uncertain one.
    pub fault: Option<Fault>,
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

    fn blobs(&self) -> Vec<Digest> {
        let payloads = [&self.input, &self.output].into_iter().flatten();
        payloads.filter_map(Payload::blob).collect()
    }
}

impl IntentRow {
    /// Puts the row and keeps the lists of parked and of unsettled intents, and the timer that ends a parked one.
    pub fn write(&self, changes: &mut Changes) {
        changes.put(self);
        if let Some(asked) = &self.asked {
            let stream = StreamId::from(Uuid::from(self.intent_id));
            let expiry = TimerRow { due: asked.expires_at, stream, purpose: Purpose::Intent };
            if self.status == IntentStatus::Parked {
                changes.put(&expiry);
                return changes.mark(Table::IntentsParked, self.key());
            }
            changes.remove_row(&expiry);
            changes.unmark(Table::IntentsParked, self.key());
        }
        if matches!(self.status, IntentStatus::Approved | IntentStatus::Accepted) {
            changes.mark(Table::IntentsUnsettled, self.key());
        } else if self.asked.is_some() || self.subject == Some(Subject::Intent(self.intent_id)) {
            // One that was done in the append of its acceptance was never in the list.
            changes.unmark(Table::IntentsUnsettled, self.key());
        }
    }

    /// Entries of the intent's own stream before anything is carried out: the parking and each word.
    pub fn parked_seq(&self) -> Option<u64> {
        self.asked.is_some().then(|| 1 + self.approvals.len() as u64)
    }

    /// Where in the intent's own stream the end of one that reached out stands: behind its acceptance.
    pub fn begun_seq(&self) -> u64 {
        1 + self.parked_seq().unwrap_or(0)
    }

    /// The key of an intent's row.
    pub fn key_of(intent_id: IntentId) -> Key {
        Key::new().bytes(intent_id.as_bytes())
    }
}
