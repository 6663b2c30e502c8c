//! Attempts: what is repeated, when, with which key, and what is uncertain.

use std::time::Duration;

use serde_json::json;
use xyn_store::projection::WaitKind;

use super::phrases::{fault, unsure};
use super::story::{Story, given};
use crate::actions::Failure;
use crate::blueprint::FailureKind;
use crate::run::Phase;
use crate::run::{Command, Event};

fn one(action: &str, rest: &str) -> Story {
    given(&format!("plan:\n  - {{ kind: action_task, id: a, action: {action}{rest} }}\n"))
}

fn retrying(rest: &str) -> Story {
    one("out.once", &format!(", retry: {{ max_attempts: 5, initial: 1s, max: 5s{rest} }}"))
}

/// The waits between the attempts of `a` when all of them fail.
fn waits(mut story: Story) -> Vec<Duration> {
    let mut waits = Vec::new();
    loop {
        story = story.fails("a", fault(FailureKind::Server));
        let Phase::Backoff { since, due } = story.state.steps[0].phase else { return waits };
        waits.push(due.since(since));
        let left = due.since(story.now);
        story = story.waits(left);
    }
}

#[test]
fn waits_between_attempts_grow_as_the_author_says() {
    let table: [(&str, [u64; 4]); 3] =
        [("constant", [1, 1, 1, 1]), ("linear", [1, 2, 3, 4]), ("exponential", [1, 2, 4, 5])];
    for (backoff, wanted) in table {
        let wanted = wanted.map(Duration::from_secs);
        let story = retrying(&format!(", backoff: {backoff}, jitter: false")).starts();
        assert_eq!(waits(story), wanted, "{backoff}");
        let story = || retrying(&format!(", backoff: {backoff}, jitter: true")).starts();
        let spread = waits(story());
        assert_eq!(spread, waits(story()), "the same run waits the same");
        assert_ne!(spread, wanted, "jitter spreads");
        for (wait, wanted) in spread.into_iter().zip(wanted) {
            assert!(wait >= wanted / 2 && wait <= wanted, "{backoff}: {wait:?} of {wanted:?}");
        }
    }
}

#[test]
fn a_failed_attempt_is_repeated_with_the_same_key_when_it_is_due() {
    retrying(", jitter: false")
        .starts()
        .fails("a", fault(FailureKind::Connect))
        .then(["a retried"])
        .and(|story| {
            let waiting = story.state.run_row(1).and_then(|row| row.waiting_on).expect("it waits");
            assert_eq!(waiting.kind, WaitKind::RateLimit);
            assert_eq!(waiting.until, Some(story.now.after(Duration::from_secs(1))));
        })
        .waits(Duration::from_millis(999))
        .then_nothing()
        .waits(Duration::from_millis(1))
        .then(["a started (2)"])
        .succeeds("a", json!(1))
        .then(["a completed", "completed {}"])
        .and(|story| {
            let keys = story.keys("a", false);
            assert_eq!((keys.len(), keys[0]), (2, keys[1]));
        });
}

#[test]
fn a_peer_that_asks_to_wait_is_left_alone_as_long_as_the_author_allows() {
    let seconds = Duration::from_secs;
    for (asked, wanted) in [(0, 1), (3, 3), (5, 5), (6, 5), (u64::MAX, 5)] {
        let busy = Failure { retry_after: Some(seconds(asked)), ..fault(FailureKind::RateLimit) };
        let story = retrying(", jitter: false").starts().fails("a", busy.clone()).then(["a retried"]);
        let left = seconds(wanted) - Duration::from_millis(1);
        // The instant is recorded: whoever folds the history waits for the same.
        let story = story.restarts().waits(left).then_nothing().waits(seconds(1)).then(["a started (2)"]);
        assert!(
            matches!(story.entries[1].events[0], Event::StepRetried { ref failure, .. } if *failure == busy)
        );
    }
}

#[test]
fn attempts_end_with_the_last_fault_when_they_are_used_up() {
    one("out.once", ", retry: { max_attempts: 2, initial: 1s }")
        .starts()
        .fails("a", fault(FailureKind::Server))
        .then(["a retried"])
        .waits(Duration::from_secs(1))
        .then(["a started (2)"])
        .fails("a", fault(FailureKind::Server))
        .then(["a failed: broken", "run failed: broken"]);
}

#[test]
fn only_the_kinds_of_failure_that_are_named_are_repeated() {
    use FailureKind::{Client, Connect, Other, RateLimit, Server};
    let table: [(&str, &[FailureKind]); 3] = [
        ("", &[Connect, RateLimit, Server, Other]),
        (", on: [connect]", &[Connect]),
        (", on: [rate_limit, client]", &[RateLimit, Client]),
    ];
    for (on, repeated) in table {
        for kind in [Client, Connect, Other, RateLimit, Server] {
            let story = retrying(on).starts().fails("a", fault(kind));
            let is_repeated = matches!(story.state.steps[0].phase, Phase::Backoff { .. });
            assert_eq!(is_repeated, repeated.contains(&kind), "{kind:?} with `{on}`");
        }
    }
}

