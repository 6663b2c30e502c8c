//! Limits that move in steps: however small those are and wherever they are cut short, they come to the rows that one
//! step comes to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::node::{Node, all};
use super::world::{Author, entries, env, moment, remark, review};
use crate::simulation::{Dice, Disk, Survival};
use crate::timeline::BEHIND_CUT_MAX;
use crate::timeline::admit::Verdict;
use crate::timeline::board::Board;
use crate::timeline::feed::FeedId;
use crate::timeline::fork::Proof;
use crate::timeline::record::{Body, Record};
use crate::timeline::recut::Step;
use crate::trust::Cut;

/// Moments and comments by turns, as many as stand behind a cut and more; and a friend's comments on top of some of
/// them.
fn story() -> (Author, Vec<Record>, Author, Vec<Record>) {
    let (mut author, mut friend) = (Author::new(1, 1), Author::new(2, 1));
    let (mut records, mut friends) = (Vec::new(), Vec::new());
    for n in 0..BEHIND_CUT_MAX as i64 + 20 {
        let title = format!("{n:03}");
        // A board of the moment now and then, and one that all of them share.
        let board = match n % 16 {
            3 => Board::Comments(author.entry_id(&title)),
            _ => review(),
        };
        let record = match n % 8 {
            3 => {
                let mut known = author.own_contributions(&board);
                known.extend(friend.own_contributions(&board));
                author.edit(moment(n), &board, &known, &[remark(&title)])
            }
            _ => author.entry(moment(n), &title),
        };
        records.push(record);
        if n % 50 == 20 {
            let mut known = author.own_contributions(&review());
            known.extend(friend.own_contributions(&review()));
            friends.push(friend.edit(moment(n), &review(), &known, &[remark(&format!("to {n}"))]));
        }
    }
    (author, records, friend, friends)
}

fn told(node: &mut Node, story: &(Author, Vec<Record>, Author, Vec<Record>)) {
    let (author, records, friend, friends) = story;
    let frames: Vec<Vec<u8>> = records.chunks(50).map(|chunk| author.frame(chunk)).collect();
    node.admit(&frames);
    node.admit(&[friend.frame(friends)]);
}

fn board(record: &Record) -> Option<&Board> {
    match &record.content.body {
        Body::Board { board, .. } => Some(board),
        _ => None,
    }
}

fn cut(records: &[Record], seq: usize) -> Cut {
    match seq.checked_sub(1).and_then(|last| records.get(last)) {
        Some(last) => Cut::After { seq: last.seq, hash: last.hash },
        None => Cut::Everything,
    }
}

/// A step that is bounded by its records alone.
fn records(records: u64) -> Step {
    Step { records, boards: usize::MAX }
}

/// Cuts one after the other (none lifts it), each with the size of its steps and how many of them are made before the
/// next one comes.
fn plan() -> impl Strategy<Value = Vec<(Option<usize>, Step, usize)>> {
    let cut = prop_oneof![3 => (0..300_usize).prop_map(Some), 1 => Just(None)];
    let boards = prop_oneof![1..4_usize, Just(usize::MAX)];
    let step =
        (prop_oneof![1..4_u64, 20..400_u64], boards).prop_map(|(records, boards)| Step { records, boards });
    proptest::collection::vec((cut, step, 0..6_usize), 1..5)
}

#[test]
fn steps_of_any_size_that_are_cut_short_anywhere_come_to_the_rows_of_one() {
    let story = story();
    let nodes = RefCell::new((Node::new(), Node::new()));
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let held = TestRunner::new(config).run(&plan(), |plan| {
        let mut nodes = nodes.borrow_mut();
        let (one, other) = &mut *nodes;
        for node in [&mut *one, &mut *other] {
            node.empty();
            told(node, &story);
        }
        let mut cuts = BTreeMap::new();
        for (to, step, steps) in plan {
            cuts = BTreeMap::from_iter(to.map(|seq| (story.0.feed, cut(&story.1, seq))));
            for _ in 0..steps {
                one.recut_by(&cuts, step);
                one.reopen();
            }
        }
        while !one.recut_by(&cuts, records(100)) {}
        other.recut(&cuts);
        prop_assert!(one.rows() == other.rows());
        one.rebuild();
        prop_assert!(one.rows() == other.rows());
        Ok(())
    });
    held.expect("steps and one step come to the same");
}

#[test]
fn a_step_ends_where_it_has_so_many_boards_to_fold_and_the_next_goes_on() {
    let story = story();
    let (mut one, mut other) = (Node::new(), Node::new());
    told(&mut one, &story);
    told(&mut other, &story);
    let boards: BTreeSet<&Board> = story.1.iter().filter_map(|record| board(record)).collect();
    for cuts in [BTreeMap::from([(story.0.feed, Cut::Everything)]), BTreeMap::new()] {
        let mut steps = 1;
        while !one.recut_by(&cuts, Step { records: u64::MAX, boards: 3 }) {
            steps += 1;
        }
        // A board that all share is in each of them, between two that are of one moment.
        assert!(steps >= boards.len() / 3, "{steps} steps for {} boards", boards.len());
        other.recut(&cuts);
        assert!(one.rows() == other.rows());
    }
}

