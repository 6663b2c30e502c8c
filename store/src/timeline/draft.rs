//! A draft: the rows of one transaction in the making, over what is kept already.
//!
//! Owns looking up records that may be in the database or in the draft itself. Invariant: what a draft
//! answers is what a reader will answer once it is committed.

use std::collections::{BTreeMap, BTreeSet};

use super::board::{
    self, BOARD_BYTES_MAX, BOARD_CHANGES_MAX, Board, Contribution, Folded, LeftOut, Open, Reason,
};
use super::feed::FeedId;
use super::fold::contribution;
use super::frame::{self, LENGTH_BYTES, OVERHEAD_BYTES};
use super::head::Effect;
use super::limit::Limit;
use super::pace::Pace;
use super::record::{NO_RECORD, Place, Record};
use super::rows;
use crate::Reader;
use crate::audit::signature::{PublicKey, Signature};
use crate::digest::Digest;
use crate::error::StoreError;
use crate::projection::Changes;
use crate::reader::Order;
use crate::tables::{Key, Table};

pub(super) struct Draft<'a> {
    env: PublicKey,
    reader: &'a Reader,
    pub(super) changes: Changes,
    records: BTreeMap<(FeedId, u64), Drafted>,
    signatures: BTreeMap<(FeedId, u64), Signature>,
    /// Boards that records of the draft are about, and those records.
    boards: BTreeMap<Board, BTreeSet<(FeedId, u64)>>,
    /// Boards of records whose feed's limit moved.
    recounted: BTreeSet<Board>,
}

/// Where the row of a record is that came with the draft.
enum Drafted {
    /// This one of the changes, to which others are only added.
    Change(usize),
    /// It is put by others: this is its value.
    Elsewhere(Vec<u8>),
}

impl<'a> Draft<'a> {
    pub(super) fn new(env: PublicKey, reader: &'a Reader) -> Self {
        Self {
            env,
            reader,
            changes: Changes::new(),
            records: BTreeMap::new(),
            signatures: BTreeMap::new(),
            boards: BTreeMap::new(),
            recounted: BTreeSet::new(),
        }
    }

    /// Adds a record and what it does.
    pub(super) fn put(&mut self, record: &Record, effect: &Effect, limit: Limit) {
        let row = Drafted::Change(self.changes.0.len());
        rows::put_record(&mut self.changes, record);
        rows::put_effect(&mut self.changes, record, effect, record.seq <= limit.counts);
        self.note(record, effect, row);
    }

    /// Takes notice of a record whose rows stand elsewhere.
    pub(super) fn remember(&mut self, record: &Record, effect: &Effect) {
        let row = [record.hash.as_bytes().as_slice(), &record.payload].concat();
        self.note(record, effect, Drafted::Elsewhere(row));
    }

    fn note(&mut self, record: &Record, effect: &Effect, row: Drafted) {
        self.records.insert((record.feed, record.seq), row);
        if let Effect::Board(board) = effect {
            self.boards.entry(board.clone()).or_default().insert((record.feed, record.seq));
        }
    }

    pub(super) fn sign(&mut self, feed: &FeedId, seq: u64, signature: Signature) {
        rows::put_signature(&mut self.changes, feed, seq, &signature);
        self.signatures.insert((*feed, seq), signature);
    }

    /// Puts the rows of record `seq` on the side of its feed's limit where it counts or does not.
    pub(super) fn recount(&mut self, feed: &FeedId, seq: u64, counts: bool) -> Result<(), StoreError> {
        let record = self.record(feed, seq)?;
        let effect = rows::effect_of(&record)?;
        rows::put_effect(&mut self.changes, &record, &effect, counts);
        if let Effect::Board(board) = effect {
            self.recounted.insert(board);
        }
        Ok(())
    }

    /// Boards that are to be folded anew because records of theirs were recounted.
    pub(super) fn boards_recounted(&self) -> usize {
        self.recounted.len()
    }

