//! The nodes of the bench: processes that hold a blob, and one that fetches it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use xyn_net::driver::{Config, Event, Mesh, Port, Reach, World};
use xyn_net::proto::blobs::{Progress, Want};
use xyn_net::proto::join::door;
use xyn_net::proto::sync::{Proof, Refused};
use xyn_net::wire::runs::{Question, Withheld};
use xyn_net::wire::{Frame, Growth, Known, Redeem};
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::scope::Principal;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{Certificate, Claim, EnvId, NotRedeemed, Placed, Role, Roster, Seat, Statement};
use xyn_store::{Clock, Digest, Options, Store, Timestamp};

/// Node 0 fetches, the others hold.
const NODES: u8 = 4;
const LIMIT: u64 = 64 << 30;

pub(crate) fn open(folder: &Path) -> Store {
    let mut options = Options::default();
    options.blob_quota_bytes = LIMIT;
    Store::open(folder, options).expect("opens")
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

#[expect(clippy::print_stdout, reason = "what the process that started this one reads")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Waits until the process that started this one is done with it.
pub(crate) async fn until_closed() {
    let wait = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    // However it ended.
    let _ = tokio::task::spawn_blocking(wait).await;
}

/// The most memory that a process had so far.
pub(crate) fn peak_bytes(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0
}

/// CPU time that a process used so far.
pub(crate) fn cpu_s(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("Linux says").1.split_whitespace().collect();
    let ticks = [fields[11], fields[12]].map(|field| field.parse::<f64>().expect("a number"));
    ticks.iter().sum::<f64>() / 100.0
}

pub(crate) fn hold(who: u8, transport: &str, folder: &Path) {
    let store = open(folder);
    runtime().block_on(async {
        let (mesh, mut listening) = start(who, &store, vec![format!("/ip6/::1/{transport}")], Vec::new());
        say(&listening.recv().await.expect("it listens"));
        until_closed().await;
        mesh.stop().await.expect("it runs");
    });
}

pub(crate) fn fetch(object: &str, folder: &Path, addresses: &[&str]) {
    let store = open(folder);
    let object: Digest = object.parse().expect("a digest");
    runtime().block_on(async {
        let peers = addresses.iter().map(|address| (*address).to_owned()).collect();
        let (mesh, _) = start(0, &store, vec!["/ip6/::1/tcp/0".into()], peers);
        while mesh.status().await.expect("it runs").peers.len() < addresses.len() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let begun = Instant::now();
        let mut fetch = mesh.fetch(Want::named(object, LIMIT)).await.expect("it runs");
        let mut is_first = true;
        loop {
            match fetch.changed().await.expect("it runs") {
                Progress::Searching | Progress::Absent => {}
                Progress::Fetching { size_bytes, here_bytes, .. } => {
                    if is_first {
                        say(&format!("missing {}", size_bytes - here_bytes));
                        is_first = false;
                    }
                    say(&format!("here {here_bytes}"));
                }
                Progress::Done(_) => break,
                Progress::Failed(reason) => panic!("{reason}"),
            }
        }
        let took = begun.elapsed().as_secs_f64();
        let came = mesh.status().await.expect("it runs").traffic.blob_bytes_in;
        say(&format!("done {took} {came}"));
        until_closed().await;
    });
}

fn start(who: u8, store: &Store, listen: Vec<String>, peers: Vec<String>) -> (Mesh, mpsc::Receiver<String>) {
    let config = Config { listen, peers, discover: false, ..Config::at_port(0, Reach::Lan, who.into()) };
    let world = World {
        roster: Arc::new(roster()),
        feeds: BTreeMap::new(),
        vouched: Vec::new(),
        contacts: Vec::new(),
        blobs: store.blobs().clone(),
    };
    let (listening, heard) = mpsc::channel(8);
    let started = Mesh::start(config, &key(who), Clock::system(), world, Quiet(listening));
    (started.expect("loopback can be listened on").0, heard)
}

fn key(who: u8) -> NodeKey {
    NodeKey::from_secret([who + 1; 32])
}

/// Everybody belongs.
fn roster() -> Roster {
    let root = NodeKey::from_secret([99; 32]);
    let env = EnvId::rooted_in(root.public());
    let certified = |who: u8| {
        let seat = Seat::Under(root.public());
        let (node, consent) = (key(who).public(), seat.agree(env, &key(who)));
        let (principal, role) = (Principal::new("bench@home"), Role::User);
        let claim = Claim::Certificate(Certificate { node, seat, principal, role, expires: None, consent });
        let statement = Statement { env, issuer: root.public(), issued_at: Timestamp::EPOCH, claim };
        Placed { statement: statement.sign(&root).expect("rightly made"), place: None }
    };
    Roster::fold(env, &(0..NODES).map(certified).collect::<Vec<_>>(), BTreeMap::new())
}

/// A node with nothing to say but where it listens.
struct Quiet(mpsc::Sender<String>);

impl Port for Quiet {
    async fn read(&self, _: FeedId, _: u64, _: u64, _: u32) -> Vec<Frame> {
        Vec::new()
    }

    async fn read_proof(&self, _: FeedId) -> Option<Proof> {
        None
    }

    async fn admit(&self, _: PublicKey, _: FeedId, _: Vec<Frame>) -> Result<Known, Refused> {
        Err(Refused::Busy)
    }

    async fn admit_proof(&self, _: PublicKey, _: FeedId, _: Proof) -> Result<Known, Refused> {
        Err(Refused::Busy)
    }

    async fn redeem(&self, _: PublicKey, _: Redeem) -> door::Decision {
        Err(NotRedeemed::Unknown)
    }

    async fn prove(&self, _: Growth) -> Option<Vec<Digest>> {
        None
    }

    async fn vouch(&self, _: SignedCheckpoint) -> Option<Signature> {
        None
    }

    async fn tell_run(&self, _: PublicKey, _: Question) -> Result<Vec<u8>, Withheld> {
        Err(Withheld::Unknown)
    }

    fn notice(&self, event: Event) {
        if let Event::Listening(address) = event {
            // Nobody waits for the second.
            let _ = self.0.try_send(address);
        }
    }
}
