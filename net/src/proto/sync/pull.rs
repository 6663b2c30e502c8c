//! Asking for what is missing.
//!
//! Owns which feed is asked of whom, from which record, and what an answer must look like. Verifies no
//! record. Invariant: what has been asked for and not been kept yet is bounded, in all and for each peer.

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;

use super::announced::missing;
use super::{ANSWER_TIMEOUT, CREDIT_BYTES, Output, PAUSE, PULLS_MAX, PULLS_PER_PEER, Proof, Refused, Sync};
use crate::proto::conduct::Misdeed;
use crate::wire::{self, FRAME_BYTES_MAX, Frame, Known};

/// Something asked of a peer.
#[derive(Clone, Debug)]
pub(super) struct Pull {
    pub(super) peer: PublicKey,
    feed: FeedId,
    what: What,
    stage: Stage,
    ahead: Ahead,
}

/// The records behind those that are being verified: asked for meanwhile, so that neither end waits for the
/// other.
#[derive(Clone, Debug)]
enum Ahead {
    Unasked,
    Asked(Timestamp),
    /// They came, and wait for their turn.
    Here(Vec<Frame>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The records after this one.
    Records(u64),
    /// That the feed forked.
    Proof,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The peer was asked.
    Asked(Timestamp),
    /// Its answer, which ends with this record, is being verified.
    Answered(u64),
}

impl Pull {
    fn new(peer: PublicKey, feed: FeedId, what: What, stage: Stage) -> Self {
        Self { peer, feed, what, stage, ahead: Ahead::Unasked }
    }

    pub(super) fn is_being_admitted(&self) -> bool {
        matches!(self.stage, Stage::Answered(_))
    }

    /// Whether `message` from `peer` is the answer.
    pub(super) fn awaits(&self, peer: PublicKey, message: &wire::Sync) -> bool {
        let answers = match (message, self.what, self.stage, &self.ahead) {
            (wire::Sync::Frames { after, .. }, What::Records(asked), Stage::Asked(_), _) => *after == asked,
            (wire::Sync::Frames { after, .. }, _, Stage::Answered(to), Ahead::Asked(_)) => *after == to,
            (wire::Sync::Proof { .. }, What::Proof, Stage::Asked(_), _) => true,
            _ => false,
        };
        answers && self.peer == peer && message.feed() == Some(self.feed)
    }

    /// Its peer is gone: what it sent is still being verified, and nothing more comes.
    pub(super) fn is_left_alone(&mut self) -> bool {
        self.ahead = Ahead::Unasked;
        self.is_being_admitted()
    }

    fn is_overdue(&self, now: Timestamp) -> bool {
        matches!(self.stage, Stage::Asked(at) if now.since(at) >= ANSWER_TIMEOUT)
    }
}

impl Sync {
    /// Asks for as much as may be under way.
    pub(super) fn pull(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        if now < self.paused {
            return;
        }
        let peers: Vec<PublicKey> = self.peers.keys().copied().collect();
        for peer in peers {
            let busy = self.pulls.values().filter(|pull| pull.peer == peer).count();
            let free = (PULLS_MAX - self.pulls.len()).min(PULLS_PER_PEER.saturating_sub(busy));
            for (feed, what) in self.choose(peer, free, now) {
                let message = match what {
                    What::Records(after) => wire::Sync::Want { feed, after, credit: CREDIT_BYTES },
                    What::Proof => wire::Sync::WantProof { feed },
                };
                self.pulls.insert(feed, Pull::new(peer, feed, what, Stage::Asked(now)));
                out.push(Output::Send { peer, message });
            }
        }
    }

    /// The next things to ask of a peer, no faster than it hears questions.
    fn choose(&mut self, peer: PublicKey, count: usize, now: Timestamp) -> Vec<(FeedId, What)> {
        let Self { peers, vector, roster, pulls, .. } = self;
        let Some(state) = peers.get_mut(&peer).filter(|state| state.paused <= now) else {
            return Vec::new();
        };
        let is_idle = |feed: &FeedId| !pulls.contains_key(feed);
        let wanted = state.has.questions(is_idle, |feed| (vector.get(feed), roster.cut(feed)));
        wanted.take(count).take_while(|_| state.questions.spend(1, now)).collect()
    }

