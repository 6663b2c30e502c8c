//! Gates: people, timers and events; who counts, what expires, what matches.

use std::time::Duration;

use serde_json::json;
use xyn_store::projection::WaitKind;
use xyn_store::scope::Stage;

use super::story::{REQUESTER, Story, given};
use crate::run::Command;

const HOUR: Duration = Duration::from_secs(3_600);

fn gate(rest: &str) -> Story {
    given(&format!(
        "plan:\n  - {{ kind: gate, id: g, {rest} }}\n  \
         - {{ kind: transform, id: b, set: {{ out: \"{{{{ steps.g.output }}}}\" }} }}\n\
         outputs: [{{ name: out, from: \"{{{{ steps.b.output.out }}}}\" }}]\n"
    ))
}

fn output(story: &Story) -> serde_json::Value {
    story.state.outputs.as_ref().expect("the run answered").to_value()["out"].clone()
}

fn waits_for(story: &Story) -> Option<WaitKind> {
    story.state.run_row(1).and_then(|row| row.waiting_on).map(|waiting| waiting.kind)
}

#[test]
fn two_people_open_a_gate_and_the_requester_counts_in_dev_only() {
    let two = || gate("mode: manual, min: 2");
    two()
        .starts()
        .then(["created", "started", "g asks people"])
        .and(|story| assert_eq!(waits_for(story), Some(WaitKind::Gate)))
        .answers(REQUESTER, "g", true)
        .then(["g answered"])
        .answers(REQUESTER, "g", true)
        .then_rejected("`ann@test` has already answered")
        .answers("bob@test", "g", true)
        .and(|story| {
            let approvals = output(story)["approvals"].clone();
            assert_eq!(approvals[0]["principal"], json!(REQUESTER));
            assert_eq!(approvals[1]["principal"], json!("bob@test"));
        });
    for stage in [Stage::Staging, Stage::Prod] {
        two()
            .stage(stage)
            .starts()
            .answers(REQUESTER, "g", true)
            .then_rejected("`ann@test` asked for this and may not approve it")
            .answers("bob@test", "g", true)
            .then(["g answered"])
            .answers("cy@test", "g", true)
            .and(|story| assert_eq!(output(story)["approved"], json!(true)));
    }
}

