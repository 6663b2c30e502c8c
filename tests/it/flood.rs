//! A node under attack: strangers and members that flood, stall, lie and babble, all at once.
//!
//! Invariant: it answers meanwhile, holds no more than it may, says in its log and counters by name what it
//! refused, keeps nothing of it, and goes on with those who behave.

pub(crate) mod attacker;
pub(crate) mod holder;

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use xyn_net::driver::most;
use xyn_net::wire::{self, Bounded, Frame, Join, Message as _, News, Payload};
use xyn_store::audit::key::NodeKey;
use xyn_store::scope::Principal;
use xyn_store::timeline::entry::{Branch, Kind, Note, Refs};
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::{Saying, Timeline};
use xyn_store::trust::Ticket;
use xyn_store::{Clock, Digest, Options, Store, Timestamp, ids};

use crate::team::{Mate, converge};

/// The most memory that a node takes beyond what it has anyway, under attack by this many members. These here have
/// less in flight than they might; all that they might is within the sum that the driver names.
const GROWTH_MAX_KIB: u64 = 192 << 10;
const ATTACKERS: u8 = 12;
const _: () = assert!(GROWTH_MAX_KIB << 10 <= most::held_bytes_max(ATTACKERS as usize) as u64);
/// How long all of it may take on a machine that has much else to do. A slow stream alone is waited for for half
/// a minute.
const PATIENCE: Duration = Duration::from_secs(240);
const LOOK: Duration = Duration::from_millis(200);
/// Strangers that come at a time: more than may stand at the door.
const CROWD: u8 = 70;

/// What is counted in the end, and what the log says to it.
const REFUSED: [(&str, &str); 10] = [
    ("mesh_refused_total{reason=\"flood\"}", "it flooded"),
    ("mesh_refused_total{reason=\"lie\"}", "it lied"),
    ("mesh_refused_total{reason=\"malformed\"}", "it sent a malformed message"),
    ("mesh_refused_total{reason=\"newer\"}", "it speaks a newer version"),
    ("mesh_refused_total{reason=\"unasked\"}", "it sent what nobody asked for"),
    ("mesh_refused_total{reason=\"too_large\"}", "is longer than"),
    ("mesh_refused_total{reason=\"slow\"}", "a message did not arrive within"),
    ("mesh_refused_total{reason=\"door\"}", "it showed no ticket in time"),
    ("mesh_refused_total{reason=\"crowded\"}", "too many connections: a stranger makes"),
    ("mesh_said_refused_total{reason=\"bad_signature\"}", "refused what a peer said"),
];

/// The attackers, and whom they attack.
struct Siege<'a> {
    host: &'a Mate,
    attacks: JoinSet<()>,
    members: u8,
}

impl Siege<'_> {
    fn address(&self) -> String {
        self.host.node().mesh()[0].clone()
    }

    /// The key of another member, which will not behave as one.
    async fn member(&mut self) -> NodeKey {
        self.members += 1;
        member(self.host, self.members).await
    }

    async fn writes(&mut self, protocol: &'static str, streams: Vec<Vec<u8>>) {
        let attack = attacker::write(self.member().await, self.address(), protocol, streams);
        self.attacks.spawn(attack);
    }

    async fn gossips(&mut self, news: Vec<Vec<u8>>) {
        let (key, topic) = (self.member().await, format!("xyn/{}", self.host.env()));
        self.attacks.spawn(attacker::gossip(key, self.address(), topic, news));
    }

    fn stranger(&mut self, who: u8, streams: Vec<Vec<u8>>) {
        let key = NodeKey::from_secret([who; 32]);
        self.attacks.spawn(attacker::write(key, self.address(), Join::PROTOCOL, streams));
    }
}

/// Makes whoever has this secret a member of the environment of `host`.
pub(crate) async fn member(host: &Mate, secret: u8) -> NodeKey {
    let key = NodeKey::from_secret([secret; 32]);
    join(host, &key).await;
    key
}

async fn join(host: &Mate, key: &NodeKey) {
    let ticket: Ticket = host.invite().await.parse().expect("a ticket");
    xyn_net::driver::join(key, ticket, &Clock::system()).await.expect("it is invited");
}

/// A message with its length before it.
fn whole(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
    [&length, bytes].concat()
}

/// Much less of a message than it says.
fn begun(announced_bytes: u32, bytes: usize) -> Vec<u8> {
    [announced_bytes.to_be_bytes().as_slice(), &vec![1; bytes]].concat()
}

/// Moments of one piece of news. A pack has a multiple of them, so that none is cut in two.
const MOMENTS: u64 = 128;

/// A moment of some 400 bytes.
fn moment(now: Timestamp, number: u64) -> Saying {
    let principal = Principal::new("mallory@lab");
    let digests = (0..4_u64).map(|part| Digest::of_parts(&[&number.to_be_bytes(), &part.to_be_bytes()]));
    let title = digests.map(|digest| digest.to_string()).collect();
    let note = Note { principal, branch: Branch::main(), kind: Kind::Note, title, refs: Refs::default() };
    Saying::Entry(ids::derived(now, &[&number.to_be_bytes()]), Box::new(note))
}

