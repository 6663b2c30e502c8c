//! Durable appends: latency and rate by callers in flight, bytes written per byte of event, beside the disk's own
//! fdatasync and beside raw redb with the same tables. Prints one JSON line a figure.
//!
//! `cargo bench -p xyn-store --bench journal`

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use redb::TableDefinition;
use xyn_store::ids::{self, EventId, StreamId};
use xyn_store::journal::{Append, Entry, Journal};
use xyn_store::scope::{Attribution, Principal};
use xyn_store::{Clock, Options, Store, Timestamp};

const EVENT_BYTES: usize = 200;
const PERIOD: Duration = Duration::from_secs(3);

fn main() {
    let folder =
        tempfile::Builder::new().prefix("journal-bench").tempdir_in(".").expect("a folder on this disk");
    let disk = fdatasync_p50(folder.path());
    report("journal.disk.fdatasync_p50_ms", millis(disk));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut rates = Vec::new();
    for quick_repair in [false, true] {
        for callers in [1, 4, 16, 64, 256, 4096] {
            let path = folder.path().join(format!("{callers}-{quick_repair}"));
            let mut options = Options::default();
            options.quick_repair = quick_repair;
            let store = Store::open(&path, options).expect("opens");
            let journal = store.journal().expect("open");
            let figures = runtime.block_on(appends(&journal, callers));
            let name = format!("journal.c{callers}{}", if quick_repair { ".quick_repair" } else { "" });
            report(&format!("{name}.appends_per_s"), figures.rate);
            report(&format!("{name}.p50_ms"), millis(figures.p50));
            report(&format!("{name}.p99_ms"), millis(figures.p99));
            report(&format!("{name}.written_per_event_byte"), figures.amplification);
            if callers == 1 {
                report(&format!("{name}.p50_per_fdatasync"), figures.p50.as_secs_f64() / disk.as_secs_f64());
            }
            if !quick_repair {
                rates.push((callers, figures.rate));
            }
            drop(journal);
            store.close();
        }
    }
    for batch in [16, 4096] {
        let raw = raw_redb(&folder.path().join(format!("raw-{batch}")), batch);
        report(&format!("journal.raw_redb.b{batch}.appends_per_s"), raw);
        if let Some((_, ours)) = rates.iter().find(|(callers, _)| *callers == batch) {
            report(&format!("journal.c{batch}.rate_per_raw_redb"), ours / raw);
        }
    }
}

struct Figures {
    rate: f64,
    p50: Duration,
    p99: Duration,
    amplification: f64,
}

/// `callers` tasks record events, one after the other, for [`PERIOD`]. Each event is a stream of its own with a
/// time-ordered id, as at intake.
async fn appends(journal: &Journal, callers: usize) -> Figures {
    let (before, start) = (bytes_written(), Instant::now());
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let clock = Clock::system();
                let mut latencies = Vec::new();
                while start.elapsed() < PERIOD {
                    let begun = Instant::now();
                    let entries = vec![entry(ids::fresh(clock.now()))];
                    journal.append(Append { entries, ..Append::default() }).await.expect("appends");
                    latencies.push(begun.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("the task ends"));
    }
    let elapsed = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let count = latencies.len();
    Figures {
        rate: count as f64 / elapsed,
        p50: latencies[count / 2],
        p99: latencies[count * 99 / 100],
        amplification: (bytes_written() - before) as f64 / (count * EVENT_BYTES) as f64,
    }
}

fn entry(event: EventId) -> Entry {
    Entry {
        stream: StreamId::from(uuid::Uuid::from(event)),
        expected: 0,
        at: Timestamp::from_micros(1_700_000_000_000_000),
        attribution: Attribution {
            actor: Principal::local_operator(),
            session: None,
            correlation_id: event.into(),
            causation_id: None,
        },
        names: vec!["bench.event".into()],
        records: vec![7; EVENT_BYTES],
    }
}

/// Appends/s of bare redb with the journal's tables (log, index, head) and values of the same size.
fn raw_redb(path: &Path, batch: usize) -> f64 {
    const LOG: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("log");
    const STREAMS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("streams");
    const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
    let database = redb::Database::create(path).expect("creates");
    let (clock, value) = (Clock::system(), vec![7_u8; EVENT_BYTES + 120]);
    let (start, mut offset) = (Instant::now(), 0_u64);
    while start.elapsed() < PERIOD {
        let transaction = database.begin_write().expect("begins");
        {
            let mut log = transaction.open_table(LOG).expect("opens");
            let mut streams = transaction.open_table(STREAMS).expect("opens");
            let mut meta = transaction.open_table(META).expect("opens");
            for _ in 0..batch {
                log.insert(offset.to_be_bytes().as_slice(), value.as_slice()).expect("inserts");
                let stream: StreamId = ids::fresh(clock.now());
                let key = [stream.as_bytes().as_slice(), &1_u64.to_be_bytes()].concat();
                streams.insert(key.as_slice(), offset.to_be_bytes().as_slice()).expect("inserts");
                offset += 1;
            }
            meta.insert(b"head".as_slice(), [0; 200].as_slice()).expect("inserts");
        }
        transaction.commit().expect("commits");
    }
    offset as f64 / start.elapsed().as_secs_f64()
}

/// Median of overwriting a block and syncing it.
fn fdatasync_p50(folder: &Path) -> Duration {
    let path = folder.join("disk");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(path).expect("creates");
    let block = [7; 4096];
    for index in 0..1024 {
        file.write_all_at(&block, index * 4096).expect("writes");
    }
    file.sync_all().expect("syncs");
    let mut times: Vec<Duration> = (0..1000)
        .map(|index| {
            file.write_all_at(&block, (index * 7 % 1024) * 4096).expect("writes");
            let begun = Instant::now();
            file.sync_data().expect("syncs");
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// Bytes this process has handed to the disk.
fn bytes_written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").expect("Linux says");
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).expect("Linux says")
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn report(figure: &str, value: f64) {
    println!("{{\"figure\":\"{figure}\",\"value\":{value:.4}}}");
}
