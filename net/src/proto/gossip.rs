//! News: what was just written reaches everybody at once.
//!
//! Owns what is published, what was heard before, and what a neighbour's news are worth. The mesh itself
//! (whom to forward to) is gossipsub's; a message is forwarded only after its verdict. What is lost here is
//! found by anti-entropy, so a node that writes faster than news may travel stays silent. Invariant: nothing
//! is verified twice, and what is remembered is bounded.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use xyn_store::audit::signature::PublicKey;
use xyn_store::{Digest, Timestamp};

use super::conduct::{Allowance, Conduct, LEFT_MAX, Left, Misdeed, Passed};
use super::held::Held;
use super::sync::Refused;
use crate::wire::{self, Frame, Known, News};

/// Messages that are remembered, so that they are not looked at again.
pub const SEEN_MAX: usize = 16_384;
/// Messages that are being verified at a time.
pub const VALIDATING_MAX: usize = 1024;
/// Bytes that this node publishes at once, and then each second.
pub const PUBLISHED_BYTES_BURST: u64 = 2 << 20;
/// Bytes that this node publishes each second, over time.
pub const PUBLISHED_BYTES_PER_SECOND: u64 = 512 << 10;

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// This node wrote a frame, durably.
    Wrote(News),
    /// A neighbour forwarded a message.
    Heard {
        /// Which neighbour, not which author.
        peer: PublicKey,
        /// A [`News`].
        bytes: Vec<u8>,
    },
    /// A neighbour said something in which there are no news: what it wants to hear, or what it could tell.
    Said(PublicKey),
    /// The answer to [`Output::Admit`].
    Admitted {
        /// Which message.
        id: Digest,
        /// Whether it is kept.
        result: Result<Fit, Refused>,
    },
    /// A neighbour is gone.
    Disconnected(PublicKey),
}

/// How a frame that verifies fits what is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It continues its feed, or was here already.
    Continues,
    /// Records before it are missing.
    Waits,
}

impl Fit {
    /// How a frame fits a feed that is known as far as this now.
    pub fn of(known: Known, frame: &Frame) -> Self {
        if known.seq() >= frame.to { Self::Continues } else { Self::Waits }
    }
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Forward it.
    Accept,
    /// Do not forward it; nobody is to blame.
    Ignore,
    /// Do not forward it, and think less of the neighbour.
    Reject,
}

/// What the driver must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Publish a message.
    Publish {
        /// A [`News`].
        bytes: Vec<u8>,
        /// How many records are in it.
        records: u64,
    },
    /// Verify and keep a frame, and answer with [`Input::Admitted`].
    Admit {
        /// Who forwarded it.
        peer: PublicKey,
        /// Which message.
        id: Digest,
        /// What it says.
        news: News,
    },
    /// Tell the mesh what a message is worth.
    Report {
        /// Which message.
        id: Digest,
        /// Who forwarded it.
        peer: PublicKey,
        /// What it is worth.
        verdict: Verdict,
    },
    /// Records are missing: compare feeds with this peer.
    Gap(PublicKey),
    /// Close the connection, shun the peer and say why in the log.
    Drop {
        /// Whose.
        peer: PublicKey,
        /// Why.
        reason: Misdeed,
    },
}

/// The news of one node.
#[derive(Clone, Debug)]
pub struct Gossip {
    seen: BTreeSet<Digest>,
    /// What was seen, the oldest first.
    order: VecDeque<Digest>,
    /// What is being verified.
    validating: BTreeMap<Digest, Forwarded>,
    peers: BTreeMap<PublicKey, Conduct>,
    left: Left,
    published: Allowance,
}

/// Who answers for a message.
#[derive(Clone, Copy, Debug)]
struct Forwarded {
    peer: PublicKey,
    author: PublicKey,
}

