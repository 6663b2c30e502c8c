//! Nodes that meet: how long until they have the same, and what it costs on the wire. Prints one JSON line a
//! figure.
//!
//! `cargo bench -p xyn-net --bench sync [-- entries] [--only meet|behind|news|trace] [--beside PROGRAM]`, where
//! the program is that of `benches/samod`: it does the same work in automerge-repo, in the same run.

mod bed;
mod beside;
mod book;
mod relay;

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use xyn_store::Clock;
use xyn_store::timeline::Saying;
use xyn_store::trust::Roster;

use bed::{Node, entry, history, team};
use relay::Relay;

/// Entries that each of two nodes has of its own, unless the command line says otherwise.
const ENTRIES: usize = 100_000;
/// Entries of a week: a busy team's.
const WEEK: usize = 1_400;
/// Nodes that hear each other's news, and how often.
const NODES: usize = 8;
const NEWS: u64 = 400;
/// How long two nodes that have the same are listened to.
const IDLE: Duration = Duration::from_secs(3);
const TCP: &str = "tcp/0";
const QUIC: &str = "udp/0/quic-v1";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let behind = |flag: &str| arguments.iter().skip_while(|it| *it != flag).nth(1).cloned();
    let entries = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ENTRIES);
    let only = behind("--only");
    let is_wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let folder = tempfile::Builder::new().prefix("sync-bench").tempdir_in(".").expect("a folder here");
    if is_wanted("meet") {
        meet(&folder, entries).await;
    }
    if is_wanted("behind") {
        behind_a_week(&folder, entries).await;
    }
    if is_wanted("news") {
        news(&folder).await;
    }
    if let Some(program) = behind("--beside").filter(|_| is_wanted("trace")) {
        beside::trace(&folder, Path::new(&program)).await;
    }
}

/// Two nodes with so many entries each of their own meet, once by TCP and once by QUIC, and then once more.
async fn meet(folder: &TempDir, entries: usize) {
    let homes = two_apart(folder, "meet", entries).await;
    let roster = team(&[&homes[0], &homes[1]]);
    let all = 2 * entries as u64;
    let copies = [copy(&homes[0]), copy(&homes[1])];
    let met = Meeting::of(&copies, &roster, QUIC, all).await;
    report("sync.meet.quic_s", met.seconds);
    report("sync.meet.quic_cpu_s", met.cpu_seconds);
    let met = Meeting::of(&homes, &roster, TCP, all).await;
    report("sync.meet.tcp_s", met.seconds);
    report("sync.meet.tcp_cpu_s", met.cpu_seconds);
    report("sync.meet.entries_per_s", all as f64 / met.seconds);
    report("sync.meet.wire_bytes_per_entry", met.wire_bytes as f64 / all as f64);
    report("sync.meet.message_bytes_per_entry", met.message_bytes as f64 / all as f64);
    let again = Meeting::of(&homes, &roster, TCP, all).await;
    report("sync.again.message_bytes", again.message_bytes as f64);
    report("sync.again.wire_bytes_with_handshakes", again.wire_bytes as f64);
}

/// A node that was away for a week comes back to a history that is short, and to one that is long.
async fn behind_a_week(folder: &TempDir, entries: usize) {
    for history_of in [entries / 10, entries] {
        let homes = two_apart(folder, &format!("behind-{history_of}"), history_of / 2).await;
        let roster = team(&[&homes[0], &homes[1]]);
        Meeting::of(&homes, &roster, TCP, history_of as u64).await;
        history(&homes[0], WEEK).await;
        let met = Meeting::of(&homes, &roster, TCP, (history_of + WEEK) as u64).await;
        report(&format!("sync.behind.s.{history_of}"), met.seconds);
        report(
            &format!("sync.behind.message_bytes_per_entry.{history_of}"),
            met.message_bytes as f64 / WEEK as f64,
        );
    }
}

