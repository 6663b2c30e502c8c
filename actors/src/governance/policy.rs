//! The policy as its author writes it.
//!
//! Owns the shapes, from which the JSON Schema is generated. Refuses to decide:
//! [`PolicySet`](super::PolicySet) does. Invariant: a policy that [`parse`](super::parse) returned compiles
//! without a fault.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xyn_store::Timestamp;

use super::identity::Approver;
use super::words::{Day, Effect, EvaluationMode, PolicyType, Proof, Reach, RiskMatch, StageMatch, Status};

/// Rules about who may do what where, immutable once active: a change is a new version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Stable id: letters, digits, `.`, `_`, `-`.
    pub policy_id: String,
    /// What kind of policy this is.
    pub policy_type: PolicyType,
    /// Name for people.
    pub name: String,
    /// The unit that owns it. Says who may change it, not what it applies to.
    #[serde(default)]
    pub owner_pou_id: Option<String>,
    /// Whether it is in force.
    #[serde(default)]
    pub status: Status,
    /// Counts up from 1.
    #[serde(default = "first_version")]
    #[schemars(range(min = 1))]
    pub version: u32,
    /// How matching rules are combined.
    pub evaluation_mode: EvaluationMode,
    /// The rules.
    #[schemars(length(min = 1, max = 1000))]
    pub rules: Vec<Rule>,
    /// When it was created.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub updated_at: Option<Timestamp>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Free for the author.
    #[serde(default)]
    pub metadata: Option<Map<String, Value>>,
}

fn first_version() -> u32 {
    1
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique within the policy: letters, digits, `.`, `_`, `-`.
    pub rule_id: String,
    /// Lower numbers come first; equal ones keep the author's order.
    #[serde(default)]
    pub priority: i32,
    /// Which acts the rule is about; all when absent.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// What must hold besides. What does not hold turns the rule into a deny.
    #[serde(default)]
    pub requirements: Option<Requirements>,
    /// Address ranges, besides public ones, that an `http.call` let through by this rule may reach.
    #[serde(default)]
    pub egress: Vec<Reach>,
    /// What the rule says.
    pub effect: Effect,
}

/// Which acts a rule is about. Every field that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Glob over action names; `*` stands for any text, dots included.
    #[serde(default)]
    pub action: Option<String>,
    /// Stage of the target.
    #[serde(default)]
    pub stage: StageMatch,
    /// Type of the resource acted on.
    #[serde(default)]
    pub resource_type: Option<String>,
    /// Risk of the act.
    #[serde(default)]
    pub risk: RiskMatch,
    /// The environment.
    #[serde(default)]
    pub env_id: Option<String>,
    /// Who acts: `role:X`, `team:ID`, `principal:ID`, or a glob over principals such as `webhook:*`.
    #[serde(default)]
    pub actor: Option<String>,
}

/// What must hold besides the match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirements {
    /// People must approve, whether the rule says `allow` or `require_approval`.
    #[serde(default)]
    pub approvals: Option<ApprovalRule>,
    /// The context must show a test report that passed and none that failed.
    #[serde(default)]
    pub tests_required: bool,
    /// Only then.
    #[serde(default)]
    pub time_window: Option<TimeWindow>,
    /// The session must have been opened with a second factor.
    #[serde(default)]
    pub mfa: bool,
    /// The capsule must come with these, attested by who counts: only in rules whose `match` names the action
    /// `capsule.deploy`.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub evidence: Vec<Proof>,
}

/// Whose approval is needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRule {
    /// How many distinct people.
    #[serde(default = "one_person")]
    #[schemars(range(min = 1, max = 100))]
    pub min: u32,
    /// Who; any person when empty.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub from_any_of: Vec<Approver>,
    /// Whether the requester counts; by default in dev, not in staging and prod.
    #[serde(default)]
    pub allow_requester: Option<bool>,
    /// How long the approvals may take, such as `24h`; seven days when absent.
    #[serde(default)]
    pub expires_in: Option<String>,
}

fn one_person() -> u32 {
    1
}

/// Times at which an act may happen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeWindow {
    /// Days on which a window begins; every day when empty.
    #[serde(default)]
    pub days: Vec<Day>,
    /// Its beginning as `HH:MM`; `00:00` when absent.
    #[serde(default)]
    pub from: Option<String>,
    /// Its end as `HH:MM`, not included; `24:00` when absent. Earlier than `from` means on the next day.
    #[serde(default)]
    pub to: Option<String>,
    /// IANA name; `UTC` when absent.
    #[serde(default)]
    pub time_zone: Option<String>,
}
