//! Fan-outs: items side by side within a bound, their failures, gates and outputs, and very long lists.

use serde_json::{Value, json};

use super::phrases::{fault, unsure};
use super::story::{Story, given};
use crate::blueprint::FailureKind;
use crate::run::{Command, State};

fn fan(step: &str, list: Value) -> Story {
    let plan = format!(
        "plan:\n  - {{ id: f, foreach: \"{{{{ inputs.list }}}}\", {step} }}\n\
         outputs: [{{ name: all, from: \"{{{{ steps.f.output }}}}\" }}]\n"
    );
    given(&plan).inputs(json!({ "list": list }))
}

fn calls(list: Value) -> Story {
    fan("kind: action_task, action: out.once, max_parallel: 2, with: { n: \"{{ item }}\" }", list)
}

fn all(story: &Story) -> Value {
    story.state.outputs.as_ref().expect("the run answered").to_value()["all"].clone()
}

#[test]
fn an_empty_list_completes_at_once() {
    calls(json!([])).starts().then([
        "created",
        "started",
        "f fanned out",
        "f completed",
        r#"completed {"all":{"count":0,"items":[],"truncated":false}}"#,
    ]);
}

#[test]
fn items_run_side_by_side_within_the_bound_and_keep_their_order() {
    calls(json!(["x", "y", "z"]))
        .starts()
        .then(["created", "started", "f fanned out", "f.0 started", "f.1 started"])
        .succeeds("f.1", json!("Y"))
        .then(["f.1 completed", "f.2 started"])
        .succeeds("f.2", json!("Z"))
        .then(["f.2 completed"])
        .succeeds("f.0", json!("X"))
        .and(|story| {
            assert_eq!(all(story), json!({ "count": 3, "items": ["X", "Y", "Z"], "truncated": false }));
            let given = story.state.steps[0].input.as_ref().map(|input| input.to_value());
            assert_eq!(given, Some(json!({ "items": 3 })), "readers see how many there are");
            let inputs: Vec<_> = story.work.iter().map(|work| work.input["n"].clone()).collect();
            assert_eq!(inputs, ["x", "y", "z"]);
            let mut keys: Vec<_> = story.work.iter().map(|w| w.context.idempotency_key.clone()).collect();
            keys.dedup();
            assert_eq!(keys.len(), 3, "each item is a call of its own");
        });
}

#[test]
fn a_failed_item_lets_running_ones_end_and_fails_the_step() {
    calls(json!([1, 2, 3, 4]))
        .starts()
        .fails("f.0", fault(FailureKind::Other))
        .then(["f.0 failed: broken"])
        .succeeds("f.1", json!(1))
        .then(["f.1 completed", "f failed: broken", "run failed: broken"])
        .and(|story| {
            let error = story.state.run_row(1).and_then(|row| row.error).expect("it failed");
            assert_eq!(error.message, "1 of 4 items failed; the first: it did not work");
        });
}

#[test]
fn nobody_is_kept_waiting_for_the_rest_of_a_failed_fan_out() {
    fan("kind: action_task, action: out.same, max_parallel: 3, retry: { max_attempts: 9 }", json!([1, 2, 3]))
        .starts()
        .fails("f.0", fault(FailureKind::Server))
        .then(["f.0 retried"])
        .fails("f.1", fault(FailureKind::Client))
        .then(["f.1 failed: broken", "f.0 failed: aborted"])
        .succeeds("f.2", json!(1))
        .then(["f.2 completed", "f failed: broken", "run failed: broken"]);
}

#[test]
fn an_item_is_repeated_and_asked_about_by_itself() {
    calls(json!([1, 2, 3]))
        .starts()
        .fails("f.0", unsure())
        .then(["f.0 uncertain", "f.0 asks about its effect"])
        .succeeds("f.1", json!(1))
        .then(["f.1 completed", "f.2 started"])
        .answers("bob@test", "f.0", true)
        .then(["f.0 approved", "f.0 started (2)"])
        .and(|story| {
            let keys = story.keys("f.0", false);
            assert_ne!(keys[0], keys[1]);
        });
}

#[test]
fn a_crash_leaves_each_item_under_way_uncertain() {
    calls(json!([1, 2, 3])).starts().when(Command::Recover).then([
        "f.0 uncertain",
        "f.0 asks about its effect",
        "f.1 uncertain",
        "f.1 asks about its effect",
    ]);
}

#[test]
fn a_fan_out_itself_has_no_result_to_give() {
    calls(json!([1])).starts().result_of("f", 0, Ok(json!(1))).then_rejected("step 0 is not at attempt 0");
}

#[test]
fn another_steps_failure_lets_items_end_and_starts_no_more() {
    let plan = r#"
plan:
  - { kind: action_task, id: a, needs: [], action: out.once }
  - { kind: action_task, id: f, needs: [], foreach: "{{ inputs.list }}", max_parallel: 2, action: out.once }
"#;
    let started = |list| given(plan).inputs(json!({ "list": list })).starts();
    started(json!([1, 2, 3]))
        .fails("a", fault(FailureKind::Other))
        .then(["a failed: broken"])
        .succeeds("f.0", json!(1))
        .then(["f.0 completed"])
        .succeeds("f.1", json!(1))
        .then(["f.1 completed", "f failed: aborted", "run failed: broken"]);
    started(json!([1, 2]))
        .fails("a", fault(FailureKind::Other))
        .succeeds("f.0", json!(1))
        .succeeds("f.1", json!(1))
        .then(["f.1 completed", "f completed", "run failed: broken"]);
}

/// Items that the state keeps.
fn kept(state: &State) -> usize {
    state.steps[0].fan.as_ref().map_or(0, |fan| fan.active.len())
}

#[test]
fn a_hundred_thousand_items_pass_in_bounded_turns_and_state() {
    const ITEMS: usize = 100_000;
    let list: Vec<Value> = (0..ITEMS).map(|n| json!(n)).collect();
    let mut story = fan("kind: transform, set: { n: \"{{ item }}\" }", json!(list)).unchecked().starts();
    let mut turns = 1;
    while story.goes_on {
        assert!(kept(&story.state) <= 1, "items are forgotten when they have ended");
        assert!(story.longest() <= 4_096, "a turn is bounded: {}", story.longest());
        story = story.when(Command::Advance);
        turns += 1;
    }
    assert!(turns > 10, "a long list takes many turns: {turns}");
    let answer = all(&story);
    assert_eq!((&answer["count"], &answer["truncated"]), (&json!(ITEMS), &json!(true)));
    assert_eq!(answer["items"].as_array().map(Vec::len), Some(1_000));
    assert!(story.state.steps[0].fan.is_none(), "the list is forgotten too");
}

#[test]
fn too_long_a_list_is_refused() {
    let list: Vec<Value> = vec![json!(0); 100_001];
    fan("kind: transform, set: { n: 1 }", json!(list)).unchecked().starts().then([
        "created",
        "started",
        "f failed: too_many_items",
        "run failed: too_many_items",
    ]);
}