#[test]
fn an_attempt_that_is_being_performed_is_not_uncertain() {
    let story = one("out.once", ", compensate: { action: out.once }").starts().performed();
    story.when(Command::Recover).then_nothing().succeeds("a", json!(1)).then(["a completed", "completed {}"]);
}

#[test]
fn crash_between_start_and_result_is_uncertain() {
    one("out.once", "")
        .starts()
        .when(Command::Recover)
        .then(["a uncertain", "a asks about its effect"])
        .and(|story| {
            let waiting = story.state.run_row(1).and_then(|row| row.waiting_on).expect("it waits");
            assert_eq!((waiting.kind, waiting.until), (WaitKind::Gate, None));
        })
        .when(Command::Recover)
        .then_nothing();
}

#[test]
fn an_uncertain_effect_is_treated_as_the_step_says() {
    let table: [(&str, &str, &[&str]); 6] = [
        ("out.once", "", &["a uncertain", "a asks about its effect"]),
        ("out.once", ", on_uncertain: ask", &["a uncertain", "a asks about its effect"]),
        ("out.once", ", on_uncertain: fail", &["a uncertain", "a failed: timeout", "run failed: timeout"]),
        ("out.once", ", on_uncertain: retry", &["a uncertain", "a retried"]),
        ("out.once", ", idempotent: true", &["a retried"]),
        ("out.same", ", idempotent: false", &["a uncertain", "a asks about its effect"]),
    ];
    for (action, rest, wanted) in table {
        let story = one(action, rest).starts().fails("a", unsure());
        assert_eq!(story.told(&story.entries[1].events), wanted, "{action}{rest}");
    }
}

#[test]
fn an_idempotent_call_is_repeated_with_the_same_key_even_without_a_retry() {
    let minute = Duration::from_secs(60);
    one("out.same", "")
        .starts()
        .fails("a", unsure())
        .then(["a retried"])
        .waits(minute)
        .then(["a started (2)"])
        .when(Command::Recover)
        .then(["a retried"])
        .waits(minute)
        .then(["a started (3)"])
        .fails("a", unsure())
        .then(["a failed: timeout", "run failed: timeout"])
        .and(|story| {
            let keys = story.keys("a", false);
            assert_eq!(keys.len(), 3);
            assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        });
}

#[test]
fn a_person_has_an_uncertain_effect_done_anew_with_a_new_key() {
    one("out.once", "")
        .starts()
        .fails("a", unsure())
        .answers("webhook:ci@x", "a", true)
        .then_rejected("`webhook:ci@x` is a machine; only people approve")
        .answers("bob@test", "a", true)
        .then(["a approved", "a started (2)"])
        .and(|story| {
            let keys = story.keys("a", false);
            assert_ne!(keys[0], keys[1], "what a person has done anew is another call");
        })
        .fails("a", unsure())
        .then(["a uncertain", "a asks about its effect"])
        .answers("bob@test", "a", true)
        .then(["a approved", "a started (3)"])
        .succeeds("a", json!(1))
        .then(["a completed", "completed {}"])
        .and(|story| {
            let mut keys = story.keys("a", false);
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), 3);
        });
}

#[test]
fn a_person_says_no_to_an_uncertain_effect_and_the_step_fails() {
    one("out.once", ", when: \"{{ not inputs.flag }}\"")
        .starts()
        .fails("a", unsure())
        .answers("bob@test", "a", false)
        .then(["a rejected", "a failed: rejected", "run failed: rejected"]);
}

#[test]
fn a_condition_is_not_asked_again_when_a_person_lets_the_step_go_on() {
    // The condition was true when the step began; that its own kind of question comes again changes nothing.
    let plan = r#"
plan:
  - { kind: action_task, id: a, when: "{{ inputs.flag }}", action: out.once }
"#;
    given(plan)
        .inputs(json!({ "flag": true }))
        .starts()
        .fails("a", unsure())
        .answers("bob@test", "a", true)
        .then(["a approved", "a started (2)"]);
}

#[test]
fn a_late_timer_of_an_earlier_wait_starts_nothing() {
    let story = retrying(", jitter: false").starts().fails("a", fault(FailureKind::Server));
    let (due, purpose) = *story.state.timers().first().expect("a timer");
    story
        .waits(Duration::from_secs(1))
        .then(["a started (2)"])
        .when(Command::Fire { purpose, due })
        .then_nothing()
        .fails("a", fault(FailureKind::Server))
        .then(["a retried"])
        .when(Command::Fire { purpose, due })
        .then_nothing();
}

#[test]
fn a_message_of_a_failure_reaches_the_row_of_the_run() {
    let failure = Failure::certain(FailureKind::Client, "not_found", "there is no such host");
    one("out.once", "").starts().fails("a", failure).and(|story| {
        let error = story.state.run_row(1).and_then(|row| row.error).expect("it failed");
        assert_eq!((error.code.as_str(), error.message.as_str()), ("not_found", "there is no such host"));
    });
}
