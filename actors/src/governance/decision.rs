//! What an evaluation answers: an effect, what it is subject to, and why.
//!
//! Owns the recorded shape: it serialises to JSON and to postcard alike, so variants and fields are only ever
//! appended. Invariant: `approvals` is there exactly when the effect is `require_approval`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use xyn_store::scope::Stage;
use xyn_store::{Json, Timestamp};

use super::identity::Approver;
use super::words::{Effect, Proof};
use crate::actions::Egress;

/// The answer to one evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether the act may happen.
    pub effect: Effect,
    /// Who must approve first.
    #[serde(default)]
    pub approvals: Option<Approvals>,
    /// Address ranges the act may reach besides public ones.
    #[serde(default)]
    pub egress: Egress,
    /// The rule that decided; none for a default.
    #[serde(default)]
    pub matched: Option<RuleRef>,
    /// Why, the decisive reason first.
    #[serde(default)]
    pub reasons: Vec<Reason>,
    /// What must be proved of the capsule that is deployed.
    #[serde(default)]
    pub evidence: BTreeSet<Proof>,
}

/// Names a rule of a version of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuleRef {
    /// The policy.
    pub policy_id: Arc<str>,
    /// Its version.
    pub version: u32,
    /// The rule.
    pub rule_id: Arc<str>,
}

/// Whose approval an act needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    /// How many distinct people.
    pub min: u32,
    /// Who; any person when empty.
    pub from_any_of: Vec<Approver>,
    /// Whether the requester counts; none means the stage's default.
    pub allow_requester: Option<bool>,
    /// How long the approvals may take, in seconds; none means [`Approvals::DEFAULT_EXPIRES_IN_S`].
    pub expires_in_s: Option<u64>,
}

impl Decision {
    /// The decision as JSON, without what a plain yes has nothing to say about.
    pub(crate) fn recorded(&self) -> Json {
        let mut shown = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = shown.as_object_mut() {
            fields.retain(|name, _| match name.as_str() {
                "approvals" => self.approvals.is_some(),
                "egress" => self.egress != Egress::default(),
                "evidence" => !self.evidence.is_empty(),
                "reasons" => self.effect != Effect::Allow,
                _ => true,
            });
        }
        Json::from(&shown)
    }
}

impl Default for Approvals {
    /// One person, whoever it is.
    fn default() -> Self {
        Self { min: 1, from_any_of: Vec::new(), allow_requester: None, expires_in_s: None }
    }
}

impl Approvals {
    /// How long approvals may take when no rule says so: seven days, in seconds.
    pub const DEFAULT_EXPIRES_IN_S: u64 = 7 * 24 * 60 * 60;

    /// When an act that was parked at `now` expires.
    pub fn deadline(&self, now: Timestamp) -> Timestamp {
        now.after(Duration::from_secs(self.expires_in_s.unwrap_or(Self::DEFAULT_EXPIRES_IN_S)))
    }

    /// Both: the larger `min`, the union of approvers, the stricter word on the requester, the shorter time.
    ///
    /// A rule that names nobody adds nobody, so that it does not open to everybody what another rule
    /// restricts.
    pub(super) fn merge(&mut self, other: &Self) {
        self.min = self.min.max(other.min);
        let added = other.from_any_of.iter().filter(|approver| !self.from_any_of.contains(approver));
        let added: Vec<_> = added.cloned().collect();
        self.from_any_of.extend(added);
        self.allow_requester = match (self.allow_requester, other.allow_requester) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        self.expires_in_s = match (self.expires_in_s, other.expires_in_s) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// One step of the way to a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The rule decided for its policy.
    Rule {
        /// Which.
        rule: RuleRef,
        /// What it says.
        effect: Effect,
    },
    /// The rule matched and something it requires does not hold, so it denies.
    Unmet {
        /// Which.
        rule: RuleRef,
        /// What does not hold.
        requirement: Unmet,
    },
    /// No rule of any policy matched.
    StageDefault {
        /// The stage whose default applied.
        stage: Stage,
    },
    /// Nobody knows this stage.
    UnknownStage {
        /// The word.
        stage: String,
    },
}

/// A requirement that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmet {
    /// No test report passed, or one failed.
    TestsRequired,
    /// The session was opened without a second factor.
    Mfa,
    /// Nobody knows whether the session was opened with a second factor.
    MfaUnknown,
    /// The present instant is outside the window.
    TimeWindow,
    /// The rule itself cannot be evaluated.
    Error(Arc<str>),
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.effect.as_str())?;
        if let Some(approvals) = &self.approvals {
            write!(f, " ({approvals})")?;
        }
        if !self.evidence.is_empty() {
            let words: Vec<_> = self.evidence.iter().map(|proof| format!("`{}`", proof.as_str())).collect();
            write!(f, " (with evidence of {})", words.join(" and "))?;
        }
        self.reasons.iter().enumerate().try_for_each(|(index, reason)| {
            let separator = if index == 0 { ": " } else { "; " };
            write!(f, "{separator}{reason}")
        })
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}` of policy `{}` version {}", self.rule_id, self.policy_id, self.version)
    }
}

impl fmt::Display for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.min == 1 { "approval" } else { "approvals" };
        write!(f, "{} {noun} from ", self.min)?;
        if self.from_any_of.is_empty() {
            return f.write_str("any person");
        }
        self.from_any_of.iter().enumerate().try_for_each(|(index, approver)| {
            let separator = if index == 0 { "" } else { " or " };
            write!(f, "{separator}{approver}")
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { rule, effect } => write!(f, "{rule} says {}", effect.as_str()),
            Self::Unmet { rule, requirement } => write!(f, "{rule} denies because {requirement}"),
            Self::StageDefault { stage } => {
                write!(f, "no rule matches, so the default of stage `{}` applies", stage.as_str())
            }
            Self::UnknownStage { stage } => write!(f, "stage `{stage}` is not known"),
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TestsRequired => f.write_str("it requires passed tests (`tests_required`)"),
            Self::Mfa => f.write_str("it requires a second factor (`mfa`)"),
            Self::MfaUnknown => {
                f.write_str("it requires a second factor (`mfa`) and the session does not say")
            }
            Self::TimeWindow => f.write_str("the present instant is outside its `time_window`"),
            Self::Error(message) => write!(f, "it cannot be evaluated: {message}"),
        }
    }
}
