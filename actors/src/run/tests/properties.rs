//! Whatever a run is told, it decides only what it accepts, and its history gives the same run and rows.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use xyn_store::projection::{Fault, Purpose, RunStatus, StepKey};
use xyn_store::scope::Principal;
use xyn_store::{Json, Timestamp};

use super::phrases::{fault, person, unsure};
use super::story::{REQUESTER, Story, by, given};
use crate::blueprint::FailureKind;
use crate::run::{Command, Event, Phase, Rejection};

const PLANS: [&str; 3] = [
    r#"
plan:
  - { kind: transform, id: a, set: { n: 1 } }
  - kind: action_task
    id: b
    action: out.once
    retry: { max_attempts: 3 }
    compensate: { action: out.same }
  - { kind: gate, id: g, needs: [], mode: manual, min: 2, timeout: 1h, on_timeout: skip }
  - { kind: gate, id: e, needs: [b], mode: event, event_type: "test.*", timeout: 2h, on_timeout: approve }
  - kind: action_task
    id: c
    needs: [g, e]
    when: "{{ inputs.flag }}"
    action: out.same
    compensate: { action: out.once }
outputs: [{ name: n, from: "{{ steps.a.output.n }}" }]
"#,
    r#"
plan:
  - kind: action_task
    id: f
    needs: []
    foreach: "{{ inputs.list }}"
    max_parallel: 2
    action: out.once
    retry: { max_attempts: 2 }
    compensate: { action: out.same, with: { n: "{{ item }}" } }
  - kind: action_task
    id: h
    needs: []
    foreach: "{{ inputs.list }}"
    max_parallel: 3
    action: in.note
    with: { n: "{{ item }}" }
  - { kind: action_task, id: s, needs: [], action: out.same }
  - { kind: gate, id: t, needs: [s], mode: timer, delay: 10m }
  - { kind: action_task, id: z, needs: [f, t], action: in.note, compensate: { action: in.note } }
outputs: [{ name: deep, from: "{{ steps.s.output.deep }}" }]
"#,
    r#"
plan:
  - kind: action_task
    id: a
    needs: []
    action: out.once
    on_uncertain: retry
    compensate: { action: out.once }
  - kind: action_task
    id: b
    needs: []
    action: out.once
    on_uncertain: fail
    compensate: { action: out.same }
  - kind: action_task
    id: c
    needs: [a]
    action: in.note
    compensate: { action: in.note, with: { fail: true } }
  - { kind: action_task, id: d, needs: [b, c], action: out.same, compensate: { action: out.same } }
"#,
];

const POLICIES: [&str; 3] = [
    "{ rule_id: all, effect: allow }",
    "{ rule_id: ask, match: { action: 'out.*' }, effect: require_approval }, \
     { rule_id: rest, effect: allow }",
    "{ rule_id: no, match: { action: out.once }, effect: deny }, { rule_id: rest, effect: allow }",
];

/// Something that happens to a run.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// The result of one of the attempts begun so far.
    Result {
        work: usize,
        outcome: u8,
    },
    /// A result that nobody asked for.
    Stray {
        at: StepKey,
        attempt: u32,
        undoes: bool,
    },
    Waits(u64),
    Fires {
        at: StepKey,
        purpose: u8,
        due: u64,
    },
    Answers {
        at: StepKey,
        who: u8,
        approve: bool,
    },
    Arrives,
    Cancels(bool),
    WallClock,
    Advances,
    Restarts,
    Policy(u8),
}

fn position() -> impl Strategy<Value = StepKey> {
    (0..6_u16, prop::option::weighted(0.4, 0..5_u32)).prop_map(|(step, item)| StepKey { step, item })
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => (0..64_usize, 0..6_u8).prop_map(|(work, outcome)| Act::Result { work, outcome }),
        1 => (position(), 0..4_u32, any::<bool>())
            .prop_map(|(at, attempt, undoes)| Act::Stray { at, attempt, undoes }),
        4 => (0..7_200_u64).prop_map(Act::Waits),
        1 => (position(), 0..5_u8, 0..7_200_u64)
            .prop_map(|(at, purpose, due)| Act::Fires { at, purpose, due }),
        6 => (position(), 0..4_u8, prop::bool::weighted(0.8))
            .prop_map(|(at, who, approve)| Act::Answers { at, who, approve }),
        1 => Just(Act::Arrives),
        1 => any::<bool>().prop_map(Act::Cancels),
        1 => Just(Act::WallClock),
        1 => Just(Act::Advances),
        2 => Just(Act::Restarts),
        1 => (0..3_u8).prop_map(Act::Policy),
    ]
}

