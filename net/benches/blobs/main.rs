//! Blobs over loopback, every node a process of its own: from one peer, from three, and with a kill in the
//! middle, beside a raw libp2p stream in the same run. Prints one JSON line a figure; rates in MB/s. The CPU
//! time of all processes together stands beside each: on a machine that is not idle it says more.
//!
//! `cargo bench -p xyn-net --bench blobs [-- folder] [--beside PROGRAM]`; `XYN_BENCH_BYTES` is the size of the
//! blob, 1 GiB by default, and `XYN_BENCH_ROUNDS` how often everything is done, 5 by default: rounds on a machine
//! that others use differ by a third. The folder is `/dev/shm` by default, so that it is the exchange that is
//! measured; on a disk, what that writes and syncs alone is a figure as well. The program is that of
//! `benches/iroh`: it fetches the same by iroh-blobs. rsync does so where it is installed.

mod beside;
mod node;
mod raw;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use xyn_store::Digest;
use xyn_store::blobs::TIMELINE;

use beside::Beside;

/// The transports: how figures call them, and the command line of the processes.
const TRANSPORTS: [(&str, &str); 2] = [("tcp", "tcp/0"), ("quic", "udp/0/quic-v1")];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["hold", who, transport, folder] => node::hold(number(who), transport, Path::new(folder)),
        ["fetch", object, folder, addresses @ ..] => node::fetch(object, Path::new(folder), addresses),
        ["raw-hold", transport] => raw::hold(transport),
        ["raw-fetch", bytes, address] => raw::fetch(bytes.parse().expect("a number"), address),
        words => {
            let (mut place, mut iroh) = ("/dev/shm", None);
            let mut words = words.iter().copied().filter(|word| *word != "--bench");
            while let Some(word) = words.next() {
                match word {
                    "--beside" => iroh = words.next(),
                    folder => place = folder,
                }
            }
            measure(place, iroh);
        }
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.trim().parse().expect("a number")
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().map_or(default, |text| number(&text))
}

fn measure(place: &str, iroh: Option<&str>) {
    let size = setting("XYN_BENCH_BYTES", 1 << 30);
    let folder = tempfile::Builder::new().prefix("blobs-bench").tempdir_in(place).expect("a folder there");
    let folder = folder.path();
    let holders: Vec<PathBuf> = (1..=3).map(|who| folder.join(who.to_string())).collect();
    let bytes = noise(size);
    let object = prepare(&holders, &bytes);
    let others = Beside::new(folder, &bytes, iroh);
    drop(bytes);
    disk(folder, size);
    let mut ratios: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for round in 0..setting("XYN_BENCH_ROUNDS", 5) {
        let here = || folder.join(format!("fetcher-{round}"));
        for (name, transport) in TRANSPORTS {
            let (raw, raw_cpu) = raw_stream(transport, size);
            report(&format!("blobs.raw_{name}"), raw);
            report(&format!("blobs.raw_{name}.cpu_s_per_gb"), raw_cpu / size as f64 * 1e9);
            let mut from_one = None;
            for count in [1, 3] {
                let fetched = fetch(&object, &holders[..count], transport, &here());
                let figure = format!("blobs.{name}.from_{count}");
                let rate = size as f64 / fetched.seconds / 1e6;
                report(&figure, rate);
                let mut beside = vec![("per_raw", rate / raw)];
                match from_one {
                    None => from_one = Some(rate),
                    Some(one) => beside.push(("per_one", rate / one)),
                }
                for (what, ratio) in beside {
                    let figure = format!("{figure}.{what}");
                    report(&figure, ratio);
                    ratios.entry(figure).or_default().push(ratio);
                }
                report(&format!("{figure}.cpu_s_per_gb"), fetched.cpu_s / size as f64 * 1e9);
                report(&format!("{figure}.per_raw_by_cpu"), raw_cpu / fetched.cpu_s);
                report(&format!("{figure}.came_per_byte"), fetched.came_bytes / size as f64);
                report(&format!("{figure}.rss_mb"), fetched.rss_bytes / 1e6);
                report(&format!("{figure}.source_rss_mb"), fetched.source_rss_bytes / 1e6);
                std::fs::remove_dir_all(here()).expect("own folder");
            }
        }
        others.measure();
    }
    for (figure, mut ratios) in ratios {
        ratios.sort_by(f64::total_cmp);
        report(&format!("{figure}.median"), ratios[ratios.len() / 2]);
    }
    for (name, transport) in TRANSPORTS {
        kill(name, transport, &object, &holders, &folder.join(format!("killed-{name}")), size);
    }
}

/// Puts the same blob into each store.
fn prepare(holders: &[PathBuf], bytes: &[u8]) -> String {
    for folder in holders {
        let store = node::open(folder);
        let object = store.blobs().put(bytes).expect("there is room");
        store.blobs().hold(&object, TIMELINE).expect("is here");
    }
    Digest::of(bytes).to_string()
}

