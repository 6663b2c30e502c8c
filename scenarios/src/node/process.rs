//! A running node: the cores, fed as the driver feeds them.
//!
//! Owns what a process knows and a crash takes. Invariant: a core is told of a feed only what is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use xyn_net::proto::blobs;
use xyn_net::proto::conduct::{MESSAGE_OVERHEAD_BYTES, Misdeed, Shunned, UNHEARD_BYTES_MAX};
use xyn_net::proto::contacts::{self, Contacts};
use xyn_net::proto::gossip::{self, Fit, Gossip, Verdict};
use xyn_net::proto::held::Held;
use xyn_net::proto::join::{Door, door};
use xyn_net::proto::seats::Seats;
use xyn_net::proto::sync::{self, Sync};
use xyn_net::proto::witness::{self, Witness};
use xyn_net::wire::{self, Frame, News, Payload};
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::frame::Frame as Sealed;
use xyn_store::{Digest, StoreError, Timestamp};

use super::shelf::{Note, Shelf};
use super::trade::Trade;
use super::{Closing, Done, Effect, Intake, Job, Talk};

/// The cores of a running node.
pub(crate) struct Process {
    pub(crate) sync: Sync,
    pub(crate) gossip: Gossip,
    pub(crate) trade: Trade,
    door: Door,
    pub(super) witness: Witness,
    /// Where nodes learn from each other where the others are.
    pub(crate) contacts: Option<Contacts>,
    /// When its log was signed last.
    pub(super) signed_at: Timestamp,
    pub(crate) seats: Seats,
    pub(crate) shunned: Shunned,
    /// Connected members, and the bytes that each has not taken yet.
    pub(crate) neighbours: BTreeMap<PublicKey, usize>,
    /// When the first certificate of the roster runs out, or ran out: before that, only a new roster turns anybody away.
    first_expiry: Option<Timestamp>,
    /// Messages that wait for their verdict.
    heard: BTreeMap<Digest, Arc<[u8]>>,
    /// The message that is being looked at.
    hearing: Option<Arc<[u8]>>,
    pub(super) effects: Vec<Effect>,
    /// Bytes of messages that one peer may leave untaken.
    pub(crate) unheard_bytes_max: usize,
    /// It gives its word for whatever it is offered.
    #[cfg(test)]
    pub(crate) is_obliging: bool,
}

impl Process {
    /// A process that has just been started over `shelf`.
    pub(crate) fn start(me: PublicKey, shelf: &Shelf, now: Timestamp) -> Result<Self, StoreError> {
        Ok(Self {
            sync: Sync::new(me, Arc::clone(shelf.roster()), shelf.feeds()?),
            gossip: Gossip::new(now),
            trade: Trade::default(),
            door: Door::new(me, now),
            witness: Witness::new(shelf.vouched()?),
            contacts: None,
            signed_at: Timestamp::EPOCH,
            seats: Seats::default(),
            shunned: Shunned::default(),
            neighbours: BTreeMap::new(),
            first_expiry: shelf.roster().first_expiry(),
            heard: BTreeMap::new(),
            hearing: None,
            effects: Vec::new(),
            unheard_bytes_max: UNHEARD_BYTES_MAX,
            #[cfg(test)]
            is_obliging: false,
        })
    }

    /// What is to be done since this was asked last.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Messages that wait for their verdict.
    pub(crate) fn unjudged(&self) -> usize {
        self.heard.len()
    }

    /// What the cores hold that has a limit.
    pub(crate) fn held(&self) -> impl Iterator<Item = Held> {
        let cores = self.sync.held().into_iter().chain(self.gossip.held()).chain(self.trade.core.held());
        let contacts = self.contacts.iter().flat_map(Contacts::held);
        cores.chain(self.witness.held()).chain(contacts).chain([self.door.held(), self.shunned.held()])
    }

    pub(crate) fn connected(&mut self, peer: PublicKey, now: Timestamp) {
        self.neighbours.insert(peer, 0);
        self.seats.came(peer);
        self.sync(sync::Input::Connected(peer), now);
        self.blobs(blobs::Input::Connected(peer), now);
        self.witness(witness::Input::Connected(peer), now);
        self.contacts(contacts::Input::Connected(peer), now);
    }

    pub(crate) fn disconnected(&mut self, peer: PublicKey, now: Timestamp) {
        self.door(door::Input::Disconnected(peer), now);
        if self.neighbours.remove(&peer).is_some() {
            self.sync(sync::Input::Disconnected(peer), now);
            self.gossip(gossip::Input::Disconnected(peer), now);
            self.hang_up(peer, now);
            self.witness(witness::Input::Disconnected(peer), now);
            self.contacts(contacts::Input::Disconnected(peer), now);
        }
    }

