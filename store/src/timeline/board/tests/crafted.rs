//! Changes that no library wrote: what makes no sense, or never will, shows nowhere and harms nobody else.

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType};

use super::*;

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
