//! What one peer says it has.
//!
//! Owns which of it is worth asking for, and how much of it is remembered. Asks for nothing itself. Invariant:
//! what is here already is forgotten, and what the roster does not admit is not looked at when a question is
//! chosen.

use std::collections::BTreeMap;

use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::BEHIND_CUT_MAX;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::Cut;

use super::pull::What;
use crate::wire::{FEEDS_MAX, Known};

/// How far a peer has feeds, as long as that is more than is here. What does not fit is forgotten: a peer that
/// has more feeds than one message names tells of others with the next one, and is not to blame for how many
/// there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Announced {
    wanted: BTreeMap<FeedId, Wanted>,
    /// What the roster as it is does not admit; another one may.
    barred: BTreeMap<FeedId, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Wanted {
    theirs: Known,
    /// How many records back it is asked for, because its author seems to have forked it.
    back: u64,
}

impl Announced {
    /// The peer has `feed` as far as `theirs` says. Here it is known as far as `mine`, and the roster says `cut`.
    pub(super) fn hear(&mut self, feed: FeedId, theirs: Known, mine: Known, cut: Cut) {
        let back = self.wanted.get(&feed).map_or(0, |it| it.back);
        self.forget(feed);
        if !mine.lacks_fork(theirs) && !mine.lacks_records(theirs) {
            return;
        }
        let is_wanted = missing(mine, theirs, cut, back).is_some();
        if is_wanted && self.wanted.len() < FEEDS_MAX {
            self.wanted.insert(feed, Wanted { theirs, back });
        } else if !is_wanted && self.barred.len() < FEEDS_MAX {
            self.barred.insert(feed, theirs);
        }
    }

    /// `feed` is known as far as `mine` now, or cut at another place.
    pub(super) fn settle(&mut self, feed: FeedId, mine: Known, cut: Cut) {
        if let Some(theirs) = self.get(feed) {
            self.hear(feed, theirs, mine, cut);
        }
    }

    /// Looks at everything anew.
    pub(super) fn settle_all(&mut self, here: impl Fn(FeedId) -> (Known, Cut)) {
        let feeds: Vec<FeedId> = self.wanted.keys().chain(self.barred.keys()).copied().collect();
        for feed in feeds {
            let (mine, cut) = here(feed);
            self.settle(feed, mine, cut);
        }
    }

    /// How far it has `feed`, where that is remembered.
    pub(super) fn get(&self, feed: FeedId) -> Option<Known> {
        self.wanted.get(&feed).map(|it| it.theirs).or_else(|| self.barred.get(&feed).copied())
    }

    /// What may be asked for, the feeds that are not `idle` left out.
    pub(super) fn questions(
        &self,
        idle: impl Fn(&FeedId) -> bool,
        here: impl Fn(FeedId) -> (Known, Cut),
    ) -> impl Iterator<Item = (FeedId, What)> {
        self.wanted.iter().filter(move |(feed, _)| idle(feed)).filter_map(move |(feed, it)| {
            let (mine, cut) = here(*feed);
            Some((*feed, missing(mine, it.theirs, cut, it.back)?))
        })
    }

    /// Has `feed` asked for from `back` records before the last one here on.
    pub(super) fn step_back(&mut self, feed: FeedId, back: u64) {
        self.wanted.entry(feed).and_modify(|it| it.back = back);
    }

    /// Forgets `feed` until the peer says again that it has it.
    pub(super) fn forget(&mut self, feed: FeedId) {
        self.wanted.remove(&feed);
        self.barred.remove(&feed);
    }

    /// Forgets the feeds of `author` that are `new` here, as [`forget`](Self::forget).
    pub(super) fn forget_new(&mut self, author: PublicKey, new: impl Fn(FeedId) -> bool) {
        self.wanted.retain(|feed, _| feed.node != author || !new(*feed));
    }

    /// Records that are to come.
    pub(super) fn lag_records(&self, here: impl Fn(FeedId) -> Known) -> u64 {
        let behind = |(feed, it): (&FeedId, &Wanted)| it.theirs.seq().saturating_sub(here(*feed).seq());
        // The numbers are the peer's own.
        self.wanted.iter().map(behind).fold(0, u64::saturating_add)
    }

    /// How many feeds are wanted, and how many are barred.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.wanted.len(), self.barred.len())
    }
}

/// What to ask of a peer that has `theirs`, when it is more than is here. A feed that branched off further
/// back is asked for from further back. Some records behind a cut are needed as well: admitted authors may
/// have built on them, and a board shows the same everywhere only where all have them.
pub(super) fn missing(mine: Known, theirs: Known, cut: Cut, back: u64) -> Option<What> {
    let admitted = match cut {
        Cut::Nowhere => u64::MAX,
        Cut::After { seq, .. } => seq.saturating_add(BEHIND_CUT_MAX),
        Cut::Everything => return None,
    };
    if mine.lacks_fork(theirs) {
        return Some(What::Proof);
    }
    let same_seq = theirs.seq() == mine.seq();
    let within = mine.seq() < admitted || same_seq && mine.seq() <= admitted;
    let back = if same_seq { back.max(1) } else { back };
    (within && mine.lacks_records(theirs)).then(|| What::Records(mine.seq().saturating_sub(back)))
}
