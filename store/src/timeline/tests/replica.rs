//! What follows from what: who belongs is read anew, feeds are cut, and what was refused because of who wrote it is
//! judged again.

use std::collections::BTreeMap;

use super::member::{Member, ends, head, root, seats};
use super::node::all;
use super::world::{self, Author, entries, moment};
use crate::timeline::BEHIND_CUT_MAX;
use crate::timeline::admit::{Refusal, Verdict};
use crate::timeline::fork::Proof;
use crate::trust::Cut;

fn are_admitted(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| matches!(verdict, Verdict::Admitted { .. }))
}

#[test]
fn who_is_let_in_by_one_who_is_let_in_behind_it_is_judged_until_all_are_in() {
    let [mut alice, mut bob, mut carol] = [1, 2, 3].map(|secret| Author::new(secret, 1));
    let lets_in = |by: &mut Author, who: &Author| {
        let record = by.states(moment(1), seats(&by.key(), &who.key()));
        by.frame(&[record])
    };
    let frames = [
        {
            let entry = carol.entry(moment(1), "hello");
            carol.frame(&[entry])
        },
        lets_in(&mut bob, &carol),
        lets_in(&mut alice, &bob),
    ];
    let mut member = Member::founder(&[&alice]);
    let (rounds, verdicts) = member.hears(&frames);
    assert!(are_admitted(&verdicts), "{verdicts:?}");
    assert_eq!((rounds, all(&member.node)), (vec![3, 1, 1], vec!["hello".to_owned()]));
    let stranger = Author::new(4, 1);
    let frame = {
        let mut it = stranger.clone();
        let entry = it.entry(moment(1), "no");
        it.frame(&[entry])
    };
    let again = lets_in(&mut carol, &Author::new(5, 1));
    let (rounds, verdicts) = member.hears(&[frame, again]);
    assert!(matches!(verdicts[0], Verdict::Refused(Refusal::PastCut(1))), "{verdicts:?}");
    assert_eq!(rounds, [2], "a roster that says nothing else of it is no reason to look again");
}

/// Alice lets Bob in, who writes `count` moments, and takes that back behind his second; and the root says through Carol
/// that Alice was out before she did. Answers the frames of Bob, Alice and Carol.
fn turned_out_by_one_who_was_out(count: usize) -> ([Author; 3], [Vec<Vec<u8>>; 3]) {
    let [mut alice, mut bob, mut carol] = [1, 2, 3].map(|secret| Author::new(secret, 1));
    let records = entries(&mut bob, count);
    let lets_in = alice.states(moment(1), seats(&alice.key(), &bob.key()));
    let last = BTreeMap::from([(bob.feed, head(&records[1]))]);
    let turns_out = alice.states(moment(1), ends(&alice.key(), bob.feed.node, last));
    let last = BTreeMap::from([(alice.feed, head(&lets_in))]);
    let takes_back = carol.states(moment(1), ends(&root(), alice.feed.node, last));
    let bobs = records.chunks(50).map(|chunk| bob.frame(chunk)).collect();
    let frames =
        [bobs, vec![alice.frame(&[lets_in]), alice.frame(&[turns_out])], vec![carol.frame(&[takes_back])]];
    ([alice, bob, carol], frames)
}

#[test]
fn what_was_refused_past_a_cut_is_judged_again_when_that_is_lifted() {
    let count = BEHIND_CUT_MAX as usize + 200;
    let ([alice, _, carol], [bobs, alices, carols]) = turned_out_by_one_who_was_out(count);
    let mut one = Member::founder(&[&alice, &carol]);
    assert!(are_admitted(&one.hears(&alices).1));
    let (rounds, verdicts) = one.hears(&[bobs.clone(), carols.clone()].concat());
    assert!(are_admitted(&verdicts), "{verdicts:?}");
    assert_eq!((rounds.len(), rounds[0]), (2, bobs.len() + 1));
    assert!(rounds[1] > 2, "those behind what is kept as a ground: {rounds:?}");
    assert_eq!(all(&one.node).len(), count);
    let rows = one.node.rows();
    // Kept first and cut afterwards, or heard of when all was said and done: it comes to the same.
    for order in [[&bobs, &alices, &carols], [&carols, &alices, &bobs]] {
        let mut other = Member::founder(&[&alice, &carol]);
        // Whom nobody let in yet is not heard.
        other.hears(&alices[..1]);
        order.into_iter().for_each(|frames| drop(other.hears(frames)));
        assert_eq!(all(&other.node), all(&one.node));
        assert_eq!(other.node.digest(), one.node.digest());
    }
    one.rebuild();
    assert!(one.node.rows() == rows);
}

