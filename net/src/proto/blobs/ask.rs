//! Asking peers: who has a blob, by which manifest, and for its chunks.
//!
//! Owns the questions that are open. Invariant: none is forgotten: it is answered, given up, or its peer is
//! gone, and what it asked for is asked of somebody else.

use std::collections::{BTreeMap, BTreeSet};

use xyn_store::audit::signature::PublicKey;
use xyn_store::{Digest, Timestamp};

use super::fetch::{Fetch, Said, Stage};
use super::{ANSWER_TIMEOUT, AskId, Blobs, GREETING_BYTES, IN_FLIGHT_MAX, Output, PAUSE};
use crate::proto::conduct::Misdeed;
use crate::wire::blobs::{Ask, PAGE_BYTES_MAX};
use crate::wire::{self, Bounded};

/// A question that is open.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) peer: PublicKey,
    pub(super) object: Digest,
    pub(super) at: Timestamp,
    pub(super) what: What,
    /// What was asked for, in bytes.
    pub(super) bytes: u64,
    /// Its answer is being kept.
    pub(super) is_answered: bool,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// The manifest, from this byte on.
    Manifest(u32),
    /// Chunks, by their number among those that were missing.
    Chunks(Vec<usize>),
    /// Nobody waits for the answer any more. The peer has the question all the same.
    Nothing,
}

/// Bytes that are under way.
#[derive(Default)]
struct UnderWay {
    /// Of all: asked for and not kept yet.
    all: u64,
    /// Of each peer: asked for and not answered yet.
    of_peer: BTreeMap<PublicKey, u64>,
}

impl Asked {
    fn new(peer: PublicKey, object: Digest, what: What, bytes: u64, at: Timestamp) -> Self {
        Self { peer, object, at, what, bytes, is_answered: false }
    }
}

impl Blobs {
    /// Asks for as much as may be under way.
    pub(super) fn ask(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        self.search(now, out);
        self.turn_pages(now, out);
        let fetching = self.fetches.iter().filter(|fetch| matches!(fetch.stage, Stage::Fetching(_)));
        let sources: BTreeSet<PublicKey> = fetching.flat_map(Fetch::sources).collect();
        // In rounds, so that no peer takes the room of all.
        let mut has_asked = !sources.is_empty();
        let mut under_way = if has_asked { self.under_way() } else { UnderWay::default() };
        while has_asked {
            has_asked = false;
            for peer in &sources {
                has_asked |= self.ask_chunks(*peer, &mut under_way, now, out);
            }
        }
    }

    fn under_way(&self) -> UnderWay {
        let mut under_way = UnderWay { all: self.in_flight_bytes(), of_peer: BTreeMap::new() };
        for asked in self.asks.values().filter(|asked| !asked.is_answered) {
            *under_way.of_peer.entry(asked.peer).or_default() += asked.bytes;
        }
        under_way
    }

    /// Asks whoever has not said so yet whether it has what is wanted.
    fn search(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let peers: Vec<PublicKey> = self.peers.keys().copied().collect();
        for at in 0..self.fetches.len() {
            let fetch = &self.fetches[at];
            let object = fetch.object;
            let unknown: Vec<_> =
                peers.iter().copied().filter(|peer| fetch.is_unknown_at(*peer, now)).collect();
            for peer in unknown {
                let message = self.fetches[at].greeting();
                let asked = Asked::new(peer, object, What::Manifest(0), GREETING_BYTES.into(), now);
                if self.put(asked, message, out) {
                    self.fetches[at].said.insert(peer, Said::Asked);
                }
            }
        }
    }

    /// Asks for the next page of each manifest that comes.
    fn turn_pages(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        for at in 0..self.fetches.len() {
            out.extend(self.choose(at));
            let fetch = &self.fetches[at];
            let (object, root, Stage::Listing(list)) = (fetch.object, fetch.want.root, &fetch.stage) else {
                continue;
            };
            let (peer, from) = (list.by, list.bytes.len() as u32);
            let mut open = self.asks.values().filter(|asked| asked.object == object && asked.peer == peer);
            if open.any(|asked| matches!(asked.what, What::Manifest(_))) {
                continue;
            }
            let credit = PAGE_BYTES_MAX as u32;
            let message = Ask::Manifest { root, object, from, credit };
            self.put(Asked::new(peer, object, What::Manifest(from), credit.into(), now), message, out);
        }
    }

    /// Takes up another manifest, when nobody has the one by which a blob is fetched, or none is known.
    fn choose(&mut self, at: usize) -> Option<Output> {
        let fetch = &mut self.fetches[at];
        let is_settled = match fetch.stage {
            Stage::Searching => false,
            Stage::Listing(_) | Stage::Opening(_) | Stage::Assembling(_) => true,
            Stage::Fetching(_) => fetch.sources().next().is_some(),
        };
        let known = |(peer, said): (&PublicKey, &Said)| match said {
            Said::Has(name) if !fetch.is_refused(*name) => Some((*peer, *name)),
            _ => None,
        };
        let (by, name) = fetch.said.iter().find_map(known).filter(|_| !is_settled)?;
        let (opening, object) = (fetch.list(by, name), fetch.object);
        self.give_up(object, |what| matches!(what, What::Chunks(_)));
        opening
    }