    /// The hash of a record that is kept.
    pub(super) fn hash(&self, feed: &FeedId, seq: u64) -> Result<Option<Digest>, StoreError> {
        if seq == 0 {
            return Ok(Some(NO_RECORD));
        }
        self.look_at(feed, seq, |hash, _| hash)
    }

    fn payload(&self, feed: &FeedId, seq: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.look_at(feed, seq, |_, payload| payload.to_vec())
    }

    /// What `look` makes of the hash and the payload of a record; neither is copied for it.
    fn look_at<T>(
        &self,
        feed: &FeedId,
        seq: u64,
        look: impl FnOnce(Digest, &[u8]) -> T,
    ) -> Result<Option<T>, StoreError> {
        let look = |row: &[u8]| parted(row).map(|(hash, payload)| look(hash, payload));
        let looked = match self.records.get(&(*feed, seq)) {
            Some(Drafted::Change(at)) => self.changes.value(*at)?.map(look),
            Some(Drafted::Elsewhere(row)) => Some(look(row)),
            None => {
                let key = rows::record_key(feed, seq);
                self.reader.look_at(Table::TimelineRecords, key.as_bytes(), look)?
            }
        };
        looked.transpose()
    }

    /// The record at `seq`.
    pub(super) fn record(&self, feed: &FeedId, seq: u64) -> Result<Record, StoreError> {
        let missing = || StoreError::Inconsistent(format!("record {seq} of a feed is missing"));
        let prev = self.hash(feed, seq - 1)?.ok_or_else(missing)?;
        let payload = self.payload(feed, seq)?.ok_or_else(missing)?;
        Place { env: self.env, feed: *feed, seq, prev }
            .read(payload)
            .map_err(|error| StoreError::Inconsistent(format!("record {seq} of a feed: {error}")))
    }

    /// The frame that begins with record `from` and goes to the first signature behind it.
    pub(super) fn signed_from(&self, feed: &FeedId, from: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let drafted = self.signatures.range((*feed, from)..).next();
        let drafted =
            drafted.filter(|((of, _), _)| of == feed).map(|((_, seq), signature)| (*seq, *signature));
        let Some((last, signature)) = first_signature(self.reader, feed, from)?.or(drafted) else {
            return Ok(None);
        };
        let Some(prev) = self.hash(feed, from - 1)? else { return Ok(None) };
        let mut payloads = Vec::new();
        for seq in from..=last {
            let Some(payload) = self.payload(feed, seq)? else { return Ok(None) };
            payloads.push(payload);
        }
        let place = Place { env: self.env, feed: *feed, seq: from, prev };
        Ok(Some(frame::encode(&place, payloads.iter().map(Vec::as_slice), &signature)))
    }

    /// Folds `board` as it will be, with `limit` of each feed.
    pub(super) fn fold(&self, board: &Board, limit: impl Fn(&FeedId) -> Limit) -> Result<Folded, StoreError> {
        let mut places = self.boards.get(board).cloned().unwrap_or_default();
        let prefix = rows::contributions_prefix(board);
        let (mut author, mut count, mut after) = (None, 0, None::<Key>);
        loop {
            let mut talkative = None;
            let start = after.take().map(Key::into_bytes);
            let visit = |key: &[u8], _: &[u8]| {
                let (feed, seq) = rows::read_record_key(key)?;
                count = if author == Some(feed) { count + 1 } else { 1 };
                author = Some(feed);
                places.insert((feed, seq));
                // One more tells that there are more; those are not even walked over.
                talkative = (count > BOARD_CHANGES_MAX).then_some(feed);
                Ok(talkative.is_none())
            };
            let table = Table::TimelineContributions;
            self.reader.scan(table, prefix.as_bytes(), start.as_deref(), Order::Ascending, visit)?;
            let Some(feed) = talkative else { break };
            after = Some(prefix.clone().bytes(rows::record_key(&feed, u64::MAX).as_bytes()));
        }
        Ok(board::fold(board, &self.contributions(board, &places, limit)?))
    }

