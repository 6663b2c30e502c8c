//! Rebuilding the timeline's rows from its records.
//!
//! Owns the proof that rows hold nothing but what records say: it makes them anew, and they must come out the
//! same. Makes no records. Invariant: nothing is read but records, signatures, proofs of forks, what a newcomer was
//! told, and rows that were made of them here.
//!
//! It goes over the records twice. How much of a feed counts is for the roster to say, which is itself read by rows
//! that follow from records: those come first.

use std::collections::BTreeMap;

use super::board::Board;
use super::draft::{Draft, split_hash};
use super::excluded::read_content;
use super::feed::FeedId;
use super::fork::Proof;
use super::head::{Effect, FeedHead};
use super::limit::Limit;
use super::record::{Body, Place, Record};
use super::rows::{self, FeedRow};
use crate::audit::signature::PublicKey;
use crate::error::StoreError;
use crate::journal::write_rows;
use crate::projection::{Changes, Row};
use crate::reader::{Order, Reader, decode};
use crate::tables::Table;
use crate::trust::Cut;
use crate::{Store, rebuild};

/// Records whose rows are committed together.
const BATCH: u64 = 4096;

impl Store {
    /// Deletes every row that follows from the records of `env`'s timeline and makes them anew. `judge` reads the
    /// roster once the rows are there that it is read by. Answers the number of records, and leaves the marker for
    /// the caller to take away. Nobody else may use the store meanwhile.
    pub(crate) fn rebuild_timeline<C: Fn(&FeedId) -> Cut>(
        &self,
        env: PublicKey,
        judge: impl FnOnce(&Reader) -> Result<C, StoreError>,
    ) -> Result<u64, StoreError> {
        let engine = self.engine()?;
        let commit = |changes: Changes| {
            engine.guard(|| {
                let transaction = engine.begin_write()?;
                write_rows(&transaction, changes)?;
                Ok(transaction.commit()?)
            })
        };
        engine.guard(|| rebuild::clear(&engine, &Table::TIMELINE_DERIVED))?;
        outline(&self.read()?, commit)?;
        let reader = self.read()?;
        let cuts = judge(&reader)?;
        let mut work =
            Work { env, cuts, reader: &reader, feed: None, changes: Changes::new(), boards: Vec::new() };
        work.open_forked()?;
        let mut records = 0;
        reader.scan(Table::TimelineRecords, &[], None, Order::Ascending, |key, value| {
            let (feed, seq) = rows::read_record_key(key)?;
            work.take(feed, seq, value)?;
            records += 1;
            if records % BATCH == 0 {
                commit(std::mem::take(&mut work.changes))?;
            }
            Ok(true)
        })?;
        work.close_feed();
        let Work { changes, mut boards, .. } = work;
        commit(changes)?;
        boards.sort();
        boards.dedup();
        commit(self.refold(env, boards)?)?;
        Ok(records)
    }

    fn refold(&self, env: PublicKey, boards: Vec<Board>) -> Result<Changes, StoreError> {
        let reader = self.read()?;
        let draft = Draft::new(env, &reader);
        let limits: BTreeMap<FeedId, Limit> =
            reader.feeds()?.into_iter().map(|row| (row.feed, row.limit)).collect();
        let mut changes = Changes::new();
        for board in boards {
            // A feed without a row has no records.
            let folded = draft.fold(&board, |feed| limits.get(feed).copied().unwrap_or(Limit::NONE))?;
            rows::put_board(&mut changes, &board, &folded);
        }
        Ok(changes)
    }
}

/// Makes the rows that the roster is read by: where statements stand, how far feeds go and where they fork. The rows of
/// feeds say nothing else yet.
fn outline(reader: &Reader, commit: impl Fn(Changes) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let mut changes = Changes::new();
    let mut ends: BTreeMap<FeedId, FeedRow> = BTreeMap::new();
    let end = |feed| FeedRow { feed, head: FeedHead::default(), limit: Limit::NONE, fork: None };
    let mut records = 0;
    reader.scan(Table::TimelineRecords, &[], None, Order::Ascending, |key, value| {
        let (feed, seq) = rows::read_record_key(key)?;
        ends.entry(feed).or_insert_with(|| end(feed)).head.seq = seq;
        if matches!(read_content(value, seq)?.body, Body::Statement(_)) {
            changes.mark(Table::TimelineStatements, rows::record_key(&feed, seq));
        }
        records += 1;
        if records % BATCH == 0 {
            commit(std::mem::take(&mut changes))?;
        }
        Ok(true)
    })?;
    for proof in proofs(reader)? {
        ends.entry(proof.feed).or_insert_with(|| end(proof.feed)).fork = Some(proof.seq);
    }
    ends.values().for_each(|row| changes.put(row));
    commit(changes)
}

