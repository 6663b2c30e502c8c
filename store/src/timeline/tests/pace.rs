//! What an author writes faster than it is taken: it waits, and comes in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::node::{Node, admitted};
use super::world::{Author, entries, env, moment, put, remark, review};
use crate::timeline::admit::Verdict;
use crate::timeline::board::Edit;
use crate::timeline::fork::Proof;
use crate::timeline::pace::{Load, Source};
use crate::timeline::record::Body;
use crate::timeline::{
    BYTES_PER_MINUTE_MAX, Bytes, DOCUMENTS_PER_MINUTE_MAX, FEEDS_PER_HOUR_MAX, OPERATIONS_PER_MINUTE_MAX,
    RECORDS_PER_MINUTE_MAX, STATEMENT_BYTES_PER_HOUR_MAX, STATEMENTS_PER_HOUR_MAX, Saying, WriteError,
};
use crate::trust::Cut;

#[test]
fn changes_that_unfold_to_more_than_is_taken_wait_however_few_they_are() {
    let (mut node, mut author) = (Node::new(), Author::new(1, 1));
    let (pace, source) = (node.timeline.pace.clone(), Source::Others(author.feed.node));
    let operations = vec![put("a", Vec::new()); 1_000];
    let record = author.craft(moment(1), &review(), (1, 1), Vec::new(), operations);
    let frame = author.frame(&[record]);
    let taken = Load { operations: OPERATIONS_PER_MINUTE_MAX - 999, ..Load::default() };
    assert!(pace.take(source, taken, node.now));
    assert_eq!(node.admit(std::slice::from_ref(&frame)), [Verdict::Paced(author.feed)]);
    node.now = node.now.after(Duration::from_secs(60));
    assert_eq!(admitted(&node.admit(&[frame])[0]), (1, 1));
}

#[test]
fn who_has_one_board_after_the_other_opened_waits_as_if_it_had_written_them() {
    let (mut node, mut author, mut other) = (Node::new(), Author::new(1, 1), Author::new(2, 1));
    let board = review();
    let operations = vec![put("a", Vec::new()); 1_000];
    let large = other.craft(moment(1), &board, (1, 1), Vec::new(), operations);
    node.admit(&[other.frame(&[large])]);
    let source = Source::Others(author.feed.node);
    let mut edit = |n: i64| {
        let record = author.edit(moment(n), &board, &[], &[Edit::Resolve(true)]);
        author.frame(&[record])
    };
    let takes = |node: &Node, operations| {
        node.timeline.pace.take(source, Load { operations, ..Load::default() }, node.now)
    };
    node.admit(&[edit(2)]);
    assert!(takes(&node, OPERATIONS_PER_MINUTE_MAX - 1), "the board was open");
    node.reopen();
    node.admit(&[edit(3)]);
    // One that it wrote, and the board with it.
    let left = OPERATIONS_PER_MINUTE_MAX - 1 - 1_002;
    assert!(!takes(&node, left + 1) && takes(&node, left));
}

#[test]
fn records_that_are_large_wait_however_few_they_are() {
    let (mut node, author) = (Node::new(), Author::new(1, 1));
    let frame = author.frame(&entries(&mut author.clone(), 1));
    let taken = Load { bytes: BYTES_PER_MINUTE_MAX - 1, ..Load::default() };
    assert!(node.timeline.pace.take(Source::Others(author.feed.node), taken, node.now));
    assert_eq!(node.admit(std::slice::from_ref(&frame)), [Verdict::Paced(author.feed)]);
    node.now = node.now.after(Duration::from_secs(60));
    assert_eq!(admitted(&node.admit(&[frame])[0]), (1, 1));
}

#[test]
fn statements_that_are_long_wait_for_the_next_hour_however_few_they_are() {
    let (mut node, mut author) = (Node::new(), Author::new(1, 1));
    let long = author.write(moment(1), Body::Statement(Bytes(vec![0; 60 << 10])));
    let frame = author.frame(&[long]);
    let statement_bytes = STATEMENT_BYTES_PER_HOUR_MAX - (60 << 10) + 1;
    let taken = Load { statement_bytes, ..Load::default() };
    assert!(node.timeline.pace.take(Source::Others(author.feed.node), taken, node.now));
    assert_eq!(node.admit(std::slice::from_ref(&frame)), [Verdict::Paced(author.feed)]);
    node.now = node.now.after(Duration::from_secs(3600));
    assert_eq!(admitted(&node.admit(&[frame])[0]), (1, 1));
}

