//! The exchange of blobs: what is wanted here comes from whoever has it, from several at once.
//!
//! Owns whom to ask for what, how much may be under way, and what a peer may make this node read. Reads no
//! chunk: the driver verifies and keeps them, of each blob one answer at a time. Invariant: what has been asked
//! for and not been kept yet is bounded, in all and for each peer, and so is what is read for peers.
//!
//! A node that wants a blob asks everybody who is connected for the beginning of its manifest. The first
//! manifest that comes is fetched whole and opened: the store says which chunks are missing. Those are asked
//! of all who have the same manifest, about a megabyte at a time; whoever answers fast is asked for more. A
//! chunk that is slow to come is asked of a second peer when nothing else is left to ask for. When the last
//! one is here, the blob's own digest proves the manifest. Small blobs that one root leads to are fetched many
//! at a time, as a bundle: their list is known, and each is proved by its own digest.
//!
//! Every question names a root: a blob that a moment of the timeline names. A peer gives what its own timeline
//! names and what that leads to, and nothing else.

mod ask;
mod chunks;
mod fetch;
mod io;
mod keep;
mod peer;
mod serve;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use xyn_store::audit::signature::PublicKey;
use xyn_store::{Digest, Timestamp};

use super::conduct::{LEFT_MAX, Left, Misdeed};
use super::held::Held;
use fetch::Fetch;
pub use io::{AskId, Goods, Input, NotFetched, NotKept, Output, Parcel, Progress, Want};
use peer::Peer;

/// How often the driver gives an [`Input::Tick`].
pub const TICK: Duration = super::sync::TICK;
/// Blobs that are fetched at a time.
pub const OBJECTS_MAX: usize = 8;
/// Blobs that wait for their turn.
pub const WAITING_MAX: usize = 1024;
/// The longest manifest, in bytes: that of a blob of some 30 GB.
pub const MANIFEST_BYTES_MAX: u32 = 16 << 20;
/// How much of a manifest is sent with the word that it is there.
pub const GREETING_BYTES: u32 = 4 << 10;
/// Bytes that are asked for and not kept yet, in all.
pub const IN_FLIGHT_MAX: u64 = 32 << 20;
/// Bytes that one peer is asked for at a time, at most: as many as it answered fast. Twice what it answers at
/// a time, so that the next question is there before the last answer has gone out.
pub const WINDOW_MAX: u64 = 16 << 20;
/// The same of a peer that just came.
pub const WINDOW_FIRST: u64 = 1 << 20;
/// The same of the slowest peer.
pub const WINDOW_MIN: u64 = 256 << 10;
/// Questions to one peer that are open at a time.
pub const ASKS_PER_PEER: usize = 32;
/// An answer within this time was fast: the peer is asked for more at a time.
pub const FAST: Duration = Duration::from_secs(1);
/// An answer after this time was slow: it is asked for less.
pub const SLOW: Duration = Duration::from_secs(4);
/// How long an answer may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long nothing is asked of a peer that did not answer.
pub const PAUSE: Duration = Duration::from_secs(10);
/// How long a chunk is under way at least before a second peer is asked for it.
pub const HEDGE_AFTER: Duration = Duration::from_millis(250);
/// Answers that overtook another, and wait for it.
pub const OVERTAKING_MAX: usize = 16;
/// How long until a peer that did not have a blob is asked again.
pub const ASK_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How long a blob of which nothing comes is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Questions of one peer that wait or are being answered.
pub const ASKED_PER_PEER: usize = 64;
/// Answers to one peer that are being read or sent, of a message each.
pub const ANSWERS_PER_PEER: usize = 8;
/// Answers to everybody that are being read or sent.
pub const ANSWERS_MAX: usize = 32;

/// The exchange of blobs of one node.
#[derive(Clone, Debug, Default)]
pub struct Blobs {
    peers: BTreeMap<PublicKey, Peer>,
    left: Left,
    /// What is being fetched; what was wanted first in front.
    fetches: Vec<Fetch>,
    /// What waits for its turn.
    waiting: VecDeque<Want>,
    asks: BTreeMap<AskId, ask::Asked>,
    next_ask: AskId,
    /// Answers with chunks, in the order in which they were asked for; they are still under way.
    arrived: BTreeMap<AskId, keep::Arrived>,
    /// Those that the driver has in hand, and of which blobs they are.
    keeping: BTreeMap<AskId, Digest>,
    /// Who was served last.
    served: Option<PublicKey>,
}