pub(super) fn does(story: Story, act: &Act) -> Story {
    match act {
        Act::Result { work, outcome } => match story.work.iter().rev().cycle().nth(*work) {
            None => story,
            Some(work) => {
                let (at, attempt) = (work.at, work.attempt);
                let result = match outcome {
                    0 => Err(unsure()),
                    1 => Err(fault(FailureKind::Server)),
                    2 => Err(fault(FailureKind::Client)),
                    _ => Ok(json!({ "deep": 1 })),
                };
                let command = if work.undoes {
                    Command::FinishCompensation { at, attempt, result: result.map(drop) }
                } else {
                    Command::Finish { at, attempt, result }
                };
                story.when(command)
            }
        },
        &Act::Stray { at, attempt, undoes: true } => {
            story.when(Command::FinishCompensation { at, attempt, result: Ok(()) })
        }
        &Act::Stray { at, attempt, undoes: false } => {
            story.when(Command::Finish { at, attempt, result: Ok(json!(null)) })
        }
        Act::Waits(seconds) => story.waits(Duration::from_secs(*seconds)),
        &Act::Fires { at, purpose, due } => {
            let purpose = match purpose {
                0 => Purpose::Delay(at),
                1 => Purpose::Expiry(at),
                2 => Purpose::Retry(at),
                3 => Purpose::WallClock,
                _ => Purpose::Intent,
            };
            let due = story.now.before(Duration::from_secs(3_600)).after(Duration::from_secs(due));
            story.when(Command::Fire { purpose, due })
        }
        &Act::Answers { at, who, approve } => {
            let who = [REQUESTER, "bob@test", "cy@test", "webhook:ci"][usize::from(who)];
            story.when(Command::Answer { at, by: person(who), approve, note: None, elsewhere: None })
        }
        Act::Arrives => story.arrives("test.done", json!({})),
        Act::Cancels(compensate) => story.cancels(*compensate),
        Act::WallClock => story.works_for_too_long(),
        Act::Advances => story.when(Command::Advance),
        Act::Restarts => story.restarts(),
        Act::Policy(policy) => story.policy(POLICIES[usize::from(*policy)]),
    }
}

pub(super) fn begins(plan: usize, items: usize, flag: bool, turn_limit: usize) -> Story {
    let list: Vec<usize> = (0..items).collect();
    given(PLANS[plan]).turns_of(turn_limit).inputs(json!({ "list": list, "flag": flag })).starts()
}

