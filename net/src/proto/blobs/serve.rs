//! Answering peers.
//!
//! Owns what of their questions is read, and when. Reads nothing itself. Invariant: what one peer can make
//! this node read and hold at a time is bounded, and so is what all can.

use std::ops::Bound::{Excluded, Unbounded};

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;

use super::{ANSWERS_MAX, ANSWERS_PER_PEER, ASKED_PER_PEER, Blobs, Output};
use crate::proto::conduct::Misdeed;
use crate::wire;
use crate::wire::blobs::Ask;

impl Blobs {
    pub(super) fn asked(
        &mut self,
        peer: PublicKey,
        id: u64,
        bytes: &[u8],
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        let pace = state.conduct.receive(bytes.len(), now);
        match wire::decode::<Ask>(bytes) {
            Ok(ask) if pace.is_ok() && state.queue.len() + state.serving < ASKED_PER_PEER => {
                state.queue.push_back((id, ask));
            }
            Ok(_) => self.blame(peer, Misdeed::Flood, now, out),
            Err(invalid) => self.blame(peer, pace.err().unwrap_or(invalid.into()), now, out),
        }
    }

    /// Answers as many questions as may be answered at a time, each peer in its turn.
    pub(super) fn serve(&mut self, out: &mut Vec<Output>) {
        let mut serving = self.answering();
        while serving < ANSWERS_MAX
            && let Some(peer) = self.next_to_serve()
            && let Some(state) = self.peers.get_mut(&peer)
            && let Some((id, ask)) = state.queue.pop_front()
        {
            state.serving += 1;
            serving += 1;
            self.served = Some(peer);
            out.push(Output::Serve { peer, id, ask });
        }
    }

    /// The next after the one that was served last who waits and may be served.
    fn next_to_serve(&self) -> Option<PublicKey> {
        let from = self.served.map_or(Unbounded, Excluded);
        let after = self.peers.range((from, Unbounded));
        let mut in_turn = after.chain(&self.peers);
        let next = in_turn.find(|(_, state)| !state.queue.is_empty() && state.serving < ANSWERS_PER_PEER);
        next.map(|(peer, _)| *peer)
    }

    pub(super) fn was_served(&mut self, peer: PublicKey) {
        // A peer that came back meanwhile is told of an answer it asked for before.
        if let Some(state) = self.peers.get_mut(&peer) {
            state.serving = state.serving.saturating_sub(1);
        }
    }
}