impl Blobs {
    /// All that must be done because of `input`.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Connected(peer) => {
                self.forget(peer, now);
                let conduct = self.left.take(peer, now);
                self.peers.insert(peer, Peer::new(conduct, now));
            }
            Input::Disconnected(peer) => self.forget(peer, now),
            Input::Fetch(want) => self.want(want, &mut out),
            Input::Stop(object) => self.stop(object, &mut out),
            Input::Answered { ask, bytes } => self.answered(ask, bytes, now, &mut out),
            Input::Opened { manifest, result } => self.opened(&manifest, result, now, &mut out),
            Input::Kept { ask, kept, fault } => self.kept(ask, &kept, fault, now, &mut out),
            Input::Assembled { object, result } => self.assembled(object, result, now, &mut out),
            Input::Asked { peer, id, bytes } => self.asked(peer, id, &bytes, now, &mut out),
            Input::Served { peer } => self.was_served(peer),
            Input::Tick => self.tick(now, &mut out),
        }
        self.keep(now, &mut out);
        self.begin(now, &mut out);
        self.ask(now, &mut out);
        self.look_around(&mut out);
        self.serve(&mut out);
        out
    }

    /// What it holds that has a limit.
    pub fn held(&self) -> [Held; 8] {
        let asked_of = |peer: &PublicKey| {
            self.asks.values().filter(|asked| asked.peer == *peer && !asked.is_answered).count()
        };
        let peers = || self.peers.values();
        [
            Held::new("blobs being fetched", self.fetches.len(), OBJECTS_MAX),
            Held::new("blobs that wait for their turn", self.waiting.len(), WAITING_MAX),
            Held::new("bytes asked for", self.in_flight_bytes() as usize, IN_FLIGHT_MAX as usize),
            Held::most("questions to one peer", self.peers.keys().map(asked_of), ASKS_PER_PEER),
            Held::most("questions of one peer", peers().map(|peer| peer.queue.len()), ASKED_PER_PEER),
            Held::most("answers to one peer", peers().map(|peer| peer.serving), ANSWERS_PER_PEER),
            Held::new("answers on their way", self.answering(), ANSWERS_MAX),
            Held::new("peers of content that left", self.left.count(), LEFT_MAX),
        ]
    }

    /// Bytes that are asked for and not kept yet.
    fn in_flight_bytes(&self) -> u64 {
        self.asks.values().map(|asked| asked.bytes).sum()
    }

    /// Answers to peers that are being read or sent.
    fn answering(&self) -> usize {
        self.peers.values().map(|state| state.serving).sum()
    }

    fn want(&mut self, want: Want, out: &mut Vec<Output>) {
        let object = want.name();
        let is_wanted = self.waiting.iter().any(|waiting| waiting.name() == object);
        if is_wanted || self.fetches.iter().any(|fetch| fetch.object == object) {
            return;
        }
        match self.waiting.len() < WAITING_MAX {
            true => self.waiting.push_back(want),
            false => out.push(Output::Progress(object, Progress::Failed(NotFetched::Busy))),
        }
    }

    fn begin(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        while self.fetches.len() < OBJECTS_MAX
            && let Some(want) = self.waiting.pop_front()
        {
            out.push(Output::Progress(want.name(), Progress::Searching));
            self.fetches.push(Fetch::new(want, now));
        }
    }

    /// Tells what nobody has who is connected, and what somebody may have again.
    fn look_around(&mut self, out: &mut Vec<Output>) {
        for fetch in &mut self.fetches {
            if fetch.look_around(self.peers.keys()) {
                out.push(Output::Progress(fetch.object, fetch.progress()));
            }
        }
    }

    fn stop(&mut self, object: Digest, out: &mut Vec<Output>) {
        self.waiting.retain(|waiting| waiting.name() != object);
        if self.fetches.iter().any(|fetch| fetch.object == object) {
            self.end(object);
            out.push(Output::Close(object));
        }
    }

    /// Gives a blob up.
    fn fail(&mut self, object: Digest, reason: NotFetched, out: &mut Vec<Output>) {
        self.end(object);
        out.push(Output::Close(object));
        out.push(Output::Progress(object, Progress::Failed(reason)));
    }

    fn end(&mut self, object: Digest) {
        self.fetches.retain(|fetch| fetch.object != object);
        self.give_up(object, |_| true);
    }

    fn fetch(&mut self, object: Digest) -> Option<&mut Fetch> {
        self.fetches.iter_mut().find(|fetch| fetch.object == object)
    }

    fn tick(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        self.overdue(now, out);
        let late = self.fetches.iter().filter(|fetch| fetch.is_hopeless(now));
        let late: Vec<_> = late.map(|fetch| (fetch.object, fetch.why())).collect();
        late.into_iter().for_each(|(object, why)| self.fail(object, why, out));
    }

    /// A peer is gone. What it sent is still being kept; what it was only asked for is asked of others.
    fn forget(&mut self, peer: PublicKey, now: Timestamp) {
        if let Some(state) = self.peers.remove(&peer) {
            self.left.keep(peer, state.conduct, now);
        }
        let gone = self.asks.extract_if(.., |_, asked| asked.peer == peer && !asked.is_answered);
        let gone: Vec<_> = gone.map(|(_, asked)| asked).collect();
        gone.iter().for_each(|asked| self.release(asked));
        self.fetches.iter_mut().for_each(|fetch| fetch.forget(peer));
    }

    /// Counts a misdeed, and drops the peer when it was one too many.
    fn blame(&mut self, peer: PublicKey, misdeed: Misdeed, now: Timestamp, out: &mut Vec<Output>) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        if state.conduct.blame(misdeed, now) {
            self.forget(peer, now);
            out.push(Output::Drop { peer, reason: misdeed });
        }
    }
}
