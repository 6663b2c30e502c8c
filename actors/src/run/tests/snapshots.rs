//! A snapshot and the entries behind it give the run that all entries give, and cost little.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use xyn_store::Digest;
use xyn_store::projection::Changes;

use super::phrases::fault;
use super::properties::{act, begins, does, ends};
use super::story::{Entry, Story, given};
use crate::blueprint::FailureKind;
use crate::run::snapshot::INTERVAL;
use crate::run::{Begin, Command, Event, Marks, Snapshot, State};

/// What a snapshot behind the first `count` entries holds.
fn snapshot_behind(story: &Story, count: usize) -> Vec<u8> {
    let mut state = State::new(story.state.id, Arc::clone(&story.state.plan));
    let mut fanned_out = BTreeMap::new();
    for (seq, entry) in (1..).zip(&story.entries[..count]) {
        fold(&mut state, entry);
        let fans = entry.events.iter().filter(|event| matches!(event, Event::StepFannedOut { .. }));
        fanned_out.extend(fans.filter_map(Event::position).map(|at| (at.step, seq)));
    }
    state.snapshot(&fanned_out).write()
}

/// The run as it comes from a snapshot behind the first `count` entries and from the others.
fn restored(story: &Story, bytes: &[u8], count: usize) -> Option<State> {
    let snapshot = Snapshot::read(bytes)?;
    let lists = snapshot.fanned_out().map(|(step, seq)| {
        let events = &story.entries[seq as usize - 1].events;
        let list = events.iter().find_map(|event| match event {
            Event::StepFannedOut { at, items } if at.step == step => items.read::<Vec<Value>>().ok(),
            _ => None,
        });
        (step, list.expect("a mark names the entry of the list").into())
    });
    let lists = lists.collect();
    let Event::Created(created) = &story.entries[0].events[0] else {
        panic!("a run begins with its creation")
    };
    let (at, attribution) = (story.entries[0].at, story.entries[0].by.clone());
    let begin = Begin { created: (**created).clone(), at, attribution };
    let mut state = snapshot.restore(story.state.id, Arc::clone(&story.state.plan), begin, lists)?;
    story.entries[count..].iter().for_each(|entry| fold(&mut state, entry));
    Some(state)
}

fn fold(state: &mut State, entry: &Entry) {
    for event in &entry.events {
        state.apply(event, entry.at, &entry.by).expect("a recorded event folds");
    }
    state.forget_ended_items();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn wherever_a_snapshot_is_taken_the_rest_leads_to_the_same_run(
        plan in 0..3_usize,
        items in 0..5_usize,
        flag: bool,
        turn_limit in prop_oneof![1..12_usize, Just(2_048)],
        acts in prop::collection::vec(act(), 0..40),
        to_the_end: bool,
    ) {
        let mut story = begins(plan, items, flag, turn_limit);
        for act in &acts {
            story = does(story, act);
        }
        if to_the_end {
            story = ends(story);
        }
        for count in 1..=story.entries.len() {
            let bytes = snapshot_behind(&story, count);
            let state = restored(&story, &bytes, count).expect("a snapshot of the run itself");
            prop_assert_eq!(format!("{state:?}"), format!("{:?}", story.state), "behind entry {}", count);
        }
    }

    #[test]
    fn what_is_no_snapshot_is_none_and_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..4),
    ) {
        let story = begins(1, 3, true, 2_048);
        let _ = restored(&story, &bytes, 1);
        let mut damaged = snapshot_behind(&story, 1);
        for (index, bit) in flips {
            let index = index.index(damaged.len());
            damaged[index] ^= 1 << bit;
        }
        if let Some(snapshot) = Snapshot::read(&damaged) {
            let begin = story.state.begin.clone().expect("it began");
            let lists = (0..6).map(|step| (step, Arc::from([]))).collect();
            let _ = snapshot.restore(story.state.id, Arc::clone(&story.state.plan), begin, lists);
        }
    }
}

#[test]
fn a_snapshot_of_another_version_or_plan_is_refused() {
    let story = begins(0, 0, true, 2_048);
    let bytes = snapshot_behind(&story, 1);
    assert!(restored(&story, &bytes, 1).is_some());
    let newer: Vec<u8> = [&[bytes[0] + 1], &bytes[1..]].concat();
    assert!(restored(&story, &newer, 1).is_none());
    assert!(restored(&story, &[], 1).is_none());
    assert!(restored(&begins(2, 0, true, 2_048), &bytes, 1).is_none());
}

/// One change here means that snapshots are written otherwise: raise `VERSION`, or old ones are misread.
#[test]
fn the_encoding_of_this_version_stands() {
    let whole = |plan| begins(plan, 3, true, 2_048);
    let stories = [
        whole(0).fails("b", fault(FailureKind::Server)).answers("bob@test", "g", true),
        whole(1).succeeds("f.0", json!(1)).fails("f.1", fault(FailureKind::Client)),
        whole(2).fails("b", fault(FailureKind::Client)).succeeds("a", json!(1)).cancels(true),
    ];
    let digests = stories.map(|story| {
        let bytes = snapshot_behind(&story, story.entries.len());
        Digest::of(&bytes).to_string()[..12].to_owned()
    });
    assert_eq!(digests, ["b4211cc7adde", "e11bbaaebf44", "e6d9f021901b"]);
}

#[test]
fn a_run_of_a_hundred_thousand_items_has_a_small_snapshot() {
    let list: Vec<Value> = (0..100_000).map(|n| json!({ "host": format!("host-{n}") })).collect();
    let plan = "plan:\n  - { id: f, foreach: \"{{ inputs.list }}\", kind: transform, set: { n: \"{{ item.host }}\" } }\n";
    let mut story = given(plan).inputs(json!({ "list": list })).unchecked().starts();
    while story.goes_on {
        let bytes = story.state.snapshot(&BTreeMap::from([(0, 1)])).write();
        assert!(bytes.len() < 64 << 10, "{} bytes", bytes.len());
        story = story.when(Command::Advance);
    }
}

#[test]
fn a_snapshot_is_due_once_in_an_interval_and_goes_when_the_run_ends() {
    let story = begins(0, 0, true, 2_048);
    let mut marks = Marks::default();
    let mut carries = |state: &State, seq| {
        let mut changes = Changes::new();
        marks.render(state, seq, &mut changes);
        !changes.is_empty()
    };
    let carried: Vec<u64> = (1..3 * INTERVAL).filter(|&seq| carries(&story.state, seq)).collect();
    assert_eq!(carried, [INTERVAL, 2 * INTERVAL]);
    let ended = ends(story).state;
    assert!(carries(&ended, 3 * INTERVAL), "it is removed");
    assert!(!carries(&ended, 3 * INTERVAL + 1), "nothing is left to remove");
    let mut changes = Changes::new();
    Marks::default().render(&ended, 4, &mut changes);
    assert!(changes.is_empty(), "a short run pays nothing");
}
