//! Anti-entropy: two nodes that meet end up with the same records.
//!
//! Owns who has what and what to ask of whom. A node pulls: it asks for what it lacks, a little at a time, so
//! that nobody can push more at it than it asked for, and so that a broken connection costs only what was
//! under way; while an answer is verified, the next is on its way. Reads no record: the driver reads, verifies
//! and keeps them. Invariant: a feed is pulled from one peer at a time, and never beyond what the roster admits.
//!
//! Whoever has the smaller key speaks first, with a [`Summary`](wire::Summary) of its version vector. Where
//! it differs, the other answers with what it has and asks the same; then each wants what it lacks. Equal
//! nodes exchange one message.

mod announced;
mod io;
mod pull;
mod serve;
#[cfg(test)]
pub(crate) mod tests;
mod vector;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::Roster;

use super::conduct::{Allowance, Conduct, LEFT_MAX, Left, MESSAGES_BURST, MESSAGES_PER_SECOND, Misdeed};
use super::held::Held;
use crate::wire::{self, FEEDS_MAX, Known};
use announced::Announced;
pub use io::{Input, Output, Proof, Refused};
use pull::Pull;
use vector::Vector;

/// How often the driver gives a [`Input::Tick`].
pub const TICK: Duration = Duration::from_secs(1);
/// Bytes that one want asks for.
pub const CREDIT_BYTES: u32 = 256 << 10;
/// Feeds that are pulled from one peer at a time.
pub const PULLS_PER_PEER: usize = 4;
/// Feeds that are pulled at a time: of each one answer is verified, and one is asked for ahead.
pub const PULLS_MAX: usize = 16;
/// Answers to one peer that are being read.
pub const READS_PER_PEER: usize = 16;
/// How long an answer may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long nothing is asked of a peer that did not answer, or of anybody when nothing can be kept.
pub const PAUSE: Duration = Duration::from_secs(10);
/// The shortest time between two summaries sent to a peer.
pub const SUMMARY_SOONEST: Duration = Duration::from_secs(5);
/// The longest time between two summaries sent to a peer.
pub const SUMMARY_LATEST: Duration = Duration::from_secs(60);
/// The shortest time between two lists sent to a peer in answer.
pub const ANSWER_SOONEST: Duration = Duration::from_secs(1);

/// The anti-entropy of one node.
#[derive(Clone, Debug)]
pub struct Sync {
    me: PublicKey,
    roster: Arc<Roster>,
    vector: Vector,
    peers: BTreeMap<PublicKey, Peer>,
    left: Left,
    pulls: BTreeMap<FeedId, Pull>,
    /// Until when nothing is asked, because nothing can be kept.
    paused: Timestamp,
}

/// What is known of a connected peer.
#[derive(Clone, Debug)]
struct Peer {
    conduct: Conduct,
    /// How far it says it has feeds.
    has: Announced,
    /// How many questions it may be asked: half of what it may be sent, so that nobody floods who has much to
    /// ask.
    questions: Allowance,
    /// Answers to it that are being read.
    reads: usize,
    /// The summary it was sent last, and when.
    told: (wire::Summary, Timestamp),
    /// When it was sent a list last.
    answered: Option<Timestamp>,
    /// The last feed of that list, where it had no room for all.
    listed: Option<FeedId>,
    /// Until when nothing is asked of it.
    paused: Timestamp,
}

impl Sync {
    /// The anti-entropy of node `me`, which has `feeds`.
    pub fn new(me: PublicKey, roster: Arc<Roster>, feeds: BTreeMap<FeedId, Known>) -> Self {
        Self {
            me,
            roster,
            vector: Vector::new(feeds),
            peers: BTreeMap::new(),
            left: Left::default(),
            pulls: BTreeMap::new(),
            paused: Timestamp::EPOCH,
        }
    }

