//! Runs that moments name: whom to ask for what a run did step by step, and who may be told.
//!
//! Owns the way from a run to the moment that makes it known, and what a claim to know of one is worth. Says nothing
//! of the steps. Invariant: only moments that count name anything.

use super::entry::{Entry, Kind, Note};
use super::{page, rows};
use crate::Reader;
use crate::audit::signature::PublicKey;
use crate::error::StoreError;
use crate::ids::{EntryId, RunId};
use crate::reader::{Order, PageBuilder};
use crate::tables::{Key, Table};

/// Moments that claim one id and are looked at: an honest one shares its id with none.
const CLAIMS_MAX: usize = 64;

impl Note {
    /// The run of which it is a milestone. What people write about a run, and their words on its gates, are none: these
    /// may stand on another node than the run.
    pub fn milestone_of(&self) -> Option<RunId> {
        let is_word = self.refs.approvals.as_ref().is_some_and(|approvals| approvals.word.is_some());
        self.refs.run.filter(|_| self.kind != Kind::Note && !is_word)
    }
}

impl Reader {
    /// The first milestone of `run`, whose node has the steps. Looked for among the
    /// [`SCAN_LIMIT`](crate::SCAN_LIMIT) moments from when the run was accepted on: a run's id says when that
    /// was, and an index would cost each milestone a row.
    pub fn first_milestone(&self, run: RunId) -> Result<Option<Entry>, StoreError> {
        let from = Key::new().u64(run.made_at().as_micros().try_into().unwrap_or_default());
        let mut page = PageBuilder::new(1);
        self.scan(Table::TimelineMoments, &[], Some(from.as_bytes()), Order::Ascending, |key, value| {
            let entry = page::entry(rows::read_moment(key)?, value)?;
            let is_of_run = entry.note.milestone_of() == Some(run);
            Ok(page.offer(key, is_of_run.then_some(entry)))
        })?;
        Ok(page.finish().items.pop())
    }

    /// Whether the moment `entry_id` of a node that `is_author` lets through names `run`.
    pub fn names_run(
        &self,
        entry_id: EntryId,
        run: RunId,
        is_author: impl Fn(PublicKey) -> bool,
    ) -> Result<bool, StoreError> {
        let (mut names, mut claims) = (false, 0);
        let prefix = rows::id_prefix(entry_id);
        self.scan(Table::TimelineIds, prefix.as_bytes(), None, Order::Ascending, |key, _| {
            let moment = rows::read_moment(key)?;
            claims += 1;
            if is_author(moment.feed.node) {
                names |= self.moment(moment)?.is_some_and(|entry| entry.note.refs.run == Some(run));
            }
            Ok(!names && claims < CLAIMS_MAX)
        })?;
        Ok(names)
    }
}