#[test]
fn only_those_named_open_a_gate_and_one_no_closes_it() {
    gate(r#"mode: manual, approvers: ["principal:bob@test"]"#)
        .starts()
        .answers("cy@test", "g", true)
        .then_rejected("`cy@test` is not among those who may approve this")
        .answers("bob@test", "g", false)
        .then(["g rejected", "g failed: rejected", "run failed: rejected"])
        .answers("bob@test", "g", true)
        .then_rejected("the run has ended already");
}

#[test]
fn a_word_for_a_step_without_an_open_gate_is_rejected() {
    gate("mode: timer, delay: 10m")
        .starts()
        .answers("bob@test", "g", true)
        .then_rejected("step 0 has no open gate")
        .answers("bob@test", "b", true)
        .then_rejected("step 1 has no open gate")
        .answers("bob@test", "b.7", true)
        .then_rejected("step 1.7 has no open gate");
}

#[test]
fn an_expired_gate_means_what_the_author_says() {
    let rest = |then: &str| format!("mode: manual, timeout: 1h, on_timeout: {then}");
    gate(&rest("reject")).starts().waits(HOUR).then([
        "g expired",
        "g failed: gate_expired",
        "run failed: gate_expired",
    ]);
    gate(&rest("approve")).starts().waits(HOUR).then([
        "g expired",
        "g completed",
        "b started",
        "b completed",
        r#"completed {"out":{"approved":true,"expired":true}}"#,
    ]);
    let skipping = r#"
plan:
  - { kind: gate, id: g, mode: manual, timeout: 1h, on_timeout: skip }
  - { kind: transform, id: b, set: { is_null: "{{ steps.g.output is none }}" } }
outputs: [{ name: is_null, from: "{{ steps.b.output.is_null }}" }]
"#;
    given(skipping).starts().waits(HOUR).then([
        "g expired",
        "g skipped",
        "b started",
        "b completed",
        r#"completed {"is_null":true}"#,
    ]);
}

#[test]
fn a_word_that_comes_too_late_does_not_count_even_before_the_timer_fires() {
    let mut story = gate("mode: manual, timeout: 1h").starts();
    story.now = story.now.after(HOUR);
    story
        .answers("bob@test", "g", true)
        .then_rejected("this expired at 2026-01-31T13:00:00.000000Z")
        .waits(Duration::ZERO)
        .then(["g expired", "g failed: gate_expired", "run failed: gate_expired"]);
}

#[test]
fn a_timer_gate_opens_when_its_time_has_come() {
    gate("mode: timer, delay: 10m")
        .starts()
        .then(["created", "started", "g waits for a time"])
        .and(|story| assert_eq!(waits_for(story), Some(WaitKind::Timer)))
        .waits(Duration::from_secs(599))
        .then_nothing()
        .waits(Duration::from_secs(1))
        .then([
            "g approved",
            "g completed",
            "b started",
            "b completed",
            r#"completed {"out":{"fired_at":"2026-01-31T12:10:00.000000Z"}}"#,
        ]);
}

#[test]
fn a_timer_gate_does_not_expire() {
    let story = gate("mode: timer, delay: 10m").starts();
    let (due, _) = *story.state.timers().first().expect("a timer");
    let purpose = xyn_store::projection::Purpose::Expiry(story.key("g"));
    story.when(Command::Fire { purpose, due }).then_nothing();
}

#[test]
fn an_event_gate_opens_for_an_event_that_matches() {
    let waiting =
        r#"mode: event, event_type: "test.*", match: "{{ event.data.n == inputs.flag }}", timeout: 1h"#;
    gate(waiting)
        .inputs(json!({ "flag": 7 }))
        .starts()
        .then(["created", "started", "g waits for test.*"])
        .and(|story| assert_eq!(waits_for(story), Some(WaitKind::Event)))
        .arrives("other.thing", json!({ "n": 7 }))
        .then_nothing()
        .arrives("test.thing", json!({ "n": 8 }))
        .then_nothing()
        .arrives("test.thing", json!("no object at all"))
        .then_nothing()
        .arrives("test.thing", json!({ "n": 7 }))
        .and(|story| assert_eq!(output(story)["event"]["data"], json!({ "n": 7 })));
    gate(waiting).starts().waits(HOUR).then([
        "g expired",
        "g failed: gate_expired",
        "run failed: gate_expired",
    ]);
}

#[test]
fn one_event_opens_all_gates_that_wait_for_it() {
    let plan = r#"
plan:
  - { kind: gate, id: a, needs: [], mode: event, event_type: test.thing }
  - { kind: gate, id: b, needs: [], mode: event, event_type: "test.**" }
  - { kind: gate, id: c, needs: [], mode: event, event_type: test.other }
"#;
    given(plan)
        .starts()
        .arrives("test.thing", json!({}))
        .then(["a approved", "a completed", "b approved", "b completed"])
        .arrives("test.other", json!({}))
        .then(["c approved", "c completed", "completed {}"]);
}

#[test]
fn gates_of_an_ending_run_are_closed() {
    // That no open gate, event wait or timer is left behind is checked behind every turn.
    let plan = r#"
plan:
  - { kind: action_task, id: a, needs: [], action: out.once }
  - { kind: gate, id: people, needs: [], mode: manual, timeout: 1h }
  - { kind: gate, id: news, needs: [], mode: event, event_type: test.thing }
  - { kind: gate, id: time, needs: [], mode: timer, delay: 1h }
  - { kind: action_task, id: again, needs: [], action: out.same }
"#;
    given(plan)
        .starts()
        .fails("again", super::phrases::unsure())
        .then(["again retried"])
        .fails("a", super::phrases::fault(crate::blueprint::FailureKind::Other))
        .then([
            "a failed: broken",
            "people expired",
            "people failed: aborted",
            "news expired",
            "news failed: aborted",
            "time expired",
            "time failed: aborted",
            "again failed: aborted",
            "run failed: broken",
        ]);
}