    fn contributions(
        &self,
        board: &Board,
        places: &BTreeSet<(FeedId, u64)>,
        limit: impl Fn(&FeedId) -> Limit,
    ) -> Result<Vec<Contribution>, StoreError> {
        let mut contributions: Vec<Contribution> = Vec::with_capacity(places.len());
        let new = self.boards.get(board);
        let (mut author, mut bytes) = (None, 0);
        for place @ (feed, seq) in places {
            let limit = limit(feed);
            if author.replace(*feed) != Some(*feed) {
                bytes = 0;
            }
            // Again one more than is looked at; but of what just came, each is to be told of.
            let is_looked_at = bytes <= BOARD_BYTES_MAX || new.is_some_and(|new| new.contains(place));
            if *seq <= limit.grounds && is_looked_at {
                let one = contribution(&self.record(feed, *seq)?, limit);
                bytes += one.as_ref().map_or(0, |one| one.change.len());
                contributions.extend(one);
            }
        }
        Ok(contributions)
    }

    /// Folds every board that the draft touched, as far as it is not open, and hands over the rows, with what of the
    /// draft's shows on no board. Whoever has a board folded anew is charged with what it holds.
    pub(super) fn finish(
        mut self,
        limit: impl Fn(&FeedId) -> Limit,
        open: &mut Open,
        pace: &Pace,
    ) -> Result<(Changes, Vec<LeftOut>), StoreError> {
        let mut left_out = Vec::new();
        self.recounted.iter().for_each(|board| drop(open.take(board)));
        let touched: BTreeSet<Board> = self.boards.keys().chain(&self.recounted).cloned().collect();
        for board in touched {
            let new = self.boards.get(&board).cloned().unwrap_or_default();
            let extended = match open.take(&board) {
                Some(folded) => folded.extend(&self.contributions(&board, &new, &limit)?),
                None => None,
            };
            let is_extended = extended.is_some();
            let mut folded = match extended {
                Some(folded) => folded,
                None => {
                    let folded = self.fold(&board, &limit)?;
                    let authors: BTreeSet<PublicKey> = new.iter().map(|(feed, _)| feed.node).collect();
                    authors.into_iter().for_each(|author| pace.charge(author, folded.operations()));
                    folded
                }
            };
            // A board that is folded anew finds all that it ever left out; that was told when it came.
            let found = std::mem::take(&mut folded.left_out).into_iter();
            let told = found
                .filter(|(place, why)| new.contains(place) || is_extended && !matches!(why, Reason::Waits));
            left_out.extend(told.map(|((feed, seq), why)| LeftOut { feed, seq, why }));
            rows::put_board(&mut self.changes, &board, &folded);
            open.keep(board, folded);
        }
        Ok((self.changes, left_out))
    }
}

/// The first signature over `feed` at or behind record `from`.
fn first_signature(
    reader: &Reader,
    feed: &FeedId,
    from: u64,
) -> Result<Option<(u64, Signature)>, StoreError> {
    let mut found = None;
    scan_signatures(reader, feed, from, |seq, signature| {
        found = Some((seq, signature));
        false
    })?;
    Ok(found)
}

pub(super) fn scan_signatures(
    reader: &Reader,
    feed: &FeedId,
    from: u64,
    mut visit: impl FnMut(u64, Signature) -> bool,
) -> Result<(), StoreError> {
    let (prefix, after) = (rows::feed_key(feed), rows::record_key(feed, from - 1));
    let after = Some(after.as_bytes());
    reader.scan(Table::TimelineSignatures, prefix.as_bytes(), after, Order::Ascending, |key, value| {
        let signature = <[u8; 64]>::try_from(value)
            .map_err(|_| StoreError::Inconsistent("a signature is not 64 bytes".into()))?;
        Ok(visit(rows::read_record_key(key)?.1, Signature::from_bytes(signature)))
    })
}

