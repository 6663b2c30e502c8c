//! Forks, revocations, and what they leave of a timeline.

use std::collections::BTreeMap;

use super::node::{Node, admitted, all, refusal};
use super::world::{Author, entries, env, moment};
use crate::audit::key::NodeKey;
use crate::digest::Digest;
use crate::timeline::admit::{Refusal, Verdict};
use crate::timeline::board::{Board, Edit};
use crate::timeline::fork::Proof;
use crate::timeline::record::{Body, Record};
use crate::timeline::{BEHIND_CUT_MAX, Bytes, Excluded, Matter, Saying, Why, WriteError};
use crate::trust::Cut;

#[test]
fn an_equivocator_is_cut_before_the_fork_wherever_the_proof_comes() {
    let mut author = Author::new(1, 1);
    let common = entries(&mut author, 3);
    let mut twin = author.clone();
    let mine =
        [common.clone(), vec![author.entry(moment(10), "mine"), author.entry(moment(11), "more")]].concat();
    let other = [common, vec![twin.entry(moment(10), "other")]].concat();
    let (mut one, mut two, mut three) = (Node::new(), Node::new(), Node::new());
    one.admit(&[author.frame(&mine)]);
    two.admit(&[twin.frame(&other)]);
    let verdicts = one.admit(&[twin.frame(&other[2..])]);
    assert_eq!(verdicts, [Verdict::Forked { feed: author.feed, seq: 4 }]);
    let found = one.store.read().expect("reads").fork(&author.feed);
    let proof = found.expect("reads").expect("is kept");
    let proof = Proof::open(&env(), &proof.encode()).expect("convinces anyone");
    for node in [&mut two, &mut three] {
        let reader = node.store.read().expect("reads");
        let judged = node.timeline.admit_proof(&reader, &proof, node.now, |_| Cut::Nowhere);
        let (changes, verdict) = judged.expect("takes it");
        drop(reader);
        assert_eq!(verdict, Verdict::Forked { feed: author.feed, seq: 4 });
        node.commit(changes);
    }
    three.admit(&[author.frame(&mine)]);
    for node in [&one, &two, &three] {
        assert_eq!(all(node), ["entry 0", "entry 1", "entry 2"]);
        assert_eq!(node.digest(), one.digest());
        let rows = node.rows();
        node.rebuild();
        assert_eq!(node.rows(), rows);
    }
    let reader = one.store.read().expect("reads");
    let hidden = reader.excluded(None, 10).expect("reads").items;
    let told: Vec<_> = hidden.iter().map(|one| (one.seq, title(one), one.why)).collect();
    let why = Why::Equivocation { seq: 4 };
    assert_eq!(told, [(4, "mine", why), (5, "more", why)], "kept and shown as excluded");
    assert_eq!(reader.fork(&author.feed).expect("reads"), Some(proof));
    drop(reader);
    let next = author.entry(moment(12), "goes on");
    assert_eq!(refusal(one.admit(&[author.frame(&[next])])), Refusal::Equivocation(4));
}

