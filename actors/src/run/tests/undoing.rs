//! Sagas: what was done is undone in reverse order of its completion, each durable, each reported.

use std::time::Duration;

use serde_json::json;

use super::phrases::{fault, unsure};
use super::story::{Story, given};
use crate::blueprint::FailureKind;
use crate::run::Command;

const MINUTE: Duration = Duration::from_secs(60);

const SAGA: &str = r#"
plan:
  - kind: action_task
    id: a
    needs: []
    action: out.once
    compensate: { action: out.once, with: { id: "{{ steps.a.output.id }}" } }
  - { kind: action_task, id: b, needs: [], action: out.once, compensate: { action: out.same } }
  - { kind: action_task, id: plain, needs: [], action: out.once }
  - { kind: action_task, id: c, needs: [a, b, plain], action: out.once, compensate: { action: out.same } }
"#;

/// `b`, then `plain`, then `a` are done; `c` has failed and the undoing of `a` is under way.
fn failed() -> Story {
    given(SAGA)
        .starts()
        .succeeds("b", json!({ "id": "b1" }))
        .succeeds("plain", json!(1))
        .succeeds("a", json!({ "id": "a1" }))
        .then(["a completed", "c started"])
        .fails("c", fault(FailureKind::Other))
        .then(["c failed: broken", "a undoing"])
}

#[test]
fn what_was_done_is_undone_in_reverse_order_of_completion_each_in_its_own_append() {
    failed()
        .and(|story| {
            let undoing = story.work.last().expect("an attempt");
            assert_eq!((undoing.undoes, &undoing.input), (true, &json!({ "id": "a1" })));
            assert_ne!(story.keys("a", true), story.keys("a", false), "undoing is another call");
        })
        .undoes("a", Ok(()))
        .then(["a undone", "b undoing"])
        .undoes("b", Ok(()))
        .then(["b undone", "run failed: broken"]);
}

#[test]
fn an_undoing_that_fails_is_reported_and_the_others_go_on() {
    failed()
        .undoes("a", Err(fault(FailureKind::Server)))
        .then(["a not undone: broken", "b undoing"])
        .undoes("b", Ok(()))
        .then(["b undone", "run failed: broken"]);
}

#[test]
fn results_of_undoings_that_are_over_are_rejected() {
    let story = failed();
    let at = story.key("b");
    story
        .when(Command::FinishCompensation { at, attempt: 1, result: Ok(()) })
        .then_rejected("step 1 is not at attempt 1")
        .undoes("a", Ok(()))
        .undoes("a", Ok(()))
        .then_rejected("step 0 is not at attempt 1");
}

#[test]
fn an_uncertain_undoing_is_repeated_only_when_that_is_harmless() {
    // `out.once` undoes `a`: not to be repeated. `out.same` undoes `b`: repeated with the same key.
    failed()
        .when(Command::Recover)
        .then(["a not undone: node_stopped", "b undoing"])
        .when(Command::Recover)
        .then(["b undoing retried"])
        .and(|story| assert!(story.state.run_row(1).and_then(|row| row.waiting_on).is_some()))
        .when(Command::Recover)
        .then_nothing()
        .waits(MINUTE)
        .then(["b undoing (2)"])
        .undoes("b", Err(unsure()))
        .then(["b undoing retried"])
        .waits(MINUTE)
        .then(["b undoing (3)"])
        .undoes("b", Err(unsure()))
        .then(["b not undone: timeout", "run failed: broken"])
        .and(|story| {
            let keys = story.keys("b", true);
            assert_eq!(keys.len(), 3);
            assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        });
}

