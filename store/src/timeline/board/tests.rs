//! Boards under concurrent work, exclusion and crafted changes.

use std::collections::BTreeSet;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, ChangeHash, ObjType, ROOT};

use super::super::change::{self, ChangeError};
use super::super::entry::Branch;
use super::super::fold::contribution;
use super::super::limit::Limit;
use super::super::record::{Body, Record};
use super::super::tests::world::{Author, change_hash, moment, put};
use super::*;
use crate::ids::{self, CommentId};
use crate::timeline::Bytes;

mod crafted;
mod share;

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
    let rewrite = |text: &str| [Edit::Rewrite(comment, text.into())];
    let second = ana.edit(moment(2), &board, &known, &rewrite("great work"));
    let third = ben.edit(moment(2), &board, &known, &rewrite("fine work indeed"));
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
fn a_branch_is_put_away_and_taken_out_again() {
    let mut ana = Author::new(1, 1);
    let board = Board::Branch("idea".parse::<Branch>().expect("a name"));
    let base = ana.entry_id("base");
    let mut known = all(&[&ana.edit(moment(1), &board, &[], &[Edit::Open(base)])]);
    let is_closed = |known: &[Contribution]| match fold(&board, known).view {
        View::Branch { is_closed, .. } => is_closed,
        other => panic!("{other:?}"),
    };
    for closed in [true, false] {
        known.extend(all(&[&ana.edit(moment(2), &board, &known, &[Edit::Close(closed)])]));
        assert_eq!(is_closed(&known), closed);
    }
}

#[test]
fn labels_and_pins_come_and_go() {
    let mut ana = Author::new(1, 1);
    let entry = ana.entry_id("x");
    let (label, pin) = (Board::Label("v1".into()), Board::Pin(entry));
    let one = ana.edit(moment(1), &label, &[], &[Edit::Label(entry)]);
    assert_eq!(fold(&label, &all(&[&one])).view, View::Label(Some(entry)));
    let two = ana.edit(moment(2), &label, &all(&[&one]), &[Edit::Unlabel]);
    assert_eq!(fold(&label, &all(&[&one, &two])).view, View::Label(None));
    let three = ana.edit(moment(3), &pin, &[], &[Edit::Pin]);
    assert_eq!(fold(&pin, &all(&[&three])).view, View::Pin(true));
    let four = ana.edit(moment(4), &pin, &all(&[&three]), &[Edit::Unpin]);
    assert_eq!(fold(&pin, &all(&[&three, &four])).view, View::Pin(false));
}

#[test]
fn edits_that_do_not_fit_are_refused_and_change_nothing() {
    let ana = Author::new(1, 1);
    let mut document = Automerge::new();
    let mut refuse = |board: &Board, edits: &[Edit]| {
        let error = write(&mut document, board, &ana.feed, edits, 0).expect_err("does not fit");
        assert!(document.get_heads().is_empty());
        error
    };
    let entry = ana.entry_id("x");
    let label = |name: &str| Board::Label(name.into());
    assert!(matches!(refuse(&label("v1"), &[Edit::Label(entry), Edit::Pin]), EditError::Unfit));
    assert!(matches!(refuse(&label(""), &[Edit::Label(entry)]), EditError::OutOfBounds("label")));
    assert!(matches!(refuse(&label("v1"), &[Edit::Unlabel]), EditError::Nothing));
    assert!(matches!(refuse(&Board::Pin(entry), &[]), EditError::Nothing));
    let comment = comment_id("c");
    let rewrite = |text: String| Edit::Rewrite(comment, text);
    assert!(matches!(refuse(&Board::Comments(entry), &[rewrite("x".into())]), EditError::UnknownComment(_)));
    let long = rewrite("x".repeat(COMMENT_MAX_CHARS + 1));
    let begin = Edit::Comment(comment, "a".into());
    assert!(matches!(
        refuse(&Board::Comments(entry), &[begin.clone(), long]),
        EditError::OutOfBounds("comment")
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
    let reply = Edit::Rewrite(comment, "hers, and mine".into());
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
    let pin = Board::Pin(entry);
    let record = ana.edit(moment(1), &pin, &[], &[Edit::Pin]);
    let Body::Board { change: Bytes(bytes), .. } = &record.content.body else { panic!("a board") };
    assert_eq!(check(&pin, &ana.feed, bytes), Ok(()));
    assert_eq!(check(&pin, &eve.feed, bytes), Err(ChangeError::ForgedActor));
    let other = Board::Pin(ana.entry_id("y"));
    assert_eq!(check(&other, &ana.feed, bytes), Err(ChangeError::ForgedActor), "another document");
    for nameless in ["", "two\nlines"] {
        assert_eq!(check(&Board::Label(nameless.into()), &ana.feed, bytes), Err(ChangeError::NoBoard));
    }
    let mut document = Automerge::new().with_actor(change::actor(&eve.feed, &pin.document()));
    let mut transaction = document.transaction();
    transaction.put_object(ROOT, "list", ObjType::List).expect("puts");
    transaction.commit_with(CommitOptions::default().with_time(0));
    let list = document.get_last_local_change().expect("committed");
    assert_eq!(check(&pin, &eve.feed, list.raw_bytes()), Err(ChangeError::ForeignOperation));
}

#[test]
fn an_author_whose_first_line_is_back_goes_on_with_the_second_change_of_its_number() {
    let mut ana = Author::new(1, 1);
    let board = Board::Comments(ana.entry_id("x"));
    let comment = |text: &str| [Edit::Comment(comment_id(text), text.to_owned())];
    let first = ana.edit(moment(1), &board, &[], &comment("first"));
    let begun = all(&[&first]);
    let second = ana.edit(moment(2), &board, &begun, &comment("second"));
    // Wrote the second anew while that was away; which of the two goes on is a matter of their hashes.
    let try_anew = |n: u32| {
        let mut ana = ana.clone();
        let anew = ana.edit(moment(3), &board, &begun, &comment(&format!("anew {n}")));
        let folded = fold(&board, &all(&[&first, &second, &anew]));
        folded.is_out_of_turn(&board, &ana.feed).then_some((ana, anew))
    };
    let (mut ana, anew) = (0..64).find_map(try_anew).expect("one of them has the greater hash");

    let line = all(&[&first, &second]);
    let lost = ana.edit(moment(4), &board, &line, &comment("lost"));
    let taken = ana.edit(moment(5), &board, &line, &comment("taken"));
    assert_eq!(thread(&board, &all(&[&first, &second, &anew, &lost])), ["first", "second"]);
    let written = all(&[&first, &second, &anew, &lost, &taken]);
    assert_eq!(thread(&board, &written), ["first", "second", "taken"]);
    assert!(!fold(&board, &written).is_out_of_turn(&board, &ana.feed));
}
