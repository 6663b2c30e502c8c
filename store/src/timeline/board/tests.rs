//! Boards under concurrent work, exclusion and crafted changes.

use std::collections::BTreeSet;

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType};
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

/// Puts a piece of text into the object `text`, which nobody may have made.
fn piece(text: OpId, at: ElementId) -> Op {
    let action = OpType::Put("x".into());
    Op { action, obj: ObjectId::Id(text), key: Key::Seq(at), pred: Vec::new().into(), insert: true }
}

#[test]
fn a_well_formed_change_that_makes_no_sense_harms_nobody_else() {
    let (mut ana, mut eve) = (Author::new(1, 1), Author::new(2, 1));
    let board = Board::Comments(ana.entry_id("x"));
    let good = ana.edit(moment(1), &board, &[], &[Edit::Comment(comment_id("c"), "good".into())]);
    for (seq, start, id) in [(1, 1, 77), (1, u64::from(u32::MAX), 77), (2, 1, 1), (1, 1, 1)] {
        let mut eve = eve.clone();
        let text = piece(OpId::new(id, &eve.actor(&board)), ElementId::Head);
        let bad = eve.craft(moment(1), &board, (seq, start), Vec::new(), vec![text]);
        let Body::Board { change, .. } = &bad.content.body else { panic!("a board") };
        assert_eq!(check(&board, &eve.feed, &change.0), Ok(()), "nothing is wrong with the change alone");
        assert_eq!(thread(&board, &all(&[&bad, &good])), ["good"], "{seq} {start} {id}");
    }
    let mut craft = |start, id| {
        let text = piece(OpId::new(id, &eve.actor(&board)), ElementId::Head);
        eve.craft(moment(1), &board, (1, start), Vec::new(), vec![text])
    };
    let repeated = [craft(1, 77), craft(2, 78)];
    assert_eq!(thread(&board, &all(&[&repeated[0], &repeated[1], &good])), ["good"]);
}

#[test]
fn a_change_that_hides_what_it_comes_behind_or_reuses_numbers_is_left_out() {
    let (mut ana, mut ben) = (Author::new(1, 1), Author::new(2, 1));
    let board = Board::Review(ana.entry_id("x"));
    let one = ana.edit(moment(1), &board, &[], &[Edit::Resolve(true)]);
    let two = ben.edit(moment(2), &board, &all(&[&one]), &[Edit::Resolve(false)]);
    let honest = fold(&board, &all(&[&one, &two]));
    let crafted = |seq, start| {
        ben.clone().craft(moment(1), &board, (seq, start), Vec::new(), vec![put("resolved", Vec::new())])
    };
    for (seq, start) in [(2, 9), (3, 9), (2, 1), (1, 9), (1, u64::from(u32::MAX))] {
        let hidden = crafted(seq, start);
        let folded = fold(&board, &all(&[&hidden, &one, &two]));
        assert_eq!((folded.pending, &folded.view), (1, &honest.view), "{seq} {start}");
    }
    // Two changes with one number: one of them is left out, the same in any order.
    let twin = crafted(1, 1);
    let folded = fold(&board, &all(&[&twin, &one, &two]));
    assert_eq!(folded.pending, 1);
    assert_eq!(fold(&board, &all(&[&two, &one, &twin])).view, folded.view);
    let early = fold(&board, &all(&[&one, &two]));
    assert!(early.extend(&all(&[&twin])).is_none(), "only all of them tell which");
}

#[test]
fn a_change_that_touches_what_is_not_before_it_is_left_out_whenever_that_comes() {
    let (mut ana, eve) = (Author::new(1, 1), Author::new(2, 1));
    let board = Board::Comments(ana.entry_id("x"));
    let comment = comment_id("c");
    let good = ana.edit(moment(1), &board, &[], &[Edit::Comment(comment, "good".into())]);
    let op = |number| OpId::new(number, &ana.actor(&board));
    let name = format!("comment:{comment}");
    let gone = |replaced: Vec<OpId>| Op { action: OpType::Delete, ..put(&name, replaced) };
    let cases = [
        put(&name, vec![op(1)]),
        gone(vec![op(1)]),
        piece(op(1), ElementId::Head),
        piece(op(1), ElementId::Id(op(2))),
        Op {
            action: OpType::Delete,
            insert: false,
            pred: vec![op(2)].into(),
            ..piece(op(1), ElementId::Id(op(2)))
        },
    ];
    for case in cases {
        // Without the comment before it, and with it before it, but said to replace something else.
        let blind = eve.clone().craft(moment(1), &board, (1, 1), Vec::new(), vec![case.clone()]);
        let crooked = Op { pred: vec![op(3)].into(), ..case.clone() };
        let crooked = eve.clone().craft(moment(1), &board, (1, 6), vec![change_hash(&good)], vec![crooked]);
        for bad in [&blind, &crooked] {
            let (first, second) = (all(&[bad]), all(&[&good]));
            let late = fold(&board, &first).extend(&second).expect("goes on");
            let early = fold(&board, &second).extend(&first).expect("goes on");
            let whole = fold(&board, &all(&[bad, &good]));
            for folded in [late, early, whole] {
                let View::Thread { comments, .. } = folded.view else { panic!("a thread") };
                assert_eq!((comments[0].text.as_str(), folded.pending), ("good", 1), "{case:?}");
            }
        }
        let seen = eve.clone().craft(moment(1), &board, (1, 6), vec![change_hash(&good)], vec![case]);
        assert_eq!(fold(&board, &all(&[&seen, &good])).pending, 0);
    }
}

