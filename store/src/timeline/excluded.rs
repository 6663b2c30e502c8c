//! What is kept and does not count, and why.
//!
//! Hidden is not lost: the records are here, anyone may look at them, and none of them shows anywhere else.
//! Invariant: a record is in this list or it counts, never both.

use super::board::Board;
use super::draft::split_hash;
use super::entry::Entry;
use super::feed::FeedId;
use super::head::Effect;
use super::hlc::Hlc;
use super::record::Content;
use super::rows::{self, FeedRow};
use crate::Reader;
use crate::error::StoreError;
use crate::projection::{Cursor, Page};
use crate::reader::{Order, PageBuilder};
use crate::tables::Table;

/// A record that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// The feed that it stands in.
    pub feed: FeedId,
    /// Which of its records.
    pub seq: u64,
    /// When, by its author's clock.
    pub at: Hlc,
    /// What it would have been.
    pub matter: Matter,
    /// Why it is not.
    pub why: Why,
}

/// What an excluded record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
    /// A moment.
    Entry(Box<Entry>),
    /// A change to a board. It shows there all the same where somebody who counts built on it.
    Board(Board),
    /// A statement about who belongs. The roster judges those by its own rules.
    Statement,
}

/// Why a record does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its author wrote two records under number `seq`; nothing from there on counts.
    Equivocation {
        /// The number.
        seq: u64,
    },
    /// The roster ends the feed behind record `after`: its node was revoked, took another key, or is no member.
    Cut {
        /// The last record that counts; 0 where none does.
        after: u64,
    },
}

impl Reader {
    /// A page of records that are here and do not count, feed by feed.
    pub fn excluded(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<Excluded>, StoreError> {
        let (mut page, mut feed): (_, Option<FeedRow>) = (PageBuilder::new(limit), None);
        let after = cursor.map(Cursor::as_bytes);
        self.scan(Table::TimelineExcluded, &[], after, Order::Ascending, |key, _| {
            let (of, seq) = rows::read_record_key(key)?;
            if feed.is_none_or(|row| row.feed != of) {
                feed = self.get(&rows::feed_key(&of))?;
            }
            Ok(page.offer(key, Some(self.excluded_record(of, seq, feed.as_ref())?)))
        })?;
        Ok(page.finish())
    }

    /// The moment that record `seq` of `feed` is; none when it is something else, is not here, or does not count.
    pub fn entry_in(&self, feed: &FeedId, seq: u64) -> Result<Option<Entry>, StoreError> {
        let place = rows::record_key(feed, seq);
        if self.get_raw(Table::TimelineExcluded, place.as_bytes())?.is_some() {
            return Ok(None);
        }
        let Some(kept) = self.get_raw(Table::TimelineRecords, place.as_bytes())? else { return Ok(None) };
        let content = read_content(&kept, seq)?;
        match rows::effect_in(&content.body, seq)? {
            Effect::Entry(entry_id, note) => {
                Ok(Some(Entry { entry_id, at: content.hlc, node: feed.node, note: *note }))
            }
            Effect::Board(_) | Effect::Statement => Ok(None),
        }
    }

    fn excluded_record(&self, feed: FeedId, seq: u64, row: Option<&FeedRow>) -> Result<Excluded, StoreError> {
        let missing = || StoreError::Inconsistent(format!("excluded record {seq} of a feed is missing"));
        let row = row.ok_or_else(missing)?;
        let kept = self.get_raw(Table::TimelineRecords, rows::record_key(&feed, seq).as_bytes())?;
        let content = read_content(&kept.ok_or_else(missing)?, seq)?;
        let at = content.hlc;
        let matter = match rows::effect_in(&content.body, seq)? {
            Effect::Entry(entry_id, note) => {
                Matter::Entry(Box::new(Entry { entry_id, at, node: feed.node, note: *note }))
            }
            Effect::Board(board) => Matter::Board(board),
            Effect::Statement => Matter::Statement,
        };
        let why = match row.fork {
            // The earlier of the two decides: behind a fork nothing counts, whatever the roster says.
            Some(fork) if row.limit.counts.saturating_add(1) >= fork => Why::Equivocation { seq: fork },
            _ => Why::Cut { after: row.limit.counts },
        };
        Ok(Excluded { feed, seq, at, matter, why })
    }
}

/// What record `seq`, as it is kept, says.
pub(super) fn read_content(kept: &[u8], seq: u64) -> Result<Content, StoreError> {
    let (_, payload) = split_hash(kept)?;
    let unreadable = |_| StoreError::Inconsistent(format!("record {seq} of a feed cannot be read"));
    postcard::from_bytes(&payload).map_err(unreadable)
}
