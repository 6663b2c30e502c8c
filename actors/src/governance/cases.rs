//! Tables of cases: what a set of policies should decide, and whether it does.
//!
//! Owns the shape of a table and its running. Refuses to find policies: those a table names by id are
//! handed in. Invariant: a table gives the same result whenever it is run; a case that names no instant
//! happens on Monday, 5 January 2026, at noon UTC.

use std::convert::Infallible;
use std::fmt;

use serde::{Deserialize, Serialize};
use xyn_store::Timestamp;
use xyn_store::scope::Principal;

use super::context::{Context, Evidence, Resource, SessionFacts};
use super::decision::Decision;
use super::evaluate::PolicySet;
use super::identity::{Identity, Role};
use super::policy::Policy;
use super::read::{self, instant, owned, required_words};
use super::words::Effect;
use crate::document::{Code, Document, Fields, Issue, Node, Reader, shorten, suggest};

/// Most cases of a table.
const MAX_CASES: usize = 10_000;
/// Most policies of a table.
const MAX_POLICIES: usize = 1000;
/// Most roles or teams of an actor.
const MAX_ENTRIES: usize = 100;
/// Monday, 5 January 2026, 12:00 UTC.
const NOON_MICROS: i64 = 1_767_614_400_000_000;

/// A table that was read and whose policies were found.
#[derive(Clone, Debug)]
pub struct Table {
    set: PolicySet,
    cases: Vec<Case>,
}

#[derive(Clone, Debug)]
struct Case {
    name: String,
    given: Context,
    expect: Effect,
    rule: Option<String>,
}

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case.
    pub name: String,
    /// Whether effect and rule are as expected.
    pub passed: bool,
    /// The effect that was expected.
    pub expected: Effect,
    /// The rule that was expected to decide, if the case names one.
    pub expected_rule: Option<String>,
    /// What was decided.
    pub decision: Decision,
}

impl Table {
    /// Reads a table. Policies stand in it whole or by the id of one of `known`; without any, all `known`
    /// count.
    pub fn parse(source: &[u8], known: &[Policy]) -> Result<Self, Vec<Issue>> {
        Document::parse(source, "table of cases")?.read(|doc, node| table(doc, node, known))
    }

    /// Evaluates every case, in the order of the table.
    pub fn run(&self) -> Vec<CaseResult> {
        self.cases.iter().map(|case| case.run(&self.set)).collect()
    }
}

impl Case {
    fn run(&self, set: &PolicySet) -> CaseResult {
        let decision = set.evaluate(&self.given);
        let decided = decision.matched.as_ref().map(|rule| &*rule.rule_id);
        let rule_fits = self.rule.is_none() || decided == self.rule.as_deref();
        CaseResult {
            name: self.name.clone(),
            passed: decision.effect == self.expect && rule_fits,
            expected: self.expect,
            expected_rule: self.rule.clone(),
            decision,
        }
    }
}

impl fmt::Display for CaseResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.passed {
            return write!(f, "ok    {}", self.name);
        }
        write!(f, "FAIL  {}: expected {}", self.name, self.expected.as_str())?;
        if let Some(rule) = &self.expected_rule {
            write!(f, " by rule `{rule}`")?;
        }
        write!(f, ", got {}", self.decision)
    }
}

fn table<'a>(doc: &mut Reader<'a>, node: &'a Node, known: &[Policy]) -> Option<Table> {
    let what = "a table";
    let fields = doc.fields_among(node, what, &["$schema", "policies", "cases"])?;
    let policies = match fields.get("policies") {
        None => known.to_vec(),
        Some(node) => {
            let items = doc.items_up_to(node, "`policies`", MAX_POLICIES).unwrap_or_default();
            items.iter().filter_map(|item| policy(doc, item, known)).collect()
        }
    };
    let cases = doc.required(fields, what, "cases", "list what should be decided below `cases:`");
    let cases = cases.and_then(|node| doc.items_up_to(node, "`cases`", MAX_CASES))?;
    let cases = cases.iter().filter_map(|item| case(doc, item)).collect();
    Some(Table { set: PolicySet::new(&policies), cases })
}

