//! Values that are one of a few words.
//!
//! Owns those words; the tests hold them against what the types render.

use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use super::{Part, text};

/// Statuses of runs.
pub(crate) const RUN_STATUS: [&str; 5] = ["created", "running", "completed", "failed", "cancelled"];
/// Statuses of steps.
pub(crate) const STEP_STATUS: [&str; 5] = ["created", "running", "completed", "failed", "skipped"];
/// What runs and steps wait for.
pub(crate) const WAIT_KIND: [&str; 6] = ["gate", "timer", "event", "approval", "rate_limit", "worker"];
/// Statuses of gates.
pub(crate) const GATE_STATUS: [&str; 4] = ["requested", "approved", "rejected", "expired"];
/// Statuses of intents.
pub(crate) const INTENT_STATUS: [&str; 7] =
    ["parked", "accepted", "denied", "completed", "failed", "approved", "uncertain"];
/// Statuses of drafts.
pub(crate) const DRAFT_STATUS: [&str; 3] = ["draft", "validated", "promoted"];
/// Kinds of drafts.
pub(crate) const DRAFT_KIND: [&str; 2] = ["blueprint", "pack"];
/// Statuses of blueprint and policy versions.
pub(crate) const VERSION_STATUS: [&str; 2] = ["active", "deprecated"];
/// Stages.
pub(crate) const STAGE: [&str; 3] = ["dev", "staging", "prod"];
/// Kinds of moments.
pub(crate) const MOMENT_KIND: [&str; 18] = [
    "generate",
    "edit",
    "run",
    "gate",
    "approve",
    "pack",
    "verify",
    "reject",
    "replay",
    "import",
    "export",
    "deploy",
    "promote",
    "rollback",
    "domain",
    "replicate",
    "note",
    "merge",
];
/// Risks.
pub(crate) const RISK: [&str; 3] = ["low", "medium", "high"];

/// Who may see a capsule.
pub(crate) const VISIBILITY: [&str; 4] = ["private", "env", "lan", "public"];
/// How a capsule came to a node.
pub(crate) const ORIGIN: [&str; 3] = ["packed", "imported", "pulled"];
/// How an app is served.
pub(crate) const TARGET: [&str; 2] = ["static", "process"];
/// The gates of a deployment.
pub(crate) const GATE: [&str; 10] = [
    "signature",
    "trust",
    "generation",
    "rights",
    "compatibility",
    "policy",
    "services",
    "evidence",
    "confirmation",
    "switch",
];
/// What is found at a gate.
pub(crate) const VERDICT: [&str; 3] = ["passed", "skipped", "stopped"];

pub(super) fn words(words: &[&'static str]) -> Part {
    text().enum_values(Some(words.iter().copied())).into()
}

/// Who may see a capsule.
pub(crate) fn visibility() -> Part {
    words(&VISIBILITY)
}

/// How a capsule came to a node.
pub(crate) fn origin() -> Part {
    words(&ORIGIN)
}

/// How an app is served.
pub(crate) fn target() -> Part {
    words(&TARGET)
}

/// A gate of a deployment.
pub(crate) fn gate() -> Part {
    words(&GATE)
}

/// What was found at a gate.
pub(crate) fn verdict() -> Part {
    words(&VERDICT)
}

/// A status of a run.
pub(crate) fn run_status() -> Part {
    words(&RUN_STATUS)
}

/// A status of a step.
pub(crate) fn step_status() -> Part {
    words(&STEP_STATUS)
}

/// What is waited for.
pub(crate) fn wait_kind() -> Part {
    words(&WAIT_KIND)
}

/// A status of a gate.
pub(crate) fn gate_status() -> Part {
    words(&GATE_STATUS)
}

/// A status of an intent.
pub(crate) fn intent_status() -> Part {
    words(&INTENT_STATUS)
}

/// A status of a draft.
pub(crate) fn draft_status() -> Part {
    words(&DRAFT_STATUS)
}

/// A kind of draft.
pub(crate) fn draft_kind() -> Part {
    words(&DRAFT_KIND)
}

/// A status of a version.
pub(crate) fn version_status() -> Part {
    words(&VERSION_STATUS)
}

/// A stage.
pub(crate) fn stage() -> Part {
    words(&STAGE)
}

/// A stage, or nothing for the environment's own.
pub(crate) fn optional_stage() -> Part {
    words_or_nothing(STAGE.into_iter().chain(["test"]))
}

fn words_or_nothing(words: impl Iterator<Item = &'static str>) -> Part {
    let kinds = SchemaType::from_iter([Type::String, Type::Null]);
    let words = words.map(Value::from).chain([Value::Null]);
    ObjectBuilder::new().schema_type(kinds).enum_values(Some(words)).into()
}

/// A kind of artifact.
pub(crate) fn artifact_kind() -> Part {
    words(&["log", "report", "bundle", "file"])
}

/// A risk.
pub(crate) fn risk() -> Part {
    words(&RISK)
}

/// A risk, or nothing for the action's own.
pub(crate) fn optional_risk() -> Part {
    words_or_nothing(RISK.into_iter())
}

/// A kind of moment.
pub(crate) fn moment_kind() -> Part {
    words(&MOMENT_KIND)
}

/// Which end comes first.
pub(super) fn first() -> Part {
    words(&["newest", "oldest"])
}

/// How a review stands.
pub(crate) fn review_status() -> Part {
    words(&["open", "resolved"])
}

/// What an excluded record is.
pub(crate) fn matter() -> Part {
    words(&["moment", "board", "statement"])
}

/// Why a record does not count.
pub(crate) fn exclusion() -> Part {
    words(&["equivocation", "revoked", "retired", "not_a_member"])
}