/// The proofs of forks that are kept.
fn proofs(reader: &Reader) -> Result<Vec<Proof>, StoreError> {
    let mut proofs = Vec::new();
    reader.scan(Proof::TABLE, &[], None, Order::Ascending, |_, value| {
        proofs.push(decode::<Proof>(value)?);
        Ok(true)
    })?;
    Ok(proofs)
}

struct Work<'a, C> {
    env: PublicKey,
    cuts: C,
    reader: &'a Reader,
    /// The feed whose records are being read.
    feed: Option<FeedRow>,
    changes: Changes,
    boards: Vec<Board>,
}

impl<C: Fn(&FeedId) -> Cut> Work<'_, C> {
    fn take(&mut self, feed: FeedId, seq: u64, row: &[u8]) -> Result<(), StoreError> {
        if self.feed.is_none_or(|open| open.feed != feed) {
            self.close_feed();
            self.feed = Some(self.open_feed(feed)?);
        }
        let open = self.feed.as_mut().expect("it was just opened");
        let record = read(open.head.place(self.env, feed), seq, row)?;
        let refused = |error| StoreError::Inconsistent(format!("record {seq} of a feed: {error}"));
        let effect = open.head.advance(&record).map_err(refused)?;
        rows::put_effect(&mut self.changes, &record, &effect, seq <= open.limit.counts);
        if let Effect::Board(board) = effect {
            self.boards.push(board);
        }
        Ok(())
    }

    fn open_feed(&self, feed: FeedId) -> Result<FeedRow, StoreError> {
        let fork = self.reader.get::<Proof>(&rows::feed_key(&feed))?.map(|proof| proof.seq);
        let cut = (self.cuts)(&feed);
        let found = match cut.seq() {
            Some(seq) => {
                self.reader.get_raw(Table::TimelineRecords, rows::record_key(&feed, seq).as_bytes())?
            }
            None => None,
        };
        let found = found.map(|row| split_hash(&row)).transpose()?;
        let limit = Limit::new(cut, fork, found.map(|(hash, _)| hash));
        Ok(FeedRow { feed, head: FeedHead::default(), limit, fork })
    }

    /// A fork may be known of a feed that has no records here.
    fn open_forked(&mut self) -> Result<(), StoreError> {
        for Proof { feed, .. } in proofs(self.reader)? {
            let row = self.open_feed(feed)?;
            self.changes.put(&row);
        }
        Ok(())
    }

    fn close_feed(&mut self) {
        if let Some(row) = self.feed.take() {
            self.changes.put(&row);
        }
    }
}

fn read(place: Place, seq: u64, row: &[u8]) -> Result<Record, StoreError> {
    let (hash, payload) = split_hash(row)?;
    let wrong = |what: &str| StoreError::Inconsistent(format!("record {seq} of a feed {what}"));
    if place.seq != seq {
        return Err(wrong("does not follow the one before"));
    }
    let record = place.read(payload).map_err(|error| wrong(&error.to_string()))?;
    if record.hash == hash { Ok(record) } else { Err(wrong("is not what was signed")) }
}

#[cfg(test)]
mod tests {
    use super::super::board::Edit;
    use super::super::tests::node::Node;
    use super::super::tests::world::{Author, env, moment};
    use super::*;

    #[test]
    fn a_feed_whose_row_cannot_be_read_stops_the_rebuild_and_does_not_count_whole() {
        let (mut node, mut author) = (Node::new(), Author::new(1, 1));
        let board = Board::Pin(author.entry_id("a"));
        let record = author.edit(moment(1), &board, &[], &[Edit::Pin]);
        node.admit(&[author.frame(&[record])]);
        node.recut(&[(author.feed, Cut::Everything)].into());
        let refold = || node.store.refold(env(), vec![board.clone()]);
        let mut gone = Changes::new();
        gone.unmark(Table::TimelineBoards, rows::BoardRow::key_of(&board));
        assert_eq!(refold().expect("reads"), gone);
        let mut unreadable = Changes::new();
        unreadable.put_bytes(Table::TimelineFeeds, rows::feed_key(&author.feed), vec![1]);
        node.commit(unreadable);
        assert!(matches!(refold(), Err(StoreError::UnreadableRow { .. })));
    }
}
