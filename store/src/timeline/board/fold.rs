//! A board from its changes: which of them count, in which order they go in, and what to make of bad ones.
//!
//! A change goes in when everything it builds on is there, and when it counts or something that counts builds
//! on it. So a member's exclusion never strands another's work. Invariant: the outcome depends on the set of
//! contributions alone.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, Change, ChangeHash};

use super::super::change::{self, ChangeError};
use super::super::feed::FeedId;
use super::super::hlc::Hlc;
use super::Board;
use super::view::{self, View};
use crate::audit::signature::PublicKey;

/// A record's change to a board.
#[derive(Clone, Debug)]
pub(in crate::timeline) struct Contribution {
    /// Whose.
    pub(in crate::timeline) feed: FeedId,
    /// Which of its records.
    pub(in crate::timeline) seq: u64,
    /// When.
    pub(in crate::timeline) hlc: Hlc,
    /// Whether it counts by itself, and not only as a ground for others.
    pub(in crate::timeline) counts: bool,
    /// The change.
    pub(in crate::timeline) change: Vec<u8>,
}

/// A board that was folded.
#[derive(Debug)]
pub struct Folded {
    /// What it shows.
    pub view: View,
    /// Changes that count and are not in it: what they build on is not here, or not to be had.
    pub pending: u64,
    /// The document, for the next edit.
    pub(in crate::timeline) document: Automerge,
    /// The changes in it.
    known: BTreeMap<ChangeHash, Known>,
}

/// What is remembered of a change that went in.
#[derive(Debug)]
struct Known {
    past: Past,
    node: PublicKey,
    at: Hlc,
}

impl Folded {
    /// Whether anything went in or waits. Otherwise the board is like one that never was.
    pub fn is_touched(&self) -> bool {
        self.pending > 0 || !self.known.is_empty()
    }

    /// Goes on with `new` contributions, at a cost that does not grow with those before. None when only a fold of them
    /// all can tell what they come to.
    pub(in crate::timeline) fn extend(mut self, board: &Board, new: &[Contribution]) -> Option<Self> {
        let mut changes = Vec::with_capacity(new.len());
        for from in new {
            let change = change::read(&from.change).ok()?;
            let mut past = Past::default();
            for ground in change.deps() {
                past.join(&self.known.get(ground)?.past);
            }
            let goes_on = from.counts && self.pending == 0 && past.add(from.feed, &change);
            let known = Known { past, node: from.feed.node, at: from.hlc };
            if !goes_on || self.known.insert(change.hash(), known).is_some() {
                return None;
            }
            changes.push(change);
        }
        let hashes: Vec<ChangeHash> = changes.iter().map(Change::hash).collect();
        change::contained(|| self.document.apply_changes(changes)).ok()?.ok()?;
        let is_in = |hash: &ChangeHash| self.document.get_change_meta_by_hash(hash).is_some();
        let is_whole = hashes.iter().all(is_in);
        self.view = read(board, &self.document, &self.known);
        is_whole.then_some(self)
    }
}

fn read(board: &Board, document: &Automerge, known: &BTreeMap<ChangeHash, Known>) -> View {
    view::read(board, document, |hash| known.get(hash).map(|known| (known.node, known.at)))
}

struct Candidate<'a> {
    change: Change,
    from: &'a Contribution,
}

/// What lies before a change and in it: how many changes of each author, and the highest number of an
/// operation.
#[derive(Clone, Debug, Default)]
struct Past {
    changes: BTreeMap<FeedId, u64>,
    max_op: u64,
}

impl Past {
    fn join(&mut self, other: &Self) {
        for (feed, count) in &other.changes {
            let own = self.changes.entry(*feed).or_default();
            *own = (*own).max(*count);
        }
        self.max_op = self.max_op.max(other.max_op);
    }

    /// Adds `change`, if it is what the library of its author, `feed`, writes on top of this: the author's next change,
    /// with operations numbered behind all others. The library itself trusts that it is, or panics.
    fn add(&mut self, feed: FeedId, change: &Change) -> bool {
        let count = self.changes.entry(feed).or_default();
        let fits = change.seq() == *count + 1 && change.start_op().get() > self.max_op;
        *count += 1;
        self.max_op = change.max_op();
        fits
    }
}

/// Folds `contributions`, which come in any order, each once.
pub(in crate::timeline) fn fold(board: &Board, contributions: &[Contribution]) -> Folded {
    let candidates = candidates(contributions);
    let mut refused = BTreeSet::new();
    let (document, order, mut pasts) = loop {
        let (order, pasts) = select(&candidates, &refused);
        match build(&candidates, &order) {
            Ok(document) => break (document, order, pasts),
            Err(culprit) => drop(refused.insert(culprit)),
        }
    };
    let counting = contributions.iter().filter(|one| one.counts).count();
    let shown = order.iter().filter(|hash| candidates[*hash].from.counts).count();
    let known = order.into_iter().map(|hash| {
        let (past, from) = (pasts.remove(&hash).unwrap_or_default(), candidates[&hash].from);
        (hash, Known { past, node: from.feed.node, at: from.hlc })
    });
    let known: BTreeMap<ChangeHash, Known> = known.collect();
    let view = read(board, &document, &known);
    Folded { view, pending: (counting - shown) as u64, document, known }
}

