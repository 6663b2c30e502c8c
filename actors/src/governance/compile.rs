//! Policies made ready for evaluation: globs, windows and durations are read once.
//!
//! Owns the translation from [`Policy`]. Refuses to fail: a rule that cannot be compiled (a zone this
//! program does not know, a glob from a store that nobody checked) stays in the set. INVARIANT: such a rule
//! matches at least what its author meant, and denies it.

use std::collections::BTreeSet;
use std::sync::Arc;

use xyn_store::scope::Stage;

use super::context::{Context, NamedStage};
use super::decision::{Approvals, RuleRef, Unmet};
use super::pattern::{Pattern, Subject};
use super::policy::{ApprovalRule, Match, Policy, Rule};
use super::read::is_about_deploying;
use super::window::{self, Window};
use super::words::{Effect, EvaluationMode, Proof, Reach, Risk};
use crate::actions::Egress;

/// A policy ready for evaluation.
#[derive(Clone, Debug)]
pub(super) struct CompiledPolicy {
    pub(super) policy_id: Arc<str>,
    pub(super) version: u32,
    pub(super) mode: EvaluationMode,
    /// By priority, then the author's order.
    pub(super) rules: Vec<CompiledRule>,
}

/// A rule ready for evaluation.
#[derive(Clone, Debug)]
pub(super) struct CompiledRule {
    pub(super) rule_id: Arc<str>,
    pub(super) priority: i32,
    pub(super) effect: Effect,
    pub(super) approvals: Option<Approvals>,
    pub(super) egress: Egress,
    /// The match as its author wrote it, for explanations.
    pub(super) written: Match,
    action: Pattern,
    stage: Option<Stage>,
    resource_type: Option<Box<str>>,
    risk: Option<Risk>,
    env_id: Option<Box<str>>,
    actor: Option<Subject>,
    tests_required: bool,
    mfa: bool,
    pub(super) evidence: BTreeSet<Proof>,
    window: Option<Window>,
    broken: Option<Arc<str>>,
}

/// A part of a match.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    Stage,
    Risk,
    EnvId,
    ResourceType,
    Action,
    Actor,
}

impl Field {
    /// Cheap ones first.
    pub(super) const ALL: [Self; 6] =
        [Self::Stage, Self::Risk, Self::EnvId, Self::ResourceType, Self::Action, Self::Actor];
}

impl CompiledPolicy {
    pub(super) fn new(policy: &Policy) -> Self {
        let mut rules: Vec<_> = policy.rules.iter().map(CompiledRule::new).collect();
        rules.sort_by_key(|rule| rule.priority);
        Self {
            policy_id: policy.policy_id.as_str().into(),
            version: policy.version,
            mode: policy.evaluation_mode,
            rules,
        }
    }

    pub(super) fn reference(&self, rule: &CompiledRule) -> RuleRef {
        RuleRef {
            policy_id: Arc::clone(&self.policy_id),
            version: self.version,
            rule_id: Arc::clone(&rule.rule_id),
        }
    }
}

impl CompiledRule {
    fn new(rule: &Rule) -> Self {
        let mut faults = Vec::new();
        let requirements = rule.requirements.clone().unwrap_or_default();
        if !requirements.evidence.is_empty() && !is_about_deploying(&rule.matches) {
            faults.push("`evidence` is asked for by rules about `capsule.deploy` only".to_owned());
        }
        let action = rule.matches.action.as_deref().map(Pattern::compile);
        let actor = rule.matches.actor.as_deref().map(Subject::compile);
        let window = requirements.time_window.as_ref().map(Window::compile);
        let approvals = requirements.approvals.as_ref().map(|rule| approvals(rule, &mut faults));
        Self {
            rule_id: rule.rule_id.as_str().into(),
            priority: rule.priority,
            effect: rule.effect,
            approvals,
            egress: egress(&rule.egress),
            written: rule.matches.clone(),
            action: keep(action, &mut faults).unwrap_or(Pattern::Any),
            stage: rule.matches.stage.stage(),
            resource_type: rule.matches.resource_type.as_deref().map(Into::into),
            risk: rule.matches.risk.risk(),
            env_id: rule.matches.env_id.as_deref().map(Into::into),
            actor: keep(actor, &mut faults),
            tests_required: requirements.tests_required,
            mfa: requirements.mfa,
            evidence: requirements.evidence.iter().copied().collect(),
            window: keep(window, &mut faults),
            broken: (!faults.is_empty()).then(|| faults.join("; ").into()),
        }
    }

    /// Whether the rule is about the act.
    pub(super) fn matches(&self, context: &Context) -> bool {
        Field::ALL.into_iter().all(|field| self.fits(field, context))
    }

    pub(super) fn fits(&self, field: Field, context: &Context) -> bool {
        match field {
            Field::Stage => self.stage.is_none_or(|stage| context.stage == NamedStage::Known(stage)),
            Field::Risk => self.risk.is_none_or(|risk| context.risk == risk),
            Field::EnvId => self.env_id.as_deref().is_none_or(|env_id| context.env_id == env_id),
            Field::ResourceType => self.resource_type.as_deref().is_none_or(|wanted| {
                context.resource.as_ref().is_some_and(|resource| resource.kind == wanted)
            }),
            Field::Action => self.action.matches(&context.action),
            Field::Actor => self.actor.as_ref().is_none_or(|subject| subject.includes(&context.actor)),
        }
    }

    /// What the rule requires and does not hold.
    pub(super) fn unmet(&self, context: &Context) -> impl Iterator<Item = Unmet> {
        let second_factor = context.session.and_then(|session| session.mfa);
        let mfa = match second_factor {
            _ if !self.mfa => None,
            Some(true) => None,
            Some(false) => Some(Unmet::Mfa),
            None => Some(Unmet::MfaUnknown),
        };
        let tests = (self.tests_required && !context.tests_passed()).then_some(Unmet::TestsRequired);
        let outside = self.window.as_ref().is_some_and(|window| !window.contains(context.now));
        let broken = self.broken.clone().map(Unmet::Error);
        [broken, tests, mfa, outside.then_some(Unmet::TimeWindow)].into_iter().flatten()
    }

    /// What the rule says when everything it requires holds.
    pub(super) fn intended(&self) -> Effect {
        match self.effect {
            Effect::Allow if self.approvals.is_some() => Effect::RequireApproval,
            effect => effect,
        }
    }
}

fn keep<T, E: ToString>(compiled: Option<Result<T, E>>, faults: &mut Vec<String>) -> Option<T> {
    compiled?.map_err(|error| faults.push(error.to_string())).ok()
}

fn approvals(rule: &ApprovalRule, faults: &mut Vec<String>) -> Approvals {
    if rule.min == 0 {
        faults.push("`min` of approvals is 0".to_owned());
    }
    let expires_in = keep(rule.expires_in.as_deref().map(window::duration), faults);
    Approvals {
        min: rule.min,
        from_any_of: rule.from_any_of.clone(),
        allow_requester: rule.allow_requester,
        expires_in_s: expires_in.map(|duration| duration.as_secs()),
    }
}

fn egress(reach: &[Reach]) -> Egress {
    Egress {
        loopback: reach.contains(&Reach::Loopback),
        private: reach.contains(&Reach::Private),
        link_local: reach.contains(&Reach::LinkLocal),
    }
}