    pub(super) fn frames(
        &mut self,
        peer: PublicKey,
        feed: FeedId,
        after: u64,
        frames: Vec<Frame>,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let Some(pull) = self.pulls.get_mut(&feed) else {
            return;
        };
        match (frames.is_empty(), pull.is_being_admitted()) {
            (false, _) if !continues(&frames, after) => self.blame(peer, Misdeed::Lie, now, out),
            (false, true) => pull.ahead = Ahead::Here(frames),
            (true, true) => pull.ahead = Ahead::Unasked,
            // Those before were not kept after all: they are asked for again, and then these.
            (false, false) if self.vector.get(feed).seq() < after => drop(self.pulls.remove(&feed)),
            (false, false) => self.admit(peer, feed, after, frames, now, out),
            (true, false) => {
                self.pulls.remove(&feed);
                self.disappointed(peer, feed, now, out);
            }
        }
    }

    /// Has frames verified, and asks meanwhile for those behind them.
    fn admit(
        &mut self,
        peer: PublicKey,
        feed: FeedId,
        after: u64,
        frames: Vec<Frame>,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let to = frames.last().map_or(after, |last| last.to);
        let mut pull = Pull::new(peer, feed, What::Records(after), Stage::Answered(to));
        if self.has_behind(peer, feed, to, now) {
            pull.ahead = Ahead::Asked(now);
            let message = wire::Sync::Want { feed, after: to, credit: CREDIT_BYTES };
            out.push(Output::Send { peer, message });
        }
        self.pulls.insert(feed, pull);
        out.push(Output::Admit { peer, feed, frames });
    }

    /// Whether more would be asked of a peer if the records up to `to` were here.
    fn has_behind(&self, peer: PublicKey, feed: FeedId, to: u64, now: Timestamp) -> bool {
        let state = self.peers.get(&peer).filter(|state| state.paused.max(self.paused) <= now);
        let Some(theirs) = state.and_then(|state| state.has.get(feed)) else {
            return false;
        };
        let mine = self.vector.get(feed).come_to(to);
        missing(mine, theirs, self.roster.cut(feed), 0) == Some(What::Records(to))
    }

    pub(super) fn proof(&mut self, peer: PublicKey, feed: FeedId, proof: Proof, out: &mut Vec<Output>) {
        self.pulls.insert(feed, Pull::new(peer, feed, What::Proof, Stage::Answered(0)));
        out.push(Output::AdmitProof { peer, feed, proof });
    }

    pub(super) fn admitted(
        &mut self,
        peer: PublicKey,
        feed: FeedId,
        result: Result<Known, Refused>,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let Some(pull) = self.pulls.remove(&feed) else {
            return;
        };
        let before = self.vector.get(feed);
        match (result, pull.what, pull.stage) {
            (Ok(known), What::Records(_), Stage::Answered(to)) if known == before => {
                self.learned_nothing(peer, feed, to, now, out);
            }
            (Ok(known), ..) if known == before => self.disappointed(peer, feed, now, out),
            (Ok(known), ..) => {
                self.step_back(peer, feed, 0);
                self.know(feed, known);
            }
            (Err(Refused::Unlinked), What::Records(after), _) if after > 0 => {
                let back = before.seq().saturating_sub(after).max(1);
                self.step_back(peer, feed, back.saturating_mul(2));
            }
            (Err(Refused::Newer | Refused::Unfit { is_newer: true }), ..) => {
                self.set_aside(peer, feed);
                self.blame(peer, Misdeed::Newer, now, out);
            }
            // What is answered with counts where it comes from: it was verified there.
            (Err(Refused::False | Refused::Unfit { is_newer: false } | Refused::Unlinked), ..) => {
                self.blame(peer, Misdeed::Lie, now, out);
            }
            (Err(Refused::Cut), ..) => self.disappointed(peer, feed, now, out),
            (Err(Refused::Paced), ..) => self.paced(peer, feed),
            (Err(Refused::Busy), ..) => self.paused = now.after(PAUSE),
        }
        self.go_on(pull, now, out);
    }

