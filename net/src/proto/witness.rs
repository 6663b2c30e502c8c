//! Witnessing: nodes vouch for each other's logs, so that not even its owner can rewrite one.
//!
//! Owns both sides: offering this node's checkpoints, and vouching for those of peers. A witness signs what
//! continues all it signed before, and nothing else; it asks for a proof (RFC 9162 §2.1.4) and keeps the
//! checkpoint before its word leaves. Signs nothing itself: keys stay with the node. Invariant: of the
//! checkpoints of one log that a node vouched for, each continues the one before.

mod offer;
#[cfg(test)]
mod tests;
mod vouch;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::timeline::feed::FeedId;
use xyn_store::{Digest, Timestamp};

use super::conduct::{Allowance, Conduct, LEFT_MAX, Left, Misdeed, Spent};
use super::held::Held;
use crate::wire::{self, Growth};

/// How long a proof, or a witness's word, may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Logs of one node that are witnessed: it has a new one for each life of its folder.
pub const LOGS_PER_NODE: usize = 64;

/// Checkpoints of a peer that are looked at, at once: each that is vouched for is a write to the disk.
pub const OFFERS_BURST: u64 = 16;
/// Checkpoints of a peer that are looked at each second, over time. An honest one signs once a minute.
pub const OFFERS_PER_SECOND: u64 = 1;

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// A member is connected.
    Connected(PublicKey),
    /// It is gone.
    Disconnected(PublicKey),
    /// It sent a message.
    Received {
        /// Who.
        peer: PublicKey,
        /// A [`wire::Witness`].
        bytes: Vec<u8>,
    },
    /// This node signed a checkpoint of its own log.
    Signed(SignedCheckpoint),
    /// The answer to [`Output::Prove`].
    Proved {
        /// Who asked.
        peer: PublicKey,
        /// As asked.
        growth: Growth,
        /// The proof.
        hashes: Vec<Digest>,
    },
    /// The answer to [`Output::Vouch`].
    Vouched {
        /// Whose log.
        peer: PublicKey,
        /// What was kept, durably.
        checkpoint: SignedCheckpoint,
        /// This node's signature over it as a witness.
        signature: Signature,
    },
    /// Time passed.
    Tick,
}

/// How an offered checkpoint contradicts one that its node signed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The log became shorter.
    #[error("the log is shorter than it was")]
    Shrunk,
    /// Two roots for one size: proof that the log was rewritten.
    #[error("the log has two roots at one size")]
    Forked,
    /// The proof that the log continues does not hold.
    #[error("the log does not continue what it was")]
    Broken,
}

/// What the driver must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message.
    Send {
        /// To whom.
        peer: PublicKey,
        /// What.
        message: wire::Witness,
    },
    /// Prove that this node's log grew and nothing else; answer with [`Input::Proved`].
    Prove {
        /// Who asked.
        peer: PublicKey,
        /// From what to what.
        growth: Growth,
    },
    /// Keep a peer's checkpoint durably as the last one of its log, sign it, and answer with
    /// [`Input::Vouched`].
    Vouch {
        /// Whose log.
        peer: PublicKey,
        /// What continues all that was kept before.
        checkpoint: SignedCheckpoint,
    },
    /// Keep a witness's word about this node's own log.
    Keep {
        /// The witness.
        witness: PublicKey,
        /// What it vouches for.
        checkpoint: SignedCheckpoint,
        /// Its signature, which verifies.
        signature: Signature,
    },
    /// Keep the evidence and tell people: a member's log is not what it was.
    Alarm {
        /// Whose log.
        peer: PublicKey,
        /// What it signed before.
        before: SignedCheckpoint,
        /// What it signed now.
        now: SignedCheckpoint,
        /// How they disagree.
        why: Contradiction,
    },
    /// Close the connection, shun the peer and say why in the log.
    Drop {
        /// Whose.
        peer: PublicKey,
        /// Why.
        reason: Misdeed,
    },
}

/// The witnessing of one node.
#[derive(Clone, Debug)]
pub struct Witness {
    /// The last checkpoint vouched for, of each log.
    seen: BTreeMap<FeedId, SignedCheckpoint>,
    mine: Option<SignedCheckpoint>,
    /// Who vouched for it, so that nobody is asked again who comes back.
    vouched: BTreeSet<PublicKey>,
    peers: BTreeMap<PublicKey, Peer>,
    left: Left,
    /// What those who left may offer yet.
    spent: Spent,
}

#[derive(Clone, Debug)]
struct Peer {
    conduct: Conduct,
    /// What it was offered: one checkpoint at a time.
    offered: Option<Offered>,
    /// What it offered.
    doubted: Option<Doubted>,
    /// How often it may offer something.
    offers: Allowance,
    /// A proof for it is being made.
    is_proving: bool,
}

