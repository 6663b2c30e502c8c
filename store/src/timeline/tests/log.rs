//! A node's timeline over its database: writing, admitting, reading, and every refusal by name.

use std::collections::BTreeMap;

use super::node::{Node, admitted, all, refusal, titles};
use super::world::{Author, entries, moment, remark, review};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids;
use crate::reader::Order;
use crate::timeline::admit::Verdict;
use crate::timeline::board::{Board, COMMENT_MAX_CHARS, Edit, EditError, Measure, Place, Side, View};
use crate::timeline::entry::tests::note;
use crate::timeline::entry::{Branch, Kind};
use crate::timeline::frame::FRAME_MAX_BYTES;
use crate::timeline::record::Body;
use crate::timeline::{Bytes, EntryFilter, Saying, WAITING_FRAMES_MAX, WAITING_MAX_BYTES, WriteError};
use crate::trust::Cut;

#[test]
fn what_one_node_writes_another_reads_and_both_agree() {
    let (mut one, mut other) = (Node::new(), Node::new());
    let mut frames = one.say(&["a", "b"]);
    let label = Board::Label("v1".into());
    frames.extend(one.edit(&label, &[Edit::Label(ids::derived(one.now, &[b"a"]))]));
    for verdict in other.admit(&frames) {
        admitted(&verdict);
    }
    assert_eq!(all(&other), ["a", "b"]);
    assert_eq!(other.digest(), one.digest());
    let answer = other.edit(&label, &[Edit::Unlabel]);
    one.admit(&answer);
    assert_eq!(other.digest(), one.digest());
    let board = one.store.read().expect("reads").board(&label).expect("reads").expect("touched");
    assert_eq!((board.view, board.pending), (View::Label(None), 0));
}

#[test]
fn a_reopened_timeline_goes_on_where_it_ended() {
    let mut node = Node::new();
    node.say(&["a"]);
    let before = node.timeline.feeds().copied().collect::<Vec<_>>();
    node.reopen();
    assert_eq!(node.timeline.feeds().copied().collect::<Vec<_>>(), before);
    node.say(&["b"]);
    node.edit(&review(), &[remark("a")]);
    assert_eq!(all(&node), ["a", "b"]);
    let rows = node.rows();
    node.rebuild();
    assert_eq!(node.rows(), rows);
}

#[test]
fn pages_go_both_ways_and_keep_to_their_branch_and_kind() {
    let mut node = Node::new();
    let sayings = (0..25).map(|n| {
        let mut note = note(&format!("{n:02}"));
        note.branch = if n % 2 == 0 { Branch::main() } else { "side".parse().expect("a name") };
        note.kind = if n % 5 == 0 { Kind::Deploy } else { Kind::Edit };
        Saying::Entry(ids::derived(node.now, &[&[n]]), Box::new(note))
    });
    let sayings = sayings.collect();
    let written = node.timeline.say(node.store.key(), node.now, sayings).expect("fits");
    node.commit(written.changes);
    let numbers = |wanted: fn(&u8) -> bool| -> Vec<String> {
        (0..25).filter(wanted).map(|n| format!("{n:02}")).collect()
    };
    let mut filter = EntryFilter::default();
    for limit in [1, 7, 50] {
        assert_eq!(titles(&node, &filter, Order::Ascending, limit), numbers(|_| true));
    }
    filter.branch = Some("side".parse().expect("a name"));
    let mut backwards = numbers(|n| n % 2 == 1);
    backwards.reverse();
    assert_eq!(titles(&node, &filter, Order::Descending, 3), backwards);
    filter.kind = Some(Kind::Deploy);
    assert_eq!(titles(&node, &filter, Order::Ascending, 3), numbers(|n| n % 2 == 1 && n % 5 == 0));
    let reader = node.store.read().expect("reads");
    let found = reader.entry(ids::derived(node.now, &[&[7]])).expect("reads").expect("is there");
    assert_eq!((found.note.title.as_str(), found.node), ("07", node.store.key().public()));
    assert!(reader.entry(ids::derived(node.now, &[b"no"])).expect("reads").is_none());
}

#[test]
fn what_comes_early_waits_and_what_comes_twice_is_known() {
    let (mut node, mut author) = (Node::new(), Author::new(1, 1));
    let records = entries(&mut author, 6);
    let frame = |from: usize, to: usize| author.frame(&records[from..to]);
    let early = node.admit(&[frame(4, 6), frame(2, 4)]);
    assert!(early.iter().all(|it| matches!(it, Verdict::Gap { have: 0, .. })), "{early:?}");
    assert!(all(&node).is_empty());
    assert_eq!(admitted(&node.admit(&[frame(0, 2)])[0]), (1, 6));
    assert_eq!(node.timeline.waiting_bytes(), 0);
    assert_eq!(node.admit(&[frame(1, 5)]), [Verdict::Duplicate]);
    let more = [records.clone(), vec![author.entry(moment(9), "seventh")]].concat();
    assert_eq!(admitted(&node.admit(&[author.frame(&more[3..])])[0]), (7, 7), "overlaps what is here");
}

