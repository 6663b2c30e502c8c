//! Why something may happen or not: what was decided of an intent, and what would be decided of an act.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use xyn_actors::actions::READ_RUN;
use xyn_actors::governance::{Decision, Effect, ExplainedPolicy, ExplainedRule, Explanation, Risk};
use xyn_store::ids::IntentId;
use xyn_store::projection::IntentRow;

use crate::error::ApiError;
use crate::extract::{Object, Params};
use crate::routes::policies::{About, Question, explained};
use crate::state::AppState;
use crate::ui::filters;
use crate::ui::query::parsed;
use crate::ui::shell::{Shell, render};
use crate::ui::words::State as Standing;

/// Policies that a page explains, rules of one that it shows, and reasons.
const SHOWN: usize = 12;

/// Risks that an act may have.
const RISKS: [Risk; 3] = [Risk::Low, Risk::Medium, Risk::High];

/// What is asked about.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    intent: String,
    pub(super) action: String,
    pub(super) stage: String,
    pub(super) actor: String,
    pub(super) risk: String,
    pub(super) kind: String,
    pub(super) id: String,
}

#[derive(Template)]
#[template(path = "why.html")]
struct Page {
    shell: Shell,
    asked: Asked,
    actions: Vec<&'static str>,
    intent: Option<Decided>,
    found: Option<Answer>,
}

/// What was decided when something was asked for.
struct Decided {
    row: IntentRow,
    verdict: Verdict,
}

/// What would be decided now.
struct Answer {
    verdict: Verdict,
    action: String,
    stage: String,
    policies: Vec<Policy>,
    more: usize,
}

/// A decision, in words.
struct Verdict {
    state: Standing,
    reasons: Vec<String>,
    approvals: String,
}

/// A policy, and what it contributed.
struct Policy {
    id: String,
    version: u32,
    mode: &'static str,
    says: Standing,
    rules: Vec<Rule>,
    /// Rules that are not shown: they do not match.
    more: usize,
}

/// A rule, and what became of it.
struct Rule {
    id: String,
    says: &'static str,
    state: Standing,
    why: String,
}

/// The actions that may be asked about.
pub(super) fn actions(state: &AppState) -> Vec<&'static str> {
    let submitted = state.runtime().registry().iter().map(|action| action.spec.name);
    submitted.chain([READ_RUN]).collect()
}

pub(super) async fn show(
    State(state): State<AppState>,
    shell: Shell,
    Params(mut asked): Params<Asked>,
) -> Result<Response, ApiError> {
    let mut intent = None;
    if let Some(id) = parsed::<IntentId>("intent", &asked.intent)? {
        let row: IntentRow = state.row(&IntentRow::key_of(id), "intent", id)?;
        if asked.action.is_empty() {
            asked.action.clone_from(&row.action);
            asked.stage = row.stage.as_str().to_owned();
            asked.actor = row.actor.to_string();
        }
        let decision = serde_json::from_value(row.decision.to_value()).ok();
        let verdict = decision.map_or_else(Verdict::unknown, |decision: Decision| Verdict::of(&decision));
        intent = Some(Decided { row, verdict });
    }
    let found = asked.question()?.map(|question| Answer::of(explained(&state, question)));
    render(&Page { shell, asked, actions: actions(&state), intent, found })
}

impl Asked {
    pub(super) fn risks(&self) -> [&'static str; 3] {
        RISKS.map(Risk::as_str)
    }

    /// The act that it is about, when one is named.
    fn question(&self) -> Result<Option<Question>, ApiError> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let Some(action) = given(&self.action) else { return Ok(None) };
        let risk = given(&self.risk).map(|word| {
            let known = RISKS.into_iter().find(|risk| risk.as_str() == word);
            known.ok_or_else(|| ApiError::invalid("risk", format!("`{word}` is no risk")))
        });
        let about = given(&self.kind).map(|kind| Object(About { kind, id: self.id.trim().to_owned() }));
        Ok(Some(Question {
            action,
            stage: given(&self.stage),
            resource: about,
            risk: risk.transpose()?,
            actor: given(&self.actor),
        }))
    }
}

impl Verdict {
    fn of(decision: &Decision) -> Self {
        Self {
            state: says(decision.effect),
            reasons: decision.reasons.iter().take(SHOWN).map(ToString::to_string).collect(),
            approvals: decision.approvals.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
        .or_matched(decision)
    }

    /// A plain yes is recorded with its rule and without a list of reasons.
    fn or_matched(mut self, decision: &Decision) -> Self {
        if self.reasons.is_empty() {
            let matched = decision.matched.as_ref().map(|rule| format!("{rule} says so"));
            self.reasons.push(matched.unwrap_or_else(|| "no rule matches: the stage's default".to_owned()));
        }
        self
    }

    fn unknown() -> Self {
        let state = Standing::new("not recorded", "idle");
        Self { state, reasons: Vec::new(), approvals: String::new() }
    }
}

/// What a rule, a policy or a decision says.
fn says(effect: Effect) -> Standing {
    match effect {
        Effect::Allow => Standing::new("allowed", "ok"),
        Effect::RequireApproval => Standing::new("needs approval", "wait"),
        Effect::Deny => Standing::new("denied", "bad"),
    }
}

impl Answer {
    fn of(explanation: Explanation) -> Self {
        let more = explanation.policies.len().saturating_sub(SHOWN);
        Self {
            verdict: Verdict::of(&explanation.decision),
            action: explanation.action,
            stage: explanation.stage.as_str().to_owned(),
            policies: explanation.policies.into_iter().take(SHOWN).map(Policy::of).collect(),
            more,
        }
    }
}

impl Policy {
    fn of(policy: ExplainedPolicy) -> Self {
        let all = policy.rules.len();
        // Those that match are what was asked for; of the others some.
        let (matching, other): (Vec<_>, Vec<_>) =
            policy.rules.into_iter().partition(|rule| rule.mismatches.is_empty());
        let rules: Vec<_> = matching.into_iter().chain(other).take(SHOWN).map(Rule::of).collect();
        Self {
            id: policy.policy_id,
            version: policy.version,
            mode: policy.mode.as_str(),
            says: policy.effect.map_or(Standing::new("no rule matches", "idle"), says),
            more: all - rules.len(),
            rules,
        }
    }
}

impl Rule {
    fn of(rule: ExplainedRule) -> Self {
        let unmet: Vec<_> = rule.unmet.iter().map(|unmet| format!("denies because {unmet}")).collect();
        let state = match (rule.mismatches.is_empty(), rule.decided) {
            (true, true) => Standing::new("decides", says(rule.effect).tone),
            (true, false) => Standing::new("matches", "work"),
            (false, _) => Standing::new("does not match", "idle"),
        };
        let why = [rule.mismatches, unmet].concat().join("; ");
        Self { id: rule.rule_id, says: rule.effect.as_str(), state, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_asked_when_an_action_is_named_and_its_risk_is_a_word() {
        assert!(Asked::default().question().expect("nothing asked").is_none());
        let asked = |risk: &str| Asked { action: "http.call".into(), risk: risk.into(), ..Asked::default() };
        let question = asked("high").question().expect("fits").expect("asked");
        assert_eq!(
            (question.action.as_str(), question.risk, question.stage),
            ("http.call", Some(Risk::High), None)
        );
        assert!(asked("huge").question().is_err());
    }
}
