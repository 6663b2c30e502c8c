//! The timeline of a node: its own feed, and the heads of all it knows.
//!
//! Owns writing. Every call answers the rows to commit and has moved the heads already: one call at a time,
//! and when the store or a commit fails, the value is thrown away and opened again. A call that is refused moves
//! nothing. Invariant: rows that are committed, and heads, agree.

use std::collections::BTreeMap;

use super::Bytes;
use super::board::{self, Board, Edit, EditError, Folded, LeftOut, Open};
use super::draft::Draft;
use super::entry::{Entry, EntryError, Note};
use super::feed::FeedId;
use super::head::{Effect, FeedHead};
use super::heard::{STATEMENT_BYTES_PER_FEED, STATEMENTS_PER_FEED};
use super::hlc::HybridClock;
use super::limit::Limit;
use super::memo::Memo;
use super::pace::{
    DOCUMENTS_PER_MINUTE_MAX, Load, OPERATIONS_PER_MINUTE_MAX, Pace, RECORDS_PER_MINUTE_MAX, Source,
};
use super::pen::Pen;
use super::record::{Body, RecordError};
use super::rows::FeedRow;
use super::said::{STATEMENT_BYTES_RESERVED, STATEMENTS_RESERVED, Said};
use super::waiting::Waiting;
use crate::Reader;
use crate::audit::key::NodeKey;
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::ids::EntryId;
use crate::projection::Changes;
use crate::trust::Cut;

/// The heads of a node's feeds, in memory.
pub struct Timeline {
    pub(super) env: PublicKey,
    own: FeedId,
    pub(super) clock: HybridClock,
    pub(super) feeds: BTreeMap<FeedId, FeedRow>,
    pub(super) waiting: Waiting,
    pub(super) memo: Memo,
    pub(super) pace: Pace,
    pub(super) said: Said,
    /// Whether statements or proofs of forks may be here by which nobody has read yet who belongs.
    pub(super) is_stale: bool,
    boards: Open,
}