#[test]
fn an_edit_that_takes_two_changes_is_two_changes_also_for_the_pace() {
    // The node builds on a ground that goes, writes anew, and has it back. Which line goes on is a matter of hashes.
    let paced = || {
        let (mut node, mut eve) = (Node::new(), Author::new(1, 1));
        let ground = eve.edit(moment(1), &review(), &[], &[remark("ground")]);
        node.admit(&[eve.frame(&[ground])]);
        node.edit(&review(), &[remark("first")]);
        node.recut(&[(eve.feed, Cut::Everything)].into());
        node.edit(&review(), &[remark("anew")]);
        node.recut(&BTreeMap::new());
        let pace = node.timeline.pace.clone();
        let rest = Load { documents: DOCUMENTS_PER_MINUTE_MAX - 3, ..Load::default() };
        assert!(pace.take(Source::Own, rest, node.now), "one more is taken");
        let reader = node.store.read().expect("reads");
        let written = node.timeline.edit(&reader, node.store.key(), node.now, &review(), &[remark("last")]);
        drop(reader);
        matches!(written, Err(WriteError::TooFast)).then_some(node)
    };
    let mut node = (0..64).find_map(|_| paced()).expect("one of them is out of turn");
    node.reopen();
    let own = node.timeline.own();
    let before = node.timeline.feed(&own).expect("wrote").head.seq;
    node.edit(&review(), &[remark("last")]);
    assert_eq!(node.timeline.feed(&own).expect("wrote").head.seq, before + 2);
}

#[test]
fn an_author_that_writes_too_fast_waits_and_so_does_the_node_itself_also_when_it_is_opened_anew() {
    let (mut node, author) = (Node::new(), Author::new(1, 1));
    let pace = node.timeline.pace.clone();
    let frame = author.frame(&entries(&mut author.clone(), 3));
    let load = |records| Load { records, ..Load::default() };
    // Of another of its feeds: what is limited is what an author writes.
    assert!(pace.take(Source::Others(author.feed.node), load(RECORDS_PER_MINUTE_MAX - 2), node.now));
    assert!(pace.take(Source::Own, load(RECORDS_PER_MINUTE_MAX), node.now));
    let before = node.rows();
    for _ in 0..2 {
        assert_eq!(node.admit(std::slice::from_ref(&frame)), [Verdict::Paced(author.feed)]);
        let sayings = vec![Saying::Statement(b"said".to_vec())];
        let refused = node.timeline.say(node.store.key(), node.now, sayings);
        assert!(matches!(refused, Err(WriteError::TooFast)), "{:?}", refused.map(|it| it.frames.len()));
        let reader = node.store.read().expect("reads");
        let refused = node.timeline.edit(&reader, node.store.key(), node.now, &review(), &[remark("a")]);
        assert!(matches!(refused, Err(WriteError::TooFast)), "{:?}", refused.map(|it| it.frames.len()));
        drop(reader);
        assert_eq!(node.rows(), before);
        node.reopen();
        node.timeline = node.timeline.paced(pace.clone());
    }
    node.now = node.now.after(Duration::from_secs(60));
    assert_eq!(admitted(&node.admit(&[frame])[0]), (1, 3));
    node.say(&["in time"]);
}

#[test]
fn a_frame_that_waited_and_is_over_the_limit_is_asked_for_again() {
    let (mut node, mut author) = (Node::new(), Author::new(1, 1));
    let records = entries(&mut author, 3);
    let [first, second, third] = [0, 1, 2].map(|n| author.frame(&records[n..n + 1]));
    node.admit(&[second.clone(), third]);
    let taken = Load { records: RECORDS_PER_MINUTE_MAX - 1, ..Load::default() };
    assert!(node.timeline.pace.take(Source::Others(author.feed.node), taken, node.now));
    let verdicts = node.admit(&[first]);
    let [Verdict::Admitted { first: 1, last: 1, behind, .. }] = &verdicts[..] else { panic!("{verdicts:?}") };
    assert_eq!(behind[..], [Verdict::Paced(author.feed)]);
    node.now = node.now.after(Duration::from_secs(60));
    assert_eq!(admitted(&node.admit(&[second])[0]), (2, 3), "the last one still waits");
}

#[test]
fn what_a_node_wrote_in_former_lives_takes_nothing_from_what_it_may_write() {
    let mut node = Node::new();
    let former = Source::Others(node.timeline.own().node);
    let most = Load {
        records: RECORDS_PER_MINUTE_MAX,
        documents: DOCUMENTS_PER_MINUTE_MAX,
        operations: OPERATIONS_PER_MINUTE_MAX,
        bytes: BYTES_PER_MINUTE_MAX,
        statements: STATEMENTS_PER_HOUR_MAX,
        statement_bytes: STATEMENT_BYTES_PER_HOUR_MAX,
        feeds: FEEDS_PER_HOUR_MAX,
    };
    assert!(node.timeline.pace.take(former, most, node.now), "others brought as much as is taken");
    node.say(&["a"]);
    node.edit(&review(), &[remark("a")]);
    let one = Load { records: 1, ..Load::default() };
    assert!(!node.timeline.pace.take(former, one, node.now));
}

