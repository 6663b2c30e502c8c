//! Telling peers what is here, and sending it to them.
//!
//! Owns the answering side. Sends only what was asked for, and no more at a time than a want may ask.
//! Invariant: what one peer can make this node read at a time is bounded.

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;

use super::{ANSWER_SOONEST, CREDIT_BYTES, Output, READS_PER_PEER, Sync};
use crate::proto::conduct::Misdeed;
use crate::wire::{self, Bounded, FEEDS_MAX, FRAMES_MAX, Frame};

impl Sync {
    /// Tells a peer in short what is here.
    pub(super) fn summarize(&mut self, peer: PublicKey, now: Timestamp, out: &mut Vec<Output>) {
        let mine = self.vector.summary();
        if let Some(state) = self.peers.get_mut(&peer) {
            state.told = (mine, now);
            out.push(Output::Send { peer, message: wire::Sync::Summary(mine) });
        }
    }

    pub(super) fn summary(
        &mut self,
        peer: PublicKey,
        theirs: wire::Summary,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        match self.vector.differs(&theirs) {
            0 => {}
            mask => self.list(peer, mask, mask, now, out),
        }
    }

    /// Sends what is here in the buckets of `mask`, as much as one message names, and asks the same of `ask`. A
    /// peer that asks too often waits for the next summary.
    pub(super) fn list(
        &mut self,
        peer: PublicKey,
        mask: u16,
        ask: u16,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        if state.answered.is_some_and(|at| now.since(at) < ANSWER_SOONEST) {
            return;
        }
        state.answered = Some(now);
        let mut list = self.vector.within(mask);
        // One message, however many feeds there are: the next one goes on behind it, and in the end begins anew.
        let told = list.partition_point(|(feed, _)| state.listed.is_some_and(|last| *feed <= last));
        list.rotate_left(told);
        state.listed = list.get(FEEDS_MAX).and(list.get(FEEDS_MAX - 1)).map(|(feed, _)| *feed);
        list.truncate(FEEDS_MAX);
        let feeds = Bounded::new(list).expect("the list was cut at the bound");
        out.push(Output::Send { peer, message: wire::Sync::Have { feeds, ask } });
    }

    pub(super) fn want(
        &mut self,
        peer: PublicKey,
        feed: FeedId,
        after: u64,
        credit: u32,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let to = self.vector.get(feed).seq();
        if to <= after {
            let message = wire::Sync::Frames { feed, after, frames: Bounded::default() };
            out.push(Output::Send { peer, message });
        } else if self.may_read(peer, now, out) {
            out.push(Output::Read { peer, feed, after, to, credit: credit.min(CREDIT_BYTES) });
        }
    }

    pub(super) fn want_proof(
        &mut self,
        peer: PublicKey,
        feed: FeedId,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        // Whoever asks without a fork being known here made it up.
        if self.vector.get(feed).fork.is_none() {
            self.blame(peer, Misdeed::Unasked, now, out);
        } else if self.may_read(peer, now, out) {
            out.push(Output::ReadProof { peer, feed });
        }
    }

    fn may_read(&mut self, peer: PublicKey, now: Timestamp, out: &mut Vec<Output>) -> bool {
        match self.peers.get_mut(&peer) {
            Some(state) if state.reads < READS_PER_PEER => {
                state.reads += 1;
                true
            }
            Some(_) => {
                self.blame(peer, Misdeed::Flood, now, out);
                false
            }
            None => false,
        }
    }

    pub(super) fn read(
        &mut self,
        peer: PublicKey,
        feed: FeedId,
        after: u64,
        mut frames: Vec<Frame>,
        out: &mut Vec<Output>,
    ) {
        let mut left = CREDIT_BYTES as usize;
        let fitting = frames.iter().take(FRAMES_MAX).enumerate().take_while(|(at, frame)| {
            let fits = frame.bytes.len() <= left || *at == 0;
            left = left.saturating_sub(frame.bytes.len());
            fits
        });
        frames.truncate(fitting.count());
        let frames = Bounded::new(frames).expect("no more frames are kept than fit");
        self.answered(peer, wire::Sync::Frames { feed, after, frames }, out);
    }

    /// Sends what a peer waited for, if it still waits.
    pub(super) fn answered(&mut self, peer: PublicKey, message: wire::Sync, out: &mut Vec<Output>) {
        if let Some(state) = self.peers.get_mut(&peer) {
            // A peer that came back meanwhile gets an answer it asked for before.
            state.reads = state.reads.saturating_sub(1);
            out.push(Output::Send { peer, message });
        }
    }
}