    /// A message came. Answers whether it is news that is passed over, as what was heard before is.
    pub(crate) fn received(
        &mut self,
        talk: Talk,
        peer: PublicKey,
        bytes: &Arc<[u8]>,
        now: Timestamp,
    ) -> bool {
        match talk {
            Talk::Join => self.door(door::Input::Received { peer, bytes: bytes.to_vec() }, now),
            // All else is for members.
            _ if !self.neighbours.contains_key(&peer) => {}
            Talk::Sync => self.sync(sync::Input::Received { peer, bytes: bytes.to_vec() }, now),
            Talk::News => {
                self.hearing = Some(Arc::clone(bytes));
                let is_passed_over = self.gossip(gossip::Input::Heard { peer, bytes: bytes.to_vec() }, now);
                self.hearing = None;
                return is_passed_over;
            }
            Talk::Witness => self.heard_of_logs(peer, bytes, now),
            Talk::Contacts => self.contacts(contacts::Input::Received { peer, bytes: bytes.to_vec() }, now),
            Talk::Ask(number) => self.was_asked(peer, number, bytes, now),
            Talk::Answer(number) => self.was_answered(peer, number, bytes, now),
        }
        false
    }

    /// A message was taken, or was given up.
    pub(crate) fn told(&mut self, peer: PublicKey, bytes: usize) {
        if let Some(unheard) = self.neighbours.get_mut(&peer) {
            *unheard = unheard.saturating_sub(bytes + MESSAGE_OVERHEAD_BYTES);
        }
    }

    pub(crate) fn tick(&mut self, shelf: &Shelf, now: Timestamp) {
        self.sync(sync::Input::Tick, now);
        self.wait_for_content(now);
        self.contacts(contacts::Input::Tick, now);
        self.door(door::Input::Tick, now);
        if self.first_expiry.is_some_and(|at| at <= now) {
            self.close_misplaced(shelf, now);
        }
    }

    /// This node wrote frames.
    pub(crate) fn wrote(&mut self, feed: FeedId, frames: &[Vec<u8>], now: Timestamp) {
        for bytes in frames {
            let span = Sealed::span(bytes).zip(Payload::new(bytes));
            if let Some(((_, from, to), bytes)) = span {
                let news = News { feed, frame: Frame { from, to, bytes } };
                self.gossip(gossip::Input::Wrote(news), now);
            }
        }
    }

    /// What changed on the shelf.
    pub(crate) fn noted(&mut self, notes: &[Note], shelf: &Shelf, now: Timestamp) {
        for note in notes {
            match note {
                Note::Feed { is_answer: true, .. } | Note::PastCut { .. } => {}
                Note::Feed { feed, known, .. } => {
                    self.sync(sync::Input::Grew { feed: *feed, known: *known }, now);
                }
                Note::Roster(roster) => {
                    self.sync(sync::Input::Roster(Arc::clone(roster)), now);
                    self.contacts(contacts::Input::Roster(Arc::clone(roster)), now);
                    self.close_misplaced(shelf, now);
                }
            }
        }
    }

    pub(crate) fn done(&mut self, done: Done, now: Timestamp) {
        match done {
            Done::Read { peer, feed, after, frames } => {
                self.sync(sync::Input::Read { peer, feed, after, frames }, now);
            }
            Done::ReadProof { peer, feed, proof: Some(proof) } => {
                self.sync(sync::Input::ReadProof { peer, feed, proof }, now);
            }
            // As the driver has it: what waits for this waits no longer when the connection ends.
            Done::ReadProof { peer, proof: None, .. } => self.close(peer, Closing::Unable),
            Done::Admitted { peer, feed, result } => {
                self.sync(sync::Input::Admitted { peer, feed, result }, now);
            }
            Done::Heard { id, news, result } => {
                let fit = result.map(|known| Fit::of(known, &news.frame));
                if let Ok(known) = result {
                    self.sync(sync::Input::Grew { feed: news.feed, known }, now);
                }
                self.gossip(gossip::Input::Admitted { id, result: fit }, now);
                self.heard.remove(&id);
            }
            Done::Seen(seen) => self.seen(seen, now),
            Done::Content(fetched) => self.fetched(fetched, now),
        }
    }

    pub(crate) fn door(&mut self, input: door::Input, now: Timestamp) {
        for output in self.door.handle(input, now) {
            match output {
                door::Output::Send { peer, message } => {
                    let bytes = wire::encode(&message).into();
                    self.effects.push(Effect::Send { peer, talk: Talk::Join, bytes });
                }
                door::Output::Redeem { peer, request } => {
                    self.work(Job::Redeem { peer, request: Box::new(request) });
                }
                door::Output::Close { peer, reason: door::Closing::Answered } => {
                    self.effects.push(Effect::Farewell(peer));
                }
                door::Output::Close { peer, reason } => self.close(peer, Closing::Door(reason)),
            }
        }
    }

