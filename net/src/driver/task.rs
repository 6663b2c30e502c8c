//! The one task that runs the mesh.
//!
//! Owns the cores, the swarm and the loop that feeds the one with what the other brings. Waits for nothing
//! but the next event: what takes time is a job of its own, whose result is the next input. Invariant: how
//! many jobs there are is bounded by the cores.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use libp2p::core::transport::ListenerId;
use libp2p::futures::StreamExt;
use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::{ConnectionId, Swarm};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{NotAdmitted, Roster};
use xyn_store::{Clock, Digest, Timestamp};

use super::account::Told;
use super::behaviour::{self, Talk, Wire};
use super::blobs::{Fetch, Fetched, Trade};
use super::carry::Reply;
use super::depot::Depot;
use super::gate::{Guard, Way};
use super::port::{Port, Refusal, Status, Traffic};
use super::runs::{Inquiries, Reader};
use super::transport::{self, Roll};
use super::{Config, StartError, World, address};
use crate::proto::blobs;
use crate::proto::conduct::Shunned;
use crate::proto::contacts::{self, Contacts};
use crate::proto::dial::{Dialer, Whom};
use crate::proto::gossip::{self, Gossip};
use crate::proto::join::{Door, door};
use crate::proto::runs;
use crate::proto::seats::Seats;
use crate::proto::sync::{self, Sync, TICK};
use crate::proto::witness::{self, Witness};
use crate::wire::runs::Question;
use crate::wire::{Known, News};

/// How long saying goodbye may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// The most time between the connections of two nodes that dial each other at the same time.
const CROSSED_WITHIN: Duration = Duration::from_secs(2);

/// What a handle asks for.
#[derive(Debug)]
pub(super) enum Command {
    Wrote(News, Known),
    Grew(FeedId, Known),
    Roster(Arc<Roster>),
    Signed(Box<SignedCheckpoint>),
    Fetch { want: blobs::Want, answer: oneshot::Sender<Fetch> },
    Inquire { peer: PublicKey, question: Question, answer: Reader },
    Status(oneshot::Sender<Status>),
    Stop,
}

/// What a job brings.
pub(super) enum Done {
    Sync(sync::Input),
    News {
        id: Digest,
        news: News,
        result: Result<Known, sync::Refused>,
    },
    Door(door::Input),
    Witness(witness::Input),
    Runs(runs::Input),
    Blobs(Fetched),
    /// The node could not do what a peer waits for. The connection ends, and everything waiting with it.
    Unable(PublicKey),
}

/// A member on the other end.
pub(super) struct Neighbour {
    pub(super) address: Multiaddr,
    pub(super) since: Timestamp,
    /// Who made the connection.
    way: Way,
    pub(super) round_trip: Option<Duration>,
    /// Messages it has not taken yet, and what they cost in bytes.
    pub(super) unheard: BTreeMap<(Talk, OutboundRequestId), usize>,
    pub(super) unheard_bytes: usize,
}

impl Neighbour {
    pub(super) fn new(address: Multiaddr, way: Way, since: Timestamp) -> Self {
        Self { address, since, way, round_trip: None, unheard: BTreeMap::new(), unheard_bytes: 0 }
    }

    /// Whether it has lost the connection that it had, when there is another one now. Two nodes that dial each
    /// other at the same time make two of them, one each.
    pub(super) fn comes_anew(&self, way: Way, now: Timestamp) -> bool {
        way == self.way || now.since(self.since) >= CROSSED_WITHIN
    }

    /// It is reached by another of its connections now.
    pub(super) fn goes_on(&mut self, address: Multiaddr, way: Way) {
        (self.address, self.way) = (address, way);
    }
}

