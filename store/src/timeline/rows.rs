//! The timeline in the database: keys, rows, and what each record adds.
//!
//! Owns the layout. Records, signatures and forks are the truth; the other rows follow from them. Invariant:
//! a row is written here and nowhere else, so a rebuild writes the same ones.

use serde::{Deserialize, Serialize};

use super::approval::Matter;
use super::board::{Board, Folded, View};
use super::canonical::Moment;
use super::document;
use super::entry::{Branch, Note};
use super::feed::FeedId;
use super::fork::Proof;
use super::head::{Effect, FeedHead};
use super::hlc::Hlc;
use super::limit::Limit;
use super::record::{Body, Record};
use crate::audit::signature::{PublicKey, Signature};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::ids::EntryId;
use crate::projection::{Changes, Row};
use crate::tables::{Key, Table};

/// What is known of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRow {
    /// The feed.
    pub feed: FeedId,
    /// Where it ends.
    pub head: FeedHead,
    /// How much of it counts.
    pub limit: Limit,
    /// The first number under which it has two records.
    pub fork: Option<u64>,
}

impl Row for FeedRow {
    const TABLE: Table = Table::TimelineFeeds;

    fn key(&self) -> Key {
        feed_key(&self.feed)
    }
}

impl Row for Proof {
    const TABLE: Table = Table::TimelineForks;

    fn key(&self) -> Key {
        feed_key(&self.feed)
    }
}

/// What a board shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardRow {
    /// Which board.
    pub board: Board,
    /// What is on it.
    pub view: View,
    /// Changes that wait for what they build on.
    pub pending: u64,
}

impl Row for BoardRow {
    const TABLE: Table = Table::TimelineBoards;

    fn key(&self) -> Key {
        Self::key_of(&self.board)
    }
}

impl BoardRow {
    /// The key of a board's row.
    pub fn key_of(board: &Board) -> Key {
        Key::new().bytes(&board.key())
    }
}

pub(super) fn feed_key(feed: &FeedId) -> Key {
    Key::new().bytes(feed.node.as_bytes()).u64(feed.incarnation)
}

pub(super) fn record_key(feed: &FeedId, seq: u64) -> Key {
    feed_key(feed).u64(seq)
}

pub(super) fn moment_key(moment: &Moment) -> Key {
    append_moment(Key::new(), moment)
}

pub(super) fn branch_prefix(branch: &Branch) -> Key {
    Key::new().text(branch.as_str())
}

pub(super) fn id_prefix(entry_id: EntryId) -> Key {
    Key::new().bytes(entry_id.as_bytes())
}

pub(super) fn contributions_prefix(board: &Board) -> Key {
    Key::new().bytes(board.document().as_bytes())
}

pub(super) fn append_moment(key: Key, moment: &Moment) -> Key {
    let key = key.u64(moment.at.at.as_micros() as u64).u16(moment.at.counter);
    let key = key.bytes(moment.entry_id.as_bytes()).bytes(moment.feed.node.as_bytes());
    key.u64(moment.feed.incarnation).u64(moment.seq)
}

/// What the keys of moments of `author` about a matter begin with.
pub(super) fn said_by(matter: Key, author: &PublicKey) -> Key {
    matter.bytes(author.as_bytes())
}

/// Bytes of an author and a moment in a key.
pub(super) const SAID_BY_BYTES: usize = 32 + MOMENT_BYTES;
/// Bytes of a moment in a key.
pub(super) const MOMENT_BYTES: usize = 8 + 2 + 16 + 32 + 8 + 8;

/// The moment that the last bytes of a key are.
pub(super) fn read_moment(key: &[u8]) -> Result<Moment, StoreError> {
    let rest = key.len().checked_sub(MOMENT_BYTES).map(|start| &key[start..]);
    let mut rest = rest.ok_or_else(|| StoreError::Inconsistent("a moment is cut short".into()))?;
    let at = u64::from_be_bytes(take(&mut rest)?);
    let counter = u16::from_be_bytes(take(&mut rest)?);
    let entry_id = uuid::Uuid::from_bytes(take(&mut rest)?).into();
    let (feed, seq) = read_record_key(rest)?;
    let at = Timestamp::from_micros(i64::try_from(at).unwrap_or(i64::MAX));
    Ok(Moment { at: Hlc { at, counter }, entry_id, feed, seq })
}

/// The feed and number that the last bytes of a key are.
pub(super) fn read_record_key(key: &[u8]) -> Result<(FeedId, u64), StoreError> {
    let rest = key.len().checked_sub(48).map(|start| &key[start..]);
    let mut rest = rest.ok_or_else(|| StoreError::Inconsistent("the key of a record is cut short".into()))?;
    let node = PublicKey::from_bytes(take(&mut rest)?);
    let feed = FeedId { node, incarnation: u64::from_be_bytes(take(&mut rest)?) };
    Ok((feed, u64::from_be_bytes(take(&mut rest)?)))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], StoreError> {
    let (taken, rest) =
        bytes.split_first_chunk().ok_or_else(|| StoreError::Inconsistent("a key is cut short".into()))?;
    *bytes = rest;
    Ok(*taken)
}

