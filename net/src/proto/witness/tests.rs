//! Stories of an owner and its witness.

use std::ops::Range;

use xyn_store::audit::checkpoint::Checkpoint;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::merkle::Frontier;
use xyn_store::audit::proof::{consistency_plan, hashes};

use super::*;
use crate::wire::Bounded;

const NOW: Timestamp = Timestamp::EPOCH;

fn owner_key() -> NodeKey {
    NodeKey::from_secret([1; 32])
}

fn witness_key() -> NodeKey {
    NodeKey::from_secret([2; 32])
}

/// A log, honest or not, with its owner's and its witness's cores.
struct Pair {
    now: Timestamp,
    leaves: Vec<Digest>,
    owner: Witness,
    witness: Witness,
    kept: Vec<SignedCheckpoint>,
    alarms: Vec<Contradiction>,
    drops: Vec<(PublicKey, Misdeed)>,
}

impl Pair {
    fn new() -> Self {
        let (mut owner, mut witness) = (Witness::new([]), Witness::new([]));
        owner.handle(Input::Connected(witness_key().public()), NOW);
        witness.handle(Input::Connected(owner_key().public()), NOW);
        let (leaves, kept, alarms, drops) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { now: NOW, leaves, owner, witness, kept, alarms, drops }
    }

    fn grow(&mut self, count: usize) {
        let start = self.leaves.len() as u64;
        self.leaves.extend((start..start + count as u64).map(|n| Digest::of(&n.to_be_bytes())));
    }

    fn checkpoint(&self) -> SignedCheckpoint {
        let root = self.leaves.iter().copied().collect::<Frontier>().root();
        let size = self.leaves.len() as u64;
        Checkpoint { node: owner_key().public(), incarnation: 1, size, root, at: NOW }.sign(&owner_key())
    }

    /// The owner signs its log as it is now, and both talk until nothing is left to say.
    fn sign(&mut self) {
        let outputs = self.owner.handle(Input::Signed(self.checkpoint()), self.now);
        self.carry_out(true, outputs);
    }

    fn carry_out(&mut self, by_owner: bool, outputs: Vec<Output>) {
        for output in outputs {
            let own = if by_owner { owner_key() } else { witness_key() };
            let (to_owner, input) = match output {
                Output::Send { message, .. } => {
                    let bytes = wire::encode(&message);
                    (!by_owner, Input::Received { peer: own.public(), bytes })
                }
                Output::Prove { peer, growth } => {
                    let plan = consistency_plan(growth.from, growth.to).expect("asked for in order");
                    let hashes = hashes(&plan, &self.leaves).expect("all leaves are here");
                    (by_owner, Input::Proved { peer, growth, hashes })
                }
                Output::Vouch { peer, checkpoint } => {
                    let signature = checkpoint.witness(&own);
                    (by_owner, Input::Vouched { peer, checkpoint, signature })
                }
                Output::Keep { checkpoint, .. } => {
                    self.kept.push(checkpoint);
                    continue;
                }
                Output::Alarm { why, .. } => {
                    self.alarms.push(why);
                    continue;
                }
                Output::Drop { peer, reason } => {
                    self.drops.push((peer, reason));
                    continue;
                }
            };
            let core = if to_owner { &mut self.owner } else { &mut self.witness };
            let next = core.handle(input, self.now);
            self.carry_out(to_owner, next);
        }
    }

    /// Gives the witness a message as if the owner had sent it.
    fn say(&mut self, message: &wire::Witness) {
        let bytes = wire::encode(message);
        let outputs = self.witness.handle(Input::Received { peer: owner_key().public(), bytes }, self.now);
        self.carry_out(false, outputs);
    }
}

#[test]
fn a_log_that_only_grows_is_witnessed_each_time() {
    let mut pair = Pair::new();
    for count in [1, 2, 5, 0, 100, 29] {
        pair.grow(count);
        pair.sign();
        assert_eq!(pair.kept.last(), Some(&pair.checkpoint()));
    }
    assert!(pair.alarms.is_empty() && pair.drops.is_empty());
}

