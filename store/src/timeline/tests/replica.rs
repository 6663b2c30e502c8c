//! What follows from what: who belongs is read anew, feeds are cut, and what was refused because of who wrote it is
//! judged again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::node::{Node, all};
use super::world::{self, Author, entries, moment};
use crate::audit::key::NodeKey;
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::scope::Principal;
use crate::timeline::admit::{Refusal, Verdict};
use crate::timeline::feed::FeedId;
use crate::timeline::record::{Body, Record};
use crate::timeline::{BEHIND_CUT_MAX, Bytes, Hearing, Pace, Replica, Saying, Written, first_certificate};
use crate::trust::{Certificate, Claim, EnvId, Head, Revocation, Role, Roster, Seat, Statement};

fn root() -> NodeKey {
    NodeKey::from_secret([200; 32])
}

fn env() -> EnvId {
    EnvId::rooted_in(world::env())
}

fn said(by: &NodeKey, claim: Claim) -> Vec<u8> {
    let statement = Statement { env: env(), issuer: by.public(), issued_at: Timestamp::EPOCH, claim };
    statement.sign(by).expect("signs").as_bytes().to_vec()
}

/// The word of `by` that `who` belongs.
fn seats(by: &NodeKey, who: &Author) -> Vec<u8> {
    let seat = Seat::Under(by.public());
    let consent = seat.agree(env(), &who.key());
    let (node, principal) = (who.feed.node, Principal::local_operator());
    let certificate = Certificate { node, seat, principal, role: Role::User, expires: None, consent };
    said(by, Claim::Certificate(certificate))
}

/// The word of `by` that `who` is out, behind the record `last`.
fn ends(by: &NodeKey, who: PublicKey, last: &Record) -> Vec<u8> {
    let last = BTreeMap::from([(last.feed, Head { seq: last.seq, hash: last.hash })]);
    said(by, Claim::Revocation(Revocation { node: who, last, reason: "left".into() }))
}

impl Author {
    fn states(&mut self, word: Vec<u8>) -> Record {
        self.write(moment(1), Body::Statement(Bytes(word)))
    }
}

/// A member of the environment whose replica is tried.
struct Member {
    node: Node,
    replica: Replica,
}

impl Member {
    /// Founds the environment, and lets in `others` in the name of the root.
    fn founder(others: &[&Author]) -> Self {
        let node = Node::new();
        let own = node.timeline.own();
        let mut member = Self { replica: Self::open(&node, own), node };
        let (key, now) = (member.node.store.key(), member.node.now);
        let first = first_certificate(&root(), key, Principal::local_operator(), Timestamp::EPOCH);
        let mut words = vec![first.expect("signs").as_bytes().to_vec()];
        words.extend(others.iter().map(|other| seats(&root(), other)));
        let sayings = words.into_iter().map(Saying::Statement).collect();
        let written = member.replica.timeline_mut().say(key, now, sayings).expect("writes");
        member.node.commit(written.changes);
        member.settle();
        member
    }

    fn open(node: &Node, own: FeedId) -> Replica {
        let nobody = Arc::new(Roster::fold(env(), &[], BTreeMap::new()));
        Replica::open(&node.store.read().expect("reads"), own, nobody, Pace::default()).expect("opens")
    }

    /// Answers the frames that it wrote for it.
    fn settle(&mut self) -> Vec<Vec<u8>> {
        let (own, mut wrote) = (self.node.timeline.own(), Vec::new());
        while !self.replica.is_settled() {
            let (reader, key) = (self.node.store.read().expect("reads"), self.node.store.key());
            let settled =
                self.replica.settle(&reader, key, self.node.now, |reader| reader.members(env(), own));
            let Written { changes, frames, .. } = settled.expect("settles");
            drop(reader);
            self.node.commit(changes);
            wrote.extend(frames);
        }
        wrote
    }

    /// Judges frames that came together. Answers how many were judged each time, and the verdicts.
    fn hears(&mut self, frames: &[Vec<u8>]) -> (Vec<usize>, Vec<Verdict>) {
        let (mut hearing, mut rounds) = (Hearing::of(frames.to_vec()), Vec::new());
        while hearing.is_open(&self.replica) {
            let reader = self.node.store.read().expect("reads");
            let judged = self.replica.judge(&reader, &mut hearing, self.node.now);
            let (judged, admission) = judged.expect("judges");
            drop(reader);
            self.node.commit(admission.changes);
            rounds.push(judged.len());
            self.settle();
        }
        (rounds, hearing.into_verdicts())
    }
}

fn are_admitted(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| matches!(verdict, Verdict::Admitted { .. }))
}

#[test]
fn who_is_let_in_by_one_who_is_let_in_behind_it_is_judged_until_all_are_in() {
    let [mut alice, mut bob, mut carol] = [1, 2, 3].map(|secret| Author::new(secret, 1));
    let lets_in = |by: &mut Author, who: &Author| {
        let record = by.states(seats(&by.key(), who));
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
    let lets_in = alice.states(seats(&alice.key(), &bob));
    let turns_out = alice.states(ends(&alice.key(), bob.feed.node, &records[1]));
    let takes_back = carol.states(ends(&root(), alice.feed.node, &lets_in));
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
    let feeds = one.replica.timeline().feeds().map(|row| row.feed);
    one.node.cuts = feeds.map(|feed| (feed, one.replica.roster().cut(feed))).collect();
    one.node.rebuild();
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
    member.replica = Member::open(&member.node, own);
    assert!(!member.replica.is_settled(), "a stop may have come in between");
    assert!(member.settle().is_empty());
    assert_eq!(length(&member), before + 1);
}