#[test]
fn of_an_author_that_makes_up_feeds_so_many_come_in_an_hour_and_all_in_the_end() {
    let mut node = Node::new();
    let come = |node: &mut Node, lives: std::ops::Range<u64>| {
        let frames: Vec<Vec<u8>> = lives
            .map(|life| {
                let mut author = Author::new(1, life);
                let records = entries(&mut author, 1);
                author.frame(&records)
            })
            .collect();
        let verdicts = node.admit(&frames);
        let is_in = |it: &&Verdict| matches!(it, Verdict::Admitted { .. });
        let is_paced = |it: &&Verdict| matches!(it, Verdict::Paced(_));
        (verdicts.iter().filter(is_in).count() as u64, verdicts.iter().filter(is_paced).count() as u64)
    };
    assert_eq!(come(&mut node, 0..FEEDS_PER_HOUR_MAX + 9), (FEEDS_PER_HOUR_MAX, 9));
    let mut other = Author::new(2, 1);
    let records = entries(&mut other, 1);
    assert_eq!(admitted(&node.admit(&[other.frame(&records)])[0]), (1, 1), "others are not held back");
    let late = Author::new(1, FEEDS_PER_HOUR_MAX + 3).feed;
    assert_eq!(come(&mut node, late.incarnation..late.incarnation + 1), (0, 1));
    // A revocation names so many feeds and no more: those come at once.
    let head = {
        let mut author = Author::new(1, late.incarnation);
        entries(&mut author, 1)[0].hash
    };
    node.cuts.insert(late, Cut::After { seq: 1, hash: head });
    assert_eq!(come(&mut node, late.incarnation..late.incarnation + 1), (1, 0));
    node.now = node.now.after(Duration::from_secs(3600));
    assert_eq!(come(&mut node, FEEDS_PER_HOUR_MAX..FEEDS_PER_HOUR_MAX + 9), (8, 0));
    assert_eq!(node.timeline.feeds().count() as u64, FEEDS_PER_HOUR_MAX + 9 + 1);
}

#[test]
fn forks_of_feeds_that_are_made_up_are_not_kept_without_end_either() {
    let mut node = Node::new();
    let verdicts: Vec<Verdict> = (0..=FEEDS_PER_HOUR_MAX)
        .map(|life| {
            let ends = ["one", "other"].map(|end| {
                let mut author = Author::new(1, life);
                let record = author.entry(moment(1), end);
                author.frame(&[record])
            });
            let [one, other] = ends;
            let proof = Proof::new(&env(), one, other).expect("they contradict");
            let reader = node.store.read().expect("reads");
            let judged = node.timeline.admit_proof(&reader, &proof, node.now, |_| Cut::Nowhere);
            judged.expect("judges").1
        })
        .collect();
    let is_forked = |it: &&Verdict| matches!(it, Verdict::Forked { .. });
    assert_eq!(verdicts.iter().filter(is_forked).count() as u64, FEEDS_PER_HOUR_MAX);
    assert!(matches!(verdicts.last(), Some(Verdict::Paced(_))), "{verdicts:?}");
}

#[test]
fn a_feed_that_forks_further_back_each_time_has_so_many_of_its_forks_kept_in_an_hour() {
    let (mut node, mut author) = (Node::new(), Author::new(1, 1));
    let most = FEEDS_PER_HOUR_MAX as usize;
    let mut twins: Vec<Author> = Vec::new();
    let mut records = Vec::new();
    for _ in 0..most + 1 {
        twins.push(author.clone());
        records.extend(entries(&mut author, 1));
    }
    node.admit(&[author.frame(&records)]);
    let frames = twins.into_iter().rev().map(|mut twin| {
        let other = twin.entry(moment(99), "other");
        twin.frame(&[other])
    });
    let verdicts = node.admit(&frames.collect::<Vec<_>>());
    // The feed itself was begun in this hour.
    let is_forked = |it: &Verdict| matches!(it, Verdict::Forked { .. });
    assert!(verdicts[..most - 1].iter().all(is_forked), "{verdicts:?}");
    assert_eq!(verdicts[most - 1..], [(); 2].map(|()| Verdict::Paced(author.feed)));
    node.now = node.now.after(Duration::from_secs(3600));
    let mut first = Author::new(1, 1);
    let other = first.entry(moment(99), "other");
    assert!(is_forked(&node.admit(&[first.frame(&[other])])[0]));
}
