//! How a run is ended from outside: somebody cancels it, or it has worked for too long.

use serde_json::json;

use super::phrases::{HOUR, fault, unsure};
use super::story::{Story, given};
use crate::blueprint::FailureKind;
use crate::run::{Command, Event};

const PLAN: &str = r#"
plan:
  - { kind: action_task, id: a, action: out.once, compensate: { action: out.same } }
  - kind: action_task
    id: b
    action: out.once
    retry: { max_attempts: 5 }
    compensate: { action: out.same }
  - { kind: gate, id: g, mode: manual, timeout: 1h }
"#;

/// `a` is done and `b` is under way.
fn under_way() -> Story {
    given(PLAN).starts().succeeds("a", json!(1)).then(["a completed", "b started"])
}

#[test]
fn a_cancelled_run_lets_attempts_end_and_undoes_nothing_unless_asked() {
    under_way()
        .cancels(false)
        .then(["cancel requested"])
        .and(|story| {
            let asked = &story.entries[2].events[0];
            assert!(asked.aborts(), "the attempts under way are to be ended");
        })
        .succeeds("b", json!(1))
        .then(["b completed", "cancelled"]);
}

#[test]
fn a_cancelled_run_undoes_what_was_done_when_asked() {
    under_way()
        .cancels(true)
        .then(["cancel requested"])
        .succeeds("b", json!(1))
        .then(["b completed", "b undoing"])
        .undoes("b", Ok(()))
        .then(["b undone", "a undoing"])
        .undoes("a", Ok(()))
        .then(["a undone", "cancelled"]);
}

#[test]
fn an_attempt_that_fails_while_the_run_is_cancelled_is_not_repeated_nor_asked_about() {
    under_way().cancels(false).fails("b", fault(FailureKind::Server)).then(["b failed: broken", "cancelled"]);
    under_way()
        .cancels(true)
        .fails("b", unsure())
        .then(["b uncertain", "b failed: timeout", "a undoing"])
        .undoes("a", Ok(()))
        .then(["a undone", "cancelled"]);
}

#[test]
fn a_waiting_run_is_cancelled_at_once() {
    under_way().succeeds("b", json!(1)).then(["b completed", "g asks people"]).cancels(false).then([
        "cancel requested",
        "g expired",
        "g failed: aborted",
        "cancelled",
    ]);
}

#[test]
fn asking_again_can_only_add_the_wish_to_undo() {
    under_way()
        .cancels(false)
        .cancels(true)
        .then(["cancel requested"])
        .fails("b", fault(FailureKind::Other))
        .then(["b failed: broken", "a undoing"])
        .cancels(false)
        .then(["cancel requested"])
        .undoes("a", Ok(()))
        .then(["a undone", "cancelled"]);
}

#[test]
fn a_failing_run_that_is_cancelled_still_undoes_and_fails() {
    under_way()
        .fails("b", fault(FailureKind::Client))
        .then(["b failed: broken", "a undoing"])
        .cancels(false)
        .then(["cancel requested"])
        .undoes("a", Ok(()))
        .then(["a undone", "run failed: broken"]);
}

#[test]
fn a_run_that_worked_for_too_long_fails_behind_its_attempts_and_undoings() {
    under_way()
        .works_for_too_long()
        .then(["limit: wall_clock_exceeded"])
        .and(|story| assert!(story.entries[2].events.iter().any(Event::aborts)))
        .fails("b", unsure())
        .then(["b uncertain", "b failed: timeout", "a undoing"])
        .works_for_too_long()
        .then_nothing()
        .undoes("a", Ok(()))
        .then(["a undone", "run failed: wall_clock_exceeded"]);
}

#[test]
fn a_limit_while_the_run_waits_closes_the_gate() {
    under_way().works_for(HOUR).succeeds("b", json!(1)).when(Command::WallClock).then([
        "limit: wall_clock_exceeded",
        "g expired",
        "g failed: aborted",
        "b undoing",
    ]);
}

#[test]
fn a_limit_keeps_a_cancelled_run_cancelled_and_the_first_cause_of_a_failure() {
    under_way()
        .cancels(false)
        .works_for_too_long()
        .then(["limit: wall_clock_exceeded"])
        .succeeds("b", json!(1))
        .then(["b completed", "cancelled"]);
    let plan = "plan:\n  - { kind: action_task, id: a, needs: [], action: out.once }\n  \
                - { kind: action_task, id: b, needs: [], action: out.once }\n";
    given(plan)
        .starts()
        .fails("a", fault(FailureKind::Other))
        .works_for_too_long()
        .then(["limit: wall_clock_exceeded"])
        .succeeds("b", json!(1))
        .then(["b completed", "run failed: broken"]);
}

#[test]
fn a_crash_while_the_run_ends_starts_nothing_anew() {
    under_way().cancels(false).when(Command::Recover).then([
        "b uncertain",
        "b failed: node_stopped",
        "cancelled",
    ]);
}
