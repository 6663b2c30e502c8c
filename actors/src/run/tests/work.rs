//! How long a run may work: the sum of its stretches of work, waits and stops of the node apart.

use std::time::Duration;

use serde_json::json;

use super::phrases::fault;
use super::story::{Story, given};
use crate::blueprint::FailureKind;
use crate::run::Command;

const MINUTE: Duration = Duration::from_secs(60);
const PLAN: &str = r#"
limits: { wall_clock: 10m }
plan:
  - { kind: action_task, id: a, action: out.once, retry: { max_attempts: 9, initial: 1h, jitter: false } }
  - { kind: gate, id: g, mode: manual }
  - { kind: action_task, id: b, action: out.same, compensate: { action: out.same } }
  - { kind: action_task, id: c, action: out.once }
"#;

#[track_caller]
fn has_left(story: &Story, minutes: u32) {
    assert_eq!(story.state.time_left(story.now), Some(MINUTE * minutes));
    let (folded, _) = story.folded();
    assert_eq!(folded.time_left(story.now), story.state.time_left(story.now), "the journal says the same");
}

/// `a` took four minutes, and people took a day to answer.
fn answered() -> Story {
    given(PLAN)
        .starts()
        .works_for(4 * MINUTE)
        .and(|story| has_left(story, 6))
        .succeeds("a", json!(1))
        .works_for(24 * 60 * MINUTE)
        .and(|story| has_left(story, 6))
        .answers("bob@test", "g", true)
}

#[test]
fn stretches_of_work_add_up_and_waits_do_not_count() {
    answered()
        .works_for(5 * MINUTE)
        .when(Command::WallClock)
        .then_nothing()
        .and(|story| has_left(story, 1))
        .succeeds("b", json!(1))
        .works_for(MINUTE)
        .when(Command::WallClock)
        .then(["limit: wall_clock_exceeded"]);
}

#[test]
fn the_wait_for_another_attempt_does_not_count() {
    given(PLAN)
        .starts()
        .works_for(3 * MINUTE)
        .fails("a", fault(FailureKind::Server))
        .waits(60 * MINUTE)
        .then(["a started (2)"])
        .works_for(3 * MINUTE)
        .and(|story| has_left(story, 4));
}

#[test]
fn a_restart_forgets_nothing_that_was_worked_and_counts_nothing_of_the_stop() {
    answered()
        .works_for(3 * MINUTE)
        .succeeds("b", json!(1))
        .and(|story| has_left(story, 3))
        .works_for(24 * 60 * MINUTE)
        .restarts()
        .then(["c uncertain", "c asks about its effect"])
        .and(|story| has_left(story, 3));
    answered()
        .works_for(24 * 60 * MINUTE)
        .restarts()
        .then(["b retried"])
        .waits(MINUTE)
        .then(["b started (2)"])
        .works_for(2 * MINUTE)
        .and(|story| has_left(story, 4));
}

#[test]
fn no_attempt_begins_when_the_time_is_used_up() {
    given(PLAN)
        .starts()
        .works_for(10 * MINUTE)
        .fails("a", fault(FailureKind::Server))
        .then(["a retried"])
        .waits(60 * MINUTE)
        .then(["limit: wall_clock_exceeded", "a failed: aborted", "run failed: wall_clock_exceeded"]);
    answered().works_for(6 * MINUTE).succeeds("b", json!(1)).then([
        "b completed",
        "limit: wall_clock_exceeded",
        "b undoing",
    ]);
}

#[test]
fn what_a_run_undoes_it_undoes_without_a_limit() {
    answered()
        .succeeds("b", json!(1))
        .fails("c", fault(FailureKind::Client))
        .then(["c failed: broken", "b undoing"])
        .works_for(24 * 60 * MINUTE)
        .and(|story| assert_eq!(story.state.time_left(story.now), None))
        .when(Command::WallClock)
        .then_nothing();
}

#[test]
fn attempts_beside_each_other_count_once() {
    let plan = "limits: { wall_clock: 10m }\nplan:\n  \
                - { kind: action_task, id: a, needs: [], action: out.once }\n  \
                - { kind: action_task, id: b, needs: [], action: out.once }\n";
    given(plan)
        .starts()
        .works_for(3 * MINUTE)
        .succeeds("a", json!(1))
        .works_for(3 * MINUTE)
        .and(|story| has_left(story, 4));
}
