//! Governance: policies, their evaluation, and the collecting of approvals. All of it pure.
//!
//! Owns what may happen. Refuses to make it happen, to look anything up, to read a clock or a file.
//! Invariant: when in doubt, deny; the same policies and context give the same decision on every node.

pub mod approval;
mod cases;
mod compile;
mod context;
mod decision;
mod defaults;
mod evaluate;
mod explain;
mod identity;
mod pattern;
mod policy;
mod read;
mod window;
mod words;

#[cfg(test)]
mod tests;

pub use cases::{CaseResult, Table};
pub use context::{Context, Evidence, NamedStage, Resource, SessionFacts};
pub use decision::{Approvals, Decision, Reason, RuleRef, Unmet};
pub use defaults::{DEV_POLICY, PROD_EXAMPLE_POLICY};
pub use evaluate::{PolicySet, evaluate};
pub use explain::{ExplainedPolicy, ExplainedRule, Explanation, explain};
pub use identity::{Approver, Identity, InvalidApprover, Role};
pub use policy::{ApprovalRule, Match, Policy, Requirements, Rule, TimeWindow};
pub(crate) use read::approvers;
pub use read::parse;
pub use words::{Day, Effect, EvaluationMode, PolicyType, Proof, Reach, Risk, RiskMatch, StageMatch, Status};

/// JSON Schema of a policy, generated from the types.
pub fn policy_json_schema() -> schemars::Schema {
    schemars::schema_for!(Policy)
}