#[test]
fn an_undoing_is_repeated_as_the_step_says() {
    let plan = r#"
plan:
  - kind: action_task
    id: a
    action: out.once
    retry: { max_attempts: 2, on: [connect] }
    compensate: { action: out.once }
  - { kind: action_task, id: b, action: out.once }
"#;
    let failed = || given(plan).starts().succeeds("a", json!(1)).fails("b", fault(FailureKind::Other));
    failed()
        .undoes("a", Err(fault(FailureKind::Connect)))
        .then(["a undoing retried"])
        .waits(MINUTE)
        .then(["a undoing (2)"])
        .undoes("a", Err(fault(FailureKind::Connect)))
        .then(["a not undone: broken", "run failed: broken"]);
    failed()
        .undoes("a", Err(fault(FailureKind::Server)))
        .then(["a not undone: broken", "run failed: broken"]);
}

#[test]
fn an_inside_action_undoes_in_the_same_append() {
    let plan = r#"
plan:
  - kind: action_task
    id: a
    action: in.note
    with: { text: up }
    compensate: { action: in.note, with: { text: down } }
  - kind: action_task
    id: b
    action: in.note
    with: { text: up }
    compensate: { action: in.note, with: { fail: true } }
  - { kind: action_task, id: c, action: out.once }
"#;
    given(plan)
        .starts()
        .fails("c", fault(FailureKind::Other))
        .then([
            "c failed: broken",
            "b undoing",
            "b not undone: broken",
            "a undoing",
            "a undone",
            "run failed: broken",
        ])
        .and(|story| {
            let last = &story.emitted.last().expect("it took effect").effects.output;
            assert_eq!(last, &json!({ "text": "down" }));
        });
}

#[test]
fn undoing_is_under_the_policies_in_force_and_approvals_of_the_step_do_not_count_for_it() {
    let ask = "{ rule_id: ask, match: { action: out.once }, effect: require_approval }, \
               { rule_id: rest, effect: allow }";
    given(SAGA)
        .policy(ask)
        .starts()
        .answers("bob@test", "a", true)
        .then(["a approved", "a started"])
        .succeeds("a", json!({ "id": "a1" }))
        .answers("bob@test", "b", false)
        .then([
            "b rejected",
            "b failed: rejected",
            "plain expired",
            "plain failed: aborted",
            "a not undone: approval_required",
            "run failed: rejected",
        ]);
    failed().policy("{ rule_id: none, effect: deny }").undoes("a", Ok(())).then([
        "a undone",
        "b not undone: denied_by_policy",
        "run failed: broken",
    ]);
}

#[test]
fn items_are_undone_one_by_one_with_their_own_item_and_output_also_those_of_a_failed_fan_out() {
    let plan = r#"
plan:
  - kind: action_task
    id: f
    foreach: "{{ inputs.list }}"
    max_parallel: 3
    action: out.once
    compensate:
      action: out.same
      with: { item: "{{ item }}", index: "{{ index }}", id: "{{ steps.f.output.id }}" }
"#;
    given(plan)
        .inputs(json!({ "list": ["x", "y", "z"] }))
        .starts()
        .succeeds("f.2", json!({ "id": 22 }))
        .succeeds("f.0", json!({ "id": 20 }))
        .fails("f.1", fault(FailureKind::Other))
        .then(["f.1 failed: broken", "f failed: broken", "f.0 undoing"])
        .and(|story| {
            let input = &story.work.last().expect("an attempt").input;
            assert_eq!(input, &json!({ "item": "x", "index": 0, "id": 20 }));
        })
        .when(Command::Recover)
        .then(["f.0 undoing retried"])
        .waits(MINUTE)
        .then(["f.0 undoing (2)"])
        .undoes("f.0", Ok(()))
        .then(["f.0 undone", "f.2 undoing"])
        .undoes("f.2", Ok(()))
        .then(["f.2 undone", "run failed: broken"]);
}

#[test]
fn a_step_that_was_taken_over_from_another_run_is_not_undone() {
    let mut story = given(SAGA);
    story.created.reused = vec![(0, xyn_store::Json::from(&json!({ "id": "a0" })))];
    story
        .starts()
        .succeeds("b", json!(1))
        .succeeds("plain", json!(1))
        .fails("c", fault(FailureKind::Other))
        .then(["c failed: broken", "b undoing"])
        .undoes("b", Ok(()))
        .then(["b undone", "run failed: broken"]);
}
