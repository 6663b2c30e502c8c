//! Rows of the library: blueprints, drafts and policies, with their bytes.

use serde::{Deserialize, Serialize};

use super::Row;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::{DraftId, RunId};
use crate::tables::{Key, Table};

/// Whether a blueprint version starts runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlueprintStatus {
    /// It does.
    Active,
    /// A later version took its place.
    Deprecated,
}

/// One version of a blueprint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlueprintRow {
    /// The blueprint's stable id.
    pub blueprint_id: String,
    /// From 1.
    pub version: u32,
    /// Name for people.
    pub name: String,
    /// What starts it: event name or pattern.
    pub trigger: String,
    /// Digest of the author's bytes.
    pub digest: Digest,
    /// Whether it starts runs.
    pub status: BlueprintStatus,
    /// When it was promoted.
    pub activated_at: Timestamp,
    /// The author's bytes.
    pub source: String,
}

impl Row for BlueprintRow {
    const TABLE: Table = Table::Blueprints;

    fn key(&self) -> Key {
        Self::prefix(&self.blueprint_id).u32(self.version)
    }

    fn blobs(&self) -> Vec<Digest> {
        vec![self.digest]
    }
}

impl BlueprintRow {
    /// The prefix of all versions of `blueprint_id`.
    pub fn prefix(blueprint_id: &str) -> Key {
        Key::new().text(blueprint_id)
    }
}

/// What a draft becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftKind {
    /// A blueprint.
    Blueprint,
    /// A pack.
    Pack,
}

/// How far a draft has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftStatus {
    /// Saved.
    Draft,
    /// This very revision was found valid.
    Validated,
    /// Frozen and active.
    Promoted,
}

/// A working blueprint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftRow {
    /// The draft.
    pub draft_id: DraftId,
    /// Name for people.
    pub name: String,
    /// What it becomes.
    pub kind: DraftKind,
    /// How far it has come.
    pub status: DraftStatus,
    /// From 1, one more with each save.
    pub revision: u32,
    /// When it was first saved.
    pub created_at: Timestamp,
    /// When it was last saved.
    pub updated_at: Timestamp,
    /// The author's text.
    pub content: String,
    /// Whether `content` was given as a JSON object.
    pub is_json: bool,
    /// Why it is as it is.
    pub notes: Option<String>,
    /// The run it was made from.
    pub source_run_id: Option<RunId>,
}

impl Row for DraftRow {
    const TABLE: Table = Table::Drafts;

    fn key(&self) -> Key {
        Self::key_of(self.draft_id)
    }
}

impl DraftRow {
    /// The key of a draft's row.
    pub fn key_of(draft_id: DraftId) -> Key {
        Key::new().bytes(draft_id.as_bytes())
    }
}

/// Whether a policy version is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyStatus {
    /// It is.
    Active,
    /// A later version took its place.
    Deprecated,
}

/// One version of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRow {
    /// The policy's stable id.
    pub policy_id: String,
    /// From 1.
    pub version: u32,
    /// Name for people.
    pub name: String,
    /// Whether it is in force.
    pub status: PolicyStatus,
    /// When it came into force.
    pub activated_at: Timestamp,
    /// The author's bytes.
    pub source: String,
}

impl Row for PolicyRow {
    const TABLE: Table = Table::Policies;

    fn key(&self) -> Key {
        Self::prefix(&self.policy_id).u32(self.version)
    }
}

impl PolicyRow {
    /// The prefix of all versions of `policy_id`.
    pub fn prefix(policy_id: &str) -> Key {
        Key::new().text(policy_id)
    }
}
