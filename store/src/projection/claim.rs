//! Rows of idempotency keys: the first accepted or parked intent with a key claims it, later ones are answered from
//! that intent's row. What was refused at once claims nothing, so the same key may ask again.

use serde::{Deserialize, Serialize};

use super::{Row, StepKey};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::{ArtifactId, DraftId, EventId, IntentId, RunId};
use crate::tables::{Key, Table};

/// What an intent brought about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A recorded event.
    Event(EventId),
    /// A run: started, or told something.
    Run(RunId),
    /// A gate of a run.
    Gate(RunId, StepKey),
    /// A kept artifact.
    Artifact(ArtifactId),
    /// A saved, validated or promoted draft.
    Draft(DraftId),
    /// An active blueprint version.
    Blueprint(String, u32),
    /// An active policy version.
    Policy(String, u32),
    /// An intent that waits for approvals, or one whose answer is in its row.
    Intent(IntentId),
}

/// A claimed key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRow {
    /// Scope and key as the sender gave them.
    pub key: String,
    /// A code of what was asked for, which only the node can make; another body under the same key is refused.
    pub fingerprint: Digest,
    /// The intent that claimed it; its row holds the answer.
    pub intent_id: IntentId,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

impl Row for ClaimRow {
    const TABLE: Table = Table::Claims;

    fn key(&self) -> Key {
        Self::key_of(&self.key)
    }
}

impl ClaimRow {
    /// The key of a claim's row.
    pub fn key_of(key: &str) -> Key {
        Key::new().bytes(Digest::of(key.as_bytes()).as_bytes())
    }
}
