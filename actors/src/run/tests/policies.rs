//! Policies about the actions of a run: allow, deny, ask for approval.

use std::time::Duration;

use serde_json::json;
use xyn_store::projection::WaitKind;
use xyn_store::scope::Stage;

use super::phrases::{fault, unsure};
use super::story::{REQUESTER, Story, given};
use crate::blueprint::FailureKind;
use crate::run::Event;

const ASK: &str = "{ rule_id: ask, match: { action: out.once }, effect: require_approval, requirements: \
                   { approvals: { min: 1, allow_requester: false, expires_in: 2h } } }, \
                   { rule_id: rest, effect: allow }";
const DENY: &str =
    "{ rule_id: no, match: { action: out.once }, effect: deny }, { rule_id: rest, effect: allow }";

fn one() -> Story {
    given("plan:\n  - { kind: action_task, id: a, action: out.once, retry: { max_attempts: 3 } }\n")
}

#[test]
fn what_a_policy_denies_fails_the_step_before_it_begins() {
    one().policy(DENY).starts().then([
        "created",
        "started",
        "a failed: denied_by_policy",
        "run failed: denied_by_policy",
    ]);
    one().stage(Stage::Prod).starts().then([
        "created",
        "started",
        "a failed: denied_by_policy",
        "run failed: denied_by_policy",
    ]);
}

#[test]
fn the_rule_that_let_an_attempt_through_is_recorded() {
    one().policy("{ rule_id: all, effect: allow }").starts().and(|story| {
        let rule = story.entries[0].events.iter().find_map(|event| match event {
            Event::StepStarted { rule, .. } => rule.clone(),
            _ => None,
        });
        assert!(rule.is_some_and(|rule| rule.contains("all")), "the rule is named");
    });
}

#[test]
fn what_a_policy_wants_approved_waits_and_goes_on_once_it_is() {
    one()
        .policy(ASK)
        .starts()
        .then(["created", "started", "a asks for approval"])
        .and(|story| {
            let waiting = story.state.run_row(1).and_then(|row| row.waiting_on).expect("it waits");
            assert_eq!(waiting.kind, WaitKind::Approval);
            assert!(story.work.is_empty(), "nothing happens before the approval");
        })
        .answers(REQUESTER, "a", true)
        .then_rejected("`ann@test` asked for this and may not approve it")
        .answers("bob@test", "a", true)
        .then(["a approved", "a started"])
        .fails("a", fault(FailureKind::Server))
        .then(["a retried"])
        .waits(Duration::from_secs(60))
        .then(["a started (2)"])
        .succeeds("a", json!(1))
        .then(["a completed", "completed {}"]);
}

#[test]
fn an_approval_that_is_refused_or_never_comes_fails_the_step() {
    one().policy(ASK).starts().answers("bob@test", "a", false).then([
        "a rejected",
        "a failed: rejected",
        "run failed: rejected",
    ]);
    one().policy(ASK).starts().waits(Duration::from_secs(7_200)).then([
        "a expired",
        "a failed: gate_expired",
        "run failed: gate_expired",
    ]);
}

#[test]
fn a_policy_that_changed_meanwhile_holds_for_the_next_attempt() {
    let failed = || one().starts().fails("a", fault(FailureKind::Server));
    failed()
        .policy(DENY)
        .waits(Duration::from_secs(60))
        .then(["a failed: denied_by_policy", "run failed: denied_by_policy"]);
    failed()
        .policy(ASK)
        .waits(Duration::from_secs(60))
        .then(["a asks for approval"])
        .answers("bob@test", "a", true)
        .then(["a approved", "a started (2)"]);
}

#[test]
fn a_word_on_an_uncertain_effect_is_no_approval_that_a_policy_asks_for() {
    one()
        .starts()
        .fails("a", unsure())
        .then(["a uncertain", "a asks about its effect"])
        .policy(ASK)
        .answers("bob@test", "a", true)
        .then(["a approved", "a asks for approval"])
        .answers("bob@test", "a", true)
        .then(["a approved", "a started (2)"]);
}

#[test]
fn a_step_names_the_stage_of_its_target_and_the_policies_hear_it() {
    let plan = "plan:\n  - { kind: action_task, id: a, action: out.once, stage: prod }\n";
    given(plan).starts().then([
        "created",
        "started",
        "a failed: denied_by_policy",
        "run failed: denied_by_policy",
    ]);
}

#[test]
fn items_ask_for_approval_one_by_one() {
    let plan = r#"
plan:
  - { kind: action_task, id: a, foreach: "{{ inputs.list }}", max_parallel: 2, action: out.once }
"#;
    given(plan)
        .inputs(json!({ "list": [1, 2, 3] }))
        .policy(ASK)
        .starts()
        .then(["created", "started", "a fanned out", "a.0 asks for approval", "a.1 asks for approval"])
        .answers("bob@test", "a.1", true)
        .then(["a.1 approved", "a.1 started"])
        .succeeds("a.1", json!(1))
        .then(["a.1 completed", "a.2 asks for approval"])
        .answers("bob@test", "a.2", false)
        .then([
            "a.2 rejected",
            "a.2 failed: rejected",
            "a.0 expired",
            "a.0 failed: aborted",
            "a failed: rejected",
            "run failed: rejected",
        ]);
}