/// Something to write to the node's own feed.
#[derive(Clone, Debug)]
pub enum Saying {
    /// A moment.
    Entry(EntryId, Box<Note>),
    /// A statement about who belongs.
    Statement(Vec<u8>),
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Rows to commit.
    pub changes: Changes,
    /// Frames to send once they are committed.
    pub frames: Vec<Vec<u8>>,
    /// The moments among what was written.
    pub entries: Vec<Entry>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The node's feed was cut: it is no member, or wrote two records under one number.
    #[error(
        "what this node writes behind record {0} counts for nobody: it is no member any more, or wrote two records \
         under one number"
    )]
    Excluded(u64),
    /// The node's key is being changed: what it wrote now would not count.
    #[error(
        "this node handed its seat to another key and writes nothing until it goes by that one, once a node above it \
         has confirmed it"
    )]
    Leaving,
    /// The feed says as much of who belongs as anybody listens to.
    #[error(
        "this node's feed says as much about who belongs as is heard of one: {STATEMENTS_PER_FEED} statements, \
         {STATEMENT_BYTES_PER_FEED} bytes"
    )]
    Statements,
    /// What is left is for those who must be turned out.
    #[error(
        "what room this node's feed has for statements about who belongs, {STATEMENTS_RESERVED} or \
         {STATEMENT_BYTES_RESERVED} bytes of them, it keeps for revocations; with another key it begins another feed"
    )]
    Reserved,
    /// The node has written as much in a minute as anybody takes of it.
    #[error(
        "this node writes faster than others take it: {RECORDS_PER_MINUTE_MAX} records a minute, \
         {DOCUMENTS_PER_MINUTE_MAX} of them to shared documents, with {OPERATIONS_PER_MINUTE_MAX} operations"
    )]
    TooFast,
    /// The key is not that of the feed.
    #[error("the key is not the one of this feed")]
    WrongKey,
    /// An entry is out of bounds.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// An edit cannot be made.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A record is too large.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What it follows cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Timeline {
    /// Opens the timeline of an environment in the name of `own`: reads one row per feed.
    pub fn open(reader: &Reader, env: PublicKey, own: FeedId) -> Result<Self, StoreError> {
        let feeds: BTreeMap<FeedId, FeedRow> =
            reader.feeds()?.into_iter().map(|row| (row.feed, row)).collect();
        Ok(Self {
            env,
            own,
            clock: HybridClock::default(),
            feeds,
            waiting: Waiting::default(),
            memo: Memo::default(),
            pace: Pace::default(),
            said: Said::of(reader, env, own)?,
            is_stale: true,
            boards: Open::default(),
        })
    }

    /// Goes on at the pace of a timeline that was thrown away.
    pub fn paced(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// The node's own feed.
    pub fn own(&self) -> FeedId {
        self.own
    }

    /// What is known of each feed: the version vector.
    pub fn feeds(&self) -> impl Iterator<Item = &FeedRow> {
        self.feeds.values()
    }

    /// What is known of `feed`.
    pub fn feed(&self, feed: &FeedId) -> Option<&FeedRow> {
        self.feeds.get(feed)
    }

    /// Bytes of frames that wait for those before them: at most [`WAITING_MAX_BYTES`](super::WAITING_MAX_BYTES).
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    /// The most frames of one author that wait: at most [`WAITING_FRAMES_MAX`](super::WAITING_FRAMES_MAX).
    pub fn waiting_frames(&self) -> usize {
        self.waiting.most_frames()
    }

    /// Frames that are known to be verified: at most [`MEMO_FRAMES_MAX`](super::MEMO_FRAMES_MAX).
    pub fn remembered_frames(&self) -> usize {
        self.memo.count()
    }

    /// Boards that are kept open: at most [`BOARDS_OPEN_MAX`](super::board::BOARDS_OPEN_MAX).
    pub fn open_boards(&self) -> usize {
        self.boards.count()
    }

    /// Writes to the node's own feed.
    pub fn say(
        &mut self,
        key: &NodeKey,
        now: Timestamp,
        sayings: Vec<Saying>,
    ) -> Result<Written, WriteError> {
        let mut pen = Pen::new(self, key, now)?;
        let load = Load { records: sayings.len() as u64, ..Load::default() };
        if !self.pace.take(Source::Own, load, now) {
            return Err(WriteError::TooFast);
        }
        for saying in sayings {
            match saying {
                Saying::Entry(entry_id, note) => {
                    let (entries, body) = pen.head.entries.write(&pen.feed, entry_id, &note)?;
                    pen.write(now, body, &Effect::Entry(entry_id, note))?;
                    pen.head.entries = entries;
                }
                Saying::Statement(bytes) => pen.state(now, bytes)?,
            }
        }
        Ok(pen.put_down(self))
    }

    /// Makes `edits` to `board` as it stands.
    pub fn edit(
        &mut self,
        reader: &Reader,
        key: &NodeKey,
        now: Timestamp,
        board: &Board,
        edits: &[Edit],
    ) -> Result<Written, WriteError> {
        let mut pen = Pen::new(self, key, now)?;
        let mut draft = Draft::new(self.env, reader);
        let mut folded = match self.boards.take(board) {
            Some(folded) => folded,
            None => draft.fold(board, |feed| self.limit(feed))?,
        };
        let changes = match changes(&mut folded, board, &self.own, edits) {
            Ok(changes) => changes,
            Err(error) => {
                self.boards.keep(board.clone(), folded);
                return Err(error.into());
            }
        };
        // Whatever refuses the edit from here on, the board has it already and is folded anew next time.
        // Nobody takes a feed further than to a change that is out of bounds.
        let mut checked = changes.iter().map(|change| board::check(board, &self.own, change));
        checked.try_for_each(|it| it.map_err(|_| EditError::OutOfBounds("edit")))?;
        folded.has_room(&self.own, &changes)?;
        let mut load = Load::default();
        changes.iter().for_each(|change| load.add_change(change));
        if !self.pace.take(Source::Own, load, now) {
            return Err(WriteError::TooFast);
        }
        for change in changes {
            let body = Body::Board { board: board.clone(), change: Bytes(change) };
            let effect = Effect::Board(board.clone());
            draft.remember(pen.write(now, body, &effect)?, &effect);
        }
        self.boards.keep(board.clone(), folded);
        let (rows, _) = self.finish(draft)?;
        let mut written = pen.put_down(self);
        written.changes.extend(rows);
        Ok(written)
    }

    /// The rows of `draft`, with the boards it touched, and what shows on none.
    pub(super) fn finish(&mut self, draft: Draft<'_>) -> Result<(Changes, Vec<LeftOut>), StoreError> {
        let Self { feeds, boards, pace, .. } = self;
        draft.finish(|feed| feeds.get(feed).map_or(Limit::NONE, |row| row.limit), boards, pace)
    }

    fn limit(&self, feed: &FeedId) -> Limit {
        self.feeds.get(feed).map_or(Limit::NONE, |row| row.limit)
    }

    /// What is known of `feed`, which may be new.
    pub(super) fn row(&self, feed: &FeedId, cut: Cut) -> FeedRow {
        let new = || FeedRow {
            feed: *feed,
            head: FeedHead::default(),
            limit: Limit::new(cut, None, None),
            fork: None,
        };
        self.feeds.get(feed).copied().unwrap_or_else(new)
    }
}

/// Makes `edits` to the board, and answers the changes to write. When they are refused, it stays as it is.
fn changes(
    folded: &mut Folded,
    board: &Board,
    feed: &FeedId,
    edits: &[Edit],
) -> Result<Vec<Vec<u8>>, EditError> {
    let mut changes = Vec::new();
    if folded.is_out_of_turn(board, feed) {
        // A change that nobody takes: the one that has its number once more is in turn.
        changes.push(board::write(&mut folded.document.clone(), board, feed, edits, 1)?);
    }
    changes.push(board::write(&mut folded.document, board, feed, edits, 0)?);
    Ok(changes)
}