#[test]
fn what_is_a_ground_no_more_or_again_moves_with_the_limit() {
    let (mut node, mut author, mut friend) = (Node::new(), Author::new(1, 1), Author::new(2, 1));
    let mut records = entries(&mut author, BEHIND_CUT_MAX as usize + 1);
    let ground = author.edit(moment(500), &review(), &[], &[remark("ground")]);
    let known = author.own_contributions(&review());
    let on_top = friend.edit(moment(501), &review(), &known, &[remark("on top")]);
    records.push(ground);
    let frames: Vec<Vec<u8>> = records.chunks(50).map(|chunk| author.frame(chunk)).collect();
    node.admit(&frames);
    node.admit(&[friend.frame(&[on_top])]);
    for seq in [2, 1, 2] {
        node.recut(&[(author.feed, cut(&records, seq))].into());
        let row = node.store.read().expect("reads").board(&review()).expect("reads").expect("touched");
        assert_eq!(row.pending, u64::from(seq == 1), "the last record is {BEHIND_CUT_MAX} behind the second");
        let rows = node.rows();
        node.rebuild();
        assert!(node.rows() == rows);
    }
}

#[test]
fn who_had_more_behind_a_cut_than_is_kept_shows_what_a_newcomer_does() {
    let story = story();
    for seq in [0, 5, 19, 50] {
        let cuts = BTreeMap::from([(story.0.feed, cut(&story.1, seq))]);
        let (mut node, mut newcomer) = (Node::new(), Node::new());
        told(&mut node, &story);
        node.recut(&cuts);
        newcomer.recut(&cuts);
        told(&mut newcomer, &story);
        assert_eq!(node.digest(), newcomer.digest(), "cut behind record {seq}");
    }
}

#[test]
fn on_the_way_down_nothing_new_shows_and_nothing_further_is_taken() {
    let story = story();
    let mut node = Node::new();
    told(&mut node, &story);
    let cuts = BTreeMap::from([(story.0.feed, cut(&story.1, 5))]);
    let (mut steps, mut shown) = (0, all(&node).len());
    while !node.recut_by(&cuts, records(10)) {
        steps += 1;
        let less = all(&node).len();
        assert!(less < shown, "step {steps}");
        shown = less;
        let mut author = story.0.clone();
        let late = entries(&mut author, 1);
        assert!(!matches!(node.admit(&[author.frame(&late)])[0], Verdict::Admitted { .. }));
    }
    assert!(steps > 20, "{steps}");
    assert_eq!(all(&node).len(), 4);
}

#[test]
fn a_late_fork_moves_some_records_at_once_and_the_rest_when_the_cuts_are_told() {
    let (mut node, mut author) = (Node::new(), Author::new(1, 1));
    let twin = author.clone();
    let records = entries(&mut author, 4200);
    let frames: Vec<Vec<u8>> = records.chunks(64).map(|chunk| author.frame(chunk)).collect();
    assert!(node.admit(&frames).iter().all(|it| matches!(it, Verdict::Admitted { .. })));
    let other = twin.frame(&[twin.clone().entry(moment(9), "other")]);
    let proof = Proof::new(&env(), frames[0].clone(), other).expect("they contradict");
    let reader = node.store.read().expect("reads");
    let (changes, _) =
        node.timeline.admit_proof(&reader, &proof, node.now, |_| Cut::Nowhere).expect("takes it");
    drop(reader);
    node.commit(changes);
    assert_eq!(all(&node).len(), 4200 - 4096);
    node.reopen();
    node.recut(&BTreeMap::new());
    assert!(all(&node).is_empty());
    let rows = node.rows();
    node.rebuild();
    assert!(node.rows() == rows);
}

#[test]
fn steps_that_the_power_cuts_short_go_on_at_the_next_start() {
    let story = story();
    let disk = Disk::default();
    let mut node = Node::on(disk.opener());
    told(&mut node, &story);
    let cuts: BTreeMap<FeedId, Cut> = [(story.0.feed, cut(&story.1, 100))].into();
    let mut whole = Node::new();
    told(&mut whole, &story);
    whole.recut(&cuts);
    let mut folder = node.shut_down();
    let image = disk.after_power_cut(Survival::All, &mut Dice::new(0));
    let (mut operation, mut halves) = (1, 0);
    loop {
        let disk = Disk::holding(image.clone());
        let mut node = Node::in_folder(folder, disk.opener());
        disk.cut_at(disk.operations() + operation);
        let is_whole = node.try_recut_by(&cuts, records(40));
        folder = node.shut_down();
        let is_dark = disk.is_dark();
        assert!(is_dark || is_whole, "with power it ends");
        let disk = Disk::holding(disk.after_power_cut(Survival::None, &mut Dice::new(operation)));
        let mut node = Node::in_folder(folder, disk.opener());
        let row = *node.timeline.feed(&story.0.feed).expect("is known");
        halves += u64::from((101..story.1.len() as u64).contains(&row.limit.counts));
        node.recut(&cuts);
        assert!(node.rows() == whole.rows(), "cut at operation {operation}");
        if !is_dark {
            break;
        }
        folder = node.shut_down();
        operation += 1;
    }
    assert!(halves > 3, "the power went between the steps {halves} times only");
}