impl Gossip {
    /// A node that heard nothing yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            seen: BTreeSet::new(),
            order: VecDeque::new(),
            validating: BTreeMap::new(),
            peers: BTreeMap::new(),
            left: Left::default(),
            published: Allowance::new(PUBLISHED_BYTES_BURST, PUBLISHED_BYTES_PER_SECOND, now),
        }
    }

    /// All that must be done because of `input`.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        match input {
            Input::Wrote(news) => self.wrote(&news, now),
            Input::Heard { peer, bytes } => self.heard(peer, &bytes, now),
            // One that passes on much has something to say beside it.
            Input::Said(peer) => match self.conduct(peer, now).pass_on(0, now) {
                Ok(_) => Vec::new(),
                Err(flood) => self.blame(peer, flood, now),
            },
            Input::Admitted { id, result } => self.admitted(id, result, now),
            Input::Disconnected(peer) => {
                if let Some(conduct) = self.peers.remove(&peer) {
                    self.left.keep(peer, conduct, now);
                }
                Vec::new()
            }
        }
    }

    /// What it holds that has a limit.
    pub fn held(&self) -> [Held; 3] {
        [
            Held::new("messages remembered", self.order.len(), SEEN_MAX),
            Held::new("messages being verified", self.validating.len(), VALIDATING_MAX),
            Held::new("peers of gossip that left", self.left.count(), LEFT_MAX),
        ]
    }

    fn wrote(&mut self, news: &News, now: Timestamp) -> Vec<Output> {
        let bytes = wire::encode(news);
        // The mesh brings a node's own news back to it.
        self.remember(Digest::of(&bytes));
        match self.published.spend(bytes.len() as u64, now) {
            true => vec![Output::Publish { bytes, records: news.frame.count() }],
            false => Vec::new(),
        }
    }

    fn heard(&mut self, peer: PublicKey, bytes: &[u8], now: Timestamp) -> Vec<Output> {
        let id = Digest::of(bytes);
        let report = |verdict| Output::Report { id, peer, verdict };
        match self.conduct(peer, now).pass_on(bytes.len(), now) {
            Ok(Passed::On) => {}
            // What is lost so is found when feeds are compared.
            Ok(Passed::Over) => return vec![report(Verdict::Ignore)],
            Err(flood) => return [vec![report(Verdict::Ignore)], self.blame(peer, flood, now)].concat(),
        }
        if self.seen.contains(&id) {
            return vec![report(Verdict::Ignore)];
        }
        let news = match wire::decode::<News>(bytes) {
            Ok(news) => news,
            Err(invalid) => {
                return [vec![report(Verdict::Reject)], self.blame(peer, invalid.into(), now)].concat();
            }
        };
        if self.validating.len() == VALIDATING_MAX {
            // It is not remembered: the next neighbour who brings it may find a quieter moment.
            return vec![report(Verdict::Ignore), Output::Gap(peer)];
        }
        self.remember(id);
        self.validating.insert(id, Forwarded { peer, author: news.feed.node });
        vec![Output::Admit { peer, id, news }]
    }

    fn admitted(&mut self, id: Digest, result: Result<Fit, Refused>, now: Timestamp) -> Vec<Output> {
        let Some(Forwarded { peer, author }) = self.validating.remove(&id) else {
            return Vec::new();
        };
        let report = |verdict| Output::Report { id, peer, verdict };
        match result {
            Ok(Fit::Continues) => vec![report(Verdict::Accept)],
            Ok(Fit::Waits) => vec![report(Verdict::Accept), Output::Gap(peer)],
            // A fork, or a moment in which nothing can be kept: to compare feeds settles both.
            Err(Refused::Unlinked | Refused::Busy) => vec![report(Verdict::Ignore), Output::Gap(peer)],
            Err(Refused::Cut | Refused::Paced) => vec![report(Verdict::Ignore)],
            // Where records before it are missing, it is passed on by its signature alone.
            Err(Refused::Unfit { .. }) if peer != author => vec![report(Verdict::Ignore)],
            // It is no lie: it costs whoever passed it on nothing with gossip itself.
            Err(Refused::Newer | Refused::Unfit { is_newer: true }) => {
                [vec![report(Verdict::Ignore)], self.blame(peer, Misdeed::Newer, now)].concat()
            }
            Err(Refused::False | Refused::Unfit { is_newer: false }) => {
                [vec![report(Verdict::Reject)], self.blame(peer, Misdeed::Lie, now)].concat()
            }
        }
    }

    fn conduct(&mut self, peer: PublicKey, now: Timestamp) -> &mut Conduct {
        self.peers.entry(peer).or_insert_with(|| self.left.take(peer, now))
    }

    fn remember(&mut self, id: Digest) {
        if !self.seen.insert(id) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > SEEN_MAX {
            let oldest = self.order.pop_front();
            oldest.map(|id| self.seen.remove(&id));
        }
    }

    fn blame(&mut self, peer: PublicKey, misdeed: Misdeed, now: Timestamp) -> Vec<Output> {
        let is_last = match self.peers.get_mut(&peer) {
            Some(conduct) => conduct.blame(misdeed, now),
            // It left before the verdict.
            None => {
                let mut conduct = self.left.take(peer, now);
                let is_last = conduct.blame(misdeed, now);
                if !is_last {
                    self.left.keep(peer, conduct, now);
                }
                is_last
            }
        };
        if !is_last {
            return Vec::new();
        }
        self.peers.remove(&peer);
        vec![Output::Drop { peer, reason: misdeed }]
    }
}
