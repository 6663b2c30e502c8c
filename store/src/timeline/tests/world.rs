//! Authors for tests: each a key and feeds that it writes.

use automerge::legacy::{Key, ObjectId, Op, OpId, OpType};
use automerge::{ActorId, Change, ChangeHash, ExpandedChange};

use crate::audit::key::NodeKey;
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::ids::{self, EntryId};
use crate::timeline::Bytes;
use crate::timeline::board::{self, Board, Contribution, Edit};
use crate::timeline::change;
use crate::timeline::entry::Note;
use crate::timeline::entry::tests::note;
use crate::timeline::feed::FeedId;
use crate::timeline::fold::contribution;
use crate::timeline::frame::Frame;
use crate::timeline::head::FeedHead;
use crate::timeline::hlc::Hlc;
use crate::timeline::limit::Limit;
use crate::timeline::record::{Body, Content, Record};

pub(crate) fn env() -> PublicKey {
    NodeKey::from_secret([200; 32]).public()
}

pub(crate) fn moment(second: i64) -> Hlc {
    Hlc::at(Timestamp::from_micros(1_700_000_000_000_000 + second * 1_000_000))
}

/// A node that writes one feed.
#[derive(Clone)]
pub(crate) struct Author {
    secret: u8,
    pub(crate) feed: FeedId,
    pub(crate) head: FeedHead,
    /// What it wrote itself.
    written: Vec<Record>,
}

impl Author {
    pub(crate) fn new(secret: u8, incarnation: u64) -> Self {
        let node = NodeKey::from_secret([secret; 32]).public();
        Self { secret, feed: FeedId { node, incarnation }, head: FeedHead::default(), written: Vec::new() }
    }

    /// The same node after its folder was restored: it begins another feed.
    pub(crate) fn restored(&self) -> Self {
        Self::new(self.secret, self.feed.incarnation + 1)
    }

    /// What it wrote itself, from the first record on.
    pub(crate) fn written(&self) -> &[Record] {
        &self.written
    }

    pub(crate) fn key(&self) -> NodeKey {
        NodeKey::from_secret([self.secret; 32])
    }

    /// Writes `body` without looking into it.
    pub(crate) fn write(&mut self, hlc: Hlc, body: Body) -> Record {
        let record = self.head.place(env(), self.feed).write(Content { hlc, body }).expect("fits");
        let entries = self.head.entries;
        self.head = FeedHead { seq: record.seq, hash: record.hash, hlc, entries };
        self.written.push(record.clone());
        record
    }

    /// What it wrote to `board`.
    pub(crate) fn own_contributions(&self, board: &Board) -> Vec<Contribution> {
        let is_of =
            |record: &&Record| matches!(&record.content.body, Body::Board { board: of, .. } if of == board);
        self.written.iter().filter(is_of).filter_map(|record| contribution(record, Limit::NONE)).collect()
    }

    pub(crate) fn entry_id(&self, title: &str) -> EntryId {
        let incarnation = self.feed.incarnation.to_be_bytes();
        ids::derived(moment(0).at, &[self.feed.node.as_bytes(), &incarnation, title.as_bytes()])
    }

    pub(crate) fn entry(&mut self, hlc: Hlc, title: &str) -> Record {
        self.note(hlc, self.entry_id(title), &note(title))
    }

    pub(crate) fn note(&mut self, hlc: Hlc, entry_id: EntryId, note: &Note) -> Record {
        let (entries, body) = self.head.entries.write(&self.feed, entry_id, note).expect("fits");
        let record = self.write(hlc, body);
        self.head.entries = entries;
        record
    }

    /// Edits `board` as it is with `known`.
    pub(crate) fn edit(&mut self, hlc: Hlc, board: &Board, known: &[Contribution], edits: &[Edit]) -> Record {
        let mut document = board::fold(board, known).document;
        let change = board::write(&mut document, board, &self.feed, edits, 0).expect("an edit that fits");
        self.write(hlc, Body::Board { board: board.clone(), change: Bytes(change) })
    }

    /// Writes a change to `board` that no library made: number `seq`, its operations from `start` on, on top of `deps`.
    pub(crate) fn craft(
        &mut self,
        hlc: Hlc,
        board: &Board,
        (seq, start): (u64, u64),
        deps: Vec<ChangeHash>,
        operations: Vec<Op>,
    ) -> Record {
        let change = Change::from(ExpandedChange {
            operations,
            actor_id: self.actor(board),
            author: None,
            hash: None,
            seq,
            start_op: std::num::NonZeroU64::new(start).expect("from 1"),
            time: 0,
            message: None,
            deps,
            extra_bytes: Vec::new(),
        });
        let change = Bytes(change.raw_bytes().to_vec());
        self.write(hlc, Body::Board { board: board.clone(), change })
    }

    pub(crate) fn actor(&self, board: &Board) -> ActorId {
        Self::actor_of(&self.feed, board)
    }

    pub(crate) fn actor_of(feed: &FeedId, board: &Board) -> ActorId {
        change::actor(feed, &board.document())
    }

    pub(crate) fn frame(&self, records: &[Record]) -> Vec<u8> {
        Frame::seal(&self.key(), env(), records.to_vec()).expect("records").encode()
    }
}

/// A review that everybody takes part in.
pub(crate) fn review() -> Board {
    Board::Review(ids::derived(moment(0).at, &[]))
}

/// Adds a comment that says `text`.
pub(crate) fn remark(text: &str) -> Edit {
    Edit::Comment(ids::derived(moment(0).at, &[text.as_bytes()]), text.to_owned())
}

/// The hash of the change in `record`, which is about a board.
pub(crate) fn change_hash(record: &Record) -> ChangeHash {
    let Body::Board { change, .. } = &record.content.body else { panic!("a board") };
    Change::try_from(&change.0[..]).expect("a change").hash()
}

/// Puts true under `name`, in place of what `replaced` made.
pub(crate) fn put(name: &str, replaced: Vec<OpId>) -> Op {
    let key = Key::Map(name.into());
    Op { action: OpType::Put(true.into()), obj: ObjectId::Root, key, pred: replaced.into(), insert: false }
}

/// The first entries of `author`.
pub(crate) fn entries(author: &mut Author, count: usize) -> Vec<Record> {
    (0..count).map(|n| author.entry(moment(n as i64), &format!("entry {n}"))).collect()
}
