//! What compiles, and to what.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::blueprint::Scope;
use crate::blueprint::plan::{Backoff, FailureKind, Gate, Kind, OnTimeout, OnUncertain};

#[test]
fn the_shipped_blueprints_compile_and_fit_their_schema() {
    let schema = crate::blueprint::Schema::compile(&crate::blueprint::json_schema()).expect("our own schema");
    for source in [sample::HELLO, sample::APPROVAL, sample::TEMPLATE] {
        let plan = plan(source);
        assert!(plan.id.starts_with("bp."));
        assert_eq!(plan.digest, Digest::of(source.as_bytes()), "the author's bytes are what counts");
        let tree = Document::parse(source.as_bytes(), "blueprint").expect("parses").root;
        assert_eq!(schema.validate(&tree.to_json()), []);
        let mut odd = tree.to_json();
        odd["plan"][0]["colour"] = json!("red");
        assert_ne!(schema.validate(&odd), [], "editors see a key that nobody reads");
        serde_json::from_value::<source::Blueprint>(tree.to_json())
            .expect("the types read what the schema allows");
    }
}

#[test]
fn hello_says_hello() {
    let plan = plan(sample::HELLO);
    let mut scope = Scope::new(&json!({ "name": " ada " }), &plan.vars, &json!({}));
    let mut render = |index: usize| {
        let step: &crate::blueprint::plan::Step = &plan.steps[index];
        let output = match &step.kind {
            Kind::Transform { set } => {
                set.iter().map(|(key, value)| (key.clone(), value.render(&scope).expect("renders"))).collect()
            }
            Kind::Action(call) => call.with.render(&scope).expect("renders"),
            Kind::Gate(_) => json!(null),
        };
        scope.set_step(&step.id, &output);
        output
    };
    assert_eq!(render(0), json!({ "name": "Ada" }));
    assert_eq!(render(1), json!({ "text": "Hello, Ada!" }));
    assert_eq!(
        render(2),
        json!({ "name": "hello.txt", "content": "Hello, Ada!\n", "content_type": "text/plain" })
    );
}

#[test]
fn everything_an_author_may_say_reaches_the_plan() {
    let plan = plan(
        r#"
$schema: https://example.invalid/schemas/blueprint.v1.json
id: bp.full
name: All of it
description: Every key once
trigger: { event_type: "xyn.**.failed", when: "{{ event.data.severity == vars.severity }}" }
inputs:
  - { name: host, from: "{{ event.data.host }}", schema: { type: string }, required: true }
  - { name: hosts, default: [a, b], schema: { type: array } }
vars: { severity: critical }
limits: { max_steps: 20, wall_clock: 1h, concurrency: 3 }
saga: true
plan:
  - kind: action_task
    id: call-it
    action: http.call
    with: { url: "https://{{ inputs.host }}/" }
    stage: test
    timeout: 1m30s
    retry:
      { max_attempts: 5, backoff: linear, initial: 500ms, max: 1m, jitter: false, on: [connect, timeout] }
    on_uncertain: fail
    idempotent: true
    compensate: { action: http.call, with: { url: "{{ steps['call-it'].output.undo }}" } }
  - { kind: gate, id: ask, mode: manual, approvers: ["role:Operator", "team:x"], min: 2, allow_requester: false,
      prompt: "{{ steps['call-it'].output }}?", timeout: 1d, on_timeout: skip }
  - { kind: gate, id: settle, mode: timer, delay: 90, when: "{{ steps.ask.output is not none }}" }
  - { kind: gate, id: back, mode: event, event_type: demo.back,
      match: "{{ event.data.host == inputs.host }}", timeout: 10m }
  - kind: action_task
    id: each
    needs: []
    foreach: "{{ inputs.hosts }}"
    max_parallel: 4
    action: artifacts.put
    irreversible: true
    with: { name: "{{ item }}", content: "{{ index }}" }
outputs:
  - { name: each, from: "{{ steps.each.output }}" }
  - { name: approved, from: "{{ steps.ask.output | default(false) }}" }
  - { name: total }
"#,
    );
    assert_eq!((plan.steps.len(), plan.inputs.len(), plan.outputs.len()), (5, 2, 3));
    assert_eq!(plan.limits.wall_clock, Duration::from_secs(3600));
    assert_eq!((plan.limits.max_steps, plan.limits.concurrency, plan.saga), (20, Some(3), true));
    assert!(plan.trigger.event_type.matches("xyn.run.failed"));
    let call = &plan.steps[0];
    assert_eq!(call.retry.backoff, Backoff::Linear);
    assert_eq!(call.retry.on, [FailureKind::Connect, FailureKind::Timeout]);
    assert_eq!((call.timeout, call.on_uncertain), (Some(Duration::from_secs(90)), OnUncertain::Fail));
    assert!(matches!(&call.kind, Kind::Action(call) if call.stage == Some(xyn_store::scope::Stage::Staging)));
    assert!(call.compensate.is_some());
    let Kind::Gate(Gate::Manual { approvers, min, allow_requester, timeout, .. }) = &plan.steps[1].kind
    else {
        panic!("{:?}", plan.steps[1])
    };
    assert_eq!((approvers.len(), *min, *allow_requester), (2, 2, Some(false)));
    assert_eq!(timeout.expect("a timeout").then, OnTimeout::Skip);
    let needs: Vec<_> = plan.steps.iter().map(|step| step.needs.clone()).collect();
    assert_eq!(needs, [vec![], vec![0], vec![1], vec![2], vec![]], "the step above, unless the author says");
}

