//! What must hold, all along and at the end.
//!
//! Owns the books: everything that was ever signed by its author, what was acknowledged, who closed on whom; and
//! the comparison of what nodes hold with what the books say. Changes nothing in the world. Invariant: every
//! violation names the node, the time and the step, so that it can be looked at again.

mod books;
mod broken;
mod content;
mod end;
#[cfg(test)]
mod tests;
mod tickets;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use xyn_net::proto::blobs::{ANSWERS_MAX, IN_FLIGHT_MAX, WAITING_MAX};
use xyn_net::proto::conduct::Misdeed;
use xyn_net::proto::gossip::{SEEN_MAX, VALIDATING_MAX};
use xyn_net::proto::sync::PULLS_MAX;
use xyn_net::wire::FEEDS_MAX;
use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::simulation::Dice;
use xyn_store::timeline::WAITING_MAX_BYTES;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{Cut, EnvId, TicketId};

use crate::node::chest::ROOM_BYTES;
use crate::node::process::UNHEARD_BYTES_MAX;
use crate::node::shelf::{Attempt, Note};
use crate::node::{Closing, Shelf, Talk};
use crate::world::Running;
pub(crate) use books::Books;
pub use broken::{Broken, Violation};
use words::Words;

/// Messages that a side of a connection sends in a minute of quiet: summaries, and then some.
pub const QUIET_MESSAGES_PER_MINUTE: u64 = 6;

/// Up to how many nodes every feed of every node is read back at the end; of more, those of the first.
const READ_BACK_MAX: usize = 16;

/// What was sent by whom, and who was dropped for what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Messages between nodes.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of them, messages of anti-entropy.
    pub sync_messages: u64,
    /// Connections that were closed, by reason.
    pub closed: BTreeMap<String, u64>,
}

/// The laws, and the books to judge by.
pub(crate) struct Check {
    env: EnvId,
    numbers: BTreeMap<PublicKey, usize>,
    bad: BTreeSet<usize>,
    dawn: Timestamp,
    pub(crate) books: Books,
    pub(crate) traffic: Traffic,
    pub(crate) step: u64,
    /// The first law that was broken.
    pub(crate) violation: Option<Violation>,
    pub(crate) entries: u64,
    pub(crate) words: Words,
    /// Who came in on each ticket.
    tickets: BTreeMap<TicketId, PublicKey>,
    /// Members whose folder was copied: what one copy did the other does not know.
    cloned: BTreeSet<usize>,
    /// Nodes that were let in.
    pub(crate) joined: u64,
    /// Pieces of content that came to where they were wanted.
    pub(crate) fetched: u64,
}

impl Check {
    pub(crate) fn new(
        env: EnvId,
        numbers: BTreeMap<PublicKey, usize>,
        (bad, cloned): (BTreeSet<usize>, BTreeSet<usize>),
        dawn: Timestamp,
    ) -> Self {
        Self {
            env,
            numbers,
            bad,
            dawn,
            books: Books::default(),
            traffic: Traffic::default(),
            step: 0,
            violation: None,
            entries: 0,
            words: Words::default(),
            tickets: BTreeMap::new(),
            cloned,
            joined: 0,
            fetched: 0,
        }
    }

    pub(crate) fn broke(&mut self, now: Timestamp, broken: Broken) {
        let at_micros = now.since(self.dawn).as_micros() as u64;
        self.violation.get_or_insert(Violation { at_micros, step: self.step, broken });
    }

    fn author(&self, feed: &FeedId) -> usize {
        self.numbers.get(&feed.node).copied().unwrap_or(usize::MAX)
    }

    fn is_honest(&self, node: usize) -> bool {
        !self.bad.contains(&node)
    }

    /// An author signed something.
    pub(crate) fn wrote(&mut self, node: usize, feed: FeedId, attempt: &Attempt) {
        self.entries += u64::from(attempt.is_kept);
        self.books.wrote(&self.env, feed, &attempt.frames, attempt.is_kept && self.is_honest(node));
    }