    /// Takes up what was asked for ahead of what was just verified.
    fn go_on(&mut self, pull: Pull, now: Timestamp, out: &mut Vec<Output>) {
        let Pull { peer, feed, stage: Stage::Answered(to), ahead, .. } = pull else {
            return;
        };
        match ahead {
            Ahead::Here(frames) if to <= self.vector.get(feed).seq() && self.peers.contains_key(&peer) => {
                self.admit(peer, feed, to, frames, now, out);
            }
            // Its answer comes, of use or not.
            Ahead::Asked(at) if self.peers.contains_key(&peer) => {
                self.pulls.insert(feed, Pull::new(peer, feed, What::Records(to), Stage::Asked(at)));
            }
            _ => {}
        }
    }

    /// Frames up to record `to` were kept, and nothing is new.
    fn learned_nothing(
        &mut self,
        peer: PublicKey,
        feed: FeedId,
        to: u64,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let mine = self.vector.get(feed);
        let theirs = self.peers.get(&peer).and_then(|state| state.has.get(feed));
        let came_otherwise = theirs.is_none_or(|theirs| !mine.lacks_records(theirs));
        // News may have been faster. Or the author forked its feed, and this was from before that.
        let more_ahead = to < mine.seq() || to == mine.seq() && theirs.is_some_and(|it| it.seq() > to);
        if came_otherwise || more_ahead {
            self.step_back(peer, feed, mine.seq().saturating_sub(to));
        } else {
            self.disappointed(peer, feed, now, out);
        }
    }

    /// Asks a peer for a feed from `back` records before the last one here on.
    fn step_back(&mut self, peer: PublicKey, feed: FeedId, back: u64) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.has.step_back(feed, back);
        }
    }

    /// A peer did not have what it announced, or nothing of it could be used.
    fn disappointed(&mut self, peer: PublicKey, feed: FeedId, now: Timestamp, out: &mut Vec<Output>) {
        self.set_aside(peer, feed);
        self.blame(peer, Misdeed::Empty, now, out);
    }

    /// Asks for nothing of a feed until the peer says again that it has it.
    fn set_aside(&mut self, peer: PublicKey, feed: FeedId) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.has.forget(feed);
        }
    }

    /// The author of a feed wrote too much. Where it is a new feed, too many may be new.
    fn paced(&mut self, peer: PublicKey, feed: FeedId) {
        let Self { peers, vector, .. } = self;
        let is_new = |feed| vector.get(feed) == Known::default();
        if let Some(state) = peers.get_mut(&peer).filter(|_| is_new(feed)) {
            state.has.forget_new(feed.node, is_new);
        }
        self.set_aside(peer, feed);
    }

    /// Gives up on answers that did not come, so that others can be asked.
    pub(super) fn overdue(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let late: Vec<(FeedId, PublicKey)> = self
            .pulls
            .iter()
            .filter(|(_, pull)| pull.is_overdue(now))
            .map(|(feed, it)| (*feed, it.peer))
            .collect();
        for (feed, peer) in late {
            self.pulls.remove(&feed);
            let Some(state) = self.peers.get_mut(&peer) else {
                continue;
            };
            // Several answers that are late at once are one stall.
            if state.paused <= now {
                state.paused = now.after(PAUSE);
                self.blame(peer, Misdeed::Stall, now, out);
            }
        }
    }
}

/// Whether frames follow record `after`, one another, and the credit that was given.
fn continues(frames: &[Frame], after: u64) -> bool {
    let follow = frames.windows(2).all(|pair| pair[0].to.checked_add(1) == Some(pair[1].from));
    let ordered = frames.iter().all(|frame| frame.from <= frame.to);
    let begins = frames.first().is_some_and(|first| first.from > 0 && first.from <= after.saturating_add(1));
    let ends = frames.last().is_some_and(|last| last.to > after);
    let bytes: usize = frames.iter().map(|frame| frame.bytes.len()).sum();
    follow && ordered && begins && ends && bytes <= FRAME_BYTES_MAX.max(CREDIT_BYTES as usize)
}