#[test]
fn an_id_in_another_spelling_is_no_id() {
    let (mut ana, mut eve) = (Author::new(1, 1), Author::new(2, 1));
    let (board, comment) = (Board::Comments(ana.entry_id("x")), comment_id("a"));
    let shout = comment.to_string().to_uppercase();
    assert_ne!(shout, comment.to_string());
    let text = OpType::Make(ObjType::Text);
    let make = Op { action: text, ..put(&format!("comment:{shout}"), Vec::new()) };
    let other = eve.craft(moment(1), &board, (1, 1), Vec::new(), vec![make]);
    assert_eq!(thread(&board, &all(&[&other])), [""; 0]);
    let mine = ana.edit(moment(2), &board, &all(&[&other]), &[Edit::Comment(comment, "mine".into())]);
    let grown = fold(&board, &all(&[&other])).extend(&all(&[&mine])).expect("goes on");
    assert_eq!(thread(&board, &all(&[&other, &mine])), ["mine"]);
    assert_eq!(fold(&board, &all(&[&other, &mine])).view, grown.view);
}

#[test]
fn what_waits_for_ever_keeps_nobody_from_going_on() {
    let (mut ana, mut eve) = (Author::new(1, 1), Author::new(2, 1));
    let (board, nowhere) = (Board::Comments(ana.entry_id("x")), ChangeHash([7; 32]));
    let waits = eve.craft(moment(1), &board, (1, 1), vec![nowhere], vec![put("a", Vec::new())]);
    let text = piece(OpId::new(77, &eve.actor(&board)), ElementId::Head);
    let senseless = eve.craft(moment(1), &board, (1, 1), Vec::new(), vec![text]);
    let mut known = all(&[&waits, &senseless]);
    let mut folded = fold(&board, &known);
    for n in 0..5 {
        let comment = Edit::Comment(comment_id(&n.to_string()), n.to_string());
        let record = ana.edit(moment(n), &board, &known, &[comment]);
        known.extend(all(&[&record]));
        folded = folded.extend(&all(&[&record])).expect("goes on");
    }
    let whole = fold(&board, &known);
    assert_eq!((&folded.view, folded.pending), (&whole.view, 2));
    assert_eq!(thread(&board, &known).len(), 5);
}

#[test]
fn pieces_of_text_without_a_character_are_refused() {
    let eve = Author::new(2, 1);
    let board = Board::Comments(eve.entry_id("x"));
    let text = OpId::new(1, &eve.actor(&board));
    let put = |piece: &str| {
        let action = OpType::Put(piece.into());
        let record = eve.clone().craft(
            moment(1),
            &board,
            (1, 1),
            Vec::new(),
            vec![Op { action, ..self::piece(text.clone(), ElementId::Head) }],
        );
        let Body::Board { change, .. } = record.content.body else { panic!("a board") };
        check(&board, &eve.feed, &change.0)
    };
    assert_eq!(put("x"), Ok(()));
    assert_eq!(put(""), Err(ChangeError::ForeignOperation));
}

#[test]
fn a_piece_of_text_is_taken_away_once_in_a_change() {
    let mut eve = Author::new(2, 1);
    let board = Board::Comments(eve.entry_id("x"));
    let [text, first, second] = [1, 2, 3].map(|number| OpId::new(number, &eve.actor(&board)));
    let gone = |at: &OpId| Op {
        action: OpType::Delete,
        insert: false,
        pred: vec![at.clone()].into(),
        ..piece(text.clone(), ElementId::Id(at.clone()))
    };
    let mut taken = |operations| {
        let record = eve.craft(moment(1), &board, (1, 1), Vec::new(), operations);
        let Body::Board { change, .. } = record.content.body else { panic!("a board") };
        check(&board, &eve.feed, &change.0)
    };
    assert_eq!(taken(vec![gone(&first), gone(&second)]), Ok(()));
    assert_eq!(taken(vec![gone(&first), gone(&first)]), Err(ChangeError::ForeignOperation));
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
