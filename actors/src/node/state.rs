//! The state of the node, as far as a command is about it.
//!
//! The library may be large and stands in rows, so only what a command is about is brought into memory.

use xyn_store::projection::{BlueprintRow, DraftRow, PolicyRow};

/// What is true of the node and of the part of its library that a command is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The program came up and did not go down yet.
    pub is_up: bool,
    /// The draft.
    pub draft: Option<DraftRow>,
    /// The newest version of the blueprint.
    pub blueprint: Option<BlueprintRow>,
    /// The newest version of the policy.
    pub policy: Option<PolicyRow>,
}
