//! Reading the timeline: pages of moments, one moment, boards, packs, and what two nodes compare.
//!
//! Reads rows and loads no Automerge document. Invariant: what is excluded is only shown where it is asked
//! for.

use super::board::Board;
use super::canonical::{Canonical, Moment};
use super::draft::range;
use super::entry::{Branch, Entry, Kind, Note};
use super::feed::FeedId;
use super::frame::{PACK_MAX_BYTES, PACK_RECORDS};
use super::rows::{self, BoardRow};
use crate::Reader;
use crate::audit::signature::PublicKey;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::ids::EntryId;
use crate::projection::{Cursor, Page};
use crate::reader::{Order, PageBuilder, decode};
use crate::tables::Table;

/// Which moments to list.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Only those on this branch.
    pub branch: Option<Branch>,
    /// Only those of this kind.
    pub kind: Option<Kind>,
}

impl Reader {
    /// A page of moments by time.
    pub fn entries(
        &self,
        filter: &EntryFilter,
        order: Order,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<Entry>, StoreError> {
        let mut page = PageBuilder::new(limit);
        let cursor = cursor.map(Cursor::as_bytes);
        let admit = |entry: &Entry| filter.kind.is_none_or(|kind| entry.note.kind == kind);
        match &filter.branch {
            None => self.scan(Table::TimelineMoments, &[], cursor, order, |key, value| {
                let entry = entry(rows::read_moment(key)?, value)?;
                Ok(page.offer(key, Some(entry).filter(admit)))
            })?,
            Some(branch) => {
                let prefix = rows::branch_prefix(branch);
                self.scan(Table::TimelineBranches, prefix.as_bytes(), cursor, order, |key, _| {
                    let entry = self.moment(rows::read_moment(key)?)?;
                    Ok(page.offer(key, entry.filter(admit)))
                })?;
            }
        }
        Ok(page.finish())
    }

    /// The moment `entry_id`. Of several that claim the id, the earliest.
    pub fn entry(&self, entry_id: EntryId) -> Result<Option<Entry>, StoreError> {
        let mut found = None;
        let prefix = rows::id_prefix(entry_id);
        self.scan(Table::TimelineIds, prefix.as_bytes(), None, Order::Ascending, |key, _| {
            found = Some(rows::read_moment(key)?);
            Ok(false)
        })?;
        found.map_or(Ok(None), |moment| self.moment(moment))
    }

    fn moment(&self, moment: Moment) -> Result<Option<Entry>, StoreError> {
        let value = self.get_raw(Table::TimelineMoments, rows::moment_key(&moment).as_bytes())?;
        value.map(|value| entry(moment, &value)).transpose()
    }

    /// What `board` shows; none when nobody touched it.
    pub fn board(&self, board: &Board) -> Result<Option<BoardRow>, StoreError> {
        self.get(&BoardRow::key_of(board))
    }

    /// A page of boards.
    pub fn boards(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<BoardRow>, StoreError> {
        self.page(&crate::tables::Key::new(), Order::Ascending, cursor, limit, |_| true)
    }

    /// Records that are here and do not count, behind `after`, at most `limit`.
    pub fn excluded_records(
        &self,
        after: Option<(FeedId, u64)>,
        limit: usize,
    ) -> Result<Vec<(FeedId, u64)>, StoreError> {
        let after = after.map(|(feed, seq)| rows::record_key(&feed, seq).into_bytes());
        let mut excluded = Vec::new();
        self.scan(Table::TimelineExcluded, &[], after.as_deref(), Order::Ascending, |key, _| {
            excluded.push(rows::read_record_key(key)?);
            Ok(excluded.len() < limit)
        })?;
        Ok(excluded)
    }

    /// Pack `number` of `feed`, from 0: the same bytes on every node. None while the feed has not filled it.
    pub fn pack(&self, env: PublicKey, feed: &FeedId, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(first) = number.checked_mul(PACK_RECORDS).and_then(|before| before.checked_add(1)) else {
            return Ok(None);
        };
        let last = rows::record_key(feed, first + PACK_RECORDS - 1);
        match self.get_raw(Table::TimelineSignatures, last.as_bytes())? {
            Some(_) => range(self, env, feed, first, PACK_MAX_BYTES),
            None => Ok(None),
        }
    }

    /// The hash of the canonical timeline: equal on nodes that have the same.
    pub fn timeline_digest(&self) -> Result<Digest, StoreError> {
        let mut canonical = Canonical::new();
        self.scan(Table::TimelineMoments, &[], None, Order::Ascending, |key, value| {
            canonical.entry(&rows::read_moment(key)?, &note(value)?);
            Ok(true)
        })?;
        self.scan(Table::TimelineBoards, &[], None, Order::Ascending, |_, value| {
            let row = decode::<BoardRow>(value)?;
            canonical.board(&row.board, &row.view);
            Ok(true)
        })?;
        Ok(canonical.finish())
    }
}

fn entry(moment: Moment, value: &[u8]) -> Result<Entry, StoreError> {
    let Moment { at, entry_id, feed, .. } = moment;
    Ok(Entry { entry_id, at, node: feed.node, note: note(value)? })
}

fn note(value: &[u8]) -> Result<Note, StoreError> {
    let table = Table::TimelineMoments.name();
    postcard::from_bytes(value).map_err(|source| StoreError::UnreadableRow { table, source })
}
