//! A member of an environment for tests: a node, and the replica by which it judges what it hears.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::node::Node;
use super::world::{self, Author};
use crate::audit::key::NodeKey;
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::scope::Principal;
use crate::timeline::admit::Verdict;
use crate::timeline::feed::FeedId;
use crate::timeline::fork::Proof;
use crate::timeline::hlc::Hlc;
use crate::timeline::record::{Body, Record};
use crate::timeline::{Bytes, Hearing, Pace, Replica, Saying, Written};
use crate::trust::{
    Certificate, Claim, EnvId, Head, Revocation, Role, Roster, Seat, SignedStatement, Statement, Succession,
};

pub(super) fn root() -> NodeKey {
    NodeKey::from_secret([200; 32])
}

pub(super) fn env() -> EnvId {
    EnvId::rooted_in(world::env())
}

fn said(by: &NodeKey, claim: Claim) -> Vec<u8> {
    let statement = Statement { env: env(), issuer: by.public(), issued_at: Timestamp::EPOCH, claim };
    statement.sign(by).expect("signs").as_bytes().to_vec()
}

fn certifies(by: &NodeKey, who: &NodeKey, seat: Seat) -> Vec<u8> {
    let (node, consent, principal) = (who.public(), seat.agree(env(), who), Principal::local_operator());
    let certificate = Certificate { node, seat, principal, role: Role::User, expires: None, consent };
    said(by, Claim::Certificate(certificate))
}

/// The word of `by` that `who` belongs.
pub(super) fn seats(by: &NodeKey, who: &NodeKey) -> Vec<u8> {
    certifies(by, who, Seat::Under(by.public()))
}

/// The word of `by` that `new` takes the seat of `old`, of which these are the `last` records.
pub(super) fn hands_over(
    by: &NodeKey,
    old: &NodeKey,
    new: &NodeKey,
    last: BTreeMap<FeedId, Head>,
) -> Vec<u8> {
    certifies(by, new, Seat::Succeeding(Succession::sign(env(), old, new.public(), last)))
}

/// The word of `by` that `who` is out, behind the `last` records.
pub(super) fn ends(by: &NodeKey, who: PublicKey, last: BTreeMap<FeedId, Head>) -> Vec<u8> {
    said(by, Claim::Revocation(Revocation { node: who, last, reason: "left".into() }))
}

/// Where `record` stands.
pub(super) fn head(record: &Record) -> Head {
    Head { seq: record.seq, hash: record.hash }
}

impl Author {
    pub(super) fn states(&mut self, hlc: Hlc, word: Vec<u8>) -> Record {
        self.write(hlc, Body::Statement(Bytes(word)))
    }
}

/// A member of the environment whose replica is tried.
pub(super) struct Member {
    pub(super) node: Node,
    pub(super) replica: Replica,
    /// The frames of its own feed.
    pub(super) wrote: Vec<Vec<u8>>,
}

impl Member {
    /// A node of no environment.
    pub(super) fn new() -> Self {
        let node = Node::new();
        Self { replica: Self::open(&node), node, wrote: Vec::new() }
    }

    /// Founds the environment, and lets in `others` in the name of the root.
    pub(super) fn founder(others: &[&Author]) -> Self {
        let mut member = Self::new();
        let own = seats(&root(), member.node.store.key());
        let words = others.iter().map(|other| seats(&root(), &other.key()));
        member.says([own].into_iter().chain(words).collect());
        member
    }

    fn open(node: &Node) -> Replica {
        let nobody = Arc::new(Roster::fold(env(), &[], BTreeMap::new()));
        let reader = node.store.read().expect("reads");
        Replica::open(&reader, node.timeline.own(), nobody, Pace::default()).expect("opens")
    }

    /// Stops, and starts again with what is on the disk.
    pub(super) fn restart(&mut self) {
        self.replica = Self::open(&self.node);
    }

    /// As it was before anything came.
    pub(super) fn empty(&mut self) {
        self.node.empty();
        self.restart();
        self.wrote.clear();
    }

    /// Says `words` in its own feed.
    pub(super) fn says(&mut self, words: Vec<Vec<u8>>) {
        let sayings = words.into_iter().map(Saying::Statement).collect();
        let (key, now) = (self.node.store.key(), self.node.now);
        let written = self.replica.timeline_mut().say(key, now, sayings).expect("writes");
        self.node.commit(written.changes);
        self.wrote.extend(written.frames);
        self.settle();
    }

    /// Does what follows from what it knows.
    pub(super) fn settle(&mut self) {
        let own = self.node.timeline.own();
        while !self.replica.is_settled() {
            let (reader, key) = (self.node.store.read().expect("reads"), self.node.store.key());
            let settled =
                self.replica.settle(&reader, key, self.node.now, |reader| reader.members(env(), own));
            let Written { changes, frames, .. } = settled.expect("settles");
            drop(reader);
            self.node.commit(changes);
            self.wrote.extend(frames);
        }
    }

    /// Judges frames that came together. Answers how many were judged each time, and the verdicts.
    pub(super) fn hears(&mut self, frames: &[Vec<u8>]) -> (Vec<usize>, Vec<Verdict>) {
        self.settle();
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

    /// Judges a proof that another node found.
    pub(super) fn learns(&mut self, proof: &Proof) {
        self.settle();
        let reader = self.node.store.read().expect("reads");
        let (changes, _) = self.replica.judge_proof(&reader, proof, self.node.now).expect("judges");
        drop(reader);
        self.node.commit(changes);
        self.settle();
    }

    /// What the root said, as far as it was heard here.
    pub(super) fn heard_of_the_root(&self) -> BTreeMap<Digest, SignedStatement> {
        let placed = self.node.store.read().expect("reads").statements(env()).expect("reads");
        let words = placed.into_iter().map(|placed| placed.statement);
        let is_root = |word: &SignedStatement| word.statement().issuer == root().public();
        words.filter(is_root).map(|word| (word.id(), word)).collect()
    }

    /// Deletes what follows from records, and makes it anew.
    pub(super) fn rebuild(&mut self) {
        let feeds = self.replica.timeline().feeds().map(|row| row.feed);
        self.node.cuts = feeds.map(|feed| (feed, self.replica.roster().cut(feed))).collect();
        self.node.rebuild();
    }
}
