//! Reading the timeline: pages of moments, one moment, packs, and what two nodes compare.
//!
//! Reads rows and loads no Automerge document. Invariant: what is excluded is not shown here.

use std::time::Duration;

use super::canonical::{Canonical, Moment, Sum};
use super::draft::{Draft, range};
use super::entry::{Branch, Entry, Kind, Note};
use super::feed::FeedId;
use super::fork::Proof;
use super::frame::FRAME_MAX_BYTES;
use super::hlc::Hlc;
use super::rows::{self, BoardRow, FeedRow};
use crate::Reader;
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::ids::EntryId;
use crate::projection::{Cursor, Page, Row};
use crate::reader::{Order, PageBuilder, decode};
use crate::tables::{Key, Table};
use crate::trust::Head;

/// Which moments to list.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Only those on this branch.
    pub branch: Option<Branch>,
    /// Only those of this kind.
    pub kind: Option<Kind>,
    /// Only those at this instant or later.
    pub since: Option<Timestamp>,
    /// Only those before this instant.
    pub until: Option<Timestamp>,
}

impl EntryFilter {
    /// The key behind which a page begins.
    pub(super) fn start(&self, prefix: &Key, order: Order, cursor: Option<&Cursor>) -> Option<Vec<u8>> {
        let at = match order {
            Order::Ascending => self.since,
            Order::Descending => self.until,
        };
        let bound = at.map(|at| prefix.clone().u64(at.as_micros() as u64).into_bytes());
        let cursor = cursor.map(|cursor| cursor.as_bytes().to_vec());
        match (order, bound, cursor) {
            (Order::Ascending, Some(bound), Some(cursor)) => Some(bound.max(cursor)),
            (Order::Descending, Some(bound), Some(cursor)) => Some(bound.min(cursor)),
            (_, bound, cursor) => cursor.or(bound),
        }
    }