    /// Waits no longer for the answers to such questions. Those that are not answered count as long as they are open:
    /// a peer has no more of them than it allows.
    pub(super) fn give_up(&mut self, object: Digest, is_such: impl Fn(&What) -> bool) {
        let is_meant = |asked: &Asked| asked.object == object && is_such(&asked.what);
        self.asks.retain(|_, asked| !asked.is_answered || !is_meant(asked));
        self.asks.values_mut().filter(|asked| is_meant(asked)).for_each(|asked| asked.what = What::Nothing);
    }

    /// Asks a peer for a parcel; answers whether it did.
    fn ask_chunks(
        &mut self,
        peer: PublicKey,
        under_way: &mut UnderWay,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(state) = self.peers.get(&peer).filter(|state| state.paused <= now) else {
            return false;
        };
        let UnderWay { all, of_peer } = under_way;
        let in_flight = of_peer.entry(peer).or_default();
        let fits = |room: &u64| *all == 0 || *all + room <= IN_FLIGHT_MAX;
        let Some(room) = state.room_bytes(*in_flight).filter(fits) else {
            return false;
        };
        let Some((at, which, bytes)) = self.pick(peer, room, now) else {
            return false;
        };
        let fetch = &mut self.fetches[at];
        let (object, root, Stage::Fetching(chunks)) = (fetch.object, fetch.want.root, &mut fetch.stage)
        else {
            return false;
        };
        let digests = Bounded::new(chunks.digests(&which)).expect("no more are picked than fit a question");
        let asked = Asked::new(peer, object, What::Chunks(which.clone()), bytes, now);
        let sent = self.put(asked, Ask::Chunks { root, chunks: digests }, out);
        if sent {
            *all += bytes;
            *in_flight += bytes;
        } else if let Stage::Fetching(chunks) = &mut self.fetches[at].stage {
            chunks.release(&which);
        }
        sent
    }

    /// What to ask a peer for: what nobody is asked for, or else what another peer is slow to send.
    fn pick(&mut self, peer: PublicKey, room: u64, now: Timestamp) -> Option<(usize, Vec<usize>, u64)> {
        for (at, fetch) in self.fetches.iter_mut().enumerate().filter(|(_, fetch)| fetch.is_source(peer)) {
            if let Stage::Fetching(chunks) = &mut fetch.stage {
                let (which, bytes) = chunks.take(room);
                if !which.is_empty() {
                    return Some((at, which, bytes));
                }
            }
        }
        let patience = self.peers.get(&peer)?.hedge_after();
        let slow = self
            .asks
            .values()
            .filter(|asked| asked.peer != peer && !asked.is_answered && now.since(asked.at) >= patience);
        for asked in slow {
            let mut fetches = self.fetches.iter_mut().enumerate();
            let fetch = fetches.find(|(_, fetch)| fetch.object == asked.object && fetch.is_source(peer));
            if let (Some((at, fetch)), What::Chunks(which)) = (fetch, &asked.what)
                && let Stage::Fetching(chunks) = &mut fetch.stage
            {
                let (which, bytes) = chunks.share(which, room);
                if !which.is_empty() {
                    return Some((at, which, bytes));
                }
            }
        }
        None
    }

    /// Asks a question, unless its peer is asked enough already; answers whether it did.
    fn put(&mut self, asked: Asked, message: Ask, out: &mut Vec<Output>) -> bool {
        let (peer, now) = (asked.peer, asked.at);
        let open = self.asks.values().filter(|other| other.peer == peer && !other.is_answered).count();
        let Some(state) = self.peers.get_mut(&peer) else {
            return false;
        };
        let may = state.may_be_asked(wire::encode(&message).len(), open, now);
        if may {
            let ask: AskId = self.next_ask;
            self.next_ask += 1;
            self.asks.insert(ask, asked);
            out.push(Output::Ask { peer, ask, message });
        }
        may
    }

    /// What a question asked for is to be asked of somebody else.
    pub(super) fn release(&mut self, asked: &Asked) {
        let Some(fetch) = self.fetch(asked.object) else {
            return;
        };
        match (&asked.what, &mut fetch.stage) {
            (What::Chunks(which), Stage::Fetching(chunks)) => chunks.release(which),
            (What::Manifest(_), Stage::Listing(list)) if list.by == asked.peer => fetch.search(),
            _ => {}
        }
    }

    /// Gives up on answers that did not come, so that others can be asked.
    pub(super) fn overdue(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let late =
            self.asks.extract_if(.., |_, asked| !asked.is_answered && now.since(asked.at) >= ANSWER_TIMEOUT);
        let late: Vec<Asked> = late.map(|(_, asked)| asked).collect();
        for asked in late {
            self.release(&asked);
            self.unanswered(&asked, now);
            // Several answers that are late at once are one stall.
            if let Some(state) = self.peers.get_mut(&asked.peer)
                && state.paused <= now
            {
                state.paused = now.after(PAUSE);
                state.slow_down();
                self.blame(asked.peer, Misdeed::Stall, now, out);
            }
        }
    }
}
