//! Why a decision is what it is: every policy and every rule, matched or not, and for which reason not.
//!
//! Owns the words for people. Refuses to decide anything itself: effects come from the evaluator.
//! Invariant: the decision shown is the one the evaluator gives.

use std::fmt;

use serde::{Deserialize, Serialize};
use xyn_store::scope::Stage;

use super::compile::{CompiledPolicy, CompiledRule, Field};
use super::context::{Context, NamedStage};
use super::decision::{Decision, Unmet};
use super::evaluate::PolicySet;
use super::words::{Effect, EvaluationMode, Risk};

/// The way to a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Action of the act.
    pub action: String,
    /// Stage of the act.
    pub stage: NamedStage,
    /// All policies of the set, by id. Not asked when the stage is unknown.
    pub policies: Vec<ExplainedPolicy>,
    /// The decision.
    pub decision: Decision,
}

/// What one policy contributed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedPolicy {
    /// The policy.
    pub policy_id: String,
    /// Its version.
    pub version: u32,
    /// How it combines its rules.
    pub mode: EvaluationMode,
    /// What it says; none when no rule matches.
    pub effect: Option<Effect>,
    /// Its rules in the order of evaluation.
    pub rules: Vec<ExplainedRule>,
}

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedRule {
    /// The rule.
    pub rule_id: String,
    /// Its priority; lower numbers come first.
    pub priority: i32,
    /// What it says.
    pub effect: Effect,
    /// The parts of its match that do not fit; it matches when there are none.
    pub mismatches: Vec<String>,
    /// What it requires and does not hold, if it matches.
    pub unmet: Vec<Unmet>,
    /// Whether it is the one that decided for its policy.
    pub decided: bool,
}

/// Explains what `set` decides on the act in `context`.
pub fn explain(set: &PolicySet, context: &Context) -> Explanation {
    let known = matches!(context.stage, NamedStage::Known(_));
    let policies = set.policies.iter().filter(|_| known).map(|policy| explain_policy(policy, context));
    Explanation {
        action: context.action.clone(),
        stage: context.stage.clone(),
        policies: policies.collect(),
        decision: set.evaluate(context),
    }
}

fn explain_policy(policy: &CompiledPolicy, context: &Context) -> ExplainedPolicy {
    let outcome = policy.outcome(context);
    let rule = |rule: &CompiledRule| {
        let mismatches: Vec<_> = Field::ALL
            .into_iter()
            .filter(|field| !rule.fits(*field, context))
            .map(|field| mismatch(rule, field, context))
            .collect();
        let matches = mismatches.is_empty();
        ExplainedRule {
            rule_id: rule.rule_id.to_string(),
            priority: rule.priority,
            effect: rule.intended(),
            mismatches,
            unmet: if matches { rule.unmet(context).collect() } else { Vec::new() },
            decided: outcome.as_ref().is_some_and(|outcome| outcome.matched.rule_id == rule.rule_id),
        }
    };
    ExplainedPolicy {
        policy_id: policy.policy_id.to_string(),
        version: policy.version,
        mode: policy.mode,
        effect: outcome.as_ref().map(|outcome| outcome.effect),
        rules: policy.rules.iter().map(rule).collect(),
    }
}

/// What the act has where the rule wants something else.
fn mismatch(rule: &CompiledRule, field: Field, context: &Context) -> String {
    let wanted = &rule.written;
    let of = |wanted: &Option<String>| wanted.clone().unwrap_or_default();
    let (name, found, wanted) = match field {
        Field::Stage => {
            ("stage", context.stage.as_str(), wanted.stage.stage().map_or("any", Stage::as_str).to_owned())
        }
        Field::Risk => {
            ("risk", context.risk.as_str(), wanted.risk.risk().map_or("any", Risk::as_str).to_owned())
        }
        Field::EnvId => ("env_id", context.env_id.as_str(), of(&wanted.env_id)),
        Field::ResourceType => {
            let found = context.resource.as_ref().map_or("", |resource| resource.kind.as_str());
            ("resource_type", found, of(&wanted.resource_type))
        }
        Field::Action => ("action", context.action.as_str(), of(&wanted.action)),
        Field::Actor => ("actor", context.actor.principal.as_str(), of(&wanted.actor)),
    };
    format!("{name} is `{found}`, not `{wanted}`")
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} at stage {}", self.action, self.stage.as_str())?;
        for policy in &self.policies {
            let says = policy.effect.map_or("no rule matches", Effect::as_str);
            let mode = policy.mode.as_str();
            writeln!(f, "policy {} version {} ({mode}): {says}", policy.policy_id, policy.version)?;
            policy.rules.iter().try_for_each(|rule| writeln!(f, "{rule}"))?;
        }
        write!(f, "=> {}", self.decision)
    }
}

impl fmt::Display for ExplainedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.decided { '>' } else { ' ' };
        write!(f, "  {mark} rule {} ({}): ", self.rule_id, self.effect.as_str())?;
        if !self.mismatches.is_empty() {
            return write!(f, "does not match: {}", self.mismatches.join(", "));
        }
        f.write_str("matches")?;
        self.unmet.iter().try_for_each(|unmet| write!(f, ", denies because {unmet}"))
    }
}