#[test]
fn who_vouched_for_a_checkpoint_is_not_asked_again_when_it_comes_back() {
    let mut pair = Pair::new();
    pair.grow(10);
    pair.sign();
    let witness = witness_key().public();
    pair.owner.handle(Input::Disconnected(witness), NOW);
    assert_eq!(pair.owner.handle(Input::Connected(witness), NOW), []);
    pair.grow(1);
    pair.sign();
    assert_eq!((pair.kept.len(), pair.kept.last()), (2, Some(&pair.checkpoint())));
    // Another one has not seen it.
    let another = NodeKey::from_secret([3; 32]).public();
    assert_eq!(pair.owner.handle(Input::Connected(another), NOW).len(), 1);
}

#[test]
fn an_owner_who_rewrites_its_log_is_found_out() {
    let shorten: fn(&mut Pair) = |pair| pair.leaves.truncate(7);
    let change: fn(&mut Pair) = |pair| pair.leaves[3] = Digest::of(b"another");
    let change_and_grow: fn(&mut Pair) = |pair| {
        pair.leaves[3] = Digest::of(b"another");
        pair.grow(5);
    };
    let rewrites = [
        (shorten, Contradiction::Shrunk),
        (change, Contradiction::Forked),
        (change_and_grow, Contradiction::Broken),
    ];
    for (rewrite, why) in rewrites {
        let mut pair = Pair::new();
        pair.grow(10);
        pair.sign();
        rewrite(&mut pair);
        pair.sign();
        assert_eq!(pair.alarms, [why]);
        assert_eq!(pair.drops, [(owner_key().public(), Misdeed::Lie)]);
        assert_eq!(pair.kept.len(), 1, "nothing was vouched for");
    }
}

#[test]
fn a_witness_remembers_after_a_restart() {
    let mut pair = Pair::new();
    pair.grow(10);
    pair.sign();
    pair.witness = Witness::new(pair.kept.clone());
    pair.witness.handle(Input::Connected(owner_key().public()), NOW);
    pair.leaves[0] = Digest::of(b"another");
    pair.grow(1);
    pair.sign();
    assert_eq!(pair.alarms, [Contradiction::Broken]);
}

#[test]
fn a_checkpoint_that_is_forged_or_somebody_else_s_is_a_lie() {
    let mut pair = Pair::new();
    pair.grow(3);
    let good = pair.checkpoint();
    let other = Checkpoint { node: witness_key().public(), ..good.checkpoint }.sign(&witness_key());
    let forged = Checkpoint { size: 4, ..good.checkpoint }.sign(&witness_key());
    for offer in [other, forged] {
        let mut pair = Pair::new();
        pair.say(&wire::Witness::Offer(offer));
        assert_eq!(pair.drops, [(owner_key().public(), Misdeed::Lie)]);
    }
}

#[test]
fn a_proof_that_never_comes_is_a_stall_and_one_that_nobody_asked_for_does_not_count() {
    let mut pair = Pair::new();
    pair.grow(3);
    pair.sign();
    pair.grow(3);
    let offer = wire::encode(&wire::Witness::Offer(pair.checkpoint()));
    let received = Input::Received { peer: owner_key().public(), bytes: offer };
    let late = NOW.after(ANSWER_TIMEOUT);
    for stall in 0..3 {
        let asked = pair.witness.handle(received.clone(), NOW);
        assert_eq!(asked.len(), 1, "it asks for a proof");
        let dropped = pair.witness.handle(Input::Tick, late);
        assert_eq!(dropped.len(), usize::from(stall == 2));
    }
    let mut pair = Pair::new();
    let log = FeedId { node: owner_key().public(), incarnation: 1 };
    let growth = Growth { log, from: 0, to: 3 };
    let hashes = Bounded::default();
    (0..20).for_each(|_| pair.say(&wire::Witness::Proof { growth, hashes: hashes.clone() }));
    assert_eq!(pair.drops, [(owner_key().public(), Misdeed::Unasked)]);
}

