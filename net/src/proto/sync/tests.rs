//! Nodes on a network that loses, repeats and reorders, from one seed.
//!
//! Owns the bed: it carries out what the cores ask for, on records that are made up but hash-linked and
//! "signed".

pub(crate) mod disk;
mod laws;
mod lives;
mod newcomer;
mod stories;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::scope::Principal;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{Certificate, Claim, EnvId, Head, Placed, Revocation, Role, Roster, Seat, Statement};

use super::*;
use crate::proto::conduct::Shunned;
use crate::proto::dice;
use crate::wire::Payload;
use disk::Disk;

const NODES_MAX: usize = 6;

/// Keys in order, so that the node with the lower number speaks first.
static KEYS: LazyLock<Vec<NodeKey>> = LazyLock::new(|| {
    let mut keys: Vec<_> = (1..=NODES_MAX as u8).map(|n| NodeKey::from_secret([n; 32])).collect();
    keys.sort_by_key(NodeKey::public);
    keys
});

/// What the root said: everybody belongs.
static CERTIFICATES: LazyLock<Vec<Placed>> = LazyLock::new(|| KEYS.iter().map(certified).collect());

fn root() -> NodeKey {
    NodeKey::from_secret([99; 32])
}

fn certified(key: &NodeKey) -> Placed {
    let (env, seat) = (EnvId::rooted_in(root().public()), Seat::Under(root().public()));
    let consent = seat.agree(env, key);
    let principal = Principal::new("someone@home");
    let certificate =
        Certificate { node: key.public(), seat, principal, role: Role::User, expires: None, consent };
    said(Claim::Certificate(certificate))
}

fn said(claim: Claim) -> Placed {
    let (env, issuer) = (EnvId::rooted_in(root().public()), root().public());
    let statement = Statement { env, issuer, issued_at: Timestamp::EPOCH, claim };
    Placed { statement: statement.sign(&root()).expect("rightly made"), place: None }
}

fn public(node: usize) -> PublicKey {
    KEYS[node].public()
}

fn feed(node: usize) -> FeedId {
    FeedId { node: public(node), incarnation: 1 }
}

/// The roster, without those who were revoked after so many records.
fn roster(revoked: &[(usize, &[(FeedId, Head)])]) -> Arc<Roster> {
    let mut placed = CERTIFICATES.clone();
    placed.extend(revoked.iter().map(|(node, last)| {
        let last = last.iter().copied().collect();
        said(Claim::Revocation(Revocation { node: public(*node), last, reason: "left".into() }))
    }));
    Arc::new(Roster::fold(EnvId::rooted_in(root().public()), &placed, BTreeMap::new()))
}

/// How a node departs from the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Manner {
    #[default]
    Honest,
    /// Changes a byte of every record it sends.
    Liar,
    /// Never answers a want.
    Mute,
    /// Announces records that nobody wrote.
    Braggart,
}

struct Node {
    sync: Sync,
    shunned: Shunned,
    disk: Disk,
    manner: Manner,
}

/// What the network does to messages.
#[derive(Clone, Copy, Debug)]
struct Weather {
    loss_percent: u64,
    twice_percent: u64,
    delay_ms_max: u64,
}

const CALM: Weather = Weather { loss_percent: 0, twice_percent: 0, delay_ms_max: 1 };

enum Event {
    Message { from: usize, to: usize, bytes: Vec<u8> },
    Connect(usize, usize),
    Tick,
}

struct Bed {
    nodes: Vec<Node>,
    weather: Weather,
    now: Timestamp,
    /// Bytes sent by anybody.
    sent: usize,
    /// Who dropped whom, and why.
    drops: Vec<(usize, usize, Misdeed)>,
    connected: BTreeSet<(usize, usize)>,
    events: BTreeMap<(Timestamp, u64), Event>,
    order: u64,
    random: u64,
}

impl Bed {
    fn new(count: usize, seed: u64) -> Self {
        let node = |at: usize| Node {
            sync: Sync::new(public(at), roster(&[]), BTreeMap::new()),
            shunned: Shunned::default(),
            disk: Disk::default(),
            manner: Manner::Honest,
        };
        let mut bed = Self {
            nodes: (0..count).map(node).collect(),
            weather: CALM,
            now: Timestamp::from_micros(1_700_000_000_000_000),
            sent: 0,
            drops: Vec::new(),
            connected: BTreeSet::new(),
            events: BTreeMap::new(),
            order: 0,
            random: seed,
        };
        bed.later(TICK, Event::Tick);
        bed
    }

    /// `node` writes records of its own.
    fn write(&mut self, node: usize, count: usize) {
        for _ in 0..count {
            self.nodes[node]
                .disk
                .write(feed(node), b"a record of about a hundred bytes, as most milestones are");
        }
        self.grew(node, feed(node));
    }

    /// `node` is given records that another one wrote, without a network.
    fn copy(&mut self, from: usize, to: usize) {
        self.nodes[to].disk = self.nodes[from].disk.clone();
        let feeds: Vec<FeedId> = self.nodes[to].disk.feeds().collect();
        feeds.into_iter().for_each(|feed| self.grew(to, feed));
    }

    fn grew(&mut self, node: usize, feed: FeedId) {
        let known = self.nodes[node].disk.known(feed);
        self.tell(node, Input::Grew { feed, known });
    }