pub(super) struct Task<P> {
    pub(super) me: PeerId,
    pub(super) swarm: Swarm<Wire>,
    pub(super) port: Arc<P>,
    pub(super) clock: Clock,
    pub(super) sync: Sync,
    pub(super) gossip: Gossip,
    pub(super) witness: Witness,
    pub(super) contacts: Contacts,
    pub(super) trade: Trade,
    pub(super) inquiries: Inquiries,
    pub(super) door: Door,
    pub(super) dialer: Dialer<Multiaddr>,
    /// Through whom this node wants to be reached, and how it says so.
    pub(super) relays: BTreeMap<PublicKey, Multiaddr>,
    /// Through whom it is.
    pub(super) circuits: BTreeMap<PublicKey, ListenerId>,
    pub(super) is_relay: bool,
    roll: Roll,
    explicit_max: usize,
    /// Attempts under way.
    pub(super) dialling: BTreeMap<ConnectionId, Whom<Multiaddr>>,
    pub(super) neighbours: BTreeMap<PublicKey, Neighbour>,
    /// Strangers who showed a ticket and have no answer yet.
    pub(super) replies: BTreeMap<PublicKey, Reply>,
    /// Strangers who have their answer, and until when they may read it.
    pub(super) leaving: BTreeMap<PublicKey, Timestamp>,
    pub(super) jobs: JoinSet<Done>,
    pub(super) traffic: Traffic,
    pub(super) told: Told,
    commands: mpsc::Receiver<Command>,
}