/// This node's checkpoint before the eyes of a witness.
#[derive(Clone, Copy, Debug)]
struct Offered {
    checkpoint: SignedCheckpoint,
    at: Timestamp,
    witnessed: bool,
}

/// A peer's checkpoint on its way to be vouched for.
#[derive(Clone, Copy, Debug)]
struct Doubted {
    checkpoint: SignedCheckpoint,
    /// When a proof was asked for; none when the node is keeping it.
    asked: Option<Timestamp>,
}

impl Witness {
    /// The witnessing of a node that vouched for `seen` before.
    pub fn new(seen: impl IntoIterator<Item = SignedCheckpoint>) -> Self {
        let seen = seen.into_iter().map(|checkpoint| (log(&checkpoint), checkpoint)).collect();
        Self {
            seen,
            mine: None,
            vouched: BTreeSet::new(),
            peers: BTreeMap::new(),
            left: Left::default(),
            spent: Spent::default(),
        }
    }

    /// All that must be done because of `input`.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Connected(peer) => {
                let conduct = self.left.take(peer, now);
                self.forget(peer, now);
                let offers = self.spent.take(peer);
                let offers = offers.unwrap_or_else(|| Allowance::new(OFFERS_BURST, OFFERS_PER_SECOND, now));
                let state = Peer { conduct, offered: None, doubted: None, offers, is_proving: false };
                self.peers.insert(peer, state);
            }
            Input::Disconnected(peer) => self.forget(peer, now),
            Input::Received { peer, bytes } => self.received(peer, &bytes, now, &mut out),
            Input::Signed(checkpoint) => {
                if self.mine.replace(checkpoint) != Some(checkpoint) {
                    self.vouched.clear();
                }
            }
            Input::Proved { peer, growth, hashes } => self.proved(peer, growth, hashes, &mut out),
            Input::Vouched { peer, checkpoint, signature } => {
                self.vouched(peer, checkpoint, signature, &mut out);
            }
            Input::Tick => self.tick(now, &mut out),
        }
        self.offer(now, &mut out);
        out
    }

    /// What it holds that has a limit.
    pub fn held(&self) -> [Held; 4] {
        let mut logs = BTreeMap::<PublicKey, usize>::new();
        self.seen.keys().for_each(|log| *logs.entry(log.node).or_default() += 1);
        [
            Held::most("logs of one node that are witnessed", logs.into_values(), LOGS_PER_NODE),
            Held::new("peers that vouched for a checkpoint", self.vouched.len(), LEFT_MAX),
            Held::new("peers of witnessing that left", self.left.count(), LEFT_MAX),
            Held::new("peers that offered checkpoints and left", self.spent.count(), LEFT_MAX),
        ]
    }

    fn received(&mut self, peer: PublicKey, bytes: &[u8], now: Timestamp, out: &mut Vec<Output>) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        if let Err(flood) = state.conduct.receive(bytes.len(), now) {
            return self.blame(peer, flood, now, out);
        }
        match wire::decode(bytes) {
            Err(invalid) => self.blame(peer, invalid.into(), now, out),
            Ok(wire::Witness::Offer(checkpoint)) => self.offered(peer, checkpoint, now, out),
            Ok(wire::Witness::Prove(growth)) => self.asked(peer, growth, now, out),
            Ok(wire::Witness::Proof { growth, hashes }) => self.proof(peer, growth, &hashes, now, out),
            Ok(wire::Witness::Witnessed { size, at, signature }) => {
                self.witnessed(peer, (size, at), signature, now, out);
            }
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let is_late = |asked: Timestamp| now.since(asked) >= ANSWER_TIMEOUT;
        let late = |state: &Peer| state.doubted.and_then(|it| it.asked).is_some_and(is_late);
        let peers: Vec<PublicKey> =
            self.peers.iter().filter(|(_, it)| late(it)).map(|(peer, _)| *peer).collect();
        for peer in peers {
            self.peers.entry(peer).and_modify(|state| state.doubted = None);
            self.blame(peer, Misdeed::Stall, now, out);
        }
    }

    fn blame(&mut self, peer: PublicKey, misdeed: Misdeed, now: Timestamp, out: &mut Vec<Output>) {
        if self.peers.get_mut(&peer).is_some_and(|state| state.conduct.blame(misdeed, now)) {
            self.forget(peer, now);
            out.push(Output::Drop { peer, reason: misdeed });
        }
    }

    fn forget(&mut self, peer: PublicKey, now: Timestamp) {
        if let Some(state) = self.peers.remove(&peer) {
            self.left.keep(peer, state.conduct, now);
            self.spent.keep(peer, state.offers, now);
        }
    }
}

/// Which log a checkpoint is of: a node has one for each life of its folder, named as its feed is.
fn log(signed: &SignedCheckpoint) -> FeedId {
    FeedId { node: signed.checkpoint.node, incarnation: signed.checkpoint.incarnation }
}
