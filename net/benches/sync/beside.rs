//! The same edits in automerge-repo, by its own program, in the same run.
//!
//! Owns the trace: entries by two authors who are offline and then meet, and after that take turns. The peer
//! keeps what it has in memory and encrypts nothing; this side signs, encrypts and keeps it durably.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::mpsc;
use xyn_store::Clock;
use xyn_store::timeline::Saying;
use xyn_store::trust::Roster;

use super::bed::{Node, entry, env, team};
use super::book::Book;
use super::{Meeting, TCP, millis, report, two_apart};

/// Entries of each author before they meet.
const APART: [usize; 2] = [1_000, 5_000];
/// Entries after that, one in answer to the other.
const TURNS: usize = 200;

/// The trace, by both.
pub(super) async fn trace(folder: &TempDir, program: &Path) {
    for apart in APART {
        let homes = two_apart(folder, &format!("trace-{apart}"), apart).await;
        let [seconds, bytes, turn_ms] = samod(program, &written(&homes, folder, apart));
        let roster = team(&[&homes[0], &homes[1]]);
        let ours = Meeting::of(&homes, &roster, TCP, 2 * apart as u64).await;
        let our_turn_ms = turns(&homes, &roster, apart as u64).await;
        let each = |bytes: f64| bytes / (2 * apart) as f64;
        report(&format!("trace.meet_s.{apart}"), ours.seconds);
        report(&format!("trace.samod.meet_s.{apart}"), seconds);
        report(&format!("trace.meet.times_as_fast_as_samod.{apart}"), seconds / ours.seconds);
        report(&format!("trace.wire_bytes_per_entry.{apart}"), each(ours.wire_bytes as f64));
        report(&format!("trace.samod.wire_bytes_per_entry.{apart}"), each(bytes));
        report(&format!("trace.wire_bytes_by_samod_s.{apart}"), ours.wire_bytes as f64 / bytes);
        report(&format!("trace.turn_p50_ms.{apart}"), our_turn_ms);
        report(&format!("trace.samod.turn_p50_ms.{apart}"), turn_ms);
        report(&format!("trace.turn.times_as_fast_as_samod.{apart}"), turn_ms / our_turn_ms);
    }
}

/// The edits as the program reads them: whose (a byte), the key, and the value behind its length. The last
/// [`TURNS`] are made in turns.
fn written(homes: &[PathBuf; 2], folder: &TempDir, apart: usize) -> PathBuf {
    let books = homes.each_ref().map(|home| Book::open(home, env(), mpsc::channel(1).0));
    let mut trace = Vec::new();
    let mut put = |author: usize, number: usize| {
        let (id, note) = entry(books[author].key(), number as u64);
        let value = postcard::to_stdvec(&note).expect("plain data");
        trace.push(author as u8);
        trace.extend(id.as_bytes());
        trace.extend((value.len() as u32).to_be_bytes());
        trace.extend(value);
    };
    [0, 1].into_iter().for_each(|author| (0..apart).for_each(|number| put(author, number)));
    (0..TURNS).for_each(|turn| put(turn % 2, apart + turn / 2));
    books.iter().for_each(|book| book.close());
    let path = folder.path().join(format!("trace-{apart}"));
    std::fs::write(&path, trace).expect("writes");
    path
}

/// What the program says: seconds to meet, bytes for that, and the median of a turn in milliseconds.
fn samod(program: &Path, trace: &Path) -> [f64; 3] {
    let child = Command::new(program).arg(trace).arg(TURNS.to_string()).stderr(Stdio::inherit()).output();
    let said = child.expect("the program of benches/samod is built").stdout;
    let figures = std::str::from_utf8(&said).expect("figures are text").split_whitespace();
    let figures: Vec<f64> = figures.map(|figure| figure.parse().expect("a number")).collect();
    figures.try_into().expect("three figures")
}

/// The median of the time from writing an entry until the other has it, when each answers the other.
async fn turns(homes: &[PathBuf; 2], roster: &Arc<Roster>, apart: u64) -> f64 {
    let ana = Node::start(&homes[0], roster, TCP, &[]).await;
    let mut ben = Node::start(&homes[1], roster, TCP, std::slice::from_ref(&ana.address)).await;
    ben.connected(1).await;
    let nodes = [ana, ben];
    let mut times: Vec<Duration> = Vec::new();
    for turn in 0..TURNS as u64 {
        let (author, reader) = (&nodes[turn as usize % 2], &nodes[(turn as usize + 1) % 2]);
        let (id, note) = entry(author.book.key(), apart + turn / 2);
        let begun = Instant::now();
        let said = vec![Saying::Entry(id, Box::new(note))];
        let (news, known) = author.book.write(Clock::system().now(), said).await;
        for news in news {
            author.mesh.publish(news, known).await.expect("it runs");
        }
        reader.holds(2 * apart + turn + 1).await;
        times.push(begun.elapsed());
    }
    for node in nodes {
        node.stop().await;
    }
    times.sort_unstable();
    millis(times[times.len() / 2])
}
