//! A board from its changes: which of them count, in which order they go in, and what to make of bad ones.
//!
//! A change goes in when everything it builds on is there, and when it counts or something that counts builds
//! on it. So a member's exclusion never strands another's work. What waits, or makes no sense, is left where it is and
//! costs those who come after nothing. Invariant: the outcome depends on the set of contributions alone.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, Change, ChangeHash, ROOT, ReadDoc};

use super::super::change::{self, ChangeError};
use super::super::feed::FeedId;
use super::super::hlc::Hlc;
use super::Board;
use super::edit::EditError;
use super::ground::{Grounds, Verdict};
use super::left_out::Reason;
use super::share::{Share, Turn};
use super::view::{self, View};

/// Bytes that a change to an open board takes beside its own, roughly.
const BOOKKEEPING_BYTES: usize = 1 << 10;

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
    /// Changes that count and are not in it: what they build on is not here or not to be had, or they make no sense.
    /// Of those beyond their author's share, one.
    pub pending: u64,
    /// Which of those that came last show nowhere, and those before them of which that is certain now.
    pub(in crate::timeline) left_out: BTreeMap<(FeedId, u64), Reason>,
    /// The document, for the next edit.
    pub(in crate::timeline) document: Automerge,
    /// The changes that stand on solid ground.
    grounds: Grounds,
    known: BTreeMap<ChangeHash, Known>,
    /// Those of them that nothing needs which counts: they are not in the document.
    aside: BTreeMap<ChangeHash, Change>,
    /// Changes that wait, by something that they wait for.
    waiting: BTreeMap<ChangeHash, Vec<Candidate>>,
    /// Every change that was looked at.
    seen: BTreeSet<ChangeHash>,
    shares: BTreeMap<FeedId, Share>,
    counting: u64,
    shown: u64,
    /// Of the changes.
    size_bytes: usize,
}

/// What is remembered of a change that others may build on.
#[derive(Clone, Copy, Debug)]
struct Known {
    feed: FeedId,
    seq: u64,
    at: Hlc,
    counts: bool,
}

/// A change that is to be judged.
#[derive(Debug)]
struct Candidate {
    change: Change,
    turn: Turn,
    from: Known,
}

/// What became of new contributions.
#[derive(Default)]
struct Settled {
    /// Those that count and can go in.
    counting: Vec<ChangeHash>,
    /// Whether an author turned out to have two changes under one number.
    has_rivals: bool,
}

impl Folded {
    fn empty(board: &Board) -> Self {
        Self {
            view: View::empty(board),
            pending: 0,
            left_out: BTreeMap::new(),
            document: Automerge::new(),
            grounds: Grounds::default(),
            known: BTreeMap::new(),
            aside: BTreeMap::new(),
            waiting: BTreeMap::new(),
            seen: BTreeSet::new(),
            shares: BTreeMap::new(),
            counting: 0,
            shown: 0,
            size_bytes: 0,
        }
    }

    /// Whether anything went in or waits. Otherwise the board is like one that never was.
    pub fn is_touched(&self) -> bool {
        self.counting > 0
    }

