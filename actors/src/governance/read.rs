//! Reads and checks a policy: all faults at once, each with its place.
//!
//! Owns the rules of what a sensible policy is. Refuses policies of a kind that has no evaluator.
//! Invariant: a policy without an issue compiles without a fault.

use std::collections::BTreeMap;

use xyn_store::Timestamp;

use super::identity::Approver;
use super::pattern::{Pattern, Subject};
use super::policy::{ApprovalRule, Match, Policy, Requirements, Rule, TimeWindow};
use super::window::{self, InvalidWindow, Window};
use super::words::{Effect, PolicyType};
use crate::document::{Code, Document, Fields, Issue, Node, Reader};

/// Most rules of a policy.
const MAX_RULES: usize = 1000;
/// Most entries of any other list.
const MAX_ENTRIES: usize = 100;
/// Most approvals that a rule may ask for.
const MAX_APPROVALS: u32 = 100;

/// Reads a policy from YAML or JSON text.
pub fn parse(source: &[u8]) -> Result<Policy, Vec<Issue>> {
    Document::parse(source, "policy")?.read(policy)
}

/// Reads the policy at `node`. Nothing, or a result with new issues, means that it is faulty.
pub(super) fn policy<'a>(doc: &mut Reader<'a>, node: &'a Node) -> Option<Policy> {
    let what = "a policy";
    let fields = doc.fields_tagged::<Policy>(node, what, "$schema")?;
    let policy_id =
        doc.id(fields, what, "policy_id", "give it a stable id, such as `policy_id: prod-changes`");
    let policy_type = policy_type(doc, fields, what);
    let name = required_words(doc, fields, what, "name", "give it a name for people");
    let hint = "say how its rules are combined, such as `evaluation_mode: deny_overrides`";
    doc.required(fields, what, "evaluation_mode", hint);
    let evaluation_mode = doc.word(fields, "evaluation_mode");
    let owner_pou_id = owned(doc, fields, "owner_pou_id");
    let status = doc.word(fields, "status").unwrap_or_default();
    let version = doc.whole(fields, "version", 1..=u32::MAX).unwrap_or(1);
    let rules = rules(doc, fields, what);
    let created_at = instant(doc, fields, "created_at");
    let updated_at = instant(doc, fields, "updated_at");
    let description = owned(doc, fields, "description");
    let metadata = fields.get("metadata").filter(|node| doc.mapping(node, "`metadata`").is_some());
    Some(Policy {
        policy_id: policy_id?.to_owned(),
        policy_type: policy_type?,
        name: name?,
        owner_pou_id,
        status,
        version,
        evaluation_mode: evaluation_mode?,
        rules: rules?,
        created_at,
        updated_at,
        description,
        metadata: metadata.and_then(|node| node.to_json().as_object().cloned()),
    })
}

fn policy_type<'a>(doc: &mut Reader<'a>, fields: Fields<'a>, what: &str) -> Option<PolicyType> {
    let node = doc.required(fields, what, "policy_type", "say `policy_type: governance`")?;
    if node.as_text() == Some("treasury") {
        let message = "policies of type `treasury` are not available in this version";
        doc.fault(node, Code::Unavailable, message, "write `governance`, the only type there is");
        return None;
    }
    doc.word(fields, "policy_type")
}

fn rules<'a>(doc: &mut Reader<'a>, fields: Fields<'a>, what: &str) -> Option<Vec<Rule>> {
    let hint = "list at least one rule below `rules:`";
    let node = doc.required(fields, what, "rules", hint)?;
    let items = doc.items_up_to(node, "`rules`", MAX_RULES)?;
    if items.is_empty() {
        let message = "a policy without rules decides nothing: the stage's default applies";
        doc.fault(node, Code::MissingKey, message, hint);
    }
    let mut seen = BTreeMap::new();
    Some(items.iter().filter_map(|item| rule(doc, item, &mut seen)).collect())
}

/// The rule at `node`; `seen` has the ids of the rules above it and their lines.
fn rule<'a>(doc: &mut Reader<'a>, node: &'a Node, seen: &mut BTreeMap<&'a str, u64>) -> Option<Rule> {
    let what = "a rule";
    let fields = doc.fields::<Rule>(node, what)?;
    let rule_id = doc.id(fields, what, "rule_id", "give it a stable id, such as `rule_id: tests-first`");
    if let Some((node, id)) = fields.get("rule_id").zip(rule_id) {
        match seen.get(id) {
            Some(line) => {
                let hint = format!("rename one; the first is on line {line}");
                doc.fault(node, Code::DuplicateId, format!("there are two rules called `{id}`"), hint);
            }
            None => {
                seen.insert(id, node.line);
            }
        }
    }
    let priority = doc.whole(fields, "priority", i32::MIN..=i32::MAX).unwrap_or_default();
    let matches = fields.get("match").and_then(|node| matches(doc, node)).unwrap_or_default();
    let requirements = fields.get("requirements").and_then(|node| requirements(doc, node));
    let asks = requirements.as_ref().is_some_and(|requirements| !requirements.evidence.is_empty());
    if let Some(node) = fields.get("requirements").filter(|_| asks && !is_about_deploying(&matches)) {
        let message = "`evidence` is of a capsule, and the rule is not about deploying one alone";
        doc.fault(node, Code::Contradiction, message, "write `match: { action: capsule.deploy }`");
    }
    let egress = doc.word_list(fields, "egress", "range of addresses", MAX_ENTRIES);
    doc.required(fields, what, "effect", "say `effect: allow`, `require_approval` or `deny`");
    let effect = doc.word(fields, "effect");
    if effect == Some(Effect::Deny) {
        let reach = fields.get("egress").filter(|_| !egress.is_empty());
        for node in fields.get("requirements").into_iter().chain(reach) {
            let message = "a rule that denies lets nothing through, whatever holds";
            doc.fault(node, Code::Contradiction, message, "leave it out, or allow");
        }
    }
    Some(Rule { rule_id: rule_id?.to_owned(), priority, matches, requirements, egress, effect: effect? })
}

