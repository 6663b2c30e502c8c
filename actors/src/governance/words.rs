//! The words of policies: closed sets, each an enum, spelled in `snake_case`.
//!
//! Owns the spelling, which schema, reader and decisions share. Decides nothing.
//! Invariant: variants are only ever appended, because recorded decisions carry their positions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xyn_store::scope::Stage;

/// What kind of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyType {
    /// Decides whether an act may happen.
    Governance,
}

/// Where a policy is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Being written.
    #[default]
    Draft,
    /// In force.
    Active,
    /// No longer in force.
    Deprecated,
}

/// How the matching rules of one policy are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationMode {
    /// The first matching rule by priority, then order, decides.
    FirstMatch,
    /// Any matching deny wins, else `require_approval` over `allow`.
    DenyOverrides,
    /// The requirements of all matching rules are merged, then decided on.
    CollectRequirements,
}

impl EvaluationMode {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstMatch => "first_match",
            Self::DenyOverrides => "deny_overrides",
            Self::CollectRequirements => "collect_requirements",
        }
    }
}

/// A stage, or any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageMatch {
    /// Development.
    Dev,
    /// Staging.
    Staging,
    /// Production.
    Prod,
    /// Every stage.
    #[default]
    Any,
    /// Another word for staging.
    Test,
}

impl StageMatch {
    /// The one stage; none for any.
    pub fn stage(self) -> Option<Stage> {
        match self {
            Self::Dev => Some(Stage::Dev),
            Self::Staging | Self::Test => Some(Stage::Staging),
            Self::Prod => Some(Stage::Prod),
            Self::Any => None,
        }
    }
}

/// How much an act can break.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Little, and it is easily undone.
    #[default]
    Low,
    /// Something.
    Medium,
    /// Much, or it cannot be undone.
    High,
}

impl Risk {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A risk, or any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RiskMatch {
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Every risk.
    #[default]
    Any,
}

impl RiskMatch {
    /// The one risk; none for any.
    pub fn risk(self) -> Option<Risk> {
        match self {
            Self::Low => Some(Risk::Low),
            Self::Medium => Some(Risk::Medium),
            Self::High => Some(Risk::High),
            Self::Any => None,
        }
    }
}

/// What a rule or a decision says; later ones override earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The act may happen.
    Allow,
    /// The act waits until people approve.
    RequireApproval,
    /// The act may not happen.
    Deny,
}

impl Effect {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::RequireApproval => "require_approval",
            Self::Deny => "deny",
        }
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A range of addresses that is closed unless a rule opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// The node's own machine.
    Loopback,
    /// Private networks.
    Private,
    /// Link-local addresses, also where clouds keep their metadata services.
    LinkLocal,
}

/// What can be proved of a capsule before it is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// It was built again and came out bit for bit.
    Rebuild,
    /// It passed a scenario of simulated nodes.
    Simulation,
}

impl Proof {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Simulation => "simulation",
        }
    }
}