pub(super) fn split_hash(row: &[u8]) -> Result<(Digest, Vec<u8>), StoreError> {
    parted(row).map(|(hash, payload)| (hash, payload.to_vec()))
}

/// The hash and the payload in the row of a record.
fn parted(row: &[u8]) -> Result<(Digest, &[u8]), StoreError> {
    let (hash, payload) =
        row.split_first_chunk().ok_or_else(|| StoreError::Inconsistent("a record is cut short".into()))?;
    Ok((Digest::from_bytes(*hash), payload))
}

/// The frame of records of `feed` from `from` on that goes as far as a signature does within `max_bytes` and
/// within one pack. None where there is no such signature.
pub(super) fn range(
    reader: &Reader,
    env: PublicKey,
    feed: &FeedId,
    from: u64,
    max_bytes: usize,
) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let end = (frame::pack_of(from) + 1) * frame::PACK_RECORDS;
    let prev = match from {
        0 => return Ok(None),
        1 => NO_RECORD,
        _ => match Draft::new(env, reader).hash(feed, from - 1)? {
            Some(hash) => hash,
            None => return Ok(None),
        },
    };
    let mut payloads = Vec::new();
    let mut bytes = OVERHEAD_BYTES;
    let (prefix, after) = (rows::feed_key(feed), rows::record_key(feed, from - 1));
    let after: Option<&[u8]> = Some(after.as_bytes());
    reader.scan(Table::TimelineRecords, prefix.as_bytes(), after, Order::Ascending, |key, row| {
        let seq = rows::read_record_key(key)?.1;
        let (_, payload) = split_hash(row)?;
        bytes += LENGTH_BYTES + payload.len();
        let fits = seq <= end && bytes <= max_bytes;
        if fits {
            payloads.push(payload);
        }
        Ok(fits)
    })?;
    let mut newest = None;
    let last = from + payloads.len() as u64 - 1;
    scan_signatures(reader, feed, from, |seq, signature| {
        if seq <= last {
            newest = Some((seq, signature));
        }
        seq < last
    })?;
    Ok(newest.map(|(seq, signature)| {
        let place = Place { env, feed: *feed, seq: from, prev };
        let count = (seq - from + 1) as usize;
        (seq, frame::encode(&place, payloads[..count].iter().map(Vec::as_slice), &signature))
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::node::Node;
    use super::super::tests::world::{Author, entries, env};
    use super::*;

    #[test]
    fn what_a_draft_answers_is_what_is_read_once_it_is_committed() {
        let (node, mut author) = (Node::new(), Author::new(1, 1));
        let records = entries(&mut author, 3);
        let reader = node.store.read().expect("reads");
        let mut draft = Draft::new(env(), &reader);
        let effect = |record: &Record| rows::effect_of(record).expect("is an entry");
        for record in &records[..2] {
            draft.put(record, &effect(record), Limit::NONE);
        }
        let third = &records[2];
        draft.remember(third, &effect(third));
        for record in &records[..2] {
            // Its bytes are there once, in the row.
            assert!(matches!(draft.records[&(record.feed, record.seq)], Drafted::Change(_)));
        }
        let answers = |draft: &Draft<'_>| {
            records.iter().all(|record| {
                let (feed, seq) = (&record.feed, record.seq);
                let hash = draft.hash(feed, seq).expect("reads");
                hash == Some(record.hash) && draft.record(feed, seq).expect("reads") == *record
            })
        };
        assert!(answers(&draft));
        assert_eq!(draft.hash(&author.feed, 4).expect("reads"), None);
        rows::put_record(&mut draft.changes, third);
        node.commit(draft.changes);
        let reader = node.store.read().expect("reads");
        assert!(answers(&Draft::new(env(), &reader)));
    }
}
