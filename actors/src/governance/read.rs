//! Reads and checks a policy: all faults at once, each with its place.
//!
//! Owns the rules of what a sensible policy is. Refuses policies of a kind that has no evaluator.
//! Invariant: a policy without an issue compiles without a fault.

use std::collections::BTreeSet;

use super::cursor::{Cursor, Fields};
use super::document;
use super::identity::Approver;
use super::issue::Issue;
use super::pattern::{Pattern, Subject};
use super::policy::{ApprovalRule, Match, Policy, Requirements, Rule, TimeWindow};
use super::window::{self, Window};
use super::words::{Effect, PolicyType};

/// Most rules of a policy.
const MAX_RULES: usize = 1000;
/// Most entries of any other list.
const MAX_ENTRIES: usize = 100;
/// Most issues that are reported; the rest would drown them.
const MAX_ISSUES: usize = 1000;
/// Longest id, in bytes.
const MAX_ID_BYTES: usize = 128;

/// Reads a policy from YAML or JSON text.
pub fn parse(source: &[u8]) -> Result<Policy, Vec<Issue>> {
    let node = document::read(source).map_err(|issue| vec![issue])?;
    let mut issues = Vec::new();
    let policy = policy(&Cursor::root(&node), &mut issues);
    conclude(policy, issues)
}

/// What was read when there is no issue, otherwise the issues in the order of the text.
pub(super) fn conclude<T>(read: Option<T>, mut issues: Vec<Issue>) -> Result<T, Vec<Issue>> {
    match read {
        Some(read) if issues.is_empty() => Ok(read),
        _ => {
            issues.sort_by_key(|issue| (issue.line, issue.column));
            issues.truncate(MAX_ISSUES);
            Err(issues)
        }
    }
}

