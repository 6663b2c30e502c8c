//! The property of the model, held against the real code: keys, documents, a database.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use automerge::ChangeHash;
use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::node::Node;
use super::world::{Author, change_hash, moment, put, review};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::{self, CommentId, EntryId};
use crate::simulation::Dice;
use crate::timeline::board::{Board, Contribution, Edit, Folded, fold as fold_board};
use crate::timeline::feed::FeedId;
use crate::timeline::fold::{contribution, fold};
use crate::timeline::hlc::Hlc;
use crate::timeline::limit::Limit;
use crate::timeline::record::{Body, Record};
use crate::trust::Cut;

#[derive(Clone, Debug)]
enum Act {
    Entry {
        future: bool,
    },
    Edit {
        board: u8,
        knows: u8,
    },
    /// A change that no library made; which one says the number.
    Lie(u8),
    Restore,
    Fork,
}

/// What five authors wrote, and how it was framed.
struct History {
    records: Vec<Record>,
    frames: Vec<Vec<u8>>,
    /// First feed of each author, and the last record it has on the first branch.
    firsts: BTreeMap<u8, (FeedId, Vec<Record>)>,
}

fn history(acts: &[(u8, Act)], framing: &[u8]) -> History {
    let mut lives: BTreeMap<u8, Vec<Author>> = BTreeMap::new();
    let mut written: BTreeMap<(u8, usize, u64), (Author, Vec<Record>)> = BTreeMap::new();
    let mut records: Vec<Record> = Vec::new();
    let mut branch_points: BTreeMap<(u8, usize, u64), Vec<Record>> = BTreeMap::new();
    for (index, (secret, act)) in acts.iter().enumerate() {
        let branches = lives.entry(*secret).or_insert_with(|| vec![Author::new(*secret + 1, 0)]);
        let incarnation = branches[0].feed.incarnation;
        match act {
            Act::Restore => *branches = vec![Author::new(*secret + 1, incarnation + 1)],
            Act::Fork if branches.len() == 1 => {
                let twin = branches[0].clone();
                let past = written.get(&(*secret, 0, incarnation)).map(|(_, past)| past.clone());
                branch_points.insert((*secret, 1, incarnation), past.unwrap_or_default());
                branches.push(twin);
            }
            _ => {}
        }
        let incarnation = branches[0].feed.incarnation;
        let which = index % branches.len();
        let author = &mut branches[which];
        let at = Hlc { counter: index as u16, ..moment(index as i64 / 3) };
        let record = match act {
            Act::Edit { board, knows } => edit(author, at, *board, &seen(&records, *knows), index),
            Act::Lie(which) => lie(author, at, *which, &records, index),
            Act::Entry { future: true } => author.entry(Hlc::at(Timestamp::MAX), &format!("{index}")),
            _ => author.entry(at, &format!("{index}")),
        };
        records.push(record.clone());
        let key = (*secret, which, incarnation);
        let start = || (author.clone(), branch_points.get(&key).cloned().unwrap_or_default());
        written.entry(key).or_insert_with(start).1.push(record);
    }
    let mut frames = Vec::new();
    let mut firsts = BTreeMap::new();
    for ((secret, which, incarnation), (author, chain)) in written {
        let mut rest = chain.as_slice();
        let mut sizes = framing.iter().cycle();
        while !rest.is_empty() {
            let size = usize::from(*sizes.next().expect("a cycle")).clamp(1, rest.len());
            frames.push(author.frame(&rest[..size]));
            rest = &rest[size..];
        }
        if which == 0 && incarnation == 0 {
            firsts.insert(secret, (author.feed, chain));
        }
    }
    History { records, frames, firsts }
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

/// Well formed changes to the thread that are not what an author's library writes: that wait for ever, or for a change
/// of its own under the same number, make no sense, or are about what others do without having it before them.
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

fn acts() -> impl Strategy<Value = Vec<(u8, Act)>> {
    let act = prop_oneof![
        6 => any::<bool>().prop_map(|future| Act::Entry { future }),
        6 => (0..3_u8, 0..5_u8).prop_map(|(board, knows)| Act::Edit { board, knows }),
        3 => (0..8_u8).prop_map(Act::Lie),
        1 => Just(Act::Restore),
        1 => Just(Act::Fork),
    ];
    proptest::collection::vec((0..5_u8, act), 1..40)
}

/// Gives `node` the frames in `order`, in batches, again and again until nothing is new: what anti-entropy
/// does.
fn deliver(
    node: &mut Node,
    frames: &[Vec<u8>],
    order: &[usize],
    batch: usize,
    revoked: &BTreeMap<FeedId, Cut>,
) {
    for round in 0..frames.len() + 2 {
        let before = node.rows();
        for (index, batch) in order.chunks(batch).enumerate() {
            let batch: Vec<Vec<u8>> = batch.iter().map(|&frame| frames[frame].clone()).collect();
            node.admit(&batch);
            if round == 0 && index == order.len() % 3 {
                node.recut(revoked);
                node.reopen();
            }
        }
        node.recut(revoked);
        if before == node.rows() {
            return;
        }
    }
    panic!("it never comes to rest");
}

/// Acts, sizes of frames, two orders, two sizes of batches, and which author is revoked after which record.
type Plan = (Vec<(u8, Act)>, Vec<u8>, [u32; 2], [usize; 2], Option<(u8, usize)>);

fn plan() -> impl Strategy<Value = Plan> {
    let framing = proptest::collection::vec(1..4_u8, 1..4);
    let revoked = proptest::option::of((0..5_u8, 0..8_usize));
    (acts(), framing, any::<[u32; 2]>(), [1..6_usize, 1..6_usize], revoked)
}

fn cuts(history: &History, revoked: Option<(u8, usize)>) -> BTreeMap<FeedId, Cut> {
    let mut cuts = BTreeMap::new();
    if let Some((author, seq)) = revoked
        && let Some((feed, chain)) = history.firsts.get(&author)
    {
        // Of its other feeds nothing was accepted.
        let feeds = history.records.iter().map(|record| record.feed);
        cuts.extend(feeds.filter(|other| other.node == feed.node).map(|other| (other, Cut::Everything)));
        let last = chain.get(seq.min(chain.len()).wrapping_sub(1));
        let cut = last.map_or(Cut::Everything, |last| Cut::After { seq: last.seq, hash: last.hash });
        cuts.insert(*feed, cut);
    }
    cuts
}

#[test]
fn any_order_and_batching_gives_the_same_rows_and_those_of_the_fold() {
    // One node, emptied between the cases: a new folder takes longer than all else.
    let node = RefCell::new(Node::new());
    let config = ProptestConfig {
        cases: 64,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let held = TestRunner::new(config).run(&plan(), |(acts, framing, seeds, batches, revoked)| {
        let history = history(&acts, &framing);
        let cuts = cuts(&history, revoked);
        let expected =
            fold(&history.records, |feed| cuts.get(feed).copied().unwrap_or(Cut::Nowhere)).digest();
        for (seed, batch) in seeds.into_iter().zip(batches) {
            let frames = history.frames.len();
            let mut order: Vec<usize> = (0..frames).chain(0..frames / 2).collect();
            let place = |frame: &usize| Digest::of(&[seed, *frame as u32].map(u32::to_be_bytes).concat());
            order.sort_by_key(place);
            let node = &mut *node.borrow_mut();
            node.empty();
            deliver(node, &history.frames, &order, batch, &cuts);
            prop_assert_eq!(node.digest(), expected);
            let rows = node.rows();
            node.rebuild();
            prop_assert_eq!(node.rows(), rows, "a rebuild gives the same rows");
        }
        Ok(())
    });
    held.expect("the same set gives the same timeline");
}

/// The changes to each board in some order that keeps to that of each feed, in pieces of some size.
fn arrivals(
    history: &History,
    limit: Limit,
    seed: u32,
    piece: usize,
) -> BTreeMap<Board, Vec<Vec<Contribution>>> {
    let mut feeds: BTreeMap<FeedId, BTreeMap<u64, &Record>> = BTreeMap::new();
    for record in &history.records {
        feeds.entry(record.feed).or_default().entry(record.seq).or_insert(record);
    }
    let mut left: Vec<_> = feeds.into_values().map(|records| records.into_values()).collect();
    let mut boards: BTreeMap<Board, Vec<Contribution>> = BTreeMap::new();
    let mut dice = Dice::new(u64::from(seed));
    while !left.is_empty() {
        let which = dice.below(left.len() as u64) as usize;
        let Some(record) = left[which].next() else {
            drop(left.swap_remove(which));
            continue;
        };
        if let Body::Board { board, .. } = &record.content.body {
            let here = record.seq <= limit.grounds;
            boards.entry(board.clone()).or_default().extend(contribution(record, limit).filter(|_| here));
        }
    }
    boards.into_iter().map(|(board, all)| (board, all.chunks(piece).map(<[_]>::to_vec).collect())).collect()
}

#[test]
fn a_board_that_grows_piece_by_piece_is_the_one_that_all_pieces_give() {
    let config = ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() };
    let plan = (acts(), any::<u32>(), 1..4_usize, prop_oneof![Just(u64::MAX), 1..9_u64]);
    let held = TestRunner::new(config).run(&plan, |(acts, seed, piece, counts)| {
        let limit = Limit { counts, grounds: counts.saturating_add(2) };
        for (board, pieces) in arrivals(&history(&acts, &[1]), limit, seed, piece) {
            let mut grown: Option<Folded> = None;
            for until in 0..pieces.len() {
                let all = pieces[..=until].concat();
                let whole = fold_board(&board, &all);
                let extended = grown.and_then(|grown| grown.extend(&pieces[until]));
                let grown_on = extended.unwrap_or_else(|| fold_board(&board, &all));
                prop_assert_eq!(&grown_on.view, &whole.view);
                prop_assert_eq!(
                    (grown_on.pending, grown_on.is_touched()),
                    (whole.pending, whole.is_touched())
                );
                prop_assert_eq!(heads(&grown_on), heads(&whole));
                grown = Some(grown_on);
            }
        }
        Ok(())
    });
    held.expect("a board is a function of its changes");
}

fn heads(folded: &Folded) -> BTreeSet<ChangeHash> {
    folded.document.get_heads().into_iter().collect()
}