    /// Bytes that it takes in memory, roughly.
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes + self.grounds.size_bytes()
    }

    /// Operations of the changes that were looked at: what it takes to fold them.
    pub(in crate::timeline) fn operations(&self) -> u64 {
        self.shares.values().map(Share::operations).sum()
    }

    /// Of what the next `changes` of `feed` would be more than its share, together.
    pub(in crate::timeline) fn has_room(&self, feed: &FeedId, changes: &[Vec<u8>]) -> Result<(), EditError> {
        let mut share = self.shares.get(feed).cloned().unwrap_or_default();
        share.used_up().map_or(Ok(()), |measure| Err(EditError::Full(measure)))?;
        changes.iter().try_for_each(|bytes| {
            let change = change::read(bytes).map_err(|_| EditError::OutOfBounds("edit"))?;
            share.add(&change, bytes).map(drop).map_err(EditError::Full)
        })
    }

    /// Whether the next change of `feed` would come behind another one than its last, and so be taken by nobody. That is
    /// where a cut took away what the author built on, it went back and wrote anew, and the cut was lifted.
    pub(in crate::timeline) fn is_out_of_turn(&self, board: &Board, feed: &FeedId) -> bool {
        let written = self.shares.get(feed).and_then(Share::last);
        let here = self.grounds.last_of(&change::actor(feed, &board.document()));
        written.zip(here).is_some_and(|((number, last), (count, here))| number <= count && last != here)
    }

    /// Goes on with `new` contributions, the next ones of their feeds, at a cost that does not grow with those before.
    /// None when only a fold of them all can tell what they come to: it turns out that an author gave one number to
    /// two changes.
    pub(in crate::timeline) fn extend(mut self, new: &[Contribution]) -> Option<Self> {
        let settled = self.settle(new, &BTreeSet::new());
        if settled.has_rivals {
            return None;
        }
        let entering = self.entering(settled.counting);
        add(&mut self.document, &entering).ok()?;
        self.show(&view::names(&self.document, &entering)?);
        Some(self)
    }

    /// Finds out which of `new` stand on solid ground, and what waited for those. Of the ones that are ready the one
    /// with the smallest hash comes first: where rivals meet, the same one wins on every node.
    fn settle(&mut self, new: &[Contribution], refused: &BTreeSet<ChangeHash>) -> Settled {
        let mut in_order: Vec<&Contribution> = new.iter().collect();
        in_order.sort_by_key(|one| (one.feed, one.seq));
        self.left_out.clear();
        let mut ready = BTreeMap::new();
        for one in in_order {
            let from = Known { feed: one.feed, seq: one.seq, at: one.hlc, counts: one.counts };
            match self.look_at(one, refused) {
                Ok((change, turn)) => self.place(Candidate { change, turn, from }, &mut ready),
                Err(why) => self.leave_out(from, why),
            }
        }
        let mut settled = Settled::default();
        while let Some((hash, Candidate { change, turn, from })) = ready.pop_first() {
            match self.grounds.take(&change, turn) {
                Verdict::Taken => drop(self.left_out.remove(&(from.feed, from.seq))),
                Verdict::Senseless => {
                    self.leave_out(from, Reason::Senseless);
                    continue;
                }
                Verdict::Rival(other) => {
                    settled.has_rivals = true;
                    // Whichever of the two the hashes let win, the later record is the one too many.
                    let other = self.known.get(&other).map_or(0, |known| known.seq);
                    self.leave_out(Known { seq: from.seq.max(other), ..from }, Reason::Rival);
                    continue;
                }
            }
            settled.counting.extend(from.counts.then_some(hash));
            self.known.insert(hash, from);
            self.aside.insert(hash, change);
            for next in self.waiting.remove(&hash).unwrap_or_default() {
                self.place(next, &mut ready);
            }
        }
        settled
    }

    /// The change of `one`, if it is to be judged.
    fn look_at(
        &mut self,
        one: &Contribution,
        refused: &BTreeSet<ChangeHash>,
    ) -> Result<(Change, Turn), Reason> {
        let share = self.shares.entry(one.feed).or_default();
        share.used_up().map_or(Ok(()), |measure| Err(Reason::Beyond(measure)))?;
        self.counting += u64::from(one.counts);
        self.size_bytes += one.change.len() + BOOKKEEPING_BYTES;
        let change = change::read(&one.change).map_err(|_| Reason::Senseless)?;
        let turn = share.add(&change, &one.change).map_err(Reason::Beyond)?;
        // The same change twice, which only a liar writes: the earlier record is the one that brought it.
        if !self.seen.insert(change.hash()) {
            return Err(Reason::Rival);
        }
        if refused.contains(&change.hash()) { Err(Reason::Senseless) } else { Ok((change, turn)) }
    }

    fn leave_out(&mut self, from: Known, why: Reason) {
        if from.counts {
            self.left_out.insert((from.feed, from.seq), why);
        }
    }

    fn place(&mut self, candidate: Candidate, ready: &mut BTreeMap<ChangeHash, Candidate>) {
        match self.grounds.missing(&candidate.change) {
            Some(ground) => {
                self.leave_out(candidate.from, Reason::Waits);
                self.waiting.entry(ground).or_default().push(candidate);
            }
            None => drop(ready.insert(candidate.change.hash(), candidate)),
        }
    }

    /// Takes `wanted`, and what they build on, from those that stand aside; each behind its grounds.
    fn entering(&mut self, mut wanted: Vec<ChangeHash>) -> Vec<Change> {
        let mut entering = Vec::new();
        while let Some(hash) = wanted.pop() {
            if let Some(change) = self.aside.remove(&hash) {
                wanted.extend(change.deps());
                self.shown += u64::from(self.known.get(&hash).is_some_and(|known| known.counts));
                entering.push(change);
            }
        }
        // A change has an operation, numbered behind all that it builds on.
        entering.sort_by_key(|change| (change.start_op(), change.hash()));
        entering
    }

    /// Shows what stands under `names` now.
    fn show(&mut self, names: &BTreeSet<String>) {
        let origin = |hash: &ChangeHash| self.known.get(hash).map(|known| (known.feed.node, known.at));
        self.view.refresh(&self.document, names, origin);
        self.pending = self.counting - self.shown;
    }
}

/// Folds `contributions`, which come in any order, each once.
pub(in crate::timeline) fn fold(board: &Board, contributions: &[Contribution]) -> Folded {
    let mut refused = BTreeSet::new();
    loop {
        let mut folded = Folded::empty(board);
        let settled = folded.settle(contributions, &refused);
        let entering = folded.entering(settled.counting);
        match build(&entering) {
            Ok(document) => folded.document = document,
            Err(culprit) => {
                refused.insert(culprit);
                continue;
            }
        }
        folded.show(&folded.document.keys(ROOT).collect());
        return folded;
    }
}

/// The document of `changes`, or the first one that the library does not take.
fn build(changes: &[Change]) -> Result<Automerge, ChangeHash> {
    let mut document = Automerge::new();
    if add(&mut document, changes).is_ok() {
        return Ok(document);
    }
    // Every one was found to make sense: if the library thinks otherwise, it says of which when it gets them singly.
    let mut document = Automerge::new();
    for change in changes {
        add(&mut document, std::slice::from_ref(change)).map_err(|_| change.hash())?;
    }
    Ok(document)
}

/// Adds `changes`. A document for which this failed is no good any more.
fn add(document: &mut Automerge, changes: &[Change]) -> Result<(), ChangeError> {
    change::contained(|| {
        document.apply_changes(changes.iter().cloned()).map_err(|_| ChangeError::Undecodable)?;
        // What the library only queued is not in the document.
        let is_in = |change: &Change| document.get_change_meta_by_hash(&change.hash()).is_some();
        match changes.iter().all(is_in) {
            true => Ok(()),
            false => Err(ChangeError::MissingDependency),
        }
    })?
}