#[test]
fn what_waited_and_is_not_taken_has_its_name_as_well() {
    let (mut node, mut author) = (Node::new(), Author::new(1, 1));
    let first = author.entry(moment(1), "first");
    let mut twin = author.clone();
    let stolen = Author::new(2, 1).entry(moment(1), "stolen").content.body;
    let forged = twin.write(moment(2), stolen);
    assert!(matches!(node.admit(&[twin.frame(&[forged])])[..], [Verdict::Gap { .. }]));
    let verdicts = node.admit(&[author.frame(std::slice::from_ref(&first))]);
    let [Verdict::Admitted { first: 1, last: 1, behind, .. }] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!(refusal(behind.clone()).reason(), "forged_actor");
    assert_eq!(all(&node), ["first"]);

    // A third record waits, and the second that comes is not the one that it follows.
    let (mut node, mut fork) = (Node::new(), author.clone());
    fork.entry(moment(2), "another second");
    let third = fork.entry(moment(3), "third");
    node.admit(&[fork.frame(&[third])]);
    let records = [first, author.entry(moment(2), "second")];
    let verdicts = node.admit(&[author.frame(&records)]);
    let [Verdict::Admitted { first: 1, last: 2, behind, .. }] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert!(matches!(behind[..], [Verdict::Forked { seq: 2, .. }]), "{behind:?}");
}

#[test]
fn what_waits_is_bounded_and_the_newest_waits() {
    let (mut node, mut author) = (Node::new(), Author::new(1, 1));
    let last = WAITING_FRAMES_MAX as u64 + 3;
    let records = entries(&mut author, last as usize);
    let frames: Vec<Vec<u8>> =
        records[1..].iter().map(|record| author.frame(std::slice::from_ref(record))).collect();
    let verdicts = node.admit(&frames);
    assert!(verdicts.iter().all(|it| matches!(it, Verdict::Gap { have: 0, .. })), "{verdicts:?}");
    assert_eq!(node.timeline.waiting_frames(), WAITING_FRAMES_MAX);
    assert!(node.timeline.waiting_bytes() <= WAITING_MAX_BYTES);
    assert_eq!(admitted(&node.admit(&[author.frame(&records[..1])])[0]), (1, 1), "the oldest made room");
    assert_eq!(admitted(&node.admit(&[author.frame(&records[1..3])])[0]), (2, last));
}

#[test]
fn what_waits_behind_a_cut_is_forgotten() {
    let mut node = Node::new();
    let [mut here, mut new] = [Author::new(1, 1), Author::new(2, 1)];
    let of_both = [&mut here, &mut new].map(|author| entries(author, 600));
    node.admit(&[here.frame(&of_both[0][..2])]);
    let waits = [here.frame(&of_both[0][3..4]), here.frame(&of_both[0][590..]), new.frame(&of_both[1][3..4])];
    let verdicts = node.admit(&waits);
    assert!(verdicts.iter().all(|it| matches!(it, Verdict::Gap { .. })), "{verdicts:?}");
    let cut = Cut::After { seq: 2, hash: of_both[0][1].hash };
    node.recut(&BTreeMap::from([(here.feed, cut), (new.feed, Cut::Everything)]));
    let bytes = node.timeline.waiting_bytes();
    assert!(bytes > 0 && bytes <= waits[0].len(), "a ground of others may wait: {bytes}");
    node.recut(&BTreeMap::from([(here.feed, Cut::Everything)]));
    assert_eq!(node.timeline.waiting_bytes(), 0);
}

/// The change whose entry says that a newer version of this program wrote it.
fn of_newer_version(change: &[u8]) -> Vec<u8> {
    let mut bytes = change.to_vec();
    let principal = b"operator@local";
    let named = bytes.windows(principal.len()).position(|window| window == principal).expect("an entry");
    // Before the name stands its length, and before that the version.
    bytes[named - 2] += 1;
    let checksum = Digest::of(&bytes[8..]);
    bytes[4..8].copy_from_slice(&checksum.as_bytes()[..4]);
    bytes
}

