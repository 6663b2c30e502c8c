//! Steps that follow on each other: order, conditions, templates, inside and outside actions.

use serde_json::json;
use xyn_store::Json;

use super::phrases::fault;
use super::phrases::person;
use super::story::given;
use crate::blueprint::FailureKind;
use crate::run::{Command, Phase};

const CHAIN: &str = r#"
plan:
  - { kind: transform, id: a, set: { n: 1 } }
  - { kind: transform, id: b, set: { n: "{{ steps.a.output.n + 1 }}" } }
  - { kind: transform, id: c, set: { n: "{{ steps.b.output.n + 1 }}" } }
outputs: [{ name: n, from: "{{ steps.c.output.n }}" }]
"#;

#[test]
fn a_chain_without_outside_effects_is_one_append() {
    given(CHAIN)
        .starts()
        .then([
            "created",
            "started",
            "a started",
            "a completed",
            "b started",
            "b completed",
            "c started",
            "c completed",
            r#"completed {"n":3}"#,
        ])
        .and(|story| assert_eq!(story.entries.len(), 1));
}

#[test]
fn steps_start_as_soon_as_what_they_need_has_ended() {
    let diamond = r#"
plan:
  - { kind: action_task, id: top, action: out.once }
  - { kind: action_task, id: left, needs: [top], action: out.once }
  - { kind: action_task, id: right, needs: [top], action: out.once }
  - { kind: action_task, id: bottom, needs: [left, right], action: out.once }
  - { kind: action_task, id: apart, needs: [], action: out.once }
"#;
    given(diamond)
        .starts()
        .then(["created", "started", "top started", "apart started"])
        .succeeds("top", json!(1))
        .then(["top completed", "left started", "right started"])
        .succeeds("right", json!(1))
        .then(["right completed"])
        .succeeds("left", json!(1))
        .then(["left completed", "bottom started"])
        .succeeds("bottom", json!(1))
        .then(["bottom completed"])
        .succeeds("apart", json!(1))
        .then(["apart completed", "completed {}"]);
}

#[test]
fn a_false_condition_skips_the_step_its_output_is_null_and_its_dependents_run() {
    let plan = r#"
plan:
  - { kind: transform, id: a, when: "{{ inputs.flag }}", set: { n: 1 } }
  - { kind: transform, id: b, set: { was_skipped: "{{ steps.a.output is none }}" } }
outputs: [{ name: was_skipped, from: "{{ steps.b.output.was_skipped }}" }]
"#;
    given(plan).starts().then([
        "created",
        "started",
        "a skipped",
        "b started",
        "b completed",
        r#"completed {"was_skipped":true}"#,
    ]);
    given(plan).inputs(json!({ "flag": true })).starts().then([
        "created",
        "started",
        "a started",
        "a completed",
        "b started",
        "b completed",
        r#"completed {"was_skipped":false}"#,
    ]);
}