    /// Connects two nodes as soon as neither shuns the other.
    fn connect(&mut self, a: usize, b: usize) {
        if self.shuns(a, b) || self.shuns(b, a) {
            self.later(Duration::from_secs(30), Event::Connect(a, b));
        } else if self.connected.insert((a.min(b), a.max(b))) {
            self.tell(a, Input::Connected(public(b)));
            self.tell(b, Input::Connected(public(a)));
        }
    }

    fn shuns(&self, node: usize, other: usize) -> bool {
        self.nodes[node].shunned.contains(public(other), self.now)
    }

    fn disconnect(&mut self, a: usize, b: usize) {
        if self.connected.remove(&(a.min(b), a.max(b))) {
            self.tell(a, Input::Disconnected(public(b)));
            self.tell(b, Input::Disconnected(public(a)));
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= end) {
            self.now = entry.key().0;
            match entry.remove() {
                Event::Message { from, to, bytes } => self.deliver(from, to, bytes),
                Event::Connect(a, b) => self.connect(a, b),
                Event::Tick => {
                    (0..self.nodes.len()).for_each(|node| self.tell(node, Input::Tick));
                    self.later(TICK, Event::Tick);
                }
            }
        }
        self.now = end;
    }

    fn deliver(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        if self.connected.contains(&(from.min(to), from.max(to))) {
            self.tell(to, Input::Received { peer: public(from), bytes });
        }
    }

    /// Gives a node an input and does what it asks for, until it asks for nothing more.
    fn tell(&mut self, node: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for output in self.nodes[node].sync.handle(input, self.now) {
                inputs.extend(self.perform(node, output));
            }
        }
    }

    fn perform(&mut self, node: usize, output: Output) -> Option<Input> {
        let disk = &mut self.nodes[node].disk;
        match output {
            Output::Send { peer, message } => {
                self.send(node, number(peer), message);
                None
            }
            Output::Read { peer, feed, after, to, credit } => {
                let frames = disk.read(feed, after, to, credit);
                Some(Input::Read { peer, feed, after, frames })
            }
            Output::ReadProof { peer, feed } => {
                Some(Input::ReadProof { peer, feed, proof: disk.proof(feed)? })
            }
            Output::Admit { peer, feed, frames } => {
                Some(Input::Admitted { peer, feed, result: disk.admit(feed, &frames) })
            }
            Output::AdmitProof { peer, feed, proof } => {
                Some(Input::Admitted { peer, feed, result: disk.admit_proof(feed, &proof) })
            }
            Output::Drop { peer, reason } => {
                let other = number(peer);
                self.drops.push((node, other, reason));
                self.nodes[node].shunned.shun(peer, self.now);
                self.disconnect(node, other);
                self.connect(node, other);
                None
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, message: wire::Sync) {
        let Some(message) = self.nodes[from].manner.twist(message) else {
            return;
        };
        let bytes = wire::encode(&message);
        assert!(bytes.len() <= wire::MESSAGE_BYTES_MAX, "a message is too long to be read");
        self.sent += bytes.len();
        let copies = if self.chance(self.weather.twice_percent) { 2 } else { 1 };
        for _ in 0..copies {
            if !self.chance(self.weather.loss_percent) {
                let delay =
                    Duration::from_millis(dice::roll(&mut self.random) % self.weather.delay_ms_max + 1);
                self.later(delay, Event::Message { from, to, bytes: bytes.clone() });
            }
        }
    }

    fn later(&mut self, delay: Duration, event: Event) {
        self.order += 1;
        self.events.insert((self.now.after(delay), self.order), event);
    }

    fn chance(&mut self, percent: u64) -> bool {
        dice::roll(&mut self.random) % 100 < percent
    }

    /// Fails unless all these nodes have the same records, and know that they do.
    #[track_caller]
    fn assert_same(&self, nodes: &[usize]) {
        let first = &self.nodes[nodes[0]];
        for node in &nodes[1..] {
            assert_eq!(first.disk, self.nodes[*node].disk, "nodes {} and {node}; {:?}", nodes[0], self.drops);
            assert_eq!(first.sync.feeds(), self.nodes[*node].sync.feeds());
        }
    }

    fn length(&self, node: usize, of: usize) -> u64 {
        self.nodes[node].disk.known(feed(of)).seq()
    }
}

fn number(peer: PublicKey) -> usize {
    KEYS.iter().position(|key| key.public() == peer).expect("everybody on the bed has a number")
}

impl Manner {
    /// What a node of this manner says instead.
    fn twist(self, message: wire::Sync) -> Option<wire::Sync> {
        match (self, message) {
            (Self::Liar, wire::Sync::Frames { feed, after, frames }) => {
                let mut frames = frames.into_inner();
                for frame in &mut frames {
                    let mut bytes = frame.bytes.to_vec();
                    *bytes.last_mut()? ^= 1;
                    frame.bytes = Payload::new(&bytes)?;
                }
                Some(wire::Sync::Frames { feed, after, frames: wire::Bounded::new(frames)? })
            }
            (Self::Mute, wire::Sync::Frames { .. } | wire::Sync::Proof { .. }) => None,
            (Self::Braggart, wire::Sync::Have { feeds, ask }) => {
                let mut feeds = feeds.into_inner();
                for (_, known) in &mut feeds {
                    known.head.as_mut()?.seq = u64::MAX;
                }
                Some(wire::Sync::Have { feeds: wire::Bounded::new(feeds)?, ask })
            }
            (_, message) => Some(message),
        }
    }
}
