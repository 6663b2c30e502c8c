//! What a run did: the node that ran it is asked, and tells an account of it in pieces.
//!
//! Owns the questions that are open here, and how much of its own a node tells whom at a time. Decides nothing about
//! who may know what: that is the node's, for each piece anew. Keeps nothing of what came. Invariant: every question
//! ends, and what a peer can make this node read and hold is bounded, at a time and over time.

mod io;
mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;

use super::conduct::{Allowance, Conduct, LEFT_MAX, Left, Misdeed, Spent};
use super::held::Held;
use crate::wire;
use crate::wire::runs::{Piece, Question, Runs as Message, Withheld};
pub use io::{Input, NotRead, Output, ReadId, TellId};
use read::Reading;

/// How often the driver gives an [`Input::Tick`].
pub const TICK: Duration = super::sync::TICK;
/// Questions of this node that are open at a time.
pub const READINGS_MAX: usize = 8;
/// Those to one peer: their answers fit what it may have under way to this node.
pub const READINGS_PER_PEER: usize = 4;
/// How long a piece may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How often an account is read from its beginning again, because the run went on meanwhile.
pub const RESTARTS_MAX: u32 = 3;
/// Questions of one peer that wait.
pub const ASKED_PER_PEER: usize = 32;
/// Accounts that are being made at a time; one at most of each peer that asks.
pub const TELLING_MAX: usize = 4;
/// Pieces that a peer is told at once.
pub const TOLD_BURST: u64 = 64;
/// Pieces that a peer is told each second, over time; what it asks beyond that waits.
pub const TOLD_PER_SECOND: u64 = 8;

/// The reading and telling of runs of one node.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    peers: BTreeMap<PublicKey, Peer>,
    left: Left,
    /// What those who left may be told yet.
    spent: Spent,
    readings: BTreeMap<u64, Reading>,
    next_number: u64,
    /// Accounts that are being made, and for which question of whom; none for one who left.
    telling: BTreeMap<TellId, Option<(PublicKey, u64)>>,
    next_tell: TellId,
    /// Who was told last.
    told: Option<PublicKey>,
}

/// A connected member.
#[derive(Clone, Debug)]
struct Peer {
    conduct: Conduct,
    /// What it may be told.
    may: Allowance,
    /// What it asked: its number, what, and from where on.
    queue: VecDeque<(u64, Question, u32)>,
}