/// Everybody does what is asked of them until the run ends.
pub(super) fn ends(mut story: Story) -> Story {
    story = story.policy(POLICIES[0]);
    for _ in 0..200 {
        if story.state.status.is_final() {
            return story;
        }
        story = story.when(Command::Advance);
        let gates: Vec<StepKey> = story
            .state
            .open()
            .filter(|(_, step)| matches!(step.phase, Phase::Gated(_)))
            .map(|(at, _)| at)
            .collect();
        for at in gates {
            for who in ["bob@test", "cy@test"] {
                story = story.when(Command::Answer {
                    at,
                    by: person(who),
                    approve: true,
                    note: None,
                    elsewhere: None,
                });
            }
        }
        story = story.arrives("test.done", json!({}));
        // Nobody lets a day pass in the middle of an attempt: it would count as work.
        while story.state.is_working() {
            for work in 0..story.work.len() {
                story = does(story, &Act::Result { work, outcome: 5 });
            }
        }
        story = story.waits(Duration::from_secs(86_400));
    }
    panic!("the run does not come to an end: {:?}", story.state.run_row(1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// `Story::tell` checks after every turn that the core accepts what it decides, that a turn goes as far
    /// as it can, that whoever must act is marked, that a wait has a reason, and that an ended run leaves no
    /// timers, gates or marks behind.
    #[test]
    fn whatever_happens_history_gives_the_same_run_and_rows(
        plan in 0..PLANS.len(),
        items in 0..5_usize,
        flag: bool,
        turn_limit in prop_oneof![1..12_usize, Just(2_048)],
        acts in prop::collection::vec(act(), 0..40),
    ) {
        let mut story = begins(plan, items, flag, turn_limit);
        for act in &acts {
            story = does(story, act);
        }
        let (state, rows) = story.folded();
        prop_assert_eq!(format!("{:?}", state), format!("{:?}", story.state));
        prop_assert_eq!(&rows, &story.rows);
        let story = ends(story);
        let (state, rows) = story.folded();
        prop_assert_eq!(format!("{:?}", state), format!("{:?}", story.state));
        prop_assert_eq!(&rows, &story.rows);
        prop_assert!(!story.entries.iter().any(|entry| entry.events.is_empty()));
        prop_assert_eq!(ended_twice(&story), None, "no run takes more steps than its plan has");
    }

    #[test]
    fn no_event_makes_apply_panic(
        plan in 0..PLANS.len(),
        acts in prop::collection::vec(act(), 0..10),
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut story = begins(plan, 3, true, 2_048);
        for act in &acts {
            story = does(story, act);
        }
        for event in &events {
            let before = format!("{:?}", story.state);
            if story.state.apply(event, story.now, &by("node")).is_err() {
                prop_assert_eq!(&format!("{:?}", story.state), &before, "a refused event changes nothing");
            }
            let _shown = (story.state.shown(), story.state.run_row(1), story.state.timers());
        }
    }
}

/// A step or item that ended more than once.
fn ended_twice(story: &Story) -> Option<StepKey> {
    let mut ended = BTreeSet::new();
    let ends = |event: &&Event| {
        matches!(event, Event::StepCompleted { .. } | Event::StepFailed { .. } | Event::StepSkipped { .. })
    };
    let events = story.entries.iter().flat_map(|entry| &entry.events);
    events.filter(ends).filter_map(Event::position).find(|at| !ended.insert(*at))
}

fn far() -> Timestamp {
    Timestamp::EPOCH.after(Duration::from_secs(10_000_000_000))
}

fn event() -> impl Strategy<Value = Event> {
    let failure = || fault(FailureKind::Other);
    let why = || Fault { code: "x".into(), message: "x".into() };
    let answer = || xyn_store::projection::ApprovalRow {
        principal: Principal::new("bob@test"),
        approve: true,
        at: Timestamp::EPOCH,
        note: None,
    };
    (position(), 0..4_u32, 0..22_u8).prop_map(move |(at, attempt, kind)| match kind {
        0 => Event::Started,
        1 | 2 => Event::StepStarted { at, attempt, input: None, rule: None },
        3 | 4 => Event::StepCompleted { at, output: Json::null() },
        5 => Event::StepFailed { at, fault: why() },
        6 => Event::StepSkipped { at },
        7 => Event::StepRetried { at, failure: failure(), due: far() },
        8 => Event::StepFannedOut { at, items: Json::from(&json!([1, 2])) },
        9 => Event::StepFannedOut { at, items: Json::from(&json!("no list")) },
        10 => Event::StepUncertain { at, failure: failure() },
        11 => Event::GateAnswered { at, answer: answer() },
        12 => Event::GateApproved { at, answer: None },
        13 => Event::GateRejected { at, answer: answer() },
        14 => Event::GateExpired { at },
        15 => Event::CompensationStarted { at, attempt, input: Json::null() },
        16 => Event::StepCompensated { at },
        17 => Event::CompensationFailed { at, fault: why() },
        18 => Event::CompensationRetried { at, failure: failure(), due: far() },
        19 => Event::LimitExceeded { fault: why() },
        20 => Event::OutputsFailed { fault: why() },
        _ => Event::CancelRequested { by: Principal::new("x@y"), reason: None, compensate: true },
    })
}

#[test]
fn a_run_that_was_ended_by_everybodys_help_completes() {
    for plan in 0..PLANS.len() {
        let story = ends(begins(plan, 3, true, 2_048));
        assert_eq!(story.state.status, RunStatus::Completed, "{:?}", story.state.fault);
    }
}

#[test]
fn a_rejected_command_changes_nothing() {
    let mut story = begins(0, 0, false, 2_048);
    let before = format!("{:?}", story.state);
    let at = StepKey::step(1);
    let rejected = story.tell(Command::Finish { at, attempt: 9, result: Ok(json!(1)) });
    assert_eq!(rejected, Err(Rejection::Stale { at, attempt: 9 }));
    assert_eq!(format!("{:?}", story.state), before);
}