/// Keeps `record`.
pub(super) fn put_record(changes: &mut Changes, record: &Record) {
    let mut value = Vec::with_capacity(36 + record.payload.len());
    value.extend_from_slice(record.hash.as_bytes());
    value.extend_from_slice(&record.payload);
    changes.put_bytes(Table::TimelineRecords, record_key(&record.feed, record.seq), value);
}

/// Keeps a signature over `feed` up to record `seq`.
pub(super) fn put_signature(changes: &mut Changes, feed: &FeedId, seq: u64, signature: &Signature) {
    changes.put_bytes(Table::TimelineSignatures, record_key(feed, seq), signature.as_bytes().to_vec());
}

/// Puts the rows that follow from `record`, which does `effect`, when it counts or when it does not.
pub(super) fn put_effect(changes: &mut Changes, record: &Record, effect: &Effect, counts: bool) {
    let place = record_key(&record.feed, record.seq);
    match counts {
        true => changes.unmark(Table::TimelineExcluded, place.clone()),
        false => changes.mark(Table::TimelineExcluded, place.clone()),
    }
    match effect {
        Effect::Entry(entry_id, note) => put_entry(changes, record, *entry_id, note, counts),
        Effect::Board(board) => {
            let key = contributions_prefix(board);
            let key = key.bytes(place.as_bytes());
            changes.mark(Table::TimelineContributions, key);
        }
        // Also of a record that does not count: the roster decides that for itself.
        Effect::Statement => changes.mark(Table::TimelineStatements, place),
    }
}

fn put_entry(changes: &mut Changes, record: &Record, entry_id: EntryId, note: &Note, counts: bool) {
    let moment = Moment { at: record.content.hlc, entry_id, feed: record.feed, seq: record.seq };
    let mut indexes = vec![
        (Table::TimelineBranches, append_moment(branch_prefix(&note.branch), &moment)),
        (Table::TimelineIds, append_moment(id_prefix(entry_id), &moment)),
    ];
    let changed = note.facets().into_iter();
    indexes.extend(changed.map(|facet| (Table::TimelineStates, facet.key(&note.branch, &moment))));
    let matters = note.refs.approvals.iter().flat_map(|approvals| approvals.matters());
    let said = |matter: &Matter| append_moment(said_by(matter.key(), &moment.feed.node), &moment);
    indexes.extend(matters.map(|matter| (Table::TimelineMatters, said(matter))));
    let about = note.refs.parents.iter();
    indexes.extend(about.map(|id| (Table::TimelineAbout, append_moment(id_prefix(*id), &moment))));
    indexes.extend(note.refs.names(&moment).into_iter().map(|key| (Table::TimelineNamed, key)));
    if counts {
        let value = postcard::to_stdvec(note).expect("rows hold no type that postcard refuses");
        changes.put_bytes(Table::TimelineMoments, moment_key(&moment), value);
        indexes.into_iter().for_each(|(table, key)| changes.mark(table, key));
    } else {
        changes.unmark(Table::TimelineMoments, moment_key(&moment));
        indexes.into_iter().for_each(|(table, key)| changes.unmark(table, key));
    }
}

/// Puts what `board` came to, or takes it away when nothing went in.
pub(super) fn put_board(changes: &mut Changes, board: &Board, folded: &Folded) {
    let Folded { view, pending, .. } = folded;
    let key = BoardRow::key_of(board);
    match folded.is_touched() {
        true => {
            // A `BoardRow`, of which no copy is made: it may show thousands of comments.
            let value = postcard::to_stdvec(&(board, view, pending));
            changes.put_bytes(BoardRow::TABLE, key, value.expect("rows hold no type that postcard refuses"));
        }
        false => changes.unmark(BoardRow::TABLE, key),
    }
}

/// What a record that was admitted before does.
pub(super) fn effect_of(record: &Record) -> Result<Effect, StoreError> {
    effect_in(&record.content.body, record.seq)
}

/// What `body`, of the admitted record `seq` of a feed, does.
pub(super) fn effect_in(body: &Body, seq: u64) -> Result<Effect, StoreError> {
    match body {
        Body::Entry { change, .. } => match document::reread(&change.0) {
            Ok((entry_id, note)) => Ok(Effect::Entry(entry_id, Box::new(note))),
            Err(error) => Err(StoreError::Inconsistent(format!("record {seq} holds no entry: {error}"))),
        },
        Body::Board { board, .. } => Ok(Effect::Board(board.clone())),
        Body::Statement(_) => Ok(Effect::Statement),
    }
}
