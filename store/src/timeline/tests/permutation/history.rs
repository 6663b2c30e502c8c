//! What five authors write: moments, changes to boards and words about who belongs, on one branch or two.

use std::collections::BTreeMap;

use automerge::ChangeHash;
use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType};
use proptest::prelude::*;

use super::super::member::{ends, hands_over, head, root, seats};
use super::super::world::{Author, change_hash, moment, put, review};
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::{self, CommentId, EntryId};
use crate::timeline::board::{Board, Edit};
use crate::timeline::feed::FeedId;
use crate::timeline::fold::contribution;
use crate::timeline::hlc::Hlc;
use crate::timeline::limit::Limit;
use crate::timeline::record::{Body, Record};
use crate::trust::Head;

/// How many people write; each goes by one key after the other.
const PEOPLE: u8 = 5;

/// Of each whether it belongs from the start.
pub(super) type Seated = [bool; PEOPLE as usize];

#[derive(Clone, Debug)]
pub(super) enum Act {
    Entry {
        future: bool,
    },
    Edit {
        board: u8,
        knows: u8,
    },
    /// A change that no library made; which one says the number.
    Lie(u8),
    /// A statement about another one, or the same, said in its own name or carried for the root.
    State {
        of: u8,
        word: Word,
        is_of_root: bool,
    },
    Restore,
    Fork,
}

/// What is said of somebody.
#[derive(Clone, Debug)]
pub(super) enum Word {
    Belongs,
    IsOut(Last),
    HasAnotherKey(Last),
}

/// Up to where the feeds of somebody count.
#[derive(Clone, Debug)]
pub(super) struct Last {
    /// Of each the last records do not count, so many.
    behind: u8,
    /// Whether the record is named by a hash that it does not have.
    is_made_up: bool,
}

pub(super) fn acts() -> impl Strategy<Value = Vec<(u8, Act)>> {
    let last = || {
        let made_up = proptest::bool::weighted(0.2);
        (0..4_u8, made_up).prop_map(|(behind, is_made_up)| Last { behind, is_made_up })
    };
    let word = prop_oneof![
        4 => Just(Word::Belongs),
        2 => last().prop_map(Word::IsOut),
        1 => last().prop_map(Word::HasAnotherKey),
    ];
    let state = (0..PEOPLE, word, any::<bool>());
    let act = prop_oneof![
        6 => any::<bool>().prop_map(|future| Act::Entry { future }),
        6 => (0..3_u8, 0..5_u8).prop_map(|(board, knows)| Act::Edit { board, knows }),
        3 => (0..8_u8).prop_map(Act::Lie),
        4 => state.prop_map(|(of, word, is_of_root)| Act::State { of, word, is_of_root }),
        1 => Just(Act::Restore),
        1 => Just(Act::Fork),
    ];
    proptest::collection::vec((0..PEOPLE, act), 1..40)
}

/// What was written, and by whom.
#[derive(Default)]
pub(super) struct History {
    /// Who belongs from the start.
    pub(super) seated: Vec<Author>,
    /// In the order in which it was.
    pub(super) records: Vec<Record>,
    /// Each branch of each feed that is written no further.
    past: Vec<Author>,
    /// By person, the branches that are: two of one feed, where it forked.
    present: BTreeMap<u8, Vec<Author>>,
}

impl History {
    /// What comes of `acts`.
    pub(super) fn of(acts: &[(u8, Act)], seated: &Seated) -> Self {
        let seated = (0..PEOPLE).zip(seated).filter(|(_, is_seated)| **is_seated);
        let seated = seated.map(|(who, _)| Author::new(who + 1, 0)).collect();
        let mut history = Self { seated, ..Self::default() };
        acts.iter().enumerate().for_each(|(index, (who, act))| history.add(index, *who, act));
        history
    }

    /// Each branch of each feed.
    pub(super) fn branches(&self) -> impl Iterator<Item = &Author> {
        self.past.iter().chain(self.present.values().flatten())
    }

    fn add(&mut self, index: usize, who: u8, act: &Act) {
        let branches = self.present_of(who);
        match act {
            Act::Restore => {
                let next = branches[0].restored();
                self.goes_on_as(who, next);
            }
            Act::Fork if branches.len() == 1 => branches.push(branches[0].clone()),
            _ => {}
        }
        let branches = self.present_of(who);
        let which = index % branches.len();
        let mut author = branches[which].clone();
        let at = Hlc { counter: index as u16, ..moment(index as i64 / 3) };
        let record = match act {
            Act::Edit { board, knows } => edit(&mut author, at, *board, &seen(&self.records, *knows), index),
            Act::Lie(which) => lie(&mut author, at, *which, &self.records, index),
            Act::State { of, word, is_of_root } => {
                let of = self.present_of(*of)[0].clone();
                let word = self.word(word, *is_of_root, &author, &of, &successor(index));
                author.states(at, word)
            }
            Act::Entry { future: true } => author.entry(Hlc::at(Timestamp::MAX), &format!("{index}")),
            _ => author.entry(at, &format!("{index}")),
        };
        self.present_of(who)[which] = author;
        self.records.push(record);
        if let Act::State { of, word: Word::HasAnotherKey(_), .. } = act {
            self.goes_on_as(*of, successor(index));
        }
    }

