//! Events that cannot follow are refused with a reason, and nothing is changed.

use serde_json::json;
use xyn_store::Json;
use xyn_store::projection::{ApprovalRow, Fault, GateMode, StepKey};
use xyn_store::scope::Principal;

use super::story::{Story, by, given};
use crate::run::{Event, GateRequest};

const PLAN: &str = r#"
plan:
  - { kind: action_task, id: a, needs: [], action: out.once, compensate: { action: out.same } }
  - { kind: action_task, id: f, needs: [], foreach: "{{ inputs.list }}", max_parallel: 2, action: out.once }
  - { kind: gate, id: g, needs: [], mode: manual }
  - { kind: transform, id: z, needs: [a, f, g], set: { n: 1 } }
"#;

fn at(step: u16) -> StepKey {
    StepKey::step(step)
}

fn why() -> Fault {
    Fault { code: "broken".into(), message: "it did not work".into() }
}

fn started(at: StepKey, attempt: u32) -> Event {
    Event::StepStarted { at, attempt, input: None, rule: None }
}

fn completed(at: StepKey) -> Event {
    Event::StepCompleted { at, output: Json::null() }
}

fn failed(at: StepKey) -> Event {
    Event::StepFailed { at, fault: why() }
}

fn word() -> ApprovalRow {
    ApprovalRow { principal: Principal::new("bob@test"), approve: true, at: Default::default(), note: None }
}

fn asks(at: StepKey) -> Event {
    let gate = GateRequest {
        mode: GateMode::Manual,
        approvers: Vec::new(),
        min: 1,
        allow_requester: None,
        expires_at: None,
        prompt: None,
    };
    Event::GateRequested { at, gate: Box::new(gate) }
}

fn undoing(at: StepKey, attempt: u32) -> Event {
    Event::CompensationStarted { at, attempt, input: Json::null() }
}

/// `a` and two items of `f` are under way, `g` waits, `z` has not begun.
fn under_way() -> Story {
    given(PLAN).inputs(json!({ "list": [1, 2, 3] })).starts()
}

#[track_caller]
fn refuses(mut story: Story, events: &[Event]) {
    for event in events {
        let before = format!("{:?}", story.state);
        let refused = story.state.apply(event, story.now, &by("node")).expect_err("it cannot follow");
        assert!(refused.to_string().contains("cannot follow"), "{refused}");
        assert_eq!(format!("{:?}", story.state), before, "{refused}: nothing is changed");
    }
}

#[test]
fn a_run_begins_with_its_creation_once_and_of_its_own_blueprint() {
    let new = || given(PLAN);
    let created = Event::Created(Box::new(new().created));
    let mut other = new().created;
    other.blueprint_digest = xyn_store::Digest::of(b"another");
    let mut reuses = new().created;
    reuses.reused = vec![(9, Json::null())];
    let ends = [Event::Started, Event::Cancelled, Event::Completed { outputs: Json::null() }];
    refuses(new(), &ends);
    refuses(new(), &[Event::Created(Box::new(other)), Event::Created(Box::new(reuses)), completed(at(0))]);
    refuses(under_way(), &[created, Event::Started]);
}

#[test]
fn a_run_under_way_does_not_end_before_its_steps_nor_without_a_cause() {
    refuses(
        under_way(),
        &[
            Event::Completed { outputs: Json::null() },
            Event::OutputsFailed { fault: why() },
            Event::Failed { fault: why() },
            Event::Cancelled,
        ],
    );
    let failing = under_way().fails("a", super::phrases::fault(crate::blueprint::FailureKind::Other));
    refuses(failing, &[Event::Failed { fault: why() }, Event::Cancelled, started(at(3), 1)]);
}

#[test]
fn nothing_follows_on_the_end() {
    let ended = given("plan:\n  - { kind: transform, id: a, set: { n: 1 } }\n").starts();
    let by = Principal::new("bob@test");
    refuses(
        ended,
        &[
            Event::Started,
            Event::CancelRequested { by, reason: None, compensate: true },
            Event::LimitExceeded { fault: why() },
            Event::Failed { fault: why() },
            completed(at(0)),
            undoing(at(0), 1),
        ],
    );
}

#[test]
fn a_step_does_only_what_can_follow_on_its_phase() {
    let retried = |at| Event::StepRetried { at, failure: super::phrases::unsure(), due: Default::default() };
    let expired = |at| Event::GateExpired { at };
    let approved = |at| Event::GateApproved { at, answer: Some(word()) };
    let answered = |at| Event::GateAnswered { at, answer: word() };
    let skipped = |at| Event::StepSkipped { at };
    let fanned = |at| Event::StepFannedOut { at, items: Json::from(&json!([])) };
    refuses(
        under_way(),
        &[
            // `a` is at its first attempt.
            started(at(0), 1),
            started(at(0), 2),
            skipped(at(0)),
            approved(at(0)),
            answered(at(0)),
            expired(at(0)),
            fanned(at(0)),
            // `f` waits for its items.
            started(at(1), 1),
            completed(at(1)),
            failed(at(1)),
            skipped(at(1)),
            fanned(at(1)),
            asks(at(1)),
            retried(at(1)),
            // `g` waits at its gate.
            started(at(2), 1),
            completed(at(2)),
            failed(at(2)),
            skipped(at(2)),
            retried(at(2)),
            asks(at(2)),
            // What `z` needs has not ended.
            started(at(3), 1),
            failed(at(3)),
            skipped(at(3)),
            completed(at(3)),
            // There is no such step.
            started(at(4), 1),
            failed(at(99)),
        ],
    );
}

#[test]
fn items_begin_one_after_another_and_belong_to_a_fan_out() {
    let item = StepKey::item;
    refuses(
        under_way(),
        &[
            started(item(0, 0), 1),
            started(item(1, 0), 1),
            started(item(1, 3), 1),
            started(item(1, 2), 2),
            completed(item(1, 2)),
            Event::StepSkipped { at: item(1, 2) },
            Event::GateExpired { at: item(1, 1) },
            failed(item(1, 7)),
            failed(item(9, 0)),
        ],
    );
    let ended = under_way().succeeds("f.0", json!(1));
    refuses(ended, &[completed(item(1, 0)), started(item(1, 0), 2)]);
}

#[test]
fn undoing_takes_what_was_completed_last_one_at_a_time() {
    let broken = || super::phrases::fault(crate::blueprint::FailureKind::Other);
    let undone = |at| Event::StepCompensated { at };
    let given_up = |at| Event::CompensationFailed { at, fault: why() };
    let again = |at| Event::CompensationRetried { at, failure: broken(), due: Default::default() };
    let forward = under_way().succeeds("a", json!(1));
    refuses(forward, &[undoing(at(0), 1), undone(at(0)), given_up(at(0)), again(at(0))]);
    let two = r#"
plan:
  - { kind: action_task, id: a, action: out.once, compensate: { action: out.same } }
  - { kind: action_task, id: b, action: out.once, compensate: { action: out.same } }
  - { kind: action_task, id: c, action: out.once }
"#;
    let unwinding = given(two)
        .starts()
        .succeeds("a", json!(1))
        .succeeds("b", json!(1))
        .fails("c", broken())
        .then(["c failed: broken", "b undoing"]);
    refuses(
        unwinding,
        &[
            undoing(at(1), 1),
            undoing(at(1), 2),
            undoing(at(0), 1),
            undone(at(0)),
            given_up(at(0)),
            again(at(0)),
            undone(at(2)),
            Event::Failed { fault: why() },
        ],
    );
}