fn title(excluded: &Excluded) -> &str {
    match &excluded.matter {
        Matter::Entry(entry) => &entry.note.title,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_hidden_is_listed_page_by_page_with_what_it_is_and_why() {
    let (mut node, mut author) = (Node::new(), Author::new(1, 1));
    let mut records = entries(&mut author, 2);
    let label = Board::Label("v1".into());
    records.push(author.edit(moment(5), &label, &[], &[Edit::Label(author.entry_id("x"))]));
    records.push(author.write(moment(6), Body::Statement(Bytes(b"me".to_vec()))));
    node.admit(&[author.frame(&records)]);
    assert_eq!(node.store.read().expect("reads").excluded(None, 10).expect("reads").items, []);
    node.recut(&[(author.feed, Cut::After { seq: 1, hash: records[0].hash })].into());
    let reader = node.store.read().expect("reads");
    let (mut told, mut cursor) = (Vec::new(), None);
    loop {
        let page = reader.excluded(cursor.as_ref(), 1).expect("reads");
        told.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert!(told.iter().all(|one| one.why == Why::Cut { after: 1 } && one.feed == author.feed));
    assert_eq!(told.iter().map(|one| one.seq).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!((title(&told[0]), told[0].at), ("entry 1", moment(1)));
    assert_eq!((&told[1].matter, &told[2].matter), (&Matter::Board(label), &Matter::Statement));
}

#[test]
fn a_revocation_hides_what_is_behind_it_and_lifting_it_shows_it_again() {
    let (mut node, mut author) = (Node::new(), Author::new(1, 1));
    let records = entries(&mut author, 4);
    node.admit(&[author.frame(&records)]);
    let whole = node.rows();
    let cut = Cut::After { seq: 2, hash: records[1].hash };
    node.recut(&[(author.feed, cut)].into());
    assert_eq!(all(&node), ["entry 0", "entry 1"]);
    let far = author.clone();
    let late = entries(&mut author, BEHIND_CUT_MAX as usize);
    let (before, behind) = late.split_at(BEHIND_CUT_MAX as usize - 2);
    admitted(&node.admit(&[far.frame(before)])[0]);
    assert!(matches!(refusal(node.admit(&[far.frame(behind)])), Refusal::PastCut(_)));
    node.recut(&BTreeMap::new());
    assert_eq!(all(&node).len(), 4 + before.len());
    let mut fresh = Node::new();
    fresh.admit(&[far.frame(&records)]);
    assert_eq!(fresh.rows(), whole);
}

#[test]
fn a_frame_with_another_record_than_the_cut_names_counts_up_to_that_whenever_it_comes() {
    let mut author = Author::new(1, 1);
    let records = entries(&mut author, 5);
    let far = author.clone();
    let behind = entries(&mut author, 2);
    let [frame, next] = [far.frame(&records), far.frame(&behind)];
    let cut = BTreeMap::from([(author.feed, Cut::After { seq: 3, hash: Digest::of(b"nobody's") })]);
    let (mut first, mut late) = (Node::new(), Node::new());
    first.admit(&[&frame, &next].map(Vec::clone));
    first.recut(&cut);
    late.recut(&cut);
    // What waits for it is behind the limit that it brings.
    let gap = Verdict::Gap { feed: author.feed, have: 0 };
    assert_eq!(late.admit(std::slice::from_ref(&next)), [gap]);
    let verdict = late.admit(std::slice::from_ref(&frame)).swap_remove(0);
    let past = Verdict::Refused(Refusal::PastCut(6));
    let admitted =
        Verdict::Admitted { feed: author.feed, first: 1, last: 5, from_future: 0, behind: vec![past] };
    assert_eq!(verdict, admitted);
    assert_eq!(all(&late), ["entry 0", "entry 1"]);
    assert_eq!((all(&first), first.digest()), (all(&late), late.digest()));
}

#[test]
fn behind_a_known_fork_a_frame_is_refused_for_that_and_before_it_for_the_cut() {
    let (mut node, mut author) = (Node::new(), Author::new(1, 1));
    let records = entries(&mut author, BEHIND_CUT_MAX as usize + 20);
    let last = records.len() - 1;
    let mut twin = author.clone();
    let more = entries(&mut author, 1);
    let other = twin.entry(moment(99), "other");
    node.admit(&[author.frame(&records), author.frame(&more)]);
    node.recut(&[(author.feed, Cut::After { seq: 2, hash: records[1].hash })].into());
    node.timeline.is_stale = false;
    let forked = Verdict::Forked { feed: author.feed, seq: other.seq };
    assert_eq!(node.admit(&[twin.frame(std::slice::from_ref(&other))]), [forked]);
    assert!(!node.timeline.is_stale, "the cut comes before it");
    let next = author.entry(moment(99), "next");
    let refused =
        |node: &mut Node, record: &Record| refusal(node.admit(&[author.frame(std::slice::from_ref(record))]));
    assert_eq!(refused(&mut node, &records[last]), Refusal::PastCut(last as u64 + 1));
    assert_eq!(refused(&mut node, &next), Refusal::Equivocation(other.seq));
}

#[test]
fn a_node_that_is_cut_or_holds_another_key_writes_nothing() {
    let mut node = Node::new();
    let stranger = NodeKey::from_secret([9; 32]);
    let sayings = || vec![Saying::Statement(vec![1])];
    assert!(matches!(node.timeline.say(&stranger, node.now, sayings()), Err(WriteError::WrongKey)));
    node.say(&["a"]);
    node.recut(&[(node.timeline.own(), Cut::Everything)].into());
    let refused = node.timeline.say(node.store.key(), node.now, sayings());
    assert!(matches!(refused, Err(WriteError::Excluded(0))));
}
#[test]
fn a_node_that_was_put_out_before_it_wrote_anything_writes_nothing_either() {
    let mut node = Node::new();
    let silenced = node.timeline.silence();
    node.commit(silenced);
    let said = |node: &mut Node| node.timeline.say(node.store.key(), node.now, Vec::new());
    assert!(matches!(said(&mut node), Err(WriteError::Excluded(0))));
    node.reopen();
    assert!(matches!(said(&mut node), Err(WriteError::Excluded(0))), "also after a restart");
    node.recut(&BTreeMap::new());
    assert!(said(&mut node).is_ok(), "and writes again when that is taken back");
}