/// From the moment a node begins to write an entry until another has it, durably.
async fn news(folder: &TempDir) {
    let homes: Vec<PathBuf> = (0..NODES).map(|node| folder.path().join(format!("news-{node}"))).collect();
    let roster = team(&homes.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    let mut nodes: Vec<Node> = Vec::new();
    for home in &homes {
        let peers: Vec<String> = nodes.iter().map(|node| node.address.clone()).collect();
        nodes.push(Node::start(home, &roster, TCP, &peers).await);
    }
    for node in &mut nodes {
        node.connected(NODES - 1).await;
    }
    let mut times = Vec::new();
    for number in 1..=NEWS {
        let author = &nodes[number as usize % NODES];
        let (id, note) = entry(author.book.key(), number);
        let begun = Instant::now();
        let hearers: Vec<_> = nodes.iter().filter(|it| it.address != author.address).collect();
        let heard = hearers.iter().map(|node| {
            let mut count = node.book.count();
            tokio::spawn(async move {
                count.wait_for(|here| *here >= number).await.expect("it runs");
                begun.elapsed()
            })
        });
        let heard: Vec<_> = heard.collect();
        let written = author.book.write(Clock::system().now(), vec![Saying::Entry(id, Box::new(note))]).await;
        let (news, known) = written;
        for news in news {
            author.mesh.publish(news, known).await.expect("it runs");
        }
        for time in heard {
            times.push(time.await.expect("it is heard"));
        }
    }
    times.sort_unstable();
    report("news.p50_ms", millis(times[times.len() / 2]));
    report("news.p99_ms", millis(times[times.len() * 99 / 100]));
    for node in nodes {
        node.stop().await;
    }
}

/// Two folders with so many entries each, whose nodes have not met.
async fn two_apart(folder: &TempDir, name: &str, entries: usize) -> [PathBuf; 2] {
    let homes = ["ana", "ben"].map(|who| folder.path().join(format!("{name}-{who}")));
    for home in &homes {
        history(home, entries).await;
    }
    homes
}

/// A clone of a folder, as a backup is.
fn copy(home: &Path) -> PathBuf {
    let to = home.with_extension("copy");
    let copied = Command::new("cp").arg("-r").arg(home).arg(&to).status();
    assert!(copied.expect("cp starts").success());
    to
}

/// What it took until two nodes had the same.
struct Meeting {
    seconds: f64,
    /// Of both nodes and the relay: what a machine that is busy otherwise does not lengthen.
    cpu_seconds: f64,
    message_bytes: u64,
    /// By TCP only: everything, with what encrypts and frames it.
    wire_bytes: u64,
}

impl Meeting {
    /// Starts both nodes, one dialling the other through a relay, and ends when each has `all` records.
    async fn of(homes: &[PathBuf; 2], roster: &Arc<Roster>, transport: &str, all: u64) -> Self {
        let mut ana = Node::start(&homes[0], roster, transport, &[]).await;
        let relay = match transport {
            TCP => Some(Relay::to(SocketAddr::from((Ipv6Addr::LOCALHOST, ana.port())))),
            _ => None,
        };
        let address = relay.as_ref().map_or(ana.address.clone(), |relay| ana.address_at(relay.port));
        let (begun, cpu_before) = (Instant::now(), cpu_seconds());
        let mut ben = Node::start(&homes[1], roster, transport, &[address]).await;
        ana.connected(1).await;
        ben.connected(1).await;
        let had_all = *ana.book.count().borrow() >= all && *ben.book.count().borrow() >= all;
        tokio::join!(ana.holds(all), ben.holds(all));
        let (seconds, cpu_seconds) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
        if had_all {
            tokio::time::sleep(IDLE).await;
        }
        let (a, b) = (ana.traffic().await, ben.traffic().await);
        let same = ana.book.digest() == ben.book.digest();
        assert!(same, "two nodes that have all have the same");
        ana.stop().await;
        ben.stop().await;
        let wire_bytes = relay.map_or(0, |relay| relay.bytes());
        Self { seconds, cpu_seconds, message_bytes: a.bytes_out + b.bytes_out, wire_bytes }
    }
}

/// What this process has used of the cores so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux says");
    // Behind the name, which may hold anything: user and system time are the 12th and 13th, in hundredths.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).expect("Linux says");
    (ticks(11) + ticks(12)) / 100.0
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn report(figure: &str, value: f64) {
    println!("{{\"figure\":\"{figure}\",\"value\":{value:.4}}}");
}
