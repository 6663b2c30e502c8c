//! Tables of cases: what a set of policies should decide, and whether it does.
//!
//! Owns the shape of a table and its running. Refuses to find policies: those a table names by id are
//! handed in. Invariant: a table gives the same result whenever it is run; a case that names no instant
//! happens on Monday, 5 January 2026, at noon UTC.

use std::fmt;

use serde::{Deserialize, Serialize};
use xyn_store::Timestamp;
use xyn_store::scope::Principal;

use super::context::{Context, Evidence, Resource, SessionFacts};
use super::cursor::Cursor;
use super::decision::Decision;
use super::document;
use super::evaluate::PolicySet;
use super::identity::{Identity, Role};
use super::issue::Issue;
use super::policy::Policy;
use super::read::{self, owned};
use super::words::Effect;

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
        let node = document::read(source).map_err(|issue| vec![issue])?;
        let mut issues = Vec::new();
        let table = table(&Cursor::root(&node), known, &mut issues);
        read::conclude(table, issues)
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

fn table(cursor: &Cursor<'_>, known: &[Policy], issues: &mut Vec<Issue>) -> Option<Table> {
    let mut fields = cursor.fields(issues)?;
    let policies = match fields.get("policies") {
        None => known.to_vec(),
        Some(cursor) => {
            let items = cursor.list(issues, MAX_POLICIES);
            items.iter().filter_map(|item| policy(item, known, issues)).collect()
        }
    };
    let cases = fields.required("cases", issues).map(|c| c.list(issues, MAX_CASES)).unwrap_or_default();
    let cases = cases.iter().filter_map(|item| case(item, issues)).collect();
    fields.finish(issues);
    Some(Table { set: PolicySet::new(&policies), cases })
}

fn policy(cursor: &Cursor<'_>, known: &[Policy], issues: &mut Vec<Issue>) -> Option<Policy> {
    let Some(id) = cursor.as_text() else {
        return read::policy(cursor, issues);
    };
    let found = known.iter().filter(|policy| policy.policy_id == id).max_by_key(|policy| policy.version);
    if found.is_none() {
        let ids: Vec<_> = known.iter().map(|policy| policy.policy_id.as_str()).collect();
        let hint = if ids.is_empty() { String::new() } else { format!("known: {}", ids.join(", ")) };
        cursor.fault(issues, "unknown_policy", format!("there is no policy `{id}`"), &hint);
    }
    found.cloned()
}

fn case(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Option<Case> {
    let mut fields = cursor.fields(issues)?;
    let name = fields.required("name", issues).and_then(|c| owned(&c, issues));
    let given = fields.required("given", issues).and_then(|c| given(&c, issues));
    let expect = fields.required("expect", issues).and_then(|c| c.word(issues));
    let rule = fields.get("rule").and_then(|c| owned(&c, issues));
    fields.finish(issues);
    Some(Case { name: name?, given: given?, expect: expect?, rule })
}

fn given(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Option<Context> {
    let mut fields = cursor.fields(issues)?;
    let action = fields.required("action", issues).and_then(|c| owned(&c, issues));
    let stage = fields.get("stage").and_then(|c| owned(&c, issues)).unwrap_or_else(|| "dev".to_owned());
    let actor = fields.get("actor").and_then(|c| owned(&c, issues));
    let mut identity = actor.map_or_else(Identity::local_operator, |name| {
        if name == Principal::LOCAL_OPERATOR {
            return Identity::local_operator();
        }
        Identity::bare(Principal::new(name))
    });
    if let Some(roles) = fields.get("roles").map(|c| c.list(issues, MAX_ENTRIES)) {
        identity.roles = roles.iter().filter_map(|c| c.word::<Role>(issues)).collect();
    }
    if let Some(teams) = fields.get("teams").map(|c| c.list(issues, MAX_ENTRIES)) {
        identity.teams = teams.iter().filter_map(|c| owned(c, issues)).collect();
    }
    let pou_id = fields.get("pou_id").and_then(|c| owned(&c, issues));
    let env_id = fields.get("env_id").and_then(|c| owned(&c, issues)).unwrap_or_else(|| "local".to_owned());
    let resource = fields.get("resource").and_then(|c| resource(&c, issues));
    let risk = fields.get("risk").and_then(|c| c.word(issues)).unwrap_or_default();
    let tests_passed = fields.get("tests_passed").and_then(|c| c.flag(issues));
    let mfa = fields.get("mfa").and_then(|c| c.flag(issues));
    let now = fields.get("now").and_then(|c| c.parsed(issues, "invalid_instant", str::parse));
    fields.finish(issues);
    Some(Context {
        actor: identity,
        pou_id,
        env_id,
        action: action?,
        stage: stage.into(),
        resource,
        risk,
        artifacts: vec![Evidence { artifact_id: None, tests_passed }],
        session: Some(SessionFacts { id: None, mfa }),
        now: now.unwrap_or_else(|| Timestamp::from_micros(NOON_MICROS)),
    })
}

fn resource(cursor: &Cursor<'_>, issues: &mut Vec<Issue>) -> Option<Resource> {
    let mut fields = cursor.fields(issues)?;
    let kind = fields.required("type", issues).and_then(|c| owned(&c, issues));
    let id = fields.get("id").and_then(|c| owned(&c, issues)).unwrap_or_default();
    fields.finish(issues);
    Some(Resource { kind: kind?, id })
}
