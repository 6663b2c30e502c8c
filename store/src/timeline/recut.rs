//! Limits that move: what the roster says anew, and forks that come to light.
//!
//! Owns moving rows to the other side of a limit. Invariant: where a feed's limit stands now decides its
//! rows, not where it stood when its records came.

use super::admit::Verdict;
use super::draft::Draft;
use super::feed::FeedId;
use super::fork::Proof;
use super::limit::Limit;
use super::log::Timeline;
use super::pace::Load;
use super::rows::FeedRow;
use crate::Reader;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::projection::Changes;
use crate::trust::Cut;

impl Timeline {
    /// Judges a proof that another node found.
    pub fn admit_proof(
        &mut self,
        reader: &Reader,
        proof: &Proof,
        now: Timestamp,
        cuts: impl Fn(&FeedId) -> Cut,
    ) -> Result<(Changes, Verdict), StoreError> {
        let (feed, cut) = (proof.feed, cuts(&proof.feed));
        // A feed of which only that is known is kept as any other is.
        let load = Load { feeds: self.begins(&feed, cut), ..Load::default() };
        if !self.pace.takes(feed.node, load, now) {
            return Ok((Changes::default(), Verdict::Paced(feed)));
        }
        let mut draft = Draft::new(self.env, reader);
        let verdict = match self.keep_fork(&mut draft, proof, cut)? {
            true => Verdict::Forked { feed, seq: proof.seq },
            false => Verdict::Duplicate,
        };
        Ok((self.finish(draft)?, verdict))
    }

    pub(super) fn keep_fork(
        &mut self,
        draft: &mut Draft<'_>,
        proof: &Proof,
        cut: Cut,
    ) -> Result<bool, StoreError> {
        let mut row = self.row(&proof.feed, cut);
        if row.fork.is_some_and(|seq| seq <= proof.seq) {
            return Ok(false);
        }
        row.fork = Some(proof.seq);
        draft.changes.put(proof);
        self.relimit(draft, row, cut)?;
        self.let_go(|_| Cut::Nowhere);
        Ok(true)
    }

    /// Brings the feeds to what the roster says now. Called whenever the roster changed.
    pub fn recut(&mut self, reader: &Reader, cuts: impl Fn(&FeedId) -> Cut) -> Result<Changes, StoreError> {
        let mut draft = Draft::new(self.env, reader);
        let rows: Vec<FeedRow> = self.feeds.values().copied().collect();
        for row in rows {
            self.relimit(&mut draft, row, cuts(&row.feed))?;
        }
        self.let_go(cuts);
        self.finish(draft)
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
    pub fn silence(&mut self) -> Changes {
        let mut changes = Changes::default();
        let own = self.own();
        if self.feed(&own).is_none() {
            let row = self.row(&own, Cut::Everything);
            changes.put(&row);
            self.feeds.insert(own, row);
        }
        changes
    }

    /// Moves what is behind the old or the new limit of a feed to the right side of it.
    fn relimit(&mut self, draft: &mut Draft<'_>, mut row: FeedRow, cut: Cut) -> Result<(), StoreError> {
        let old = row.limit;
        let found = match cut.seq() {
            Some(seq) => draft.hash(&row.feed, seq)?,
            None => None,
        };
        row.limit = Limit::new(cut, row.fork, found);
        if self.feeds.get(&row.feed) != Some(&row) {
            self.keep(draft, row);
        }
        if old != row.limit {
            for seq in old.counts.min(row.limit.counts).saturating_add(1)..=row.head.seq {
                let record = draft.record(&row.feed, seq)?;
                draft.recount(&record, row.limit)?;
            }
        }
        Ok(())
    }
}
