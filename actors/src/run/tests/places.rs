//! A run for which there is no place: it is created, and waits until it may begin.

use std::time::Duration;

use serde_json::json;
use xyn_store::projection::{RunStatus, WaitKind};

use super::story::{Story, given};
use crate::run::Command;

const PLAN: &str = r#"
plan:
  - { kind: action_task, id: a, action: out.once }
"#;

fn held() -> Story {
    given(PLAN).has_place(false).starts().then(["created"])
}

#[test]
fn a_run_without_a_place_says_that_it_waits_for_one_and_since_when() {
    held().and(|story| {
        let row = story.state.run_row(1).expect("it was created");
        let waiting = row.waiting_on.expect("it says why it does nothing");
        assert_eq!((row.status, waiting.kind), (RunStatus::Created, WaitKind::Worker));
        assert_eq!((waiting.since, waiting.until), (row.created_at, None));
    });
}

#[test]
fn it_begins_when_there_is_one_also_after_a_restart() {
    held()
        .when(Command::Advance)
        .then_nothing()
        .restarts()
        .then_nothing()
        .waits(Duration::from_secs(3600))
        .has_place(true)
        .when(Command::Advance)
        .then(["started", "a started"])
        .and(|story| assert!(story.state.run_row(2).expect("it began").waiting_on.is_none()))
        .succeeds("a", json!(1))
        .then(["a completed", "completed {}"]);
}

#[test]
fn it_can_be_cancelled_without_ever_having_begun() {
    for compensate in [false, true] {
        held().cancels(compensate).then(["cancel requested", "cancelled"]).and(|story| {
            let row = story.state.run_row(2).expect("it was created");
            assert_eq!((row.status, row.started_at), (RunStatus::Cancelled, None));
        });
    }
}

#[test]
fn what_does_not_concern_it_leaves_it_in_line() {
    held().when(Command::WallClock).then_nothing().arrives("test.x", json!({})).then_nothing();
}
