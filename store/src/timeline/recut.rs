//! Limits that move: what the roster says anew, and forks that come to light.
//!
//! Owns moving rows to the other side of a limit. A feed may have millions of records behind its new limit, and a
//! transaction holds up everybody else: so limits move in steps, and a stop between two of them leaves a limit that is
//! on its way. Invariant: where a feed's limit stands now decides its rows, not where it stood when its records came.

use super::admit::Verdict;
use super::draft::Draft;
use super::feed::FeedId;
use super::fork::Proof;
use super::limit::Limit;
use super::log::Timeline;
use super::pace::{Load, Source};
use super::rows::FeedRow;
use crate::Reader;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::projection::Changes;
use crate::trust::Cut;

/// How much one step moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) records: u64,
    /// Boards that are folded anew: at least one.
    pub(super) boards: usize,
}

pub(super) const STEP: Step = Step { records: 4096, boards: 64 };

/// A step towards what the roster says.
pub(super) struct Recut {
    /// Rows to commit.
    pub(super) changes: Changes,
    /// Whether that was the last one.
    pub(super) is_done: bool,
}

impl Timeline {
    /// Judges a proof that another node found. One that says something new is kept, and feeds are to
    /// be cut by it.
    pub fn admit_proof(
        &mut self,
        reader: &Reader,
        proof: &Proof,
        now: Timestamp,
        cuts: impl Fn(&FeedId) -> Cut,
    ) -> Result<(Changes, Verdict), StoreError> {
        let mut draft = Draft::new(self.env, reader);
        let verdict = self.keep_fork(&mut draft, proof, cuts(&proof.feed), now)?;
        Ok((self.finish(draft)?.0, verdict))
    }

    /// Keeps the proof of a fork that begins before those that are known of its feed.
    pub(super) fn keep_fork(
        &mut self,
        draft: &mut Draft<'_>,
        proof: &Proof,
        cut: Cut,
        now: Timestamp,
    ) -> Result<Verdict, StoreError> {
        let (feed, seq) = (proof.feed, proof.seq);
        let mut row = self.row(&feed, cut);
        if row.fork.is_some_and(|known| known <= seq) {
            return Ok(Verdict::Duplicate);
        }
        // As a feed that is begun: who forks one at each of its records, the last first, has all of them kept.
        let load = Load { feeds: 1, ..Load::default() };
        if !self.pace.take(Source::Others(feed.node), load, now) {
            return Ok(Verdict::Paced(feed));
        }
        row.fork = Some(seq);
        draft.changes.put(proof);
        // Behind a cut it moves none.
        self.is_stale |= seq <= row.limit.counts;
        // What is left to do is done by the recut that follows.
        self.relimit(draft, row, cut, &mut { STEP })?;
        self.let_go(|_| Cut::Nowhere);
        Ok(Verdict::Forked { feed, seq })
    }

    /// Brings the feeds to what the roster says now, by one step: called again, over the rows as they are then, until
    /// it is done. Whenever the roster changed, a fork came to light or the timeline was opened.
    pub(super) fn recut(
        &mut self,
        reader: &Reader,
        cuts: impl Fn(&FeedId) -> Cut,
        mut step: Step,
    ) -> Result<Recut, StoreError> {
        let mut draft = Draft::new(self.env, reader);
        let rows: Vec<FeedRow> = self.feeds.values().copied().collect();
        let mut is_done = true;
        for row in rows {
            is_done = self.relimit(&mut draft, row, cuts(&row.feed), &mut step)?;
            if !is_done {
                break;
            }
        }
        self.let_go(cuts);
        Ok(Recut { changes: self.finish(draft)?.0, is_done })
    }

    /// Forgets frames that wait behind a limit. `cuts` is what the roster says of feeds of which nothing is here.
    fn let_go(&mut self, cuts: impl Fn(&FeedId) -> Cut) {
        let Self { feeds, waiting, .. } = self;
        waiting.retain(|feed, first| {
            let limit = feeds.get(feed).map_or_else(|| Limit::new(cuts(feed), None, None), |row| row.limit);
            first <= limit.grounds
        });
    }

    /// Keeps a node from writing that was put out before its first record: there is no feed yet that a cut could limit.
    /// A later [`recut`](Self::recut) lets it write again.
    pub(crate) fn silence(&mut self) -> Changes {
        let mut changes = Changes::default();
        let own = self.own();
        if self.feed(&own).is_none() {
            let row = self.row(&own, Cut::Everything);
            changes.put(&row);
            self.feeds.insert(own, row);
        }
        changes
    }

    /// Moves the limit of a feed towards where it belongs, as far as what is left of `step` goes, and what it passes to
    /// the right side of it. A lower limit comes down from the end of the feed, a higher one goes up. Answers whether it
    /// has arrived.
    fn relimit(
        &mut self,
        draft: &mut Draft<'_>,
        mut row: FeedRow,
        cut: Cut,
        step: &mut Step,
    ) -> Result<bool, StoreError> {
        let (feed, old, end) = (row.feed, row.limit, row.head.seq);
        let found = match cut.seq() {
            Some(seq) => draft.hash(&feed, seq)?,
            None => None,
        };
        let new = Limit::new(cut, row.fork, found);
        let (mut at, to) = (old.counts.min(end), new.counts.min(end));
        let is_lower = to < at;
        while at != to && step.records > 0 && draft.boards_recounted() < step.boards {
            let seq = if is_lower { at } else { at + 1 };
            draft.recount(&feed, seq, !is_lower)?;
            at = if is_lower { at - 1 } else { seq };
            step.records -= 1;
        }
        let is_there = at == to;
        // Behind both limits nothing counts; but what was a ground for others may be none any more, or be one now. Those
        // are few: see `BEHIND_CUT_MAX`.
        if is_lower || is_there {
            let behind = old.counts.max(new.counts).max(old.grounds.min(new.grounds));
            for seq in behind.saturating_add(1)..=old.grounds.max(new.grounds).min(end) {
                draft.recount(&feed, seq, false)?;
                step.records = step.records.saturating_sub(1);
            }
        }
        let towards = if is_lower { new.grounds } else { old.grounds };
        row.limit = if is_there { new } else { Limit { counts: at, grounds: towards.max(at) } };
        if self.feeds.get(&feed) != Some(&row) {
            self.keep(draft, row);
        }
        Ok(is_there)
    }
}
