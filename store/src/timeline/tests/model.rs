//! The record set as a pure model: no keys, no bytes, no documents. What the timeline must be, in one screen.
//!
//! A record is a number; a feed is a chain of them. The property is the one the real code is held to in
//! `permutation`: whatever the order, the duplicates and the batches, the same set gives the same timeline.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

/// Author and incarnation.
type Feed = (u8, u8);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    feed: Feed,
    seq: u64,
    /// Names the record among those of one number; the chain before it is part of the name.
    id: u64,
    prev: u64,
    time: u64,
    /// What a board change builds on; none for an entry.
    grounds: Option<BTreeSet<u64>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Timeline {
    entries: BTreeSet<(u64, u64)>,
    board: BTreeSet<u64>,
}

/// One node: takes records one by one, in any order, and keeps those that follow.
#[derive(Clone, Default)]
struct Node {
    chains: BTreeMap<Feed, Vec<Record>>,
    forks: BTreeMap<Feed, u64>,
    waiting: Vec<Record>,
}

impl Node {
    fn receive(&mut self, record: Record) {
        self.waiting.push(record);
        // What waits is tried until nothing moves.
        loop {
            let before = self.waiting.len();
            for record in std::mem::take(&mut self.waiting) {
                self.offer(record);
            }
            if self.waiting.len() == before {
                return;
            }
        }
    }

    fn offer(&mut self, record: Record) {
        let chain = self.chains.entry(record.feed).or_default();
        match chain.get(record.seq as usize - 1) {
            Some(here) if here.id == record.id => {}
            Some(_) => {
                let fork = self.forks.entry(record.feed).or_insert(record.seq);
                *fork = record.seq.min(*fork);
            }
            None if chain.last().map_or(0, |last| last.id) == record.prev
                && chain.len() as u64 + 1 == record.seq =>
            {
                chain.push(record);
            }
            None => self.waiting.push(record),
        }
    }

    fn timeline(&self, cuts: &BTreeMap<Feed, u64>) -> Timeline {
        let mut timeline = Timeline::default();
        let mut changes: BTreeMap<u64, (&Record, bool)> = BTreeMap::new();
        for (feed, chain) in &self.chains {
            let before_fork = self.forks.get(feed).map_or(u64::MAX, |seq| seq - 1);
            let counts = cuts.get(feed).copied().unwrap_or(u64::MAX).min(before_fork);
            for record in chain.iter().filter(|record| record.seq <= before_fork) {
                match &record.grounds {
                    None if record.seq <= counts => drop(timeline.entries.insert((record.time, record.id))),
                    None => {}
                    Some(_) => drop(changes.insert(record.id, (record, record.seq <= counts))),
                }
            }
        }
        for (record, counts) in changes.values() {
            if *counts {
                let mut closure = BTreeSet::new();
                if reach(record.id, &changes, &mut closure) {
                    timeline.board.extend(closure);
                }
            }
        }
        timeline
    }
}

/// Collects what `id` builds on; `false` when something of it is missing.
fn reach(id: u64, changes: &BTreeMap<u64, (&Record, bool)>, closure: &mut BTreeSet<u64>) -> bool {
    if !closure.insert(id) {
        return true;
    }
    let Some((record, _)) = changes.get(&id) else { return false };
    record.grounds.iter().flatten().all(|ground| reach(*ground, changes, closure))
}

#[derive(Clone, Debug)]
enum Act {
    Entry { future: bool },
    Board,
    Restore,
    Fork,
}

/// What five authors wrote, each seeing what all wrote before.
fn history(acts: &[(u8, Act)]) -> Vec<Record> {
    let mut lives: BTreeMap<u8, (u8, Vec<Vec<Record>>)> = BTreeMap::new();
    let mut all: Vec<Record> = Vec::new();
    for (index, (author, act)) in acts.iter().enumerate() {
        let (life, branches) = lives.entry(*author).or_insert_with(|| (0, vec![Vec::new()]));
        if matches!(act, Act::Restore) {
            *life += 1;
            *branches = vec![Vec::new()];
        }
        if matches!(act, Act::Fork) && branches.len() == 1 && !branches[0].is_empty() {
            let mut twin = branches[0].clone();
            twin.pop();
            branches.push(twin);
        }
        let count = branches.len();
        let branch = &mut branches[index % count];
        let heads: BTreeSet<u64> =
            all.iter().filter(|one| one.grounds.is_some()).rev().take(2).map(|one| one.id).collect();
        let record = Record {
            feed: (*author, *life),
            seq: branch.len() as u64 + 1,
            id: index as u64 + 1,
            prev: branch.last().map_or(0, |last| last.id),
            time: if matches!(act, Act::Entry { future: true }) { u64::MAX } else { index as u64 },
            grounds: matches!(act, Act::Board).then_some(heads),
        };
        branch.push(record.clone());
        all.push(record);
    }
    all
}

fn acts() -> impl Strategy<Value = Vec<(u8, Act)>> {
    let act = prop_oneof![
        6 => any::<bool>().prop_map(|future| Act::Entry { future }),
        5 => Just(Act::Board),
        1 => Just(Act::Restore),
        1 => Just(Act::Fork),
    ];
    proptest::collection::vec((0..5_u8, act), 1..40)
}

proptest! {
    #[test]
    fn any_order_gives_the_same_timeline(
        (records, shuffled, repeated) in acts().prop_map(|acts| history(&acts)).prop_flat_map(|records| {
            let again = proptest::sample::subsequence(records.clone(), 0..=records.len());
            (Just(records.clone()), Just(records).prop_shuffle(), again)
        }),
        cut in proptest::option::of((0..5_u8, 0..6_u64)),
    ) {
        let cuts: BTreeMap<Feed, u64> =
            cut.into_iter().flat_map(|(author, seq)| [((author, 0), seq), ((author, 1), 0)]).collect();
        let mut one = Node::default();
        records.into_iter().for_each(|record| one.receive(record));
        let mut other = Node::default();
        repeated.into_iter().chain(shuffled).for_each(|record| other.receive(record));
        prop_assert_eq!(one.timeline(&cuts), other.timeline(&cuts));
    }
}
