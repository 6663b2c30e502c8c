//! Records that no honest node writes: in the name of others, with what others changed, two under one number, and under
//! keys that ended.

use std::sync::Arc;

use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::frame::Frame as Sealed;
use xyn_store::timeline::hlc::Hlc;
use xyn_store::timeline::record::{Body, Content, NO_RECORD, Place, Record};
use xyn_store::timeline::{Bytes, Saying};
use xyn_store::{Digest, Timestamp};

use super::World;
use crate::node::shelf::Attempt;

impl World {
    /// A record in another node's name, as the next of its feed or of one it never had.
    pub(super) fn forge(&mut self, node: usize) {
        let clock = self.machines[node].clock(self.now);
        let count = self.machines.len() as u64;
        let victim = self.machines[node].dice.below(count) as usize;
        if victim == node {
            return;
        }
        let feed = self.machines[victim].feed();
        let head = self.head_of(node, feed);
        let forged = record(self.people.env().root(), feed, head, clock, b"forged");
        let own = self.people.key(node);
        let frame = Sealed::seal(own, self.people.env().root(), vec![forged]).map(|frame| frame.encode());
        if let Some(bytes) = frame {
            self.spread(node, feed, &bytes, |_| true);
        }
    }

    /// A change of somebody else in a record of its own, well signed: of a board, or of an entry. Answers whether
    /// there was such a change.
    pub(crate) fn impersonate(&mut self, node: usize, is_board: bool) -> bool {
        let machine = &mut self.machines[node];
        let (clock, feed) = (machine.clock(self.now), machine.feed());
        let Some(body) = self.check.books.change_of_others(feed.node, is_board, &mut machine.dice) else {
            return false;
        };
        let env = self.people.env().root();
        let stolen = writes(env, feed, self.head_of(node, feed), clock, body);
        let Some(frame) = Sealed::seal(self.people.key(node), env, vec![stolen]) else { return false };
        self.spread(node, feed, &frame.encode(), |_| true);
        true
    }

    /// Two records under one number, each for half of the neighbours.
    pub(super) fn equivocate(&mut self, node: usize) {
        let clock = self.machines[node].clock(self.now);
        let feed = self.machines[node].feed();
        let head = self.head_of(node, feed);
        let other = record(self.people.env().root(), feed, head, clock, b"the other one");
        let key = Arc::clone(self.people.key(node));
        let Some(other) = Sealed::seal(&key, self.people.env().root(), vec![other]) else { return };
        let other = other.encode();
        let Some(running) = self.machines[node].running.as_mut() else { return };
        running.shelf.say(clock, vec![Saying::Statement(b"the one".to_vec())]);
        let said = running.shelf.attempts();
        said.iter().for_each(|attempt| self.check.wrote(self.now, node, feed, attempt));
        let Some(one) = said.last() else { return };
        let frames = vec![other.clone()];
        self.check.wrote(self.now, node, feed, &Attempt { frames, is_kept: false });
        self.act(node, |_, _| {});
        one.frames.iter().for_each(|bytes| self.spread(node, feed, bytes, |other| other % 2 == 0));
        self.spread(node, feed, &other, |other| other % 2 == 1);
    }

    /// One who was revoked and signs all the same.
    pub(super) fn defy(&mut self, node: usize) {
        let clock = self.machines[node].clock(self.now);
        let feed = self.machines[node].feed();
        let (seq, prev) = self.books_head(feed);
        let more = record(self.people.env().root(), feed, (seq, prev), clock, b"still here");
        let key = Arc::clone(self.people.key(node));
        let Some(frame) = Sealed::seal(&key, self.people.env().root(), vec![more]) else { return };
        let bytes = frame.encode();
        self.check.wrote(self.now, node, feed, &Attempt { frames: vec![bytes.clone()], is_kept: false });
        self.spread(node, feed, &bytes, |_| true);
    }

    /// One who got hold of a key that another gave up.
    pub(super) fn steal(&mut self, node: usize) {
        let (clock, count) = (self.machines[node].clock(self.now), self.machines.len() as u64);
        let victim = self.machines[node].dice.below(count) as usize;
        let [.., old, _] = self.people.keys(victim) else { return };
        let (key, env) = (Arc::clone(old), self.people.env().root());
        let feed = FeedId { node: key.public(), incarnation: self.machines[victim].incarnation };
        let head = self.books_head(feed);
        let stolen = record(env, feed, head, clock, b"as if I were you");
        let Some(frame) = Sealed::seal(&key, env, vec![stolen]) else { return };
        let bytes = frame.encode();
        self.check.wrote(self.now, node, feed, &Attempt { frames: vec![bytes.clone()], is_kept: false });
        self.check.stolen.insert((feed, head.0 + 1));
        self.spread(node, feed, &bytes, |_| true);
    }

    fn books_head(&self, feed: FeedId) -> (u64, Digest) {
        self.check.books.last(&feed).unwrap_or((0, NO_RECORD))
    }

    fn head_of(&self, node: usize, feed: FeedId) -> (u64, Digest) {
        let running = self.machines[node].running.as_ref();
        let row = running.and_then(|it| it.shelf.timeline()).and_then(|timeline| timeline.feed(&feed));
        row.map_or((0, NO_RECORD), |row| (row.head.seq, row.head.hash))
    }
}

/// A record that says these words.
pub(crate) fn record(
    env: PublicKey,
    feed: FeedId,
    head: (u64, Digest),
    now: Timestamp,
    words: &[u8],
) -> Record {
    writes(env, feed, head, now, Body::Statement(Bytes(words.to_vec())))
}

fn writes(env: PublicKey, feed: FeedId, (seq, prev): (u64, Digest), now: Timestamp, body: Body) -> Record {
    let place = Place { env, feed, seq: seq + 1, prev };
    place.write(Content { hlc: Hlc::at(now), body }).expect("what fitted a record, and a few words, fit one")
}