/// What the disk takes for as many bytes, synced as a store does it. As many files as there are, so that memory
/// that stands for a disk is this machine's before anything is measured: a virtual one is given it when it is
/// first touched.
fn disk(folder: &Path, size: usize) {
    let (begun, pack) = (Instant::now(), vec![7; 64 << 20]);
    let folder = folder.join("raw");
    std::fs::create_dir(&folder).expect("there is room");
    for number in 0..size.div_ceil(pack.len()) {
        let write = || {
            let mut file = File::create(folder.join(number.to_string()))?;
            file.write_all(&pack[..pack.len().min(size - number * pack.len())])?;
            file.sync_all()
        };
        write().expect("there is room");
    }
    report("blobs.disk.write_and_sync", size as f64 / begun.elapsed().as_secs_f64() / 1e6);
    std::fs::remove_dir_all(folder).expect("own folder");
}

/// The rate, and what it took of the processors.
fn raw_stream(transport: &str, size: usize) -> (f64, f64) {
    let mut holder = Process::start(&["raw-hold", transport]);
    let address = holder.line();
    let mut fetcher = Process::start(&["raw-fetch", &size.to_string(), &address]);
    let rate = size as f64 / number::<f64>(&fetcher.line()) / 1e6;
    (rate, node::cpu_s(fetcher.id()) + node::cpu_s(holder.id()))
}

struct Fetched {
    seconds: f64,
    came_bytes: f64,
    rss_bytes: f64,
    source_rss_bytes: f64,
    cpu_s: f64,
}

fn hold(holders: &[PathBuf], transport: &str) -> (Vec<Process>, Vec<String>) {
    let start = |(at, folder): (usize, &PathBuf)| {
        let who = (at + 1).to_string();
        Process::start(&["hold", &who, transport, &folder.to_string_lossy()])
    };
    let mut sources: Vec<_> = holders.iter().enumerate().map(start).collect();
    let addresses = sources.iter_mut().map(Process::line).collect();
    (sources, addresses)
}

fn fetcher(object: &str, folder: &Path, addresses: &[String]) -> Process {
    let folder = folder.to_string_lossy();
    let words = ["fetch", object, &folder].into_iter().chain(addresses.iter().map(String::as_str));
    Process::start(&words.collect::<Vec<_>>())
}

fn fetch(object: &str, holders: &[PathBuf], transport: &str, folder: &Path) -> Fetched {
    let (sources, addresses) = hold(holders, transport);
    let mut process = fetcher(object, folder, &addresses);
    let end = process.lines_until("done");
    let words: Vec<f64> = end.split_whitespace().map(number).collect();
    let source_rss_bytes = sources.iter().map(|it| node::peak_bytes(it.id())).fold(0.0, f64::max);
    let cpu_s = node::cpu_s(process.id()) + sources.iter().map(|it| node::cpu_s(it.id())).sum::<f64>();
    let rss_bytes = node::peak_bytes(process.id());
    Fetched { seconds: words[0], came_bytes: words[1], rss_bytes, source_rss_bytes, cpu_s }
}

/// Kills the fetching process in the middle and lets another one go on.
fn kill(name: &str, transport: &str, object: &str, holders: &[PathBuf], folder: &Path, size: usize) {
    let (_sources, addresses) = hold(holders, transport);
    let mut process = fetcher(object, folder, &addresses);
    let mut told = 0.0;
    while told < size as f64 / 2.0 {
        told = number(&process.lines_until("here"));
    }
    drop(process);
    let mut process = fetcher(object, folder, &addresses);
    let missing: f64 = number(&process.lines_until("missing"));
    let end = process.lines_until("done");
    let came: f64 = number(end.split_whitespace().nth(1).expect("the second word"));
    report(&format!("blobs.{name}.kill.told_and_lost_bytes"), (told - (size as f64 - missing)).max(0.0));
    report(&format!("blobs.{name}.kill.here_share"), 1.0 - missing / size as f64);
    report(&format!("blobs.{name}.kill.came_per_missing_byte"), came / missing);
}

/// Another process of this program; killed when dropped.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// A process ends when this does.
    _alive: ChildStdin,
}

impl Process {
    fn start(words: &[&str]) -> Self {
        Self::of(std::env::current_exe().expect("this program has a path"), words)
    }

    fn of(program: impl AsRef<OsStr>, words: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let alive = child.stdin.take().expect("it is piped");
        Self { child, lines, _alive: alive }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("it says something").expect("in UTF-8")
    }

    /// What stands behind `word` on the next line that begins with it.
    fn lines_until(&mut self, word: &str) -> String {
        loop {
            if let Some(rest) = self.line().strip_prefix(word) {
                return rest.to_owned();
            }
        }
    }

    fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes that cannot be compressed.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn report(figure: &str, value: f64) {
    println!("{{\"figure\":\"{figure}\",\"value\":{value:.4}}}");
}