/// A member's key, and news of it that are what they should be, each some 50 kB.
async fn truthful(siege: &Siege<'_>, count: u16) -> (NodeKey, Vec<News>) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), Options::default()).expect("it opens");
    let secret = store.key().transport_secret();
    let key = NodeKey::from_secret(secret);
    join(siege.host, &key).await;
    let feed = FeedId { node: key.public(), incarnation: store.incarnation().id };
    let reader = store.read().expect("it reads");
    let mut timeline = Timeline::open(&reader, siege.host.env().root(), feed).expect("it opens");
    drop(reader);
    let now = Clock::system().now();
    let news = (0..u64::from(count)).map(|number| {
        let (from, to) = (number * MOMENTS + 1, (number + 1) * MOMENTS);
        let sayings = (from..=to).map(|seq| moment(now, seq)).collect();
        let mut written = timeline.say(&key, now, sayings).expect("it fits");
        let bytes = Payload::new(&written.frames.remove(0)).expect("it fits");
        News { feed, frame: Frame { from, to, bytes } }
    });
    let news = news.collect();
    store.close();
    (key, news)
}

async fn begin(siege: &mut Siege<'_>) {
    let (key, news) = truthful(siege, 600).await;
    let (feed, frame) = (news[0].feed, news[0].frame.clone());
    let topic = format!("xyn/{}", siege.host.env());
    let all = news.iter().map(wire::encode).collect();
    siege.attacks.spawn(attacker::gossip(key, siege.address(), topic, all));

    let mut false_bytes = frame.bytes.to_vec();
    *false_bytes.last_mut().expect("it has bytes") ^= 1;
    let bytes = Payload::new(&false_bytes).expect("as long as before");
    siege.gossips(vec![wire::encode(&News { feed, frame: Frame { bytes, ..frame.clone() } })]).await;
    siege.gossips((0..200).map(|at| vec![1, 0xff, at]).collect()).await;
    siege.gossips((0..100).map(|at| vec![at; 1 << 20]).collect()).await;

    let sync = wire::Sync::PROTOCOL;
    siege.writes(sync, vec![whole(&[2, 0]); 60]).await;
    siege.writes(sync, vec![begun(wire::MESSAGE_BYTES_MAX as u32 + 1, 200_000); 60]).await;
    let frames = Bounded::new(vec![frame]).expect("one");
    let answer = wire::encode(&wire::Sync::Frames { feed, after: 0, frames });
    siege.writes(sync, vec![whole(&answer); 60]).await;
    for protocol in [sync, wire::Witness::PROTOCOL, wire::blobs::Ask::PROTOCOL] {
        siege.writes(protocol, vec![begun(16 << 10, 8_000); 150]).await;
    }
    for _ in 0..3 {
        siege.writes(sync, vec![begun(wire::MESSAGE_BYTES_MAX as u32, 1_000_000); 150]).await;
    }

    for _ in 0..8 {
        siege.stranger(100, vec![begun(500, 400); 150]);
    }
    (101..101 + CROWD).for_each(|who| siege.stranger(who, Vec::new()));
    siege.stranger(200, vec![whole(b"let me in"); 100]);
}

/// The most memory its process has taken so far.
fn peak_rss_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is told");
    peak.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_members_that_flood_stall_and_lie_are_refused_by_name_and_fill_no_memory() {
    under_attack("/ip4/127.0.0.1/tcp/0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_attack_over_quic_are_refused_by_the_same_names_and_fill_no_memory_either() {
    under_attack("/ip4/127.0.0.1/udp/0/quic-v1").await;
}

/// A node that listens there alone answers, says by name what it refuses, and holds no more than it may.
async fn under_attack(listens_at: &str) {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    for mate in [&mut ada, &mut bob] {
        mate.address = listens_at.to_owned();
    }
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    converge(&[&ada, &bob], &[]).await;
    let idle_kib = peak_rss_kib(ada.node().pid());
    let mut siege = Siege { host: &ada, attacks: JoinSet::new(), members: 0 };
    begin(&mut siege).await;
    assert!(siege.members <= ATTACKERS, "{} attack", siege.members);

    let began = Instant::now();
    loop {
        let metrics = ada.node().request("GET", "/metrics").send().await.expect("it answers");
        let metrics = metrics.text().await.expect("text");
        ada.note(&format!("{:?} under attack", began.elapsed())).await;
        let peak_kib = peak_rss_kib(ada.node().pid());
        let grown_kib = peak_kib.saturating_sub(idle_kib);
        assert!(grown_kib < GROWTH_MAX_KIB, "{grown_kib} KiB, {idle_kib} before");
        let log = ada.node().log();
        let missing: Vec<&str> = REFUSED
            .iter()
            .filter(|(counter, words)| !metrics.contains(counter) || !log.contains(words))
            .map(|(counter, _)| *counter)
            .collect();
        if missing.is_empty() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{missing:?} is not told in: {metrics}");
        tokio::time::sleep(LOOK).await;
    }
    siege.attacks.shutdown().await;
    bob.note("those who behave go on").await;
    let began = Instant::now();
    // The two may have lost each other in the turmoil, and look for each other now and then.
    while !ada.node().get("/api/v1/timeline?limit=20").await.to_string().contains("those who behave go on") {
        let logs = || [&ada, &bob].map(|mate| mate.node().log()).join("\n-- the other\n");
        assert!(began.elapsed() < PATIENCE, "who behaves is not heard: {}", logs());
        tokio::time::sleep(LOOK).await;
    }
}