/// Reads the policy at `cursor`. None, or a result with new issues, means that it is faulty.
pub(super) fn policy(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Option<Policy> {
    let mut fields = cursor.fields(issues)?;
    let _ = fields.get("$schema");
    let policy_id = fields.required("policy_id", issues).and_then(|c| id(&c, issues));
    let policy_type = fields.required("policy_type", issues).and_then(|c| policy_type(&c, issues));
    let name = fields.required("name", issues).and_then(|c| owned(&c, issues));
    let owner_pou_id = fields.get("owner_pou_id").and_then(|c| owned(&c, issues));
    let status = fields.get("status").and_then(|c| c.word(issues)).unwrap_or_default();
    let version = fields.get("version").and_then(|c| c.whole(issues, 1..=i64::from(u32::MAX)));
    let evaluation_mode = fields.required("evaluation_mode", issues).and_then(|c| c.word(issues));
    let rules = fields.required("rules", issues).map(|c| rules(&c, issues));
    let created_at = instant(&mut fields, "created_at", issues);
    let updated_at = instant(&mut fields, "updated_at", issues);
    let description = fields.get("description").and_then(|c| owned(&c, issues));
    let metadata = fields.get("metadata").and_then(|c| c.object(issues));
    fields.finish(issues);
    Some(Policy {
        policy_id: policy_id?,
        policy_type: policy_type?,
        name: name?,
        owner_pou_id,
        status,
        version: version.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        evaluation_mode: evaluation_mode?,
        rules: rules?,
        created_at,
        updated_at,
        description,
        metadata,
    })
}

fn policy_type(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Option<PolicyType> {
    if cursor.as_text() == Some("treasury") {
        let message = "policies of type `treasury` are not supported by this version";
        cursor.fault(issues, "unsupported_policy_type", message, "only `governance` is");
        return None;
    }
    cursor.word(issues)
}

fn rules(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Vec<Rule> {
    let before = issues.len();
    let items = cursor.list(issues, MAX_RULES);
    if items.is_empty() && before == issues.len() {
        cursor.fault(issues, "empty", "a policy needs a rule", "without rules the stage's default applies");
    }
    let mut seen = BTreeSet::new();
    items.iter().filter_map(|item| rule(item, &mut seen, issues)).collect()
}

fn rule<'n>(cursor: &Cursor<'n>, seen: &mut BTreeSet<&'n str>, issues: &mut Vec<Issue>) -> Option<Rule> {
    let mut fields = cursor.fields(issues)?;
    let id_cursor = fields.required("rule_id", issues);
    if let Some((cursor, text)) = id_cursor.as_ref().and_then(|c| Some((c, c.as_text()?)))
        && !seen.insert(text)
    {
        cursor.fault(issues, "duplicate_id", format!("`{text}` is already the id of a rule above"), "");
    }
    let rule_id = id_cursor.and_then(|c| id(&c, issues));
    let whole = i64::from(i32::MIN)..=i64::from(i32::MAX);
    let priority = fields.get("priority").and_then(|c| c.whole(issues, whole));
    let matches = fields.get("match").and_then(|c| matches(&c, issues)).unwrap_or_default();
    let requirements_cursor = fields.get("requirements");
    let requirements = requirements_cursor.as_ref().and_then(|c| requirements(c, issues));
    let egress_cursor = fields.get("egress");
    let egress = egress_cursor.as_ref().map(|c| words(c, issues)).unwrap_or_default();
    let effect = fields.required("effect", issues).and_then(|c| c.word(issues));
    fields.finish(issues);
    if effect == Some(Effect::Deny) {
        let reach = egress_cursor.filter(|_| !egress.is_empty());
        for cursor in [requirements_cursor, reach].into_iter().flatten() {
            cursor.fault(issues, "contradiction", "a rule that denies lets nothing through", "leave it out");
        }
    }
    Some(Rule {
        rule_id: rule_id?,
        priority: priority.and_then(|n| i32::try_from(n).ok()).unwrap_or_default(),
        matches,
        requirements,
        egress,
        effect: effect?,
    })
}

fn matches(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Option<Match> {
    let mut fields = cursor.fields(issues)?;
    let action =
        fields.get("action").filter(|c| c.parsed(issues, "invalid_glob", Pattern::compile).is_some());
    let stage = fields.get("stage").and_then(|c| c.word(issues)).unwrap_or_default();
    let resource_type = fields.get("resource_type").and_then(|c| owned(&c, issues));
    let risk = fields.get("risk").and_then(|c| c.word(issues)).unwrap_or_default();
    let env_id = fields.get("env_id").and_then(|c| owned(&c, issues));
    let actor = fields.get("actor").filter(|c| c.parsed(issues, "invalid_actor", Subject::compile).is_some());
    fields.finish(issues);
    let text = |cursor: Option<Cursor<'_>>| cursor.and_then(|c| c.as_text().map(str::to_owned));
    Some(Match { action: text(action), stage, resource_type, risk, env_id, actor: text(actor) })
}

fn requirements(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Option<Requirements> {
    let mut fields = cursor.fields(issues)?;
    let approvals = fields.get("approvals").and_then(|c| approvals(&c, issues));
    let tests_required = fields.get("tests_required").and_then(|c| c.flag(issues)).unwrap_or_default();
    let time_window = fields.get("time_window").and_then(|c| time_window(&c, issues));
    let mfa = fields.get("mfa").and_then(|c| c.flag(issues)).unwrap_or_default();
    fields.finish(issues);
    Some(Requirements { approvals, tests_required, time_window, mfa })
}

fn approvals(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Option<ApprovalRule> {
    let mut fields = cursor.fields(issues)?;
    let min = fields.get("min").and_then(|c| c.whole(issues, 1..=MAX_ENTRIES as i64));
    let from_any_of = fields.get("from_any_of").map(|c| c.list(issues, MAX_ENTRIES)).unwrap_or_default();
    let approver = |c: &Cursor<'_>| c.parsed(issues, "invalid_approver", str::parse::<Approver>);
    let from_any_of = from_any_of.iter().filter_map(approver).collect();
    let allow_requester = fields.get("allow_requester").and_then(|c| c.flag(issues));
    let expires_in = fields.get("expires_in");
    let expires_in = expires_in.filter(|c| c.parsed(issues, "invalid_duration", window::duration).is_some());
    fields.finish(issues);
    Some(ApprovalRule {
        min: min.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        from_any_of,
        allow_requester,
        expires_in: expires_in.and_then(|c| c.as_text().map(str::to_owned)),
    })
}

fn time_window(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Option<TimeWindow> {
    let mut fields = cursor.fields(issues)?;
    let days = fields.get("days").map(|c| words(&c, issues)).unwrap_or_default();
    let mut text = |key| fields.get(key).and_then(|c| owned(&c, issues));
    let window = TimeWindow { days, from: text("from"), to: text("to"), time_zone: text("time_zone") };
    fields.finish(issues);
    if let Err(error) = Window::compile(&window) {
        cursor.fault(issues, "invalid_time_window", error, "");
    }
    Some(window)
}

fn instant(
    fields: &mut Fields<'_>,
    key: &'static str,
    issues: &mut Vec<Issue>,
) -> Option<xyn_store::Timestamp> {
    fields.get(key).and_then(|c| c.parsed(issues, "invalid_instant", str::parse))
}

fn words<T: serde::de::DeserializeOwned>(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Vec<T> {
    cursor.list(issues, MAX_ENTRIES).iter().filter_map(|item| item.word(issues)).collect()
}

/// The value as owned text.
pub(super) fn owned(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Option<String> {
    cursor.text(issues).map(str::to_owned)
}

fn id(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Option<String> {
    let text = cursor.text(issues)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if text.len() <= MAX_ID_BYTES && text.bytes().all(fits) {
        return Some(text.to_owned());
    }
    let hint = "up to 128 letters, digits, `.`, `_` and `-`";
    cursor.fault(issues, "invalid_id", format!("`{text}` is not an id"), hint);
    None
}