    /// What `author` says of the person `of`, who may go on as `next`.
    fn word(&self, word: &Word, is_of_root: bool, author: &Author, of: &Author, next: &Author) -> Vec<u8> {
        let by = if is_of_root { root() } else { author.key() };
        let node = of.feed.node;
        match word {
            Word::Belongs => seats(&by, &of.key()),
            Word::IsOut(last) => ends(&by, node, self.last(node, last)),
            Word::HasAnotherKey(last) => hands_over(&by, &of.key(), &next.key(), self.last(node, last)),
        }
    }

    fn present_of(&mut self, who: u8) -> &mut Vec<Author> {
        self.present.entry(who).or_insert_with(|| vec![Author::new(who + 1, 0)])
    }

    fn goes_on_as(&mut self, who: u8, next: Author) {
        let past = std::mem::replace(self.present_of(who), vec![next]);
        self.past.extend(past);
    }

    /// The last record of each feed of `node` that counts; of shorter feeds, none.
    fn last(&self, node: PublicKey, last: &Last) -> BTreeMap<FeedId, Head> {
        let mut feeds: BTreeMap<FeedId, Vec<Head>> = BTreeMap::new();
        for record in self.records.iter().filter(|record| record.feed.node == node) {
            feeds.entry(record.feed).or_default().push(head(record));
        }
        let named = |heads: Vec<Head>| {
            let Head { seq, hash } = heads.into_iter().nth_back(usize::from(last.behind))?;
            Some(Head { seq, hash: if last.is_made_up { Digest::of(b"nobody's") } else { hash } })
        };
        feeds.into_iter().filter_map(|(feed, heads)| Some((feed, named(heads)?))).collect()
    }
}

/// Whom the act `index` makes the successor of somebody.
fn successor(index: usize) -> Author {
    Author::new(PEOPLE + 1 + index as u8, 0)
}

/// What an author has heard of: everything, or a part.
fn seen(records: &[Record], knows: u8) -> Vec<&Record> {
    let share = records.len() * usize::from(knows.min(4)) / 4;
    records[..share].iter().collect()
}

fn edit(author: &mut Author, at: Hlc, board: u8, seen: &[&Record], index: usize) -> Record {
    let entry = ids::derived(at.at, &[b"entry", &[index as u8 % 3]]);
    let comment: CommentId = ids::derived(at.at, &[b"comment", &index.to_be_bytes()]);
    let (board, edit) = match board {
        0 => (Board::Label(format!("v{}", index % 2)), Edit::Label(entry)),
        1 => (Board::Pin(entry), Edit::Pin),
        _ => (review(), Edit::Comment(comment, format!("comment {index}"))),
    };
    // An author always knows its own records.
    let own = author.feed;
    let known: Vec<_> = seen
        .iter()
        .filter_map(|record| contribution(record, Limit::NONE).map(|it| (record, it)))
        .filter(|(record, _)| matches!(&record.content.body, Body::Board { board: of, .. } if *of == board))
        .map(|(_, it)| it)
        .collect();
    let all: Vec<_> = author
        .own_contributions(&board)
        .into_iter()
        .chain(known.into_iter().filter(|it| it.feed != own))
        .collect();
    author.edit(at, &board, &all, &[edit])
}

/// Well formed changes to the thread that are not what an author's library writes: that wait for ever, or for a
/// change of its own under the same number, make no sense, or are about what others do without having it before
/// them.
fn lie(author: &mut Author, at: Hlc, which: u8, records: &[Record], index: usize) -> Record {
    let board = review();
    let name = ids::derived::<EntryId>(at.at, &[b"entry", &[index as u8 % 3]]).to_string();
    let first = author.clone().craft(at, &board, (1, 1), Vec::new(), vec![put("first", Vec::new())]);
    let is_of_it =
        |record: &&Record| matches!(&record.content.body, Body::Board { board: of, .. } if *of == board);
    let others = records.iter().filter(is_of_it).nth(index % 4);
    let theirs = others.map(|record| OpId::new(1, &Author::actor_of(&record.feed, &board)));
    let own = OpId::new(1, &author.actor(&board));
    let text = Op {
        obj: ObjectId::Id(own.clone()),
        key: Key::Seq(ElementId::Head),
        insert: true,
        ..put("", Vec::new())
    };
    let text = Op { action: OpType::Put("x".into()), ..text };
    let (place, deps, op) = match which {
        0 => ((1, 1), vec![ChangeHash([index as u8; 32])], put(&name, Vec::new())),
        1 => ((1, 1), Vec::new(), text),
        2 => ((1, 1), Vec::new(), put("first", Vec::new())),
        3 => ((2, 2), vec![change_hash(&first)], put(&name, vec![own])),
        4 => ((1, 1), Vec::new(), put(&name, theirs.into_iter().collect())),
        5 => {
            ((2, 2), others.map(change_hash).into_iter().collect(), put(&name, theirs.into_iter().collect()))
        }
        6 => {
            ((1, 2), others.map(change_hash).into_iter().collect(), put(&name, theirs.into_iter().collect()))
        }
        _ => ((1, 1 << 31), Vec::new(), put(&name, Vec::new())),
    };
    author.craft(at, &board, place, deps, vec![op])
}