    /// All that must be done because of `input`.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Connected(peer) => self.connected(peer, now, &mut out),
            Input::Disconnected(peer) => self.forget(peer, now),
            Input::Received { peer, bytes } => self.received(peer, &bytes, now, &mut out),
            Input::Grew { feed, known } => self.know(feed, known),
            Input::Gap(peer) => self.summarize(peer, now, &mut out),
            Input::Roster(roster) => self.recut(roster),
            Input::Read { peer, feed, after, frames } => self.read(peer, feed, after, frames, &mut out),
            Input::ReadProof { peer, feed, proof } => {
                self.answered(peer, wire::Sync::Proof { feed, proof }, &mut out);
            }
            Input::Admitted { peer, feed, result } => self.admitted(peer, feed, result, now, &mut out),
            Input::Tick => self.tick(now, &mut out),
        }
        self.pull(now, &mut out);
        out
    }

    /// How far each feed is known here.
    pub fn feeds(&self) -> &BTreeMap<FeedId, Known> {
        self.vector.feeds()
    }

    /// How many records `peer` says it has that are to come.
    pub fn lag_records(&self, peer: PublicKey) -> u64 {
        self.peers.get(&peer).map_or(0, |state| state.has.lag_records(|feed| self.vector.get(feed)))
    }

    /// What it holds that has a limit.
    pub fn held(&self) -> [Held; 6] {
        let of_one = |peer| self.pulls.values().filter(|pull| pull.peer == peer).count();
        let peers = || self.peers.values();
        let (wanted, barred) = (|it: &Peer| it.has.counts().0, |it: &Peer| it.has.counts().1);
        [
            Held::new("feeds asked for", self.pulls.len(), PULLS_MAX),
            Held::most("feeds asked of one peer", self.peers.keys().copied().map(of_one), PULLS_PER_PEER),
            Held::most("feeds that one peer announced", peers().map(wanted), FEEDS_MAX),
            Held::most("feeds that one peer announced and nobody wants", peers().map(barred), FEEDS_MAX),
            Held::most("answers to one peer being read", peers().map(|peer| peer.reads), READS_PER_PEER),
            Held::new("peers of sync that left", self.left.count(), LEFT_MAX),
        ]
    }

    /// A feed is known as far as that, here.
    fn know(&mut self, feed: FeedId, known: Known) {
        self.vector.set(feed, known);
        let cut = self.roster.cut(feed);
        self.peers.values_mut().for_each(|peer| peer.has.settle(feed, known, cut));
    }

    fn recut(&mut self, roster: Arc<Roster>) {
        self.roster = roster;
        let Self { peers, vector, roster, .. } = self;
        let here = |feed| (vector.get(feed), roster.cut(feed));
        peers.values_mut().for_each(|peer| peer.has.settle_all(here));
    }

    fn connected(&mut self, peer: PublicKey, now: Timestamp, out: &mut Vec<Output>) {
        self.forget(peer, now);
        let conduct = self.left.take(peer, now);
        self.peers.insert(peer, Peer::new(conduct, self.vector.summary(), now));
        if self.me < peer {
            self.summarize(peer, now, out);
        }
    }

    /// What a peer sent and nobody has verified yet is still under way; what it was only asked for is not.
    fn forget(&mut self, peer: PublicKey, now: Timestamp) {
        if let Some(state) = self.peers.remove(&peer) {
            self.left.keep(peer, state.conduct, now);
        }
        self.pulls.retain(|_, pull| pull.peer != peer || pull.is_left_alone());
    }

    fn received(&mut self, peer: PublicKey, bytes: &[u8], now: Timestamp, out: &mut Vec<Output>) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        let message = match wire::decode::<wire::Sync>(bytes) {
            Ok(message) => message,
            Err(invalid) => {
                let flood = state.conduct.receive(bytes.len(), now).err();
                return self.blame(peer, flood.unwrap_or(invalid.into()), now, out);
            }
        };
        let asked = self.pulls.values().any(|pull| pull.awaits(peer, &message));
        if !asked && let Err(flood) = state.conduct.receive(bytes.len(), now) {
            return self.blame(peer, flood, now, out);
        }
        match message {
            wire::Sync::Summary(theirs) => self.summary(peer, theirs, now, out),
            wire::Sync::Have { feeds, ask } => self.have(peer, feeds.into_inner(), ask, now, out),
            wire::Sync::Want { feed, after, credit } => self.want(peer, feed, after, credit, now, out),
            wire::Sync::WantProof { feed } => self.want_proof(peer, feed, now, out),
            _ if !asked => self.blame(peer, Misdeed::Unasked, now, out),
            wire::Sync::Frames { feed, after, frames } => {
                self.frames(peer, feed, after, frames.into_inner(), now, out);
            }
            wire::Sync::Proof { feed, proof } => self.proof(peer, feed, proof, out),
        }
    }

    fn have(
        &mut self,
        peer: PublicKey,
        feeds: Vec<(FeedId, Known)>,
        ask: u16,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        for (feed, theirs) in feeds {
            state.has.hear(feed, theirs, self.vector.get(feed), self.roster.cut(feed));
        }
        if ask != 0 {
            self.list(peer, ask, 0, now, out);
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        self.overdue(now, out);
        let mine = self.vector.summary();
        let due: Vec<PublicKey> =
            self.peers.iter().filter(|(_, it)| it.is_due(&mine, now)).map(|(p, _)| *p).collect();
        due.into_iter().for_each(|peer| self.summarize(peer, now, out));
    }

    /// Counts a misdeed, and drops the peer when it was one too many.
    fn blame(&mut self, peer: PublicKey, misdeed: Misdeed, now: Timestamp, out: &mut Vec<Output>) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        if !state.conduct.blame(misdeed, now) {
            return;
        }
        self.forget(peer, now);
        out.push(Output::Drop { peer, reason: misdeed });
    }
}

impl Peer {
    /// One who just came; the first word is spoken at once or awaited, so that none is due yet.
    fn new(conduct: Conduct, mine: wire::Summary, now: Timestamp) -> Self {
        Self {
            conduct,
            has: Announced::default(),
            questions: Allowance::new(MESSAGES_BURST / 2, MESSAGES_PER_SECOND / 2, now),
            reads: 0,
            told: (mine, now),
            answered: None,
            listed: None,
            paused: Timestamp::EPOCH,
        }
    }

    /// Whether it is time to tell it what is here, now that that is `mine`.
    fn is_due(&self, mine: &wire::Summary, now: Timestamp) -> bool {
        let (told, at) = self.told;
        now.since(at) >= if told == *mine { SUMMARY_LATEST } else { SUMMARY_SOONEST }
    }
}
