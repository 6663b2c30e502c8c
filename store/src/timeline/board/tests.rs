//! Boards under concurrent work, exclusion and crafted changes.

use std::collections::BTreeSet;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, ObjType, ROOT};

use super::super::change::{self, ChangeError};
use super::super::entry::Branch;
use super::super::fold::contribution;
use super::super::limit::Limit;
use super::super::record::{Body, Record};
use super::super::tests::world::{Author, moment};
use super::*;
use crate::ids::{self, CommentId};
use crate::timeline::Bytes;

fn all(records: &[&Record]) -> Vec<Contribution> {
    records.iter().filter_map(|record| contribution(record, Limit::NONE)).collect()
}

fn counting(records: &[&Record], counts: impl Fn(&Record) -> bool) -> Vec<Contribution> {
    let one = |record: &&Record| {
        Some(Contribution { counts: counts(record), ..contribution(record, Limit::NONE)? })
    };
    records.iter().filter_map(one).collect()
}

fn comment_id(name: &str) -> CommentId {
    ids::derived(moment(0).at, &[name.as_bytes()])
}

fn thread(board: &Board, contributions: &[Contribution]) -> Vec<String> {
    match fold(board, contributions).view {
        View::Thread { comments, .. } => comments.into_iter().map(|comment| comment.text).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_people_who_work_on_one_comment_keep_each_others_words() {
    let (mut ana, mut ben) = (Author::new(1, 1), Author::new(2, 1));
    let board = Board::Comments(ana.entry_id("x"));
    let comment = comment_id("c");
    let first = ana.edit(moment(1), &board, &[], &[Edit::Comment(comment, "fine work".into())]);
    let known = all(&[&first]);
    let revise = |at, delete, insert: &str| Edit::Revise { comment, at, delete, insert: insert.into() };
    let second = ana.edit(moment(2), &board, &known, &[revise(0, 4, "great")]);
    let third = ben.edit(moment(2), &board, &known, &[revise(9, 0, " indeed")]);
    assert_eq!(thread(&board, &all(&[&third, &second, &first])), ["great work indeed"]);
    let View::Thread { comments, .. } = fold(&board, &all(&[&first, &third])).view else {
        panic!("a thread")
    };
    assert_eq!((comments[0].node, comments[0].at), (ana.feed.node, moment(1)), "who began it");
}

#[test]
fn a_branch_moved_by_two_people_shows_both_heads() {
    let (mut ana, mut ben) = (Author::new(1, 1), Author::new(2, 1));
    let board = Board::Branch("idea".parse::<Branch>().expect("a name"));
    let [base, left, right] = ["base", "left", "right"].map(|title| ana.entry_id(title));
    let open = ana.edit(moment(1), &board, &[], &[Edit::Open(base)]);
    let known = all(&[&open]);
    let one = ana.edit(moment(2), &board, &known, &[Edit::Move(left)]);
    let two = ben.edit(moment(2), &board, &known, &[Edit::Move(right)]);
    let View::Branch { base: found, head, contenders, is_closed } =
        fold(&board, &all(&[&two, &open, &one])).view
    else {
        panic!("a branch")
    };
    assert_eq!((found, is_closed), (Some(base), false));
    let heads: BTreeSet<EntryId> = contenders.into_iter().chain(head).collect();
    assert_eq!(heads, [left, right].into());
}

#[test]
fn labels_and_pins_come_and_go() {
    let mut ana = Author::new(1, 1);
    let entry = ana.entry_id("x");
    let one = ana.edit(moment(1), &Board::Labels, &[], &[Edit::Label("v1".into(), entry)]);
    let View::Labels(labels) = fold(&Board::Labels, &all(&[&one])).view else { panic!("labels") };
    assert_eq!(labels, [("v1".to_owned(), entry)].into());
    let two = ana.edit(moment(2), &Board::Labels, &all(&[&one]), &[Edit::Unlabel("v1".into())]);
    assert_eq!(fold(&Board::Labels, &all(&[&one, &two])).view, View::Labels([].into()));
    let pin = ana.edit(moment(3), &Board::Pins, &[], &[Edit::Pin(entry)]);
    assert_eq!(fold(&Board::Pins, &all(&[&pin])).view, View::Pins([entry].into()));
}

#[test]
fn edits_that_do_not_fit_are_refused_and_change_nothing() {
    let ana = Author::new(1, 1);
    let mut document = Automerge::new();
    let mut refuse = |board: &Board, edits: &[Edit]| {
        let error = write(&mut document, board, &ana.feed, edits).expect_err("does not fit");
        assert!(document.get_heads().is_empty());
        error
    };
    let entry = ana.entry_id("x");
    assert!(matches!(refuse(&Board::Labels, &[Edit::Pin(entry)]), EditError::Unfit));
    let label = |name: &str| Edit::Label(name.into(), entry);
    assert!(matches!(refuse(&Board::Labels, &[label("v1"), label("")]), EditError::OutOfBounds("label")));
    assert!(matches!(refuse(&Board::Labels, &[Edit::Unlabel("v1".into())]), EditError::Nothing));
    assert!(matches!(refuse(&Board::Pins, &[]), EditError::Nothing));
    let comment = comment_id("c");
    let revise = Edit::Revise { comment, at: 0, delete: 0, insert: "x".into() };
    assert!(matches!(refuse(&Board::Comments(entry), &[revise]), EditError::UnknownComment(_)));
    let beyond = Edit::Revise { comment, at: 1, delete: usize::MAX, insert: String::new() };
    let begin = Edit::Comment(comment, "a".into());
    assert!(matches!(
        refuse(&Board::Comments(entry), &[begin.clone(), beyond]),
        EditError::OutOfBounds("revision")
    ));
    let place = |line| Place { workspace: None, path: "a".into(), side: Side::After, line };
    let nobodys = Edit::Place(comment_id("d"), place(1));
    assert!(matches!(refuse(&Board::Comments(entry), &[nobodys]), EditError::UnknownComment(_)));
    let nowhere = Edit::Place(comment, place(0));
    assert!(matches!(refuse(&Board::Comments(entry), &[begin, nowhere]), EditError::OutOfBounds("place")));
}

#[test]
fn a_comment_stands_at_the_line_that_its_author_named() {
    let mut ana = Author::new(1, 1);
    let board = Board::Review(ana.entry_id("x"));
    let (comment, unplaced) = (comment_id("c"), comment_id("d"));
    let place = Place { workspace: None, path: "src/a.rs".into(), side: Side::After, line: 12 };
    let edits = [
        Edit::Comment(comment, "why?".into()),
        Edit::Place(comment, place.clone()),
        Edit::Comment(unplaced, "fine".into()),
    ];
    let record = ana.edit(moment(1), &board, &[], &edits);
    let Body::Board { change: Bytes(bytes), .. } = &record.content.body else { panic!("a board") };
    assert_eq!(check(&board, &ana.feed, bytes), Ok(()));
    let View::Thread { comments, .. } = fold(&board, &all(&[&record])).view else { panic!("a thread") };
    let places: std::collections::BTreeMap<_, _> =
        comments.into_iter().map(|comment| (comment.text, comment.place)).collect();
    assert_eq!(places["why?"], Some(place));
    assert_eq!(places["fine"], None);
}

#[test]
fn what_admitted_work_builds_on_stays_and_the_rest_of_an_excluded_author_goes() {
    let (mut ana, mut eve) = (Author::new(1, 1), Author::new(2, 1));
    let board = Board::Comments(ana.entry_id("x"));
    let comment = comment_id("c");
    let theirs = eve.edit(moment(1), &board, &[], &[Edit::Comment(comment, "hers".into())]);
    let reply = Edit::Revise { comment, at: 4, delete: 0, insert: ", and mine".into() };
    let mine = ana.edit(moment(2), &board, &all(&[&theirs]), &[reply]);
    let later = Edit::Comment(comment_id("d"), "spam".into());
    let spam = eve.edit(moment(3), &board, &all(&[&theirs, &mine]), &[later]);
    let folded = |records: &[&Record]| thread(&board, &counting(records, |one| one.feed == ana.feed));
    assert_eq!(folded(&[&theirs, &mine, &spam]), ["hers, and mine"]);
    assert_eq!(folded(&[&theirs, &spam]), [""; 0], "nobody builds on it");
}

#[test]
fn a_change_waits_for_what_it_builds_on() {
    let (mut ana, mut ben) = (Author::new(1, 1), Author::new(2, 1));
    let board = Board::Review(ana.entry_id("x"));
    let one = ana.edit(moment(1), &board, &[], &[Edit::Resolve(true)]);
    let two = ben.edit(moment(2), &board, &all(&[&one]), &[Edit::Resolve(false)]);
    let alone = fold(&board, &all(&[&two]));
    assert_eq!((alone.pending, alone.document.get_heads().len()), (1, 0));
    assert_eq!(fold(&board, &all(&[&two, &one])).pending, 0);
}

#[test]
fn a_change_in_anothers_name_or_of_foreign_shape_is_refused() {
    let (mut ana, eve) = (Author::new(1, 1), Author::new(2, 1));
    let entry = ana.entry_id("x");
    let record = ana.edit(moment(1), &Board::Pins, &[], &[Edit::Pin(entry)]);
    let Body::Board { change: Bytes(bytes), .. } = &record.content.body else { panic!("a board") };
    assert_eq!(check(&Board::Pins, &ana.feed, bytes), Ok(()));
    assert_eq!(check(&Board::Pins, &eve.feed, bytes), Err(ChangeError::ForgedActor));
    assert_eq!(check(&Board::Labels, &ana.feed, bytes), Err(ChangeError::ForgedActor), "another document");
    let mut document = Automerge::new().with_actor(change::actor(&eve.feed, &Board::Pins.document()));
    let mut transaction = document.transaction();
    transaction.put_object(ROOT, "list", ObjType::List).expect("puts");
    transaction.commit_with(CommitOptions::default().with_time(0));
    let list = document.get_last_local_change().expect("committed");
    assert_eq!(check(&Board::Pins, &eve.feed, list.raw_bytes()), Err(ChangeError::ForeignOperation));
}

/// The change of `author` that says it is number `seq`, on top of nothing.
fn crafted(author: &mut Author, board: &Board, seq: u64, start: u64, id: u64) -> Record {
    use automerge::legacy::{ElementId, Key, ObjectId, OpId};
    let actor_id = change::actor(&author.feed, &board.document());
    // An object that nobody made.
    let object = ObjectId::Id(OpId::new(id, &actor_id));
    craft(author, board, seq, start, object, Key::Seq(ElementId::Head))
}

fn craft(
    author: &mut Author,
    board: &Board,
    seq: u64,
    start: u64,
    obj: automerge::legacy::ObjectId,
    key: automerge::legacy::Key,
) -> Record {
    use automerge::legacy::{Op, OpType};
    let actor_id = change::actor(&author.feed, &board.document());
    let insert = matches!(key, automerge::legacy::Key::Seq(_));
    let insert = Op { action: OpType::Put(true.into()), obj, key, pred: Vec::new().into(), insert };
    let change = automerge::Change::from(automerge::ExpandedChange {
        operations: vec![insert],
        actor_id,
        author: None,
        hash: None,
        seq,
        start_op: std::num::NonZeroU64::new(start).expect("from 1"),
        time: 0,
        message: None,
        deps: Vec::new(),
        extra_bytes: Vec::new(),
    });
    let change = Bytes(change.raw_bytes().to_vec());
    author.write(moment(1), Body::Board { board: board.clone(), change })
}

#[test]
fn a_well_formed_change_that_makes_no_sense_harms_nobody_else() {
    let (mut ana, mut eve) = (Author::new(1, 1), Author::new(2, 1));
    let board = Board::Comments(ana.entry_id("x"));
    let good = ana.edit(moment(1), &board, &[], &[Edit::Comment(comment_id("c"), "good".into())]);
    for (seq, start, id) in [(1, 1, 77), (1, u64::from(u32::MAX), 77), (2, 1, 1), (1, 1, 1)] {
        let mut eve = eve.clone();
        let bad = crafted(&mut eve, &board, seq, start, id);
        if let Body::Board { change, .. } = &bad.content.body {
            let _ = check(&board, &eve.feed, &change.0);
        }
        assert_eq!(thread(&board, &all(&[&bad, &good])), ["good"], "{seq} {start} {id}");
    }
    let repeated = [crafted(&mut eve, &board, 1, 1, 77), crafted(&mut eve, &board, 1, 2, 78)];
    assert_eq!(thread(&board, &all(&[&repeated[0], &repeated[1], &good])), ["good"]);
}

#[test]
fn a_change_that_hides_what_it_comes_behind_or_reuses_numbers_is_left_out() {
    use automerge::legacy::{Key, ObjectId};
    let (mut ana, mut ben) = (Author::new(1, 1), Author::new(2, 1));
    let board = Board::Review(ana.entry_id("x"));
    let one = ana.edit(moment(1), &board, &[], &[Edit::Resolve(true)]);
    let two = ben.edit(moment(2), &board, &all(&[&one]), &[Edit::Resolve(false)]);
    let honest = fold(&board, &all(&[&one, &two]));
    let crafted = |seq, start| {
        let key = Key::Map("resolved".into());
        craft(&mut ben.clone(), &board, seq, start, ObjectId::Root, key)
    };
    for (seq, start) in [(2, 9), (3, 9), (2, 1)] {
        let hidden = crafted(seq, start);
        let folded = fold(&board, &all(&[&hidden, &one, &two]));
        assert_eq!((folded.pending, &folded.view), (1, &honest.view), "{seq} {start}");
    }
    // Two changes with one number: one of them is left out, the same in any order.
    let twin = crafted(1, 9);
    let folded = fold(&board, &all(&[&twin, &one, &two]));
    assert_eq!(folded.pending, 1);
    assert_eq!(fold(&board, &all(&[&two, &one, &twin])).view, folded.view);
}