#[test]
fn a_template_without_a_value_fails_the_step_and_nothing_starts_behind_it() {
    let table = [
        (r#"{ kind: transform, id: a, set: { n: "{{ inputs.list.name.first }}" } }"#, true),
        (r#"{ kind: transform, id: a, when: "{{ inputs.list.name.first }}", set: { n: 1 } }"#, false),
        (r#"{ kind: transform, id: a, foreach: "{{ inputs.flag }}", set: { n: 1 } }"#, false),
        (r#"{ kind: action_task, id: a, action: out.once, with: { n: "{{ inputs.list.x.y }}" } }"#, false),
        (r#"{ kind: gate, id: a, mode: manual, prompt: "{{ inputs.list.x.y }}" }"#, false),
    ];
    for (step, is_begun) in table {
        let plan = format!("plan:\n  - {step}\n  - {{ kind: transform, id: b, set: {{ n: 1 }} }}\n");
        let story = given(&plan).starts();
        if is_begun {
            story.then([
                "created",
                "started",
                "a started",
                "a failed: template_failed",
                "run failed: template_failed",
            ]);
        } else {
            story.then(["created", "started", "a failed: template_failed", "run failed: template_failed"]);
        }
    }
}

#[test]
fn an_inside_action_takes_effect_in_the_append_of_its_result() {
    let plan = r#"
plan:
  - { kind: action_task, id: a, action: in.note, with: { text: hello } }
  - { kind: action_task, id: b, action: in.note, with: { text: "{{ steps.a.output.text }} again" } }
outputs: [{ name: text, from: "{{ steps.b.output.text }}" }]
"#;
    given(plan)
        .starts()
        .then([
            "created",
            "started",
            "a started",
            "a completed",
            "b started",
            "b completed",
            r#"completed {"text":"hello again"}"#,
        ])
        .and(|story| {
            let names: Vec<_> = story.emitted.iter().map(|emitted| emitted.step.as_str()).collect();
            assert_eq!(names, ["a", "b"]);
            assert_ne!(story.emitted[0].effects.events[0].id, story.emitted[1].effects.events[0].id);
            assert!(story.work.is_empty(), "nothing is left to perform");
        });
}

#[test]
fn an_inside_action_that_fails_fails_the_run() {
    given("plan:\n  - { kind: action_task, id: a, action: in.note, with: { fail: true } }\n")
        .starts()
        .then(["created", "started", "a started", "a failed: broken", "run failed: broken"]);
}

#[test]
fn an_outside_action_is_work_once_and_its_secrets_are_not_recorded() {
    let plan = r#"
plan:
  - { kind: action_task, id: a, action: out.once, with: { text: hello, secret: hush } }
outputs: [{ name: said, from: "{{ steps.a.output.said }}" }]
"#;
    given(plan)
        .starts()
        .then(["created", "started", "a started"])
        .and(|story| {
            let [work] = story.work.as_slice() else { panic!("one attempt: {:?}", story.work) };
            assert_eq!((work.action.as_str(), work.attempt, work.undoes), ("out.once", 1, false));
            assert_eq!(work.input, json!({ "text": "hello", "secret": "hush" }));
            let recorded = format!("{:?} {:?}", story.entries[0].events, story.rows);
            assert!(!recorded.contains("hush"), "{recorded}");
        })
        .when(Command::Advance)
        .then_nothing()
        .succeeds("a", json!({ "said": "hi" }))
        .then(["a completed", r#"completed {"said":"hi"}"#])
        .and(|story| assert_eq!(story.work.len(), 1));
}

#[test]
fn a_result_of_an_attempt_that_is_over_is_rejected() {
    let plan = "plan:\n  - { kind: action_task, id: a, action: out.once }\n  \
                - { kind: action_task, id: b, action: out.once }\n";
    given(plan)
        .starts()
        .result_of("a", 2, Ok(json!(1)))
        .then_rejected("step 0 is not at attempt 2")
        .result_of("b", 0, Ok(json!(1)))
        .then_rejected("step 1 is not at attempt 0")
        .succeeds("a", json!(1))
        .then(["a completed", "b started"])
        .succeeds("a", json!(2))
        .then_rejected("step 0 is not at attempt 1")
        .and(|story| assert_eq!(story.state.steps[0].phase, Phase::Completed(Json::from(&json!(1)))));
}

#[test]
fn a_failed_step_lets_running_ones_end_and_starts_nothing() {
    let plan = r#"
plan:
  - { kind: action_task, id: a, needs: [], action: out.once }
  - { kind: action_task, id: b, needs: [], action: out.once }
  - { kind: action_task, id: c, needs: [b], action: out.once }
"#;
    given(plan)
        .starts()
        .then(["created", "started", "a started", "b started"])
        .fails("a", fault(FailureKind::Other))
        .then(["a failed: broken"])
        .succeeds("b", json!(1))
        .then(["b completed", "run failed: broken"]);
}

#[test]
fn outputs_that_cannot_be_told_fail_the_run_behind_what_must_be_undone() {
    let plan = r#"
plan:
  - { kind: action_task, id: a, action: out.same, compensate: { action: out.same } }
outputs: [{ name: n, from: "{{ steps.a.output.deep.down }}" }]
"#;
    given(plan)
        .starts()
        .succeeds("a", json!({}))
        .then(["a completed", "outputs: output_failed", "a undoing"])
        .undoes("a", Ok(()))
        .then(["a undone", "run failed: output_failed"]);
}

#[test]
fn results_taken_over_are_not_done_again() {
    let mut story = given(CHAIN);
    story.created.reused = vec![(0, Json::from(&json!({ "n": 10 }))), (1, Json::from(&json!({ "n": 20 })))];
    story
        .starts()
        .then(["created", "started", "c started", "c completed", r#"completed {"n":21}"#])
        .and(|story| assert_eq!(story.rows.keys().filter(|(table, _)| table == "Steps").count(), 3));
}

#[test]
fn inputs_that_do_not_fit_end_the_run_before_it_begins() {
    let mut story = given(CHAIN);
    story.created.fault = Some("input `n`: it is required".into());
    story.starts().then(["created", "run failed: invalid_inputs"]);
}

#[test]
fn commands_on_a_run_that_is_not_there_or_has_ended_mean_nothing() {
    let answer = || Command::Answer {
        at: xyn_store::projection::StepKey::step(0),
        by: person("bob@test"),
        approve: true,
        note: None,
        elsewhere: None,
    };
    given(CHAIN).when(Command::Advance).then_rejected("the run does not exist");
    given(CHAIN).cancels(true).then_rejected("the run does not exist");
    given(CHAIN)
        .starts()
        .starts()
        .then_rejected("the run exists already")
        .cancels(true)
        .then_rejected("the run has ended already")
        .when(answer())
        .then_rejected("the run has ended already")
        .when(Command::Advance)
        .then_nothing()
        .when(Command::Recover)
        .then_nothing()
        .works_for_too_long()
        .then_nothing()
        .result_of("a", 1, Ok(json!(1)))
        .then_nothing();
}
