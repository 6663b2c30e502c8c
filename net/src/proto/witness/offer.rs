//! Offering this node's log to its peers.
//!
//! Owns what this node says of its own log. Invariant: a peer has one offer at a time to look at,
//! and one proof at a time is made for it.

use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::{Digest, Timestamp};

use super::{ANSWER_TIMEOUT, Offered, Output, Witness, log};
use crate::proto::conduct::{LEFT_MAX, Misdeed};
use crate::wire::{self, Bounded, Growth, PROOF_HASHES_MAX};

impl Witness {
    /// Offers this node's latest checkpoint to everyone who has none to look at and did not vouch for it.
    pub(super) fn offer(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let Some(mine) = self.mine else {
            return;
        };
        let asked = self.peers.iter_mut().filter(|(peer, _)| !self.vouched.contains(peer));
        for (peer, state) in asked {
            let is_due = state.offered.is_none_or(|offered| {
                let free = offered.witnessed || now.since(offered.at) >= ANSWER_TIMEOUT;
                free && offered.checkpoint != mine
            });
            if is_due {
                state.offered = Some(Offered { checkpoint: mine, at: now, witnessed: false });
                out.push(Output::Send { peer: *peer, message: wire::Witness::Offer(mine) });
            }
        }
    }

    pub(super) fn asked(&mut self, peer: PublicKey, growth: Growth, now: Timestamp, out: &mut Vec<Output>) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        let fits = state.offered.is_some_and(|offered| {
            (log(&offered.checkpoint), offered.checkpoint.checkpoint.size) == (growth.log, growth.to)
        });
        if !fits || growth.from >= growth.to {
            return self.blame(peer, Misdeed::Unasked, now, out);
        }
        // Whoever asks again has its answer coming.
        if !std::mem::replace(&mut state.is_proving, true) {
            out.push(Output::Prove { peer, growth });
        }
    }

    pub(super) fn proved(
        &mut self,
        peer: PublicKey,
        growth: Growth,
        hashes: Vec<Digest>,
        out: &mut Vec<Output>,
    ) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        state.is_proving = false;
        if let Some(hashes) = Bounded::<_, PROOF_HASHES_MAX>::new(hashes) {
            out.push(Output::Send { peer, message: wire::Witness::Proof { growth, hashes } });
        }
    }

    pub(super) fn witnessed(
        &mut self,
        peer: PublicKey,
        of: (u64, Timestamp),
        signature: Signature,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        let is_meant = |it: &SignedCheckpoint| (it.checkpoint.size, it.checkpoint.at) == of;
        match state.offered.as_mut().filter(|offered| is_meant(&offered.checkpoint)) {
            // It came back in the meantime, and says it twice.
            None if self.vouched.contains(&peer) => {}
            None => self.blame(peer, Misdeed::Unasked, now, out),
            Some(offered) if offered.checkpoint.verify_witness(peer, &signature).is_err() => {
                self.blame(peer, Misdeed::Lie, now, out);
            }
            Some(offered) => {
                offered.witnessed = true;
                let checkpoint = offered.checkpoint;
                if self.mine == Some(checkpoint) && self.vouched.len() < LEFT_MAX {
                    self.vouched.insert(peer);
                }
                out.push(Output::Keep { witness: peer, checkpoint, signature });
            }
        }
    }
}