#[test]
fn each_refusal_has_its_name_and_changes_nothing() {
    let (mut node, mut author, mut forger) = (Node::new(), Author::new(1, 1), Author::new(2, 1));
    let records = entries(&mut author, 2);
    let frame = author.frame(&records);
    let reason = |node: &mut Node, bytes: Vec<u8>| refusal(node.admit(&[bytes])).reason();
    let spoilt = |at: usize, byte: u8| {
        let mut bytes = frame.clone();
        bytes[at] ^= byte;
        bytes
    };
    let before = node.rows();
    assert_eq!(reason(&mut node, spoilt(frame.len() - 1, 1)), "bad_signature");
    assert_eq!(reason(&mut node, spoilt(1, 1)), "wrong_env");
    assert_eq!(reason(&mut node, spoilt(0, 2)), "newer_frame");
    assert_eq!(reason(&mut node, spoilt(0, 1)), "malformed");
    assert_eq!(reason(&mut node, vec![0; FRAME_MAX_BYTES + 1]), "oversized");
    assert_eq!(reason(&mut node, frame[..20].to_vec()), "malformed");
    let stolen = forger.write(moment(1), records[0].content.body.clone());
    assert_eq!(reason(&mut node, forger.frame(&[stolen])), "forged_actor");
    let early = Author::new(1, 1).write(moment(1), records[1].content.body.clone());
    assert_eq!(reason(&mut node, author.frame(&[early])), "missing_dependency");
    let Body::Entry { change, .. } = &records[0].content.body else { panic!("an entry") };
    let alone = |body| author.frame(&[Author::new(1, 1).write(moment(1), body)]);
    let elsewhere = alone(Body::Entry { document: 7, change: change.clone() });
    assert_eq!(reason(&mut node, elsewhere), "wrong_doc");
    for bytes in [Vec::new(), vec![0; 100], change.0[..change.0.len() - 1].to_vec()] {
        let entry = alone(Body::Entry { document: 0, change: Bytes(bytes.clone()) });
        assert_eq!(reason(&mut node, entry), "undecodable_change");
        let board = alone(Body::Board { board: review(), change: Bytes(bytes) });
        assert_eq!(reason(&mut node, board), "undecodable_change");
    }
    let newer = alone(Body::Entry { document: 0, change: Bytes(of_newer_version(&change.0)) });
    assert_eq!(reason(&mut node, newer), "newer_entry");
    assert_eq!(node.rows(), before);
    node.cuts.insert(author.feed, Cut::Everything);
    assert_eq!(reason(&mut node, frame.clone()), "past_cut");
    assert_eq!(node.rows(), before);
}

#[test]
fn a_record_from_the_year_3000_is_kept_and_flagged_and_pulls_no_clock() {
    let (mut node, mut author) = (Node::new(), Author::new(1, 1));
    let far = author.entry(moment(32_503_680_000 - 1_700_000_000), "far");
    let verdicts = node.admit(&[author.frame(&[far])]);
    assert!(matches!(verdicts[0], Verdict::Admitted { from_future: 1, .. }), "{verdicts:?}");
    node.say(&["now"]);
    assert_eq!(all(&node), ["now", "far"]);
    let newest = |now| {
        let reader = node.store.read().expect("reads");
        reader.newest_entry(None, now).expect("reads").expect("there is one").note.title
    };
    assert_eq!(newest(node.now), "now");
    assert_eq!(newest(Timestamp::MAX), "far", "its time has come");
}

#[test]
fn rows_without_an_entry_of_the_journal_can_be_committed() {
    let mut node = Node::new();
    let before = *node.store.journal().expect("open").head().borrow();
    node.say(&["a"]);
    assert_eq!(*node.store.journal().expect("open").head().borrow(), before);
}

#[test]
fn an_edit_that_cannot_be_recorded_leaves_no_trace() {
    let mut node = Node::new();
    let board = Board::Comments(ids::derived(node.now, &[b"a"]));
    let comment =
        |name: &str, text: &str| Edit::Comment(ids::derived(node.now, &[name.as_bytes()]), text.into());
    let first = comment("first", "first");
    let large: Vec<Edit> = (0..5).map(|n| comment(&n.to_string(), &"x\u{1F600}y".repeat(2500))).collect();
    let second = comment("second", "second");
    node.edit(&board, &[first]);
    let before = node.rows();
    let reader = node.store.read().expect("reads");
    let refused = node.timeline.edit(&reader, node.store.key(), node.now, &board, &large);
    let refused = refused.map(|it| it.frames.len());
    assert!(matches!(refused, Err(WriteError::Edit(EditError::OutOfBounds("edit")))), "{refused:?}");
    drop(reader);
    assert_eq!((node.rows(), node.timeline.open_boards()), (before, 0), "the board has it and goes");
    node.edit(&board, &[second]);
    let rows = node.rows();
    node.rebuild();
    assert_eq!(node.rows(), rows);
    let row = node.store.read().expect("reads").board(&board).expect("reads").expect("touched");
    assert!(matches!(row.view, View::Thread { comments, .. } if comments.len() == 2));
}