    /// Closes the connections to those whom the roster, which is new or of which a certificate ran out, admits no more.
    fn close_misplaced(&mut self, shelf: &Shelf, now: Timestamp) {
        self.first_expiry = shelf.roster().first_expiry();
        let misplaced = |peer: &PublicKey| Some((*peer, self.seats.admit(shelf.roster(), *peer, now).err()?));
        let misplaced: Vec<_> = self.neighbours.keys().filter_map(misplaced).collect();
        for (peer, why) in misplaced {
            self.close(peer, Closing::NotAdmitted(why));
        }
    }

    pub(super) fn close(&mut self, peer: PublicKey, why: Closing) {
        self.effects.push(Effect::Close { peer, why });
    }

    pub(super) fn drop_peer(&mut self, peer: PublicKey, misdeed: Misdeed, now: Timestamp) {
        self.shunned.shun(peer, now);
        self.close(peer, Closing::Misdeed(misdeed));
    }

    fn sync(&mut self, input: sync::Input, now: Timestamp) {
        for output in self.sync.handle(input, now) {
            match output {
                sync::Output::Send { peer, message } => {
                    self.send(Talk::Sync, peer, wire::encode(&message).into(), now);
                }
                sync::Output::Read { peer, feed, after, to, credit } => {
                    self.work(Job::Read { peer, feed, after, to, credit });
                }
                sync::Output::ReadProof { peer, feed } => self.work(Job::ReadProof { peer, feed }),
                sync::Output::Admit { peer, feed, frames } => {
                    self.effects.push(Effect::HandIn(Intake::Pulled { peer, feed, frames }));
                }
                sync::Output::AdmitProof { peer, feed, proof } => {
                    self.work(Job::AdmitProof { peer, feed, proof });
                }
                sync::Output::Drop { peer, reason } => self.drop_peer(peer, reason, now),
            }
        }
    }

    /// Answers whether news are passed over: nobody hears of them through this node.
    fn gossip(&mut self, input: gossip::Input, now: Timestamp) -> bool {
        let mut is_passed_over = false;
        for output in self.gossip.handle(input, now) {
            match output {
                gossip::Output::Publish { bytes, .. } => self.flood(&bytes.into(), None, now),
                gossip::Output::Admit { id, news, .. } => {
                    self.hearing.take().map(|bytes| self.heard.insert(id, bytes));
                    self.effects.push(Effect::HandIn(Intake::News { id, news }));
                }
                gossip::Output::Report { id, peer, verdict: Verdict::Accept } => {
                    if let Some(bytes) = self.heard.get(&id).cloned() {
                        self.flood(&bytes, Some(peer), now);
                    }
                }
                gossip::Output::Report { verdict, .. } => is_passed_over |= verdict == Verdict::Ignore,
                gossip::Output::Gap(peer) => self.sync(sync::Input::Gap(peer), now),
                gossip::Output::Drop { peer, reason } => self.drop_peer(peer, reason, now),
            }
        }
        is_passed_over
    }

    /// Gossip as far as this node is concerned: to every neighbour but the one it came from.
    fn flood(&mut self, bytes: &Arc<[u8]>, except: Option<PublicKey>, now: Timestamp) {
        let peers: Vec<PublicKey> =
            self.neighbours.keys().copied().filter(|it| Some(*it) != except).collect();
        peers.into_iter().for_each(|peer| self.send(Talk::News, peer, Arc::clone(bytes), now));
    }

    pub(super) fn work(&mut self, job: Job) {
        self.effects.push(Effect::Work(job));
    }

    pub(super) fn send(&mut self, talk: Talk, peer: PublicKey, bytes: Arc<[u8]>, now: Timestamp) {
        let Some(unheard) = self.neighbours.get_mut(&peer) else {
            return;
        };
        let cost = bytes.len() + MESSAGE_OVERHEAD_BYTES;
        if *unheard + cost > self.unheard_bytes_max {
            // News that a slow neighbour does not take are not kept for it.
            if talk != Talk::News {
                self.drop_peer(peer, Misdeed::Stall, now);
            }
            return;
        }
        *unheard += cost;
        self.effects.push(Effect::Send { peer, talk, bytes });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use crate::world::World;

    #[test]
    fn whoever_leaves_anything_but_news_untaken_is_dropped() {
        let text = "name: two\nseed: 1\nnodes: 2\ntopology: full\nlasts: 1m\n";
        let mut world = World::new(Scenario::parse(text).expect("it reads")).expect("opens");
        world.wake();
        let (now, peer) = (world.now, world.people.key(1).public());
        for talk in [Talk::News, Talk::Sync, Talk::Witness, Talk::Contacts] {
            let process = &mut world.machines[0].running.as_mut().expect("runs").process;
            process.connected(peer, now);
            process.effects();
            process.unheard_bytes_max = 0;
            process.send(talk, peer, [0].into(), now);
            let is_drop =
                |it: &Effect| matches!(it, Effect::Close { why: Closing::Misdeed(Misdeed::Stall), .. });
            assert_eq!(process.effects().iter().any(is_drop), talk != Talk::News, "{talk:?}");
        }
    }
}
