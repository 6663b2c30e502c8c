//! Vouching for a peer's log.
//!
//! Owns what this node signs as a witness. Invariant: a checkpoint is vouched for only when it continues the
//! last one.

use std::cmp::Ordering;

use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::proof::verify_consistency;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::{Digest, Timestamp};

use super::{Contradiction, Doubted, LOGS_PER_NODE, Output, Witness, log};
use crate::proto::conduct::Misdeed;
use crate::wire::{self, Growth};

impl Witness {
    pub(super) fn offered(
        &mut self,
        peer: PublicKey,
        offer: SignedCheckpoint,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        // What is being kept, signed once more, says nothing new; and nobody honest signs as fast as all this.
        let says_the_same = |kept: &SignedCheckpoint| {
            let of = |it: &SignedCheckpoint| (log(it), it.checkpoint.size, it.checkpoint.root);
            of(kept) == of(&offer)
        };
        let is_being_kept = |doubted: &Doubted| doubted.asked.is_none() && says_the_same(&doubted.checkpoint);
        if state.doubted.as_ref().is_some_and(is_being_kept) || !state.offers.spend(1, now) {
            return;
        }
        if offer.checkpoint.node != peer || offer.verify().is_err() {
            return self.blame(peer, Misdeed::Lie, now, out);
        }
        let lives = self.seen.keys().filter(|log| log.node == peer).count();
        let Some(before) = self.seen.get(&log(&offer)).copied() else {
            // One that began so many lives may be honest: nobody vouches for this one, and nobody is to blame.
            if lives < LOGS_PER_NODE {
                self.vouch(peer, offer, out);
            }
            return;
        };
        let (old, new) = (before.checkpoint, offer.checkpoint);
        match (new.size.cmp(&old.size), new.root == old.root) {
            (Ordering::Less, _) => self.alarm(peer, before, offer, Contradiction::Shrunk, now, out),
            (Ordering::Equal, false) => {
                self.alarm(peer, before, offer, Contradiction::Forked, now, out);
            }
            (Ordering::Equal, true) => self.vouch(peer, offer, out),
            (Ordering::Greater, _) => {
                if let Some(state) = self.peers.get_mut(&peer) {
                    state.doubted = Some(Doubted { checkpoint: offer, asked: Some(now) });
                    let growth = Growth { log: log(&offer), from: old.size, to: new.size };
                    let message = wire::Witness::Prove(growth);
                    out.push(Output::Send { peer, message });
                }
            }
        }
    }

    pub(super) fn vouch(&mut self, peer: PublicKey, checkpoint: SignedCheckpoint, out: &mut Vec<Output>) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.doubted = Some(Doubted { checkpoint, asked: None });
            // From here on a second answer to the same question would be a contradiction.
            self.seen.insert(log(&checkpoint), checkpoint);
            out.push(Output::Vouch { peer, checkpoint });
        }
    }

    pub(super) fn proof(
        &mut self,
        peer: PublicKey,
        growth: Growth,
        hashes: &[Digest],
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let doubted = self.peers.get(&peer).and_then(|state| state.doubted);
        let before = self.seen.get(&growth.log).copied();
        let Some((before, doubted)) = before.zip(doubted.filter(|it| it.asked.is_some())) else {
            return self.blame(peer, Misdeed::Unasked, now, out);
        };
        let (old, new) = (before.checkpoint, doubted.checkpoint.checkpoint);
        if growth != (Growth { log: log(&doubted.checkpoint), from: old.size, to: new.size }) {
            return self.blame(peer, Misdeed::Unasked, now, out);
        }
        match verify_consistency(old.size, new.size, &old.root, &new.root, hashes) {
            Ok(()) => self.vouch(peer, doubted.checkpoint, out),
            Err(_) => self.alarm(peer, before, doubted.checkpoint, Contradiction::Broken, now, out),
        }
    }

    pub(super) fn vouched(
        &mut self,
        peer: PublicKey,
        checkpoint: SignedCheckpoint,
        signature: Signature,
        out: &mut Vec<Output>,
    ) {
        if let Some(state) = self.peers.get_mut(&peer) {
            // A newer one may be on its way already.
            state.doubted = state.doubted.filter(|doubted| doubted.checkpoint != checkpoint);
            let (size, at) = (checkpoint.checkpoint.size, checkpoint.checkpoint.at);
            let message = wire::Witness::Witnessed { size, at, signature };
            out.push(Output::Send { peer, message });
        }
    }

    pub(super) fn alarm(
        &mut self,
        peer: PublicKey,
        before: SignedCheckpoint,
        offer: SignedCheckpoint,
        why: Contradiction,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        out.push(Output::Alarm { peer, before, now: offer, why });
        self.blame(peer, Misdeed::Lie, now, out);
    }
}