/// The changes by their hash.
fn candidates(contributions: &[Contribution]) -> BTreeMap<ChangeHash, Candidate<'_>> {
    let mut candidates: BTreeMap<ChangeHash, Candidate<'_>> = BTreeMap::new();
    for from in contributions {
        let Ok(change) = change::read(&from.change) else { continue };
        let candidate = Candidate { change, from };
        let known = candidates.entry(candidate.change.hash()).or_insert(candidate);
        // The same change twice, which only a liar writes: the earlier record is the one that brought it.
        if known.from.seq > from.seq {
            known.from = from;
        }
    }
    candidates
}

/// The changes that go in, each behind what it builds on.
fn select(
    candidates: &BTreeMap<ChangeHash, Candidate<'_>>,
    refused: &BTreeSet<ChangeHash>,
) -> (Vec<ChangeHash>, BTreeMap<ChangeHash, Past>) {
    let (order, pasts) = grounded(candidates, refused);
    let mut wanted: BTreeSet<ChangeHash> = BTreeSet::new();
    for hash in order.iter().rev() {
        let candidate = &candidates[hash];
        if candidate.from.counts || wanted.contains(hash) {
            wanted.insert(*hash);
            wanted.extend(candidate.change.deps());
        }
    }
    (order.into_iter().filter(|hash| wanted.contains(hash)).collect(), pasts)
}

/// The changes that stand on what is there, each behind its grounds; otherwise smallest hash first.
fn grounded(
    candidates: &BTreeMap<ChangeHash, Candidate<'_>>,
    refused: &BTreeSet<ChangeHash>,
) -> (Vec<ChangeHash>, BTreeMap<ChangeHash, Past>) {
    let mut builds_on: BTreeMap<ChangeHash, Vec<ChangeHash>> = BTreeMap::new();
    let mut open: BTreeMap<ChangeHash, usize> = BTreeMap::new();
    let mut ready = BTreeSet::new();
    for (hash, Candidate { change, .. }) in candidates.iter().filter(|(hash, _)| !refused.contains(*hash)) {
        open.insert(*hash, change.deps().len());
        change.deps().iter().for_each(|ground| builds_on.entry(*ground).or_default().push(*hash));
        if change.deps().is_empty() {
            ready.insert(*hash);
        }
    }
    let mut order = Vec::with_capacity(open.len());
    let mut pasts: BTreeMap<ChangeHash, Past> = BTreeMap::new();
    while let Some(hash) = ready.pop_first() {
        let candidate = &candidates[&hash];
        let mut past = Past::default();
        candidate.change.deps().iter().filter_map(|ground| pasts.get(ground)).for_each(|it| past.join(it));
        if !past.add(candidate.from.feed, &candidate.change) {
            continue;
        }
        pasts.insert(hash, past);
        order.push(hash);
        for next in builds_on.remove(&hash).unwrap_or_default() {
            if let Some(left) = open.get_mut(&next) {
                *left -= 1;
                if *left == 0 {
                    ready.insert(next);
                }
            }
        }
    }
    (order, pasts)
}

/// The document of the changes in `order`, or the first change that the library does not take.
fn build(
    candidates: &BTreeMap<ChangeHash, Candidate<'_>>,
    order: &[ChangeHash],
) -> Result<Automerge, ChangeHash> {
    let changes = |count: usize| -> Vec<Change> {
        order[..count].iter().map(|hash| candidates[hash].change.clone()).collect()
    };
    if let Ok(document) = apply(changes(order.len())) {
        return Ok(document);
    }
    // Rare: a member crafted a change that is well formed and still makes no sense. Halving finds the first
    // such.
    let (mut good, mut bad) = (0, order.len());
    while bad - good > 1 {
        let middle = good.midpoint(bad);
        match apply(changes(middle)) {
            Ok(_) => good = middle,
            Err(_) => bad = middle,
        }
    }
    Err(order[bad - 1])
}

fn apply(changes: Vec<Change>) -> Result<Automerge, ChangeError> {
    change::contained(|| {
        let count = changes.len();
        let mut document = Automerge::new();
        document.apply_changes(changes).map_err(|_| ChangeError::Undecodable)?;
        // What the library only queued is not in the document.
        match document.get_changes_meta(&[]).len() == count {
            true => Ok(document),
            false => Err(ChangeError::MissingDependency),
        }
    })?
}