impl Runs {
    /// All that must be done because of `input`.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Connected(peer) => {
                self.forget(peer, now, &mut out);
                let may = self.spent.take(peer);
                let may = may.unwrap_or_else(|| Allowance::new(TOLD_BURST, TOLD_PER_SECOND, now));
                let conduct = self.left.take(peer, now);
                self.peers.insert(peer, Peer { conduct, may, queue: VecDeque::new() });
            }
            Input::Disconnected(peer) => self.forget(peer, now, &mut out),
            Input::Received { peer, bytes } => self.received(peer, &bytes, now, &mut out),
            Input::Read { read, peer, question } => self.read(read, peer, question, now, &mut out),
            Input::Told { tell, result } => self.told(tell, result, &mut out),
            Input::Tick => self.overdue(now, &mut out),
        }
        self.tell(now, &mut out);
        out
    }

    /// What it holds that has a limit.
    pub fn held(&self) -> [Held; 6] {
        let of_peer = |peer: &PublicKey| self.open(*peer);
        let queues = self.peers.values().map(|peer| peer.queue.len());
        [
            Held::new("runs being read", self.readings.len(), READINGS_MAX),
            Held::most("runs being read of one peer", self.peers.keys().map(of_peer), READINGS_PER_PEER),
            Held::most("questions of one peer about runs", queues, ASKED_PER_PEER),
            Held::new("accounts of runs being made", self.telling.len(), TELLING_MAX),
            Held::new("peers of runs that left", self.left.count(), LEFT_MAX),
            Held::new("peers that were told of runs and left", self.spent.count(), LEFT_MAX),
        ]
    }

    fn received(&mut self, peer: PublicKey, bytes: &[u8], now: Timestamp, out: &mut Vec<Output>) {
        // What was asked for may be long.
        let said = match wire::decode(bytes) {
            Ok(Message::Piece { number, piece }) if self.is_asked(number, peer) => {
                return self.came(number, &piece, now, out);
            }
            Ok(Message::Withheld { number, why }) if self.is_asked(number, peer) => {
                return self.end(number, Err(why.into()), out);
            }
            said => said,
        };
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let misdeed = match (state.conduct.receive(bytes.len(), now), said) {
            (Ok(()), Ok(Message::Ask { number, question, from })) if state.queue.len() < ASKED_PER_PEER => {
                return state.queue.push_back((number, question, from));
            }
            (Err(flood), _) => flood,
            (Ok(()), Ok(Message::Ask { .. })) => Misdeed::Flood,
            (Ok(()), Ok(Message::Piece { .. } | Message::Withheld { .. })) => Misdeed::Unasked,
            (Ok(()), Err(invalid)) => invalid.into(),
        };
        self.blame(peer, misdeed, now, out);
    }

    /// Has as many accounts made as may be at a time, for each peer in its turn.
    fn tell(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        while self.telling.len() < TELLING_MAX
            && let Some(peer) = self.next_to_tell(now)
            && let Some(state) = self.peers.get_mut(&peer)
            && let Some((number, question, from)) = state.queue.pop_front()
        {
            let tell = self.next_tell;
            self.next_tell += 1;
            self.telling.insert(tell, Some((peer, number)));
            self.told = Some(peer);
            out.push(Output::Tell { tell, peer, question, from });
        }
    }

    /// The next after the one that was told last who waits and may be told, which is then spent.
    fn next_to_tell(&mut self, now: Timestamp) -> Option<PublicKey> {
        let telling: Vec<PublicKey> = self.telling.values().flatten().map(|(peer, _)| *peer).collect();
        let waits = |(peer, state): &(&PublicKey, &Peer)| !state.queue.is_empty() && !telling.contains(*peer);
        let from = self.told.map_or(Unbounded, Excluded);
        let in_turn = self.peers.range((from, Unbounded)).chain(&self.peers).filter(waits);
        let in_turn: Vec<PublicKey> = in_turn.map(|(peer, _)| *peer).collect();
        let mut may = |peer: &PublicKey| self.peers.get_mut(peer).is_some_and(|it| it.may.spend(1, now));
        in_turn.into_iter().find(|peer| may(peer))
    }

    /// An account was made, for one who may have left meanwhile.
    fn told(&mut self, tell: TellId, result: Result<Piece, Withheld>, out: &mut Vec<Output>) {
        if let Some((peer, number)) = self.telling.remove(&tell).flatten() {
            let message = match result {
                Ok(piece) => Message::Piece { number, piece },
                Err(why) => Message::Withheld { number, why },
            };
            out.push(Output::Send { peer, message });
        }
    }

    /// A peer is gone. What it asked is forgotten, and what was asked of it is over.
    fn forget(&mut self, peer: PublicKey, now: Timestamp, out: &mut Vec<Output>) {
        let Some(state) = self.peers.remove(&peer) else { return };
        self.left.keep(peer, state.conduct, now);
        self.spent.keep(peer, state.may, now);
        let of_peer = self.telling.values_mut().filter(|of| of.is_some_and(|(asker, _)| asker == peer));
        of_peer.for_each(|of| *of = None);
        let open = self.readings.iter().filter(|(_, it)| it.peer == peer).map(|(number, _)| *number);
        for number in open.collect::<Vec<_>>() {
            self.end(number, Err(NotRead::Away), out);
        }
    }

    /// Counts a misdeed, and drops the peer when it was one too many.
    fn blame(&mut self, peer: PublicKey, misdeed: Misdeed, now: Timestamp, out: &mut Vec<Output>) {
        if self.peers.get_mut(&peer).is_some_and(|state| state.conduct.blame(misdeed, now)) {
            self.forget(peer, now, out);
            out.push(Output::Drop { peer, reason: misdeed });
        }
    }
}
