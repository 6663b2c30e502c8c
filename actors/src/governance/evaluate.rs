//! The evaluator: `(policies, context) → decision`, a pure function.
//!
//! Within a policy its mode combines the rules. A rule that matches and requires something that does not hold
//! denies; `allow` with `approvals` means `require_approval`. Across policies deny wins over
//! require_approval over allow; where several require approval their approvals are merged, and the first in
//! order of policy id is named. What no rule matches gets the stage's default: prod denies, staging and dev
//! allow. An unknown stage is denied. Egress comes from the rules whose effect won, and from no other.
//!
//! Refuses to look anything up. Invariant: the same set and context give the same decision on every node.

use std::collections::BTreeSet;

use xyn_store::scope::Stage;

use super::compile::{CompiledPolicy, CompiledRule};
use super::context::{Context, NamedStage};
use super::decision::{Approvals, Decision, Reason, RuleRef};
use super::policy::Policy;
use super::words::{Effect, EvaluationMode, Proof};
use crate::actions::Egress;

/// Most reasons a decision carries; the explanation has them all.
const MAX_REASONS: usize = 8;

/// The policies in force, ready for evaluation.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    pub(super) policies: Vec<CompiledPolicy>,
}

impl PolicySet {
    /// Compiles `policies`, all of which count as in force whatever their status says.
    ///
    /// Never fails: a rule that cannot be compiled denies what it may be about.
    pub fn new<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Self {
        let mut policies: Vec<_> = policies.into_iter().map(CompiledPolicy::new).collect();
        policies.sort_by(|a, b| (&a.policy_id, a.version).cmp(&(&b.policy_id, b.version)));
        Self { policies }
    }

    /// Decides on the act in `context`.
    pub fn evaluate(&self, context: &Context) -> Decision {
        let stage = match &context.stage {
            NamedStage::Known(stage) => *stage,
            NamedStage::Unknown(name) => {
                return by_default(Effect::Deny, Reason::UnknownStage { stage: name.clone() });
            }
        };
        let outcomes = self.policies.iter().filter_map(|policy| policy.outcome(context));
        match outcomes.reduce(Outcome::combine) {
            Some(outcome) => outcome.into(),
            None => by_default(stage_default(stage), Reason::StageDefault { stage }),
        }
    }
}

/// Compiles `policies` and decides on the act in `context`: for a single question.
pub fn evaluate(policies: &[Policy], context: &Context) -> Decision {
    PolicySet::new(policies).evaluate(context)
}

fn stage_default(stage: Stage) -> Effect {
    match stage {
        Stage::Dev | Stage::Staging => Effect::Allow,
        Stage::Prod => Effect::Deny,
    }
}

fn by_default(effect: Effect, reason: Reason) -> Decision {
    Decision {
        effect,
        approvals: None,
        egress: Egress::default(),
        matched: None,
        reasons: vec![reason],
        evidence: BTreeSet::new(),
    }
}

/// What one or more matching rules say.
pub(super) struct Outcome {
    pub(super) effect: Effect,
    pub(super) matched: RuleRef,
    approvals: Option<Approvals>,
    egress: Egress,
    reasons: Vec<Reason>,
    evidence: BTreeSet<Proof>,
}

impl Outcome {
    fn of(policy: &CompiledPolicy, rule: &CompiledRule, context: &Context) -> Self {
        let matched = policy.reference(rule);
        let unmet = |requirement| Reason::Unmet { rule: matched.clone(), requirement };
        let mut reasons: Vec<_> = rule.unmet(context).map(unmet).collect();
        let effect = if reasons.is_empty() { rule.intended() } else { Effect::Deny };
        if reasons.is_empty() {
            reasons.push(Reason::Rule { rule: matched.clone(), effect });
        }
        let approvals =
            (effect == Effect::RequireApproval).then(|| rule.approvals.clone().unwrap_or_default());
        let egress = if effect == Effect::Deny { Egress::default() } else { rule.egress };
        let evidence = rule.evidence.clone();
        Self { effect, matched, approvals, egress, reasons, evidence }
    }

    /// The stronger effect with its reasons first; requirements and egress of equals are merged.
    fn combine(self, other: Self) -> Self {
        let (mut winner, loser) = if other.effect > self.effect { (other, self) } else { (self, other) };
        // Who has to approve as well sees no less proof than who need not.
        winner.evidence.extend(&loser.evidence);
        if winner.effect == loser.effect {
            winner.egress = union(winner.egress, loser.egress);
            if let (Some(mine), Some(theirs)) = (&mut winner.approvals, &loser.approvals) {
                mine.merge(theirs);
            }
        }
        let room = MAX_REASONS.saturating_sub(winner.reasons.len());
        winner.reasons.extend(loser.reasons.into_iter().take(room));
        winner
    }
}

impl From<Outcome> for Decision {
    fn from(outcome: Outcome) -> Self {
        Self {
            effect: outcome.effect,
            approvals: outcome.approvals,
            egress: outcome.egress,
            matched: Some(outcome.matched),
            reasons: outcome.reasons,
            evidence: if outcome.effect == Effect::Deny { BTreeSet::new() } else { outcome.evidence },
        }
    }
}

impl CompiledPolicy {
    /// What this policy says; none when no rule matches.
    pub(super) fn outcome(&self, context: &Context) -> Option<Outcome> {
        let matching = self.rules.iter().filter(|rule| rule.matches(context));
        let mut outcomes = matching.map(|rule| Outcome::of(self, rule, context));
        match self.mode {
            EvaluationMode::FirstMatch => outcomes.next(),
            EvaluationMode::DenyOverrides => outcomes.reduce(|first, mut later| {
                // The first rule of the winning effect alone says whose approval is needed.
                if later.effect == first.effect {
                    later.approvals = None;
                }
                first.combine(later)
            }),
            EvaluationMode::CollectRequirements => outcomes.reduce(Outcome::combine),
        }
    }
}

fn union(a: Egress, b: Egress) -> Egress {
    Egress {
        loopback: a.loopback || b.loopback,
        private: a.private || b.private,
        link_local: a.link_local || b.link_local,
    }
}