impl<P: Port> Task<P> {
    pub(super) fn new(
        config: Config,
        key: &NodeKey,
        clock: Clock,
        world: World,
        port: P,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Self, StartError> {
        let (me, now) = (key.public(), clock.now());
        let keypair = address::keypair(key);
        let guard = Guard {
            roster: Arc::clone(&world.roster),
            seats: Seats::met(world.contacts.iter().map(|(node, _)| *node)),
            shunned: Shunned::default(),
            reach: config.reach,
            clock: clock.clone(),
        };
        let depot = Depot::new(world.blobs);
        let (env, roll) = (world.roster.env(), Roll::of(Arc::clone(&world.roster)));
        let mut swarm = behaviour::mesh(keypair, env, guard, &roll, depot.spare(), &config)?;
        transport::listen(&mut swarm, &config.listen)?;
        let mut dialer = Dialer::new(config.seed);
        for text in config.peers.iter().chain(&config.relays) {
            let (address, peer) = address::split(address::parse(text)?);
            dialer.fix(peer.and_then(address::node).map(|node| world.roster.heir(node)), address);
        }
        let book = super::contacts::remembered(&mut dialer, world.contacts);
        let contacts = Contacts::new(me, Arc::clone(&world.roster), book);
        let relays = config.relays.iter().map(|text| address::relay(text)).collect::<Result<_, _>>()?;
        Ok(Self {
            me: *swarm.local_peer_id(),
            swarm,
            port: Arc::new(port),
            sync: Sync::new(me, world.roster, world.feeds),
            gossip: Gossip::new(now),
            witness: Witness::new(world.vouched),
            contacts,
            trade: Trade::new(depot),
            inquiries: Inquiries::default(),
            door: Door::new(me, now),
            dialer,
            relays,
            circuits: BTreeMap::new(),
            is_relay: config.is_relay,
            roll,
            explicit_max: config.explicit_max,
            dialling: BTreeMap::new(),
            neighbours: BTreeMap::new(),
            replies: BTreeMap::new(),
            leaving: BTreeMap::new(),
            jobs: JoinSet::new(),
            traffic: Traffic::default(),
            told: Told::default(),
            clock,
            commands,
        })
    }

    pub(super) async fn run(mut self) {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.happened(event),
                Some(done) = self.jobs.join_next() => match done {
                    Ok(done) => self.done(done),
                    // What waits for this job would wait for ever: the supervisor starts afresh.
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_) => break,
                    },
                },
                command = self.commands.recv() => match command {
                    Some(Command::Stop) | None => break,
                    Some(command) => self.command(command),
                },
                _ = ticks.tick() => self.tick(),
            }
        }
        self.goodbye().await;
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Wrote(news, known) => {
                self.sync(sync::Input::Grew { feed: news.feed, known });
                self.gossip(gossip::Input::Wrote(news));
            }
            Command::Grew(feed, known) => self.sync(sync::Input::Grew { feed, known }),
            Command::Roster(roster) => self.roster(roster),
            Command::Signed(checkpoint) => self.witness(witness::Input::Signed(*checkpoint)),
            // Whoever asked may have left.
            Command::Fetch { want, answer } => drop(answer.send(self.want(want))),
            Command::Inquire { peer, question, answer } => self.inquire(peer, question, answer),
            Command::Status(answer) => {
                // Whoever asked may have left.
                let _ = answer.send(self.status());
            }
            Command::Stop => {}
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Sync(sync::Input::Admitted { peer, feed, result }) => {
                self.count_admitted(feed, result);
                self.sync(sync::Input::Admitted { peer, feed, result });
            }
            Done::Sync(input) => self.sync(input),
            Done::News { id, news, result } => {
                self.count_admitted(news.feed, result);
                let fit = result.map(|known| gossip::Fit::of(known, &news.frame));
                if let Ok(known) = result {
                    self.sync(sync::Input::Grew { feed: news.feed, known });
                }
                self.gossip(gossip::Input::Admitted { id, result: fit });
            }
            Done::Door(input) => self.door(input),
            Done::Witness(input) => self.witness(input),
            Done::Runs(input) => self.runs(input),
            Done::Blobs(done) => self.fetched(done),
            Done::Unable(peer) => self.disconnect(peer),
        }
    }

    fn tick(&mut self) {
        self.sync(sync::Input::Tick);
        self.witness(witness::Input::Tick);
        self.give_up_unwanted();
        self.blobs(blobs::Input::Tick);
        self.spare_memory();
        self.contacts(contacts::Input::Tick);
        self.runs(runs::Input::Tick);
        self.door(door::Input::Tick);
        // Certificates run out by themselves.
        self.close_misplaced();
        let now = self.clock.now();
        let left: Vec<_> = self.leaving.extract_if(.., |_, end| *end <= now).collect();
        left.into_iter().for_each(|(peer, _)| self.disconnect(peer));
        self.dial();
        self.reserve();
    }

    fn roster(&mut self, roster: Arc<Roster>) {
        self.guard_mut().roster = Arc::clone(&roster);
        self.roll.change(Arc::clone(&roster));
        self.sync(sync::Input::Roster(Arc::clone(&roster)));
        self.dialer.succeed(|node| roster.heir(node));
        self.dialer.retain(|node| roster.belongs(node));
        self.contacts(contacts::Input::Roster(Arc::clone(&roster)));
        self.close_misplaced();
        self.choose_explicit();
        self.dial();
    }

    pub(super) fn close_misplaced(&mut self) {
        for (peer, why) in self.swarm.behaviour().gate.misplaced() {
            let node = address::node(peer);
            // Whoever is being answered leaves when it has heard, unless it was put out meanwhile.
            let is_put_out = matches!(why, Refusal::NotAdmitted(NotAdmitted::Revoked(_)));
            let leaves =
                node.is_some_and(|it| self.replies.contains_key(&it) || self.leaving.contains_key(&it));
            if leaves && !is_put_out {
                continue;
            }
            self.refuse(node, why);
            // It may be gone already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    /// In a small environment everybody sends its news to everybody.
    pub(super) fn choose_explicit(&mut self) {
        let (now, explicit_max) = (self.clock.now(), self.explicit_max);
        let gate = &mut self.swarm.behaviour_mut().gate;
        let members = gate.guard.roster.members();
        let count = members.filter(|(node, _)| gate.guard.roster.admit(*node, now).is_ok()).count();
        for peer in self.neighbours.keys().map(|node| address::peer_id(*node)) {
            match count <= explicit_max {
                true => gate.members.news.gossip.add_explicit_peer(&peer),
                false => gate.members.news.gossip.remove_explicit_peer(&peer),
            }
        }
    }

    pub(super) fn guard_mut(&mut self) -> &mut Guard {
        &mut self.swarm.behaviour_mut().gate.guard
    }

    /// Closes every connection in order, so that peers need not find out by waiting.
    async fn goodbye(mut self) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let gone = async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        if tokio::time::timeout(GOODBYE_TIMEOUT, gone).await.is_err() {
            tracing::debug!("some peers were left without a goodbye");
        }
    }
}