/// Whether the rule is about the one action that looks for evidence.
pub(super) fn is_about_deploying(matches: &Match) -> bool {
    matches.action.as_deref() == Some("capsule.deploy")
}

fn matches<'a>(doc: &mut Reader<'a>, node: &'a Node) -> Option<Match> {
    let fields = doc.fields::<Match>(node, "`match`")?;
    let hint = "write such as `git.*` or `{git,ssh}.*`; `*` stands for any text";
    doc.parsed(fields, "action", hint, Pattern::compile);
    let hint = "write `role:NAME`, `team:ID`, `principal:ID`, or a glob over principals such as `webhook:*`";
    doc.parsed(fields, "actor", hint, Subject::compile);
    Some(Match {
        action: owned(doc, fields, "action"),
        stage: doc.word(fields, "stage").unwrap_or_default(),
        resource_type: owned(doc, fields, "resource_type"),
        risk: doc.word(fields, "risk").unwrap_or_default(),
        env_id: owned(doc, fields, "env_id"),
        actor: owned(doc, fields, "actor"),
    })
}

fn requirements<'a>(doc: &mut Reader<'a>, node: &'a Node) -> Option<Requirements> {
    let fields = doc.fields::<Requirements>(node, "`requirements`")?;
    Some(Requirements {
        approvals: fields.get("approvals").and_then(|node| approvals(doc, node)),
        tests_required: doc.boolean(fields, "tests_required").unwrap_or_default(),
        time_window: fields.get("time_window").and_then(|node| time_window(doc, node)),
        mfa: doc.boolean(fields, "mfa").unwrap_or_default(),
        evidence: doc.word_list(fields, "evidence", "kind of evidence", MAX_ENTRIES),
    })
}

fn approvals<'a>(doc: &mut Reader<'a>, node: &'a Node) -> Option<ApprovalRule> {
    let fields = doc.fields::<ApprovalRule>(node, "`approvals`")?;
    let hint = "write such as `24h` or `90m`";
    doc.parsed(fields, "expires_in", hint, window::duration);
    Some(ApprovalRule {
        min: doc.whole(fields, "min", 1..=MAX_APPROVALS).unwrap_or(1),
        from_any_of: approvers(doc, fields, "from_any_of"),
        allow_requester: doc.boolean(fields, "allow_requester"),
        expires_in: owned(doc, fields, "expires_in"),
    })
}

/// Those whom the list below `key` names, each once.
pub(crate) fn approvers<'a>(doc: &mut Reader<'a>, fields: Fields<'a>, key: &str) -> Vec<Approver> {
    let hint = "write `role:NAME`, `team:ID` or `principal:ID`";
    let items = fields.get(key).and_then(|node| doc.items_up_to(node, &format!("`{key}`"), MAX_ENTRIES));
    let approver = |item| doc.parsed_item(item, "an approver", hint, str::parse);
    let mut approvers: Vec<Approver> = Vec::new();
    for approver in items.unwrap_or_default().iter().filter_map(approver) {
        if !approvers.contains(&approver) {
            approvers.push(approver);
        }
    }
    approvers
}

fn time_window<'a>(doc: &mut Reader<'a>, node: &'a Node) -> Option<TimeWindow> {
    let fields = doc.fields::<TimeWindow>(node, "`time_window`")?;
    let window = TimeWindow {
        days: doc.word_list(fields, "days", "day", MAX_ENTRIES),
        from: owned(doc, fields, "from"),
        to: owned(doc, fields, "to"),
        time_zone: owned(doc, fields, "time_zone"),
    };
    if let Err(error) = Window::compile(&window) {
        let hint = match error {
            InvalidWindow::Time(_) => "write such as `from: '09:00'` and `to: '17:30'`",
            InvalidWindow::Empty(_) => "leave `from` and `to` out for the whole day",
            InvalidWindow::Zone(_) => "write an IANA name, or leave it out for UTC",
        };
        doc.fault(node, Code::InvalidValue, error.to_string(), hint);
    }
    Some(window)
}

/// The instant below `key`.
pub(super) fn instant<'a>(doc: &mut Reader<'a>, fields: Fields<'a>, key: &str) -> Option<Timestamp> {
    doc.parsed(fields, key, "write an instant such as `2026-01-05T12:00:00Z`", str::parse)
}

/// The text below `key`, if there is one; it must say something.
pub(super) fn owned<'a>(doc: &mut Reader<'a>, fields: Fields<'a>, key: &str) -> Option<String> {
    doc.words(fields, key).map(str::to_owned)
}

/// The text below `key`, which must be there and say something.
pub(super) fn required_words<'a>(
    doc: &mut Reader<'a>,
    fields: Fields<'a>,
    what: &str,
    key: &str,
    hint: &str,
) -> Option<String> {
    doc.required(fields, what, key, hint)?;
    owned(doc, fields, key)
}