fn policy<'a>(doc: &mut Reader<'a>, node: &'a Node, known: &[Policy]) -> Option<Policy> {
    let Some(id) = node.as_text() else {
        return read::policy(doc, node);
    };
    let found = known.iter().filter(|policy| policy.policy_id == id).max_by_key(|policy| policy.version);
    if found.is_none() {
        let hint = suggest(id, known.iter().map(|policy| policy.policy_id.as_str()), "policies");
        doc.fault(node, Code::UnknownPolicy, format!("there is no policy `{}`", shorten(id)), hint);
    }
    found.cloned()
}

fn case<'a>(doc: &mut Reader<'a>, node: &'a Node) -> Option<Case> {
    let what = "a case";
    let fields = doc.fields_among(node, what, &["name", "given", "expect", "rule"])?;
    let name = required_words(doc, fields, what, "name", "say what it shows");
    let given = doc.required(fields, what, "given", "say what is asked for: `given: { action: git.commit }`");
    let given = given.and_then(|node| given_context(doc, node));
    doc.required(fields, what, "expect", "say `expect: allow`, `require_approval` or `deny`");
    let expect = doc.word(fields, "expect");
    let rule = owned(doc, fields, "rule");
    Some(Case { name: name?, given: given?, expect: expect?, rule })
}

/// What a case may say of an act.
const GIVEN: [&str; 12] = [
    "action",
    "stage",
    "actor",
    "roles",
    "teams",
    "pou_id",
    "env_id",
    "resource",
    "risk",
    "tests_passed",
    "mfa",
    "now",
];

fn given_context<'a>(doc: &mut Reader<'a>, node: &'a Node) -> Option<Context> {
    let what = "`given`";
    let fields = doc.fields_among(node, what, &GIVEN)?;
    let action = required_words(doc, fields, what, "action", "name an action, such as `action: git.commit`");
    let stage = owned(doc, fields, "stage").unwrap_or_else(|| "dev".to_owned());
    let env_id = owned(doc, fields, "env_id").unwrap_or_else(|| "local".to_owned());
    let tests_passed = doc.boolean(fields, "tests_passed");
    let mfa = doc.boolean(fields, "mfa");
    Some(Context {
        actor: actor(doc, fields),
        pou_id: owned(doc, fields, "pou_id"),
        env_id,
        resource: fields.get("resource").and_then(|node| resource(doc, node)),
        risk: doc.word(fields, "risk").unwrap_or_default(),
        artifacts: vec![Evidence { artifact_id: None, tests_passed }],
        session: Some(SessionFacts { id: None, mfa }),
        now: instant(doc, fields, "now").unwrap_or_else(|| Timestamp::from_micros(NOON_MICROS)),
        action: action?,
        stage: stage.into(),
    })
}

fn actor<'a>(doc: &mut Reader<'a>, fields: Fields<'a>) -> Identity {
    let mut identity = match owned(doc, fields, "actor") {
        Some(name) if name != Principal::LOCAL_OPERATOR => Identity::bare(Principal::new(name)),
        _ => Identity::local_operator(),
    };
    if fields.get("roles").is_some() {
        identity.roles = doc.word_list::<Role>(fields, "roles", "role", MAX_ENTRIES);
    }
    if let Some(node) = fields.get("teams") {
        let teams = doc.items_up_to(node, "`teams`", MAX_ENTRIES).unwrap_or_default();
        let team = |item| doc.parsed_item(item, "a team", "", |text| Ok::<_, Infallible>(text.to_owned()));
        identity.teams = teams.iter().filter_map(team).collect();
    }
    identity
}

fn resource<'a>(doc: &mut Reader<'a>, node: &'a Node) -> Option<Resource> {
    let what = "`resource`";
    let fields = doc.fields_among(node, what, &["type", "id"])?;
    let kind = required_words(doc, fields, what, "type", "say what it is, such as `type: capsule`");
    let id = owned(doc, fields, "id").unwrap_or_default();
    Some(Resource { kind: kind?, id })
}