#[test]
fn a_board_stays_open_when_an_edit_is_refused_before_it_is_made() {
    let (mut node, mut other) = (Node::new(), Node::new());
    let board = Board::Comments(ids::derived(node.now, &[b"a"]));
    let id = |name: &str| ids::derived(node.now, &[name.as_bytes()]);
    let (here, absent) = (id("here"), id("absent"));
    let comment = |name: &str, text: &str| Edit::Comment(id(name), text.into());
    let nowhere = Place { workspace: None, path: String::new(), side: Side::After, line: 1 };
    // Each begins with what can be done.
    let refused = [
        vec![Edit::Rewrite(absent, "x".into())],
        vec![comment("new", "new"), Edit::Rewrite(here, "other words".into()), comment("empty", "")],
        vec![Edit::Rewrite(here, "w".into()), Edit::Place(here, nowhere)],
        vec![comment("here", "instead"), Edit::Resolve(true)],
    ];
    let [first, second, theirs] =
        [comment("here", "some words"), comment("second", "second"), comment("theirs", "theirs")];
    let mut frames = node.edit(&board, &[first]);
    let refuses = |node: &mut Node| {
        let before = node.rows();
        for edits in &refused {
            let reader = node.store.read().expect("reads");
            let refused = node.timeline.edit(&reader, node.store.key(), node.now, &board, edits);
            let refused = refused.map(|it| it.frames.len());
            assert!(matches!(refused, Err(WriteError::Edit(_))), "{refused:?}");
            assert_eq!(node.timeline.open_boards(), 1);
        }
        assert_eq!(node.rows(), before);
    };
    refuses(&mut node);
    frames.extend(node.edit(&board, &[second]));
    refuses(&mut node);
    // Another's change goes on from what is open.
    other.admit(&frames);
    refuses(&mut other);
    frames = other.edit(&board, &[theirs]);
    admitted(&node.admit(&frames)[0]);
    refuses(&mut node);
    for node in [node, other] {
        let row = node.store.read().expect("reads").board(&board).expect("reads").expect("touched");
        let View::Thread { comments, is_resolved: false } = row.view else { panic!("{row:?}") };
        let texts: Vec<&str> = comments.iter().map(|comment| comment.text.as_str()).collect();
        assert_eq!(texts, ["some words", "second", "theirs"]);
        let rows = node.rows();
        node.rebuild();
        assert_eq!(node.rows(), rows);
    }
}

#[test]
fn the_longest_comment_is_written_rewritten_and_taken_by_others() {
    let (mut node, mut other) = (Node::new(), Node::new());
    let entry = ids::derived(node.now, &[b"a"]);
    let comment = ids::derived(node.now, &[b"c"]);
    for edit in [
        Edit::Comment(comment, "a".repeat(COMMENT_MAX_CHARS)),
        Edit::Rewrite(comment, "\u{1F600}".repeat(COMMENT_MAX_CHARS)),
    ] {
        admitted(&other.admit(&node.edit(&Board::Comments(entry), &[edit]))[0]);
        assert_eq!(other.digest(), node.digest());
    }
}

#[test]
fn a_node_that_has_used_up_its_share_of_a_board_is_told_and_writes_to_others() {
    let (mut node, mut other) = (Node::new(), Node::new());
    let board = Board::Comments(ids::derived(node.now, &[b"a"]));
    let comment = ids::derived(node.now, &[b"c"]);
    let place = |line| Place { workspace: None, path: "\u{1F600}".repeat(4000), side: Side::After, line };
    let places = |first: u32| -> Vec<Edit> {
        (first..first + 3).map(|line| Edit::Place(comment, place(line))).collect()
    };
    let mut frames = node.edit(&board, &[Edit::Comment(comment, "c".into())]);
    let mut count = 0;
    let refused = loop {
        count += 1;
        assert!(count < 200, "there is an end");
        let reader = node.store.read().expect("reads");
        match node.timeline.edit(&reader, node.store.key(), node.now, &board, &places(3 * count)) {
            Ok(written) => {
                drop(reader);
                node.commit(written.changes);
                frames.extend(written.frames);
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, WriteError::Edit(EditError::Full(Measure::Bytes))), "{refused:?}");
    assert!(count > 50, "{count}");
    frames.extend(node.edit(&review(), &[remark("a")]));
    for verdict in other.admit(&frames) {
        admitted(&verdict);
    }
    assert_eq!(other.digest(), node.digest());
}
