//! Tables of cases and explanations.

use super::super::*;
use super::evaluation::{asks, policy};

const TABLE: &str = "
policies:
  - pol.prod.example
  - policy_id: extra
    policy_type: governance
    name: Extra
    evaluation_mode: first_match
    rules: [{ rule_id: no_ssh, match: { action: ssh.run, risk: high }, effect: deny }]
cases:
  - { name: reading is free, given: { action: git.log, stage: prod }, expect: allow, rule: read }
  - { name: risky ssh, given: { action: ssh.run, stage: prod, risk: high }, expect: deny, rule: no_ssh }
  - { name: ssh, given: { action: ssh.run, stage: prod, actor: bob@x, roles: [User] }, expect: require_approval }
  - name: deploying
    given: { action: deploy.capsule, stage: prod, tests_passed: true, mfa: true }
    expect: require_approval
  - name: deploying on a Sunday
    given: { action: deploy.capsule, stage: prod, tests_passed: true, mfa: true, now: '2026-01-04T12:00:00Z' }
    expect: deny
  - { name: wrong effect, given: { action: git.log, stage: prod }, expect: deny }
  - { name: wrong rule, given: { action: git.log, stage: prod }, expect: allow, rule: reach_out }
";

fn example() -> Policy {
    parse(PROD_EXAMPLE_POLICY.as_bytes()).expect("the example parses")
}

#[test]
fn a_table_says_which_cases_hold() {
    let table = Table::parse(TABLE.as_bytes(), &[example()]).expect("the table parses");
    let results = table.run();
    let report: Vec<_> = results.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(report.join("\n"), @r"
    ok    reading is free
    ok    risky ssh
    ok    ssh
    ok    deploying
    ok    deploying on a Sunday
    FAIL  wrong effect: expected deny, got allow: rule `read` of policy `pol.prod.example` version 1 says allow
    FAIL  wrong rule: expected allow by rule `reach_out`, got allow: rule `read` of policy `pol.prod.example` version 1 says allow
    ");
}

#[test]
fn faults_of_a_table_and_of_policies_in_it_carry_their_places() {
    let text = "policies: [nowhere, { policy_id: p }]\ncases:\n  - { name: n, given: { actoin: x }, expect: maybe }\n";
    let issues = Table::parse(text.as_bytes(), &[example()]).expect_err("the table is faulty");
    let report: Vec<_> = issues.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(report.join("\n"), @r"
    1:12: there is no policy `nowhere`; policies: `pol.prod.example`
    1:21: a policy needs `policy_type`; say `policy_type: governance`
    1:21: a policy needs `name`; give it a name for people
    1:21: a policy needs `evaluation_mode`; say how its rules are combined, such as `evaluation_mode: deny_overrides`
    1:21: a policy needs `rules`; list at least one rule below `rules:`
    3:23: `given` needs `action`; name an action, such as `action: git.commit`
    3:25: `given` has no key `actoin`; did you mean `action`? keys here: `action`, `stage`, `actor`, `roles`, `teams`, `pou_id`, `env_id`, `resource`, `risk`, `tests_passed`, `mfa`, `now`
    3:46: `maybe` is no `expect`; words here: `allow`, `require_approval`, `deny`
    ");
}

#[test]
fn an_explanation_lists_every_rule_with_its_reason_and_the_decision() {
    let extra = policy(
        "extra",
        "first_match",
        &["{rule_id: bots, match: {actor: 'run:*', risk: high}, effect: deny}"],
    );
    let set = PolicySet::new([&example(), &extra]);
    let explanation = explain(&set, &asks("deploy.capsule", "prod"));
    insta::assert_snapshot!(explanation.to_string(), @r"
    deploy.capsule at stage prod
    policy extra version 1 (first_match): no rule matches
        rule bots (deny): does not match: risk is `low`, not `high`, actor is `operator@local`, not `run:*`
    policy pol.prod.example version 1 (deny_overrides): deny
      > rule deploy (require_approval): matches, denies because it requires passed tests (`tests_required`), denies because it requires a second factor (`mfa`) and the session does not say
        rule no_local_processes (deny): does not match: action is `deploy.capsule`, not `process.run`
        rule read (allow): does not match: action is `deploy.capsule`, not `{git.log,git.diff,runs.read}`
        rule reach_out (allow): does not match: action is `deploy.capsule`, not `http.call`
        rule remote_commands (require_approval): does not match: action is `deploy.capsule`, not `ssh.run`
    => deny: rule `deploy` of policy `pol.prod.example` version 1 denies because it requires passed tests (`tests_required`); rule `deploy` of policy `pol.prod.example` version 1 denies because it requires a second factor (`mfa`) and the session does not say
    ");
    let json = serde_json::to_string(&explanation).expect("renders");
    assert_eq!(serde_json::from_str::<Explanation>(&json).expect("parses"), explanation);
}

#[test]
fn an_explanation_of_an_unknown_stage_says_so() {
    let explanation = explain(&PolicySet::new([&example()]), &asks("git.log", "moon"));
    insta::assert_snapshot!(explanation.to_string(), @r"
    git.log at stage moon
    => deny: stage `moon` is not known
    ");
}
