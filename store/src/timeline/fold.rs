//! The fold: from a set of records and what the roster says of their feeds to the timeline.
//!
//! Owns the definition of the timeline; the rows that are kept up record by record must come to the same.
//! Invariant: the result depends on the set alone, not on order, batches or duplicates.

use std::collections::{BTreeMap, BTreeSet};

use super::board::{self, Board, Contribution, View};
use super::canonical::{Canonical, Moment};
use super::entry::Note;
use super::feed::FeedId;
use super::head::{Effect, FeedHead};
use super::limit::Limit;
use super::record::{Body, Record};
use crate::digest::Digest;
use crate::trust::Cut;

/// The timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    /// The moments, in order.
    pub entries: BTreeMap<Moment, Note>,
    /// The boards that somebody changed.
    pub boards: BTreeMap<Board, View>,
    /// Records that are here and do not count, by feed.
    pub excluded: BTreeSet<(FeedId, u64)>,
}

impl Fold {
    /// What two nodes compare.
    pub fn digest(&self) -> Digest {
        let mut canonical = Canonical::new();
        self.entries.iter().for_each(|(moment, note)| canonical.entry(moment, note));
        // Boards sort by their keys, as the rows of a database do.
        let mut boards: Vec<_> = self.boards.iter().collect();
        boards.sort_by_cached_key(|(board, _)| board.key());
        boards.iter().for_each(|(board, view)| canonical.board(board, view));
        canonical.finish()
    }
}

/// Folds `records`, whose signatures were verified.
pub fn fold<'a>(records: impl IntoIterator<Item = &'a Record>, cuts: impl Fn(&FeedId) -> Cut) -> Fold {
    let mut feeds: BTreeMap<FeedId, BTreeMap<u64, Vec<&Record>>> = BTreeMap::new();
    for record in records {
        let here = feeds.entry(record.feed).or_default().entry(record.seq).or_default();
        if !here.iter().any(|one| one.hash == record.hash) {
            here.push(record);
        }
    }
    let mut state = Fold::default();
    let mut contributions: BTreeMap<Board, Vec<Contribution>> = BTreeMap::new();
    for (feed, by_seq) in feeds {
        let fork = by_seq.iter().find(|(_, here)| here.len() > 1).map(|(&seq, _)| seq);
        let hash_at = |seq: u64| by_seq.get(&seq).map(|here| here[0].hash);
        let cut = cuts(&feed);
        let limit = Limit::new(cut, fork, cut.seq().and_then(hash_at));
        let mut head = FeedHead::default();
        for (seq, record) in by_seq.into_iter().map(|(seq, here)| (seq, here[0])) {
            let follows = seq == head.seq + 1 && record.prev == head.hash;
            let Some(effect) = follows.then(|| head.advance(record).ok()).flatten() else { break };
            if seq > limit.counts {
                state.excluded.insert((feed, seq));
            }
            match effect {
                Effect::Entry(entry_id, note) if seq <= limit.counts => {
                    let at = record.content.hlc;
                    state.entries.insert(Moment { at, entry_id, feed, seq }, *note);
                }
                Effect::Board(board) if seq <= limit.grounds => {
                    contributions.entry(board).or_default().extend(contribution(record, limit));
                }
                _ => {}
            }
        }
    }
    for (board, contributions) in contributions {
        let folded = board::fold(&board, &contributions);
        if folded.is_touched() {
            state.boards.insert(board, folded.view);
        }
    }
    state
}

/// What `record` contributes to its board, if it is about one.
pub(super) fn contribution(record: &Record, limit: Limit) -> Option<Contribution> {
    let Body::Board { change, .. } = &record.content.body else { return None };
    Some(Contribution {
        feed: record.feed,
        seq: record.seq,
        hlc: record.content.hlc,
        counts: record.seq <= limit.counts,
        change: change.0.clone(),
    })
}