#[test]
fn json_is_read_as_well() {
    let plan = plan(
        r#"{ "id": "bp.json", "trigger": { "event_type": "demo.json" },
	"plan": [ { "kind": "transform", "id": "a", "set": { "text": "tab\t\u00e9 \/ {{ event.data.x }}" } } ] }"#,
    );
    assert_eq!(
        (plan.id.as_str(), plan.name.as_str()),
        ("bp.json", "bp.json"),
        "the id stands in for the name"
    );
}

#[test]
fn json_escapes_beyond_the_basic_plane_are_read() {
    let plan = plan(
        r#"{"id":"bp.json","name":"\ud83d\ude00","trigger":{"event_type":"demo.json"},
            "plan":[{"kind":"transform","id":"a","set":{"x":1e3}}]}"#,
    );
    assert_eq!(plan.name, "😀");
}

#[test]
fn an_explicit_null_says_what_leaving_the_key_out_says() {
    let plan = plan(&around(
        "- { kind: transform, id: a, when: null, foreach: null, needs: ~, set: { x: 1 } }\n\
         - { kind: transform, id: b, needs: null, when: , set: { x: \"{{ steps.a.output.x }}\" } }",
    ));
    assert!(plan.steps[0].when.is_none() && plan.steps[0].foreach.is_none());
    assert_eq!(plan.steps[1].needs, [0]);
}

#[test]
fn an_output_without_from_is_the_field_of_that_name_of_the_last_step() {
    let steps = "- { kind: transform, id: a, set: { x: 1 } }\n- { kind: transform, id: b, set: { x: 2 } }";
    let plan = plan(&format!("{}outputs: [{{ name: x }}]", around(steps)));
    let mut scope = Scope::new(&json!({}), &plan.vars, &json!({}));
    scope.set_step("a", &json!({ "x": 1 }));
    scope.set_step("b", &json!({ "x": 2 }));
    assert_eq!(plan.outputs[0].from.render(&scope).expect("renders"), json!(2));
}

#[test]
fn a_step_may_need_a_later_one() {
    let plan = plan(&around(
        "- { kind: transform, id: last, needs: [first], set: { x: \"{{ steps.first.output.x }}\" } }\n\
         - { kind: transform, id: first, needs: [], set: { x: 1 } }",
    ));
    let ids: Vec<_> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["first", "last"]);
    assert_eq!(plan.steps[1].needs, [0]);
}

#[test]
fn a_skippable_step_is_used_behind_a_guard() {
    for use_of_it in [
        "- { kind: transform, id: b, set: { x: \"{{ steps.a.output.x | default(1) }}\" } }",
        "- { kind: transform, id: b, \
             set: { x: \"{{ steps.a.output.x if steps.a.output is not none else 0 }}\" } }",
        "- { kind: transform, id: b, when: \"{{ steps.a.output is not none }}\", \
             set: { x: \"{{ steps.a.output.x }}\" } }",
        "- { kind: transform, id: b, set: { x: \"{{ steps.a.output is none }}\" } }",
    ] {
        plan(&around(&format!(
            "- {{ kind: transform, id: a, when: \"{{{{ inputs.host }}}}\", set: {{ x: 1 }} }}\n{use_of_it}"
        )));
    }
}

#[test]
fn a_template_may_stand_for_any_type_and_a_literal_must_fit() {
    plan(&around(
        "- { kind: action_task, id: a, action: artifacts.put, \
             with: { name: \"{{ inputs.host }}\", content: x, size: \"{{ inputs.host | length }}\" } }",
    ));
    plan(&around(
        "- { kind: action_task, id: a, action: artifacts.put, \
             with: { name: \"a/{{ inputs.host }}\", content: x } }",
    ));
}

#[test]
fn the_same_source_gives_the_same_plan() {
    let debug = |source| format!("{:?}", plan(source));
    assert_eq!(debug(sample::APPROVAL), debug(sample::APPROVAL));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_steps_of_any_plan_follow_what_they_need(
        edges in proptest::collection::vec((0usize..12, 0usize..12), 0..30),
        rank in Just((0..12).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let steps: Vec<String> = (0..12).map(|step| {
            let needs: Vec<String> = edges.iter()
                .filter(|(from, to)| *from == step && rank[*to] < rank[step])
                .map(|(_, to)| format!("s{to}"))
                .collect();
            format!("- {{ kind: transform, id: s{step}, needs: [{}], set: {{ x: 1 }} }}", needs.join(", "))
        }).collect();
        let plan = plan(&around(&steps.join("\n")));
        prop_assert_eq!(plan.steps.len(), 12);
        for (index, step) in plan.steps.iter().enumerate() {
            prop_assert!(step.needs.iter().all(|need| *need < index));
        }
    }
}