#[test]
fn what_the_root_says_through_another_is_said_here_once() {
    let ([alice, _, carol], [_, alices, carols]) = turned_out_by_one_who_was_out(2);
    let mut member = Member::founder(&[&alice, &carol]);
    member.hears(&alices);
    let own = member.node.timeline.own();
    let length = |member: &Member| member.replica.timeline().feed(&own).expect("it wrote").head.seq;
    let before = length(&member);
    member.hears(&carols);
    assert_eq!(length(&member), before + 1);
    member.restart();
    assert!(!member.replica.is_settled(), "a stop may have come in between");
    member.settle();
    assert_eq!(length(&member), before + 1);
}

#[test]
fn a_fork_whose_proof_came_first_cuts_its_feed_when_the_records_before_it_come() {
    let mut alice = Author::new(1, 1);
    let before = entries(&mut alice, 4);
    let [one, other] = ["one", "other"].map(|title| alice.clone().entry(moment(9), title));
    let proof =
        Proof::new(&world::env(), alice.frame(&[one]), alice.frame(&[other])).expect("they contradict");
    let mut member = Member::founder(&[&alice]);
    member.learns(&proof);
    assert!(are_admitted(&member.hears(&[alice.frame(&before)]).1));
    assert_eq!(member.replica.roster().cut(alice.feed), Cut::from(head(&before[3])));
}

#[test]
fn members_who_heard_in_another_order_whom_the_root_turned_out_and_seated_know_the_same_people() {
    let [mut alice, mut carol, mut eve] = [1, 2, 3].map(|secret| Author::new(secret, 1));
    let lets_in = carol.states(moment(1), seats(&carol.key(), &eve.key()));
    let first = eve.entry(moment(1), "hello");
    let seated = eve.states(moment(2), seats(&root(), &eve.key()));
    let turned_out = alice.states(moment(3), ends(&root(), carol.feed.node, BTreeMap::new()));
    let [carols, eves, alices] =
        [carol.frame(&[lets_in]), eve.frame(&[first, seated]), alice.frame(&[turned_out])];
    let [mut one, mut other] = [(); 2].map(|()| Member::founder(&[&alice, &carol]));
    [&carols, &eves, &alices].into_iter().for_each(|frame| drop(one.hears(std::slice::from_ref(frame))));
    other.hears(&[alices]);
    let (_, verdicts) = other.hears(&[carols, eves.clone()]);
    assert!(matches!(verdicts[1], Verdict::Refused(Refusal::PastCut(1))), "{verdicts:?}");
    // They meet.
    let seat = seats(&root(), one.node.store.key());
    other.says(vec![seat]);
    let wrote = one.wrote.clone();
    other.hears(&wrote);
    assert!(are_admitted(&other.hears(&[eves]).1));
    assert_eq!(all(&other.node), all(&one.node));
    assert_eq!(other.replica.roster().member(eve.feed.node), one.replica.roster().member(eve.feed.node));
}

#[test]
fn a_fork_is_seen_also_where_a_revocation_names_the_branch_that_is_not_here() {
    let [mut alice, mut bob] = [1, 2].map(|secret| Author::new(secret, 1));
    let common = entries(&mut bob, 3);
    let [named, kept] = ["named", "kept"].map(|title| bob.clone().entry(moment(9), title));
    let last = BTreeMap::from([(bob.feed, head(&named))]);
    let out = alice.states(moment(9), ends(&root(), bob.feed.node, last));
    let [common, named, kept, out] =
        [bob.frame(&common), bob.frame(&[named]), bob.frame(&[kept]), alice.frame(&[out])];
    let forked = [Verdict::Forked { feed: bob.feed, seq: 4 }];
    for order in [[&common, &kept, &out, &named], [&common, &named, &out, &kept]] {
        let mut member = Member::founder(&[&alice, &bob]);
        let [first @ .., last] = order;
        assert!(are_admitted(&member.hears(&first.map(Clone::clone)).1));
        assert_eq!(member.hears(std::slice::from_ref(last)).1, forked);
        assert_eq!(all(&member.node).len(), 3);
        assert_eq!(member.replica.timeline().feed(&bob.feed).and_then(|row| row.fork), Some(4));
    }
}
