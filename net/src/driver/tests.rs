//! Nodes with real sockets on loopback.
//!
//! Owns the bed: nodes whose records are made up but hash-linked and "signed", kept in memory. Waits for what
//! happens, never for time to pass.

mod blobs;
mod crowds;
mod handshakes;
mod intruders;
mod news;
mod people;
mod rogue;
mod runs;
mod shelf;
mod stories;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use xyn_store::trust::{Invitation, Roster};
use xyn_store::{Clock, Options, Store};

use super::*;
use crate::proto::sync::tests::disk::Disk;
use crate::wire::Payload;
use people::{feed, key, public};
use shelf::Shelf;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a message may take to arrive here.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// The ways over which attacks are tried.
const TRANSPORTS: [&str; 2] = ["tcp/0", "udp/0/quic-v1"];

/// One node of the bed.
struct Node {
    who: u8,
    mesh: Mesh,
    task: JoinHandle<()>,
    disk: Arc<Mutex<Disk>>,
    changed: watch::Receiver<u64>,
    events: mpsc::Receiver<Event>,
    address: String,
    home: Arc<Home>,
}

/// Where the blobs of a node are.
struct Home {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Arc<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = Store::open(folder.path(), Options::default()).expect("it opens");
        Arc::new(Self { store, _folder: folder })
    }
}

/// What a node of the bed is started with.
struct Start {
    who: u8,
    roster: Arc<Roster>,
    disk: Disk,
    peers: Vec<String>,
    contacts: Vec<(PublicKey, Vec<String>)>,
    lies: bool,
    panics: bool,
    invitation: Option<Invitation>,
    /// How it is reached; empty: nobody can dial it.
    transport: String,
    reach: Reach,
    relays: Vec<String>,
    is_relay: bool,
    explicit_max: usize,
    incoming_max: u32,
    home: Arc<Home>,
}

fn node(who: u8, roster: &Arc<Roster>) -> Start {
    Start {
        who,
        roster: Arc::clone(roster),
        disk: Disk::default(),
        peers: Vec::new(),
        contacts: Vec::new(),
        lies: false,
        panics: false,
        invitation: None,
        transport: "tcp/0".into(),
        reach: Reach::Lan,
        relays: Vec::new(),
        is_relay: false,
        explicit_max: EXPLICIT_MAX,
        incoming_max: INCOMING_MAX,
        home: Home::new(),
    }
}

impl Start {
    fn dialling(mut self, others: &[&Node]) -> Self {
        self.peers.extend(others.iter().map(|other| other.address.clone()));
        self
    }

    fn with_records(mut self, count: usize) -> Self {
        for _ in 0..count {
            self.disk.write(feed(self.who), b"a record of about a hundred bytes, as most milestones are");
        }
        self
    }

    async fn start(self) -> Node {
        let listens = !self.transport.is_empty();
        let is_reachable = listens || !self.relays.is_empty();
        let config = Config {
            listen: listens.then(|| format!("/ip6/::1/{}", self.transport)).into_iter().collect(),
            peers: self.peers,
            relays: self.relays,
            is_relay: self.is_relay,
            reach: self.reach,
            discover: false,
            seed: u64::from(self.who),
            message_timeout: MESSAGE_TIMEOUT,
            explicit_max: self.explicit_max,
            incoming_max: self.incoming_max,
        };
        let feeds = self.disk.feeds().map(|feed| (feed, self.disk.known(feed))).collect();
        let blobs = self.home.store.blobs().clone();
        let world = World {
            roster: Arc::clone(&self.roster),
            feeds,
            vouched: Vec::new(),
            contacts: self.contacts,
            blobs,
        };
        let disk = Arc::new(Mutex::new(self.disk));
        let (events, heard) = mpsc::channel(1 << 16);
        let (changed, watched) = watch::channel(0);
        let shelf = Shelf {
            who: self.who,
            disk: Arc::clone(&disk),
            changed,
            events,
            invitation: Mutex::new(self.invitation),
            lies: self.lies,
            panics: self.panics,
        };
        let started = Mesh::start(config, &key(self.who), Clock::system(), world, shelf);
        let (mesh, task) = started.expect("loopback can be listened on");
        let address = String::new();
        let home = self.home;
        let mut node =
            Node { who: self.who, mesh, task, disk, changed: watched, events: heard, address, home };
        if is_reachable {
            node.address = node
                .hear(|event| match event {
                    Event::Listening(address) => Some(address),
                    _ => None,
                })
                .await;
        }
        node
    }
}

impl Node {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().expect("no test panics with the disk in its hand")
    }

    fn length(&self, of: u8) -> u64 {
        self.disk().known(feed(of)).seq()
    }

    /// Waits for an event, and forgets those before it.
    #[track_caller]
    fn hear<T>(&mut self, pick: impl Fn(Event) -> Option<T>) -> impl Future<Output = T> {
        let caller = std::panic::Location::caller();
        async move {
            let mut passed = Vec::new();
            loop {
                let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
                let Ok(Some(event)) = event else {
                    panic!("node {} heard only {passed:?} at {caller}", self.who);
                };
                passed.push(format!("{event:?}"));
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        }
    }

    async fn hear_connected(&mut self, who: u8) {
        self.hear(|event| matches!(event, Event::Connected(node) if node == public(who)).then_some(())).await;
    }

    async fn hear_refused(&mut self, who: u8, wanted: impl Fn(&Refusal) -> bool) -> Refusal {
        self.hear(|event| match event {
            Event::Refused { peer, why } if peer == Some(public(who)) && wanted(&why) => Some(why),
            _ => None,
        })
        .await
    }

    /// Waits until what is here is as it should be.
    #[track_caller]
    fn until(&mut self, is_so: impl Fn(&Disk) -> bool) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            while !is_so(&self.disk()) {
                let changed = tokio::time::timeout(PATIENCE, self.changed.changed()).await;
                assert!(matches!(changed, Ok(Ok(()))), "node {} did not get there; {caller}", self.who);
            }
        }
    }

    /// This node writes a record, and says so in a frame of so many.
    async fn write(&self) -> u64 {
        let (news, known) = self.written();
        let records = news.frame.count();
        self.mesh.publish(news, known).await.expect("it runs");
        records
    }

    /// The same, but what it says is not what it wrote.
    async fn write_false(&self) {
        let (mut news, known) = self.written();
        let mut bytes = news.frame.bytes.to_vec();
        bytes.iter_mut().last().into_iter().for_each(|byte| *byte ^= 1);
        news.frame.bytes = Payload::new(&bytes).expect("as long as before");
        self.mesh.publish(news, known).await.expect("it runs");
    }

    fn written(&self) -> (News, Known) {
        let (mine, mut disk) = (feed(self.who), self.disk());
        disk.write(mine, b"news");
        let known = disk.known(mine);
        let frame = disk.read(mine, known.seq() - 1, known.seq(), 1).remove(0);
        (News { feed: mine, frame }, known)
    }

    async fn status(&self) -> Status {
        self.mesh.status().await.expect("it runs")
    }

    async fn stop(self) -> Disk {
        self.mesh.stop().await.expect("it runs");
        self.task.await.expect("it does not panic");
        self.disk.lock().expect("nobody panics here").clone()
    }
}
