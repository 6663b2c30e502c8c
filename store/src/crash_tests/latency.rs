//! How long a lone append takes, and the opening after a kill, with and without the allocator's state in each commit.
//! Only with `XYN_FULL=1`, and to be built in release mode; prints one JSON line per figure.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::ledger::{append, at};
use super::{full, samples};
use crate::ids;
use crate::journal::{Append, Journal};
use crate::projection::Changes;
use crate::store::DATABASE_FILE;
use crate::{Options, Store};

/// Appends in flight while the folder is filled.
const FLIGHT: u64 = 4096;
const SAMPLES: u64 = 300;

fn options(quick_repair: bool) -> Options {
    Options { quick_repair, ..Options::default() }
}

/// The beginning of run `n`: 200 bytes on a stream of its own, its row and its mark.
fn begin(n: u64) -> Append {
    let mut append = append(n, &mut Default::default());
    append.entries.truncate(1);
    append.entries[0].stream = ids::derived(at(n), &[&n.to_be_bytes()]);
    append.entries[0].records = vec![n as u8; 200];
    append.changes = Changes::new();
    append.claim = None;
    samples::run_row(n).write(None, &mut append.changes);
    append
}

async fn fill(journal: &Journal, numbers: std::ops::Range<u64>) {
    let mut flight = JoinSet::new();
    for n in numbers {
        let journal = journal.clone();
        flight.spawn(async move { journal.append(begin(n)).await });
    }
    assert!(flight.join_all().await.iter().all(Result::is_ok));
}

fn millis(it: Duration) -> f64 {
    it.as_secs_f64() * 1000.0
}

fn print(figure: &str, quick_repair: bool, appends: u64, value_ms: f64) {
    let line = serde_json::json!({
        "figure": figure, "quick_repair": quick_repair, "appends": appends, "value_ms": value_ms,
    });
    // Not `println!`: the harness would swallow it.
    writeln!(std::io::stderr(), "{line}").expect("stderr is open");
}

/// What a killed process leaves: a copy of the database while it is open and nobody writes.
fn killed(folder: &Path, copy: &Path) {
    // Makes the folders of blobs, which a node that was killed has already.
    Store::open(copy, options(false)).expect("opens").close();
    for name in [DATABASE_FILE, "node.key"] {
        std::fs::copy(folder.join(name), copy.join(name)).expect("copies");
        // Or the opening would pay for the copy.
        std::fs::File::open(copy.join(name)).and_then(|file| file.sync_all()).expect("syncs");
    }
}

async fn measure(quick_repair: bool, sizes: &[u64]) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), options(quick_repair)).expect("opens");
    let journal = store.journal().expect("open");
    let mut next = 0;
    for &size in sizes {
        while next < size {
            let end = size.min(next + FLIGHT);
            fill(&journal, next..end).await;
            next = end;
        }
        let mut samples = Vec::new();
        for n in next..next + SAMPLES {
            let started = Instant::now();
            journal.append(begin(n)).await.expect("appends");
            samples.push(started.elapsed());
        }
        next += SAMPLES;
        samples.sort_unstable();
        print("lone_append_p50", quick_repair, size, millis(samples[samples.len() / 2]));
        print("lone_append_p99", quick_repair, size, millis(samples[samples.len() * 99 / 100]));
        let copy = tempfile::tempdir().expect("a folder");
        killed(folder.path(), copy.path());
        let len = std::fs::metadata(copy.path().join(DATABASE_FILE)).expect("is there").len();
        print("database_mib", quick_repair, size, (len >> 20) as f64);
        let started = Instant::now();
        let again = Store::open(copy.path(), options(quick_repair)).expect("opens");
        print("open_after_kill", quick_repair, size, millis(started.elapsed()));
        again.close();
        drop(again);
        let started = Instant::now();
        let again = Store::open(copy.path(), options(quick_repair)).expect("opens");
        print("open_after_close", quick_repair, size, millis(started.elapsed()));
        again.close();
    }
    drop(journal);
    store.close();
}

#[tokio::test]
async fn figures_of_quick_repair() {
    if full() {
        for quick_repair in [false, true] {
            measure(quick_repair, &[100_000, 1_000_000]).await;
        }
    }
}