    /// A node's records changed, durably.
    pub(crate) fn noted(
        &mut self,
        now: Timestamp,
        node: usize,
        shelf: &Shelf,
        notes: &[Note],
        sure: &mut BTreeMap<FeedId, u64>,
    ) {
        for note in notes {
            let Note::Feed { feed, .. } = note else { continue };
            let Some(row) = shelf.timeline().and_then(|timeline| timeline.feed(feed)) else { continue };
            let (seq, author) = (row.head.seq, self.author(feed));
            sure.insert(*feed, seq);
            if !self.is_honest(node) {
                continue;
            }
            if seq > 0 && !self.books.is_signed(feed, seq, row.head.hash) {
                self.broke(now, Broken::Unauthorised { node, author, seq });
            }
            if let Some(seq) = row.fork.filter(|_| self.is_honest(author)) {
                self.broke(now, Broken::Accused { node, author, seq });
            }
            let cut = last_admitted(shelf.roster().cut(*feed));
            let seq = row.head.seq.min(row.limit.counts);
            if seq > cut {
                self.broke(now, Broken::PastCut { node, author, seq, cut });
            }
        }
    }

    /// A node was started over records of which it answered for `sure`.
    pub(crate) fn started(
        &mut self,
        now: Timestamp,
        node: usize,
        shelf: &Shelf,
        sure: &BTreeMap<FeedId, u64>,
    ) {
        for (feed, &seq) in sure {
            let has = shelf.timeline().and_then(|timeline| timeline.feed(feed)).map_or(0, |row| row.head.seq);
            if has < seq {
                self.broke(now, Broken::Lost { node, author: self.author(feed), seq });
            }
        }
    }

    pub(crate) fn closed(&mut self, now: Timestamp, node: usize, other: usize, why: Closing) {
        let reason = match why {
            Closing::Misdeed(misdeed) => misdeed.to_string(),
            Closing::NotAdmitted(_) => "it does not belong".to_owned(),
            Closing::Unable => "this node could not answer".to_owned(),
            Closing::Door(reason) => reason.to_string(),
        };
        if let Closing::Misdeed(misdeed) = why
            && self.is_honest(node)
            && self.is_honest(other)
            && is_never_innocent(misdeed)
        {
            self.broke(now, Broken::Framed { node, other, why: reason.clone() });
        }
        *self.traffic.closed.entry(reason).or_default() += 1;
    }

    pub(crate) fn sent(&mut self, node: usize, talk: Talk, bytes: usize) {
        self.traffic.messages += 1;
        self.traffic.bytes += bytes as u64;
        self.traffic.sync_messages += u64::from(talk == Talk::Sync && self.is_honest(node));
    }

    /// Everything that a node holds is within its limit.
    pub(crate) fn bounds(&mut self, now: Timestamp, node: usize, running: &Running) {
        let Running { shelf, process, chest } = running;
        let trade = &process.trade.core;
        let waiting = shelf.timeline().map_or(0, |timeline| timeline.waiting_bytes());
        let unheard = process.neighbours.values().copied().max().unwrap_or_default();
        let held = [
            ("bytes of frames that wait", waiting, WAITING_MAX_BYTES),
            ("bytes that one peer has not taken", unheard, UNHEARD_BYTES_MAX),
            ("feeds asked for", process.sync.asked(), PULLS_MAX),
            ("feeds that one peer announced", process.sync.announced(), FEEDS_MAX),
            ("messages remembered", process.gossip.remembered(), SEEN_MAX),
            ("messages being verified", process.gossip.validating(), VALIDATING_MAX),
            ("messages kept for forwarding", process.unjudged(), VALIDATING_MAX),
            ("bytes of content", chest.used_bytes(), ROOM_BYTES),
            ("bytes of content asked for", trade.in_flight_bytes() as usize, IN_FLIGHT_MAX as usize),
            ("blobs that wait for their turn", trade.waiting(), WAITING_MAX),
            ("answers on their way", trade.answering(), ANSWERS_MAX),
        ];
        for (what, size, limit) in held {
            if size > limit {
                self.broke(now, Broken::Overflow { node, what, size, limit });
            }
        }
    }

    /// An entry that somebody may talk about.
    pub(crate) fn some_entry(&self, dice: &mut Dice) -> Option<xyn_store::ids::EntryId> {
        self.books.some_entry(dice)
    }
}

/// The last record that a cut admits.
fn last_admitted(cut: Cut) -> u64 {
    match cut {
        Cut::Nowhere => u64::MAX,
        Cut::After { seq, .. } => seq,
        Cut::Everything => 0,
    }
}

/// What no honest peer does, however bad the line and whatever its disk does.
fn is_never_innocent(misdeed: Misdeed) -> bool {
    match misdeed {
        Misdeed::Lie | Misdeed::Flood | Misdeed::Malformed | Misdeed::Newer => true,
        Misdeed::Stall | Misdeed::Unasked | Misdeed::Empty => false,
    }
}
