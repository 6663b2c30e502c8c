//! Nodes of one environment on loopback, each with a folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use xyn_net::driver::{Config, Event, Mesh, Reach, Traffic, World};
use xyn_store::audit::key::NodeKey;
use xyn_store::scope::Principal;
use xyn_store::timeline::Saying;
use xyn_store::timeline::entry::{Branch, Kind, Note, Refs};
use xyn_store::trust::{Certificate, Claim, EnvId, Placed, Role, Roster, Seat, Statement};
use xyn_store::{Clock, Digest, Timestamp, ids};

use super::book::{Book, Shelf};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Entries that are written in one commit when a history is made up.
const BATCH: usize = 256;

/// A running node.
pub(crate) struct Node {
    pub(crate) book: Arc<Book>,
    pub(crate) mesh: Mesh,
    task: JoinHandle<()>,
    events: mpsc::Receiver<Event>,
    /// With its peer id.
    pub(crate) address: String,
}

impl Node {
    /// A node on `folder`, which listens by `transport` and dials `peers`.
    pub(crate) async fn start(
        folder: &Path,
        roster: &Arc<Roster>,
        transport: &str,
        peers: &[String],
    ) -> Self {
        let (sender, mut events) = mpsc::channel(1 << 16);
        let book = Book::open(folder, roster.env(), sender);
        let config = Config {
            listen: vec![format!("/ip6/::1/{transport}")],
            peers: peers.to_vec(),
            discover: false,
            ..Config::at_port(0, Reach::Lan, 1)
        };
        let feeds: BTreeMap<_, _> = book.known().await.into_iter().collect();
        let world = World {
            roster: Arc::clone(roster),
            feeds,
            vouched: Vec::new(),
            contacts: Vec::new(),
            blobs: book.blobs(),
        };
        let started = Mesh::start(config, book.key(), book.clock(), world, Shelf(Arc::clone(&book)));
        let (mesh, task) = started.expect("loopback can be listened on");
        let address = loop {
            if let Event::Listening(address) = events.recv().await.expect("it runs") {
                break address;
            }
        };
        Self { book, mesh, task, events, address }
    }

    /// The TCP port it listens on.
    pub(crate) fn port(&self) -> u16 {
        let port = self.address.split('/').skip_while(|part| *part != "tcp").nth(1);
        port.and_then(|port| port.parse().ok()).expect("it listens on TCP")
    }

    /// Its address, as if it listened on another port.
    pub(crate) fn address_at(&self, port: u16) -> String {
        self.address.replace(&format!("/tcp/{}/", self.port()), &format!("/tcp/{port}/"))
    }

    pub(crate) async fn connected(&mut self, count: usize) {
        let mut here = 0;
        while here < count {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
            here += usize::from(matches!(event.expect("it connects"), Some(Event::Connected(_))));
        }
    }

    /// Waits until so many records are here.
    pub(crate) async fn holds(&self, count: u64) {
        let mut counted = self.book.count();
        let enough = counted.wait_for(|here| *here >= count);
        drop(tokio::time::timeout(PATIENCE, enough).await.expect("it gets there").expect("it runs"));
    }

    pub(crate) async fn traffic(&self) -> Traffic {
        self.mesh.status().await.expect("it runs").traffic
    }

    pub(crate) async fn stop(self) {
        self.mesh.stop().await.expect("it runs");
        self.task.await.expect("it does not panic");
        self.book.close();
    }
}

/// Writes `count` entries into the folder of a node that does not run.
pub(crate) async fn history(folder: &Path, count: usize) {
    let book = Book::open(folder, env(), mpsc::channel(1).0);
    let mut numbers = 0..count as u64;
    // Before now, so that nothing seems to come from the future.
    let mut now = Clock::system().now().before(Duration::from_secs(14 * 86_400));
    loop {
        let sayings: Vec<_> = numbers.by_ref().take(BATCH).map(|number| entry(book.key(), number)).collect();
        if sayings.is_empty() {
            break;
        }
        now = now.after(Duration::from_secs(1));
        book.write(now, sayings.into_iter().map(|(id, note)| Saying::Entry(id, Box::new(note))).collect())
            .await;
    }
    book.close();
}

/// An entry as a run leaves it: with the run, and the roots of the workspace before and after.
pub(crate) fn entry(author: &NodeKey, number: u64) -> (ids::EntryId, Note) {
    let (author, now) = (author.public(), Timestamp::EPOCH.after(Duration::from_millis(number)));
    let name = |what: &[u8], number: u64| [what, author.as_bytes(), &number.to_le_bytes()].concat();
    let refs = Refs {
        run: Some(ids::derived(now, &[&name(b"run", number)])),
        before: Some(Digest::of(&name(b"root", number))),
        after: Some(Digest::of(&name(b"root", number + 1))),
        ..Refs::default()
    };
    let note = Note {
        principal: Principal::new("ana@laptop"),
        branch: Branch::main(),
        kind: Kind::Run,
        title: format!("Run {number} of the landing page completed"),
        refs,
    };
    (ids::derived(now, &[&name(b"entry", number)]), note)
}

fn root() -> NodeKey {
    NodeKey::from_secret([99; 32])
}

pub(crate) fn env() -> EnvId {
    EnvId::rooted_in(root().public())
}

/// An environment of the nodes that live in `folders`.
pub(crate) fn team(folders: &[&Path]) -> Arc<Roster> {
    let placed: Vec<Placed> = folders.iter().map(|folder| certified(folder)).collect();
    Arc::new(Roster::fold(env(), &placed, BTreeMap::new()))
}

fn certified(folder: &Path) -> Placed {
    let book = Book::open(folder, env(), mpsc::channel(1).0);
    let (root, seat) = (root(), Seat::Under(root().public()));
    let consent = seat.agree(env(), book.key());
    let (principal, role) = (Principal::new("ana@laptop"), Role::User);
    let node = book.key().public();
    book.close();
    let certificate = Certificate { node, seat, principal, role, expires: None, consent };
    let claim = Claim::Certificate(certificate);
    let statement = Statement { env: env(), issuer: root.public(), issued_at: Timestamp::EPOCH, claim };
    Placed { statement: statement.sign(&root).expect("rightly made"), place: None }
}