#[test]
fn one_proof_at_a_time_is_made_for_a_peer() {
    let mut pair = Pair::new();
    pair.grow(3);
    pair.owner.handle(Input::Signed(pair.checkpoint()), NOW);
    let log = FeedId { node: owner_key().public(), incarnation: 1 };
    let (peer, growth) = (witness_key().public(), Growth { log, from: 1, to: 3 });
    let bytes = wire::encode(&wire::Witness::Prove(growth));
    let asked = Input::Received { peer, bytes };
    for _ in 0..2 {
        assert_eq!(pair.owner.handle(asked.clone(), NOW), [Output::Prove { peer, growth }]);
        assert_eq!(pair.owner.handle(asked.clone(), NOW), [], "its answer is coming");
        let answer = pair.owner.handle(Input::Proved { peer, growth, hashes: Vec::new() }, NOW);
        assert!(matches!(*answer, [Output::Send { message: wire::Witness::Proof { .. }, .. }]));
    }
}

#[test]
fn one_node_cannot_make_another_remember_logs_without_end() {
    let mut pair = Pair::new();
    pair.grow(1);
    let checkpoint = pair.checkpoint().checkpoint;
    for incarnation in 0..=LOGS_PER_NODE as u64 {
        pair.now = NOW.after(Duration::from_secs(incarnation));
        pair.say(&wire::Witness::Offer(Checkpoint { incarnation, ..checkpoint }.sign(&owner_key())));
    }
    let is_blamed = pair.drops.contains(&(owner_key().public(), Misdeed::Flood));
    assert!(!is_blamed, "one that was restored so often is no flooder");
    assert_eq!(pair.witness.seen.len(), LOGS_PER_NODE);
}

#[test]
fn a_checkpoint_that_is_signed_again_and_again_is_not_kept_each_time() {
    let mut pair = Pair::new();
    pair.grow(3);
    let checkpoint = pair.checkpoint().checkpoint;
    // What the witness does about the checkpoint, signed for the n-th time.
    let offer = |witness: &mut Witness, n: u64, now: Timestamp| {
        let signed = Checkpoint { at: NOW.after(Duration::from_micros(n)), ..checkpoint }.sign(&owner_key());
        let bytes = wire::encode(&wire::Witness::Offer(signed));
        witness.handle(Input::Received { peer: owner_key().public(), bytes }, now)
    };
    let first = offer(&mut pair.witness, 0, NOW);
    assert!(matches!(*first, [Output::Vouch { .. }]));
    assert_eq!(offer(&mut pair.witness, 1, NOW), [], "the first one is being kept");
    pair.carry_out(false, first);
    let mut vouched = |range: Range<u64>, now| {
        let mut count = 0;
        for n in range {
            let outputs = offer(&mut pair.witness, n, now);
            count += outputs.len() as u64;
            pair.carry_out(false, outputs);
        }
        count
    };
    assert_eq!(vouched(2..1000, NOW), OFFERS_BURST - 1);
    let later = NOW.after(Duration::from_secs(1));
    assert_eq!(vouched(1000..2000, later), OFFERS_PER_SECOND);
    for visit in [Input::Disconnected, Input::Connected] {
        pair.witness.handle(visit(owner_key().public()), later);
    }
    assert_eq!(offer(&mut pair.witness, 2000, later), [], "coming back makes no room");
    assert!(pair.drops.iter().all(|(peer, _)| *peer != owner_key().public()), "it signed each of them");
}

#[test]
fn a_witness_s_word_must_verify() {
    let mut pair = Pair::new();
    pair.grow(1);
    let checkpoint = pair.checkpoint();
    pair.owner.handle(Input::Signed(checkpoint), NOW);
    let signature = checkpoint.witness(&owner_key());
    let peer = witness_key().public();
    let mut says = |size| {
        let bytes = wire::encode(&wire::Witness::Witnessed { size, at: NOW, signature });
        pair.owner.handle(Input::Received { peer, bytes }, NOW)
    };
    assert_eq!(says(2), [], "an answer to what was offered before comes late");
    assert_eq!(says(1), [Output::Drop { peer, reason: Misdeed::Lie }]);
}
