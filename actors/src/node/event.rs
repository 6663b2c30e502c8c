//! What happened to the node: the facts its stream consists of, besides those of the intents it carries out.
//!
//! Variants and fields are append-only: postcard writes them by position, and old journals stay readable.

use serde::{Deserialize, Serialize};
use xyn_store::projection::{BlueprintRow, Changes, DraftRow, PolicyRow};

/// A fact about the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The node came up.
    Started {
        /// The program's version.
        version: String,
        /// The life of the data folder.
        incarnation: u64,
    },
    /// The node went down in good order.
    Stopped,
    /// A draft was saved, validated or promoted; the row is as it became.
    Draft(DraftChange, Box<DraftRow>),
    /// A blueprint version was activated.
    BlueprintActivated(Box<BlueprintRow>),
    /// A later blueprint version took its place.
    BlueprintDeprecated(Box<BlueprintRow>),
    /// A policy version was activated.
    PolicyActivated(Box<PolicyRow>),
    /// A later policy version took its place.
    PolicyDeprecated(Box<PolicyRow>),
}

/// What happened to a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DraftChange {
    /// A new revision.
    Saved,
    /// This revision is valid.
    Validated,
    /// This revision has faults.
    ValidationFailed,
    /// It became active.
    Promoted,
}

impl Event {
    /// The catalogue's name for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "xyn.node.started",
            Self::Stopped => "xyn.node.stopped",
            Self::Draft(DraftChange::Saved, _) => "xyn.draft.saved",
            Self::Draft(DraftChange::Validated, _) => "xyn.draft.validated",
            Self::Draft(DraftChange::ValidationFailed, _) => "xyn.draft.validation_failed",
            Self::Draft(DraftChange::Promoted, _) => "xyn.draft.promoted",
            Self::BlueprintActivated(_) => "xyn.blueprint.activated",
            Self::BlueprintDeprecated(_) => "xyn.blueprint.deprecated",
            Self::PolicyActivated(_) => "xyn.policy.activated",
            Self::PolicyDeprecated(_) => "xyn.policy.deprecated",
        }
    }

    /// Puts the row that it carries.
    pub fn render(&self, changes: &mut Changes) {
        match self {
            Self::Started { .. } | Self::Stopped => {}
            Self::Draft(_, row) => changes.put(row.as_ref()),
            Self::BlueprintActivated(row) | Self::BlueprintDeprecated(row) => changes.put(row.as_ref()),
            Self::PolicyActivated(row) | Self::PolicyDeprecated(row) => changes.put(row.as_ref()),
        }
    }
}