    /// Whether `moment`, and all behind it in `order`, is out of range.
    fn ends_before(&self, moment: &Moment, order: Order) -> bool {
        match order {
            Order::Ascending => self.until.is_some_and(|until| moment.at.at >= until),
            Order::Descending => self.since.is_some_and(|since| moment.at.at < since),
        }
    }
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
        let prefix = filter.branch.as_ref().map(rows::branch_prefix).unwrap_or_default();
        let start = filter.start(&prefix, order, cursor);
        let table = filter.branch.as_ref().map_or(Table::TimelineMoments, |_| Table::TimelineBranches);
        self.scan(table, prefix.as_bytes(), start.as_deref(), order, |key, value| {
            let moment = rows::read_moment(key)?;
            if filter.ends_before(&moment, order) {
                return Ok(false);
            }
            let found = match table {
                Table::TimelineMoments => Some(entry(moment, value)?),
                _ => self.moment(moment)?,
            };
            let is_wanted = |entry: &Entry| filter.kind.is_none_or(|kind| entry.note.kind == kind);
            Ok(page.offer(key, found.filter(is_wanted)))
        })?;
        Ok(page.finish())
    }

    /// Where `branch` stands at `now`, or all of the timeline: its newest moment. What claims to be from further in
    /// the future than clocks may differ is no ground to go on from until its time comes, unless there is nothing
    /// else. None when there is nothing at all.
    pub fn newest_entry(&self, branch: Option<&Branch>, now: Timestamp) -> Result<Option<Entry>, StoreError> {
        match self.newest_believable_entry(branch, now)? {
            Some(entry) => Ok(Some(entry)),
            None => self.newest_until(branch, None),
        }
    }

    /// The newest moment on `branch`, or of all, that does not claim to be from further in the future than clocks may
    /// differ. None when there is none.
    pub fn newest_believable_entry(
        &self,
        branch: Option<&Branch>,
        now: Timestamp,
    ) -> Result<Option<Entry>, StoreError> {
        let too_late = Hlc::believable_until(now).after(Duration::from_micros(1));
        self.newest_until(branch, Some(too_late))
    }

    fn newest_until(
        &self,
        branch: Option<&Branch>,
        until: Option<Timestamp>,
    ) -> Result<Option<Entry>, StoreError> {
        let filter = EntryFilter { branch: branch.cloned(), until, ..EntryFilter::default() };
        Ok(self.entries(&filter, Order::Descending, None, 1)?.items.pop())
    }

    /// A page of what happened between two moments, oldest first: behind the earlier one, up to and with the
    /// later one. None when one of them is not here.
    pub fn entries_between(
        &self,
        one: EntryId,
        other: EntryId,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Option<Page<Entry>>, StoreError> {
        let (Some(one), Some(other)) = (self.place_of(one)?, self.place_of(other)?) else { return Ok(None) };
        let (from, to) = (one.min(other), one.max(other));
        let start = rows::moment_key(&from).into_bytes();
        let start = cursor.map_or(start.as_slice(), |cursor| cursor.as_bytes().max(&start));
        let mut page = PageBuilder::new(limit);
        self.scan(Table::TimelineMoments, &[], Some(start), Order::Ascending, |key, value| {
            let moment = rows::read_moment(key)?;
            Ok(moment <= to && page.offer(key, Some(entry(moment, value)?)))
        })?;
        Ok(Some(page.finish()))
    }

    /// The moment `entry_id`. Of several that claim the id, the earliest.
    pub fn entry(&self, entry_id: EntryId) -> Result<Option<Entry>, StoreError> {
        self.place_of(entry_id)?.map_or(Ok(None), |moment| self.moment(moment))
    }

    /// Whether several moments claim the id: whoever wrote one of them made it up.
    pub fn is_contested(&self, entry_id: EntryId) -> Result<bool, StoreError> {
        let mut claims = 0;
        let prefix = rows::id_prefix(entry_id);
        self.scan(Table::TimelineIds, prefix.as_bytes(), None, Order::Ascending, |_, _| {
            claims += 1;
            Ok(claims < 2)
        })?;
        Ok(claims > 1)
    }

    /// Where the moment `entry_id` stands in the list of moments on `branch`, or of all: a page with this cursor
    /// begins behind it, in either order. The moment itself need not be on the branch. None when it is not here.
    pub fn cursor_at(
        &self,
        branch: Option<&Branch>,
        entry_id: EntryId,
    ) -> Result<Option<Cursor>, StoreError> {
        let prefix = branch.map(rows::branch_prefix).unwrap_or_default();
        let place = self.place_of(entry_id)?;
        Ok(place.map(|moment| Cursor::from_bytes(rows::append_moment(prefix, &moment).into_bytes())))
    }

    pub(super) fn place_of(&self, entry_id: EntryId) -> Result<Option<Moment>, StoreError> {
        self.first_moment(Table::TimelineIds, rows::id_prefix(entry_id).as_bytes(), None, Order::Ascending)
    }

    /// The moment in the first key of an index below `prefix` behind `after`.
    pub(super) fn first_moment(
        &self,
        index: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        order: Order,
    ) -> Result<Option<Moment>, StoreError> {
        self.first_key(index, prefix, after, order)?.map(|key| rows::read_moment(&key)).transpose()
    }

    pub(super) fn moment(&self, moment: Moment) -> Result<Option<Entry>, StoreError> {
        let value = self.get_raw(Table::TimelineMoments, rows::moment_key(&moment).as_bytes())?;
        value.map(|value| entry(moment, &value)).transpose()
    }

    /// A page of moments that are about `entry_id` and that `admit` lets pass: approvals, notes, merges, rollbacks.
    /// Oldest first, of so many as one page looks at.
    pub fn entries_about(
        &self,
        entry_id: EntryId,
        cursor: Option<&Cursor>,
        limit: usize,
        admit: impl Fn(&Entry) -> bool,
    ) -> Result<Page<Entry>, StoreError> {
        let mut page = PageBuilder::new(limit);
        let (prefix, after) = (rows::id_prefix(entry_id), cursor.map(Cursor::as_bytes));
        self.scan(Table::TimelineAbout, prefix.as_bytes(), after, Order::Ascending, |key, _| {
            Ok(page.offer(key, self.moment(rows::read_moment(key)?)?.filter(&admit)))
        })?;
        Ok(page.finish())
    }

    /// The frame of records of `feed` from `from` on, as far as it goes within `max_bytes` and one pack, and the number
    /// of its last record. None when there is nothing that is signed within `max_bytes`.
    pub fn feed_frame(
        &self,
        env: PublicKey,
        feed: &FeedId,
        from: u64,
        max_bytes: usize,
    ) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        range(self, env, feed, from, max_bytes.min(FRAME_MAX_BYTES))
    }

    /// What is known of `feed`; none when nothing is.
    pub fn feed(&self, feed: &FeedId) -> Result<Option<FeedRow>, StoreError> {
        self.get(&rows::feed_key(feed))
    }

    /// The proof that `feed` forked; none when it did not, as far as is known.
    pub fn fork(&self, feed: &FeedId) -> Result<Option<Proof>, StoreError> {
        self.get(&rows::feed_key(feed))
    }

    /// What is known of each feed: the version vector.
    pub fn feeds(&self) -> Result<Vec<FeedRow>, StoreError> {
        let mut feeds = Vec::new();
        self.scan(FeedRow::TABLE, &[], None, Order::Ascending, |_, value| {
            feeds.push(decode::<FeedRow>(value)?);
            Ok(true)
        })?;
        Ok(feeds)
    }

    /// The last record of a feed that nodes bring each other: one that counts or, behind a cut, one that others
    /// may have built on. None when there is none.
    pub fn last_shared(&self, row: &FeedRow) -> Result<Option<Head>, StoreError> {
        let seq = row.head.seq.min(row.limit.grounds);
        let hash = match seq {
            0 => return Ok(None),
            _ if seq == row.head.seq => Some(row.head.hash),
            // A hash is read without an environment.
            _ => Draft::new(PublicKey::from_bytes([0; 32]), self).hash(&row.feed, seq)?,
        };
        let missing = || StoreError::Inconsistent(format!("record {seq} of a feed is missing"));
        Ok(Some(Head { seq, hash: hash.ok_or_else(missing)? }))
    }

    /// The hash of the canonical timeline: equal on nodes that have the same.
    pub fn timeline_digest(&self) -> Result<Digest, StoreError> {
        Ok(self.timeline_sum()?.digest)
    }

    /// The same, with how much went into it. Reads the whole timeline.
    pub fn timeline_sum(&self) -> Result<Sum, StoreError> {
        let (mut canonical, mut moments, mut boards, mut left_out) = (Canonical::new(), 0, 0, 0);
        self.scan(Table::TimelineMoments, &[], None, Order::Ascending, |key, value| {
            canonical.entry(&rows::read_moment(key)?, &note(value)?);
            moments += 1;
            Ok(true)
        })?;
        self.scan(Table::TimelineBoards, &[], None, Order::Ascending, |_, value| {
            let row = decode::<BoardRow>(value)?;
            canonical.board(&row.board, &row.view);
            boards += 1;
            left_out += row.pending;
            Ok(true)
        })?;
        Ok(Sum { digest: canonical.finish(), moments, boards, left_out })
    }
}

pub(super) fn entry(moment: Moment, value: &[u8]) -> Result<Entry, StoreError> {
    let Moment { at, entry_id, feed, .. } = moment;
    Ok(Entry { entry_id, at, node: feed.node, note: note(value)? })
}

pub(super) fn note(value: &[u8]) -> Result<Note, StoreError> {
    let table = Table::TimelineMoments.name();
    postcard::from_bytes(value).map_err(|source| StoreError::UnreadableRow { table, source })
}
