//! The timeline: appends, remote records at growing length, board edits, and a cold start at a million
//! entries. Prints one JSON line a figure.
//!
//! `cargo bench -p xyn-store --bench timeline [-- entries]`

use std::path::Path;
use std::time::{Duration, Instant};

use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids;
use xyn_store::journal::Append;
use xyn_store::scope::{Principal, Stage};
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::entry::{Branch, Kind, Note, Refs};
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::{EntryFilter, Saying, Timeline, Track};
use xyn_store::trust::Cut;
use xyn_store::{Clock, Digest, Options, Order, Store, Timestamp};

/// Entries of one batch, as they are written and as they come from a peer.
const BATCH: usize = 256;
/// Entries of the long timeline, unless the command line says otherwise.
const ENTRIES: usize = 1_000_000;
/// Asks this program to open a folder and say what that costs, in a process of its own.
const COLD: &str = "--cold";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == COLD) {
        return cold(Path::new(&arguments[at + 1]));
    }
    let entries = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ENTRIES);
    let folder = tempfile::Builder::new().prefix("timeline-bench").tempdir_in(".").expect("a folder here");
    let node = Bench::open(&folder.path().join("node"));
    let mut writer = Writer::new(&folder.path().join("writer"));
    let mut alone = Bench::open(&folder.path().join("alone"));
    let others = ["first", "second", "mate"].map(|name| Bench::open(&folder.path().join(name)));
    boards(&mut alone, others);
    appends(&mut alone);
    drop(alone);
    remote(node, &mut writer, entries);
    let program = std::env::current_exe().expect("this program has a path");
    let path = folder.path().join("node");
    let child = std::process::Command::new(program).arg(COLD).arg(path).status();
    assert!(child.expect("starts").success());
}

/// A node with a folder of its own.
struct Bench {
    store: Store,
    timeline: Timeline,
    clock: Clock,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn open(path: &Path) -> Self {
        let store = Store::open(path, Options::default()).expect("opens");
        let own = FeedId { node: store.key().public(), incarnation: store.incarnation().id };
        let timeline = Timeline::open(&store.read().expect("reads"), env(), own).expect("opens");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { store, timeline, clock: Clock::system(), runtime }
    }

    fn commit(&self, changes: xyn_store::projection::Changes) {
        let append = Append { changes, ..Append::default() };
        self.runtime.block_on(self.store.journal().expect("open").append(append)).expect("commits");
    }

    /// Answers how long it takes to judge `frames`, and to have them on the disk as well.
    fn admit(&mut self, frames: &[Vec<u8>]) -> [Duration; 2] {
        let begun = Instant::now();
        let reader = self.store.read().expect("reads");
        let now = self.clock.now();
        let admission = self.timeline.admit(&reader, frames, now, |_| Cut::Nowhere).expect("admits");
        let taken = begun.elapsed();
        assert!(admission.verdicts.iter().all(|verdict| matches!(verdict, Verdict::Admitted { .. })));
        drop(reader);
        self.commit(admission.changes);
        [taken, begun.elapsed()]
    }
}

/// Someone else, who keeps nothing.
struct Writer {
    key: NodeKey,
    timeline: Timeline,
    count: u64,
    /// Before now, so that nothing seems to come from the future.
    now: Timestamp,
}

impl Writer {
    fn new(path: &Path) -> Self {
        let store = Store::open(path, Options::default()).expect("opens");
        let key = NodeKey::create(tempfile::tempdir().expect("a folder").path()).expect("a key");
        let own = FeedId { node: key.public(), incarnation: 1 };
        let timeline = Timeline::open(&store.read().expect("reads"), env(), own).expect("opens");
        let now = Clock::system().now().before(Duration::from_secs(14 * 86_400));
        Self { key, timeline, count: 0, now }
    }

    fn frames(&mut self, count: usize) -> Vec<Vec<u8>> {
        self.now = self.now.after(Duration::from_millis(count as u64));
        let sayings = (0..count).map(|_| saying(&mut self.count, self.now)).collect();
        self.timeline.say(&self.key, self.now, sayings).expect("fits").frames
    }
}

/// An entry as a run leaves it: with the run, and the roots of the workspace before and after.
fn saying(count: &mut u64, now: Timestamp) -> Saying {
    *count += 1;
    let refs = Refs {
        run: Some(ids::derived(now, &[b"run", &count.to_le_bytes()])),
        before: Some(Digest::of(&count.to_le_bytes())),
        after: Some(Digest::of(&(*count + 1).to_le_bytes())),
        ..Refs::default()
    };
    // Now and then something is deployed and mapped, to one of a few places.
    let (kind, refs) = match *count % 1_000 {
        0 => {
            (Kind::Deploy, Refs { env: place(*count), stage: Some(Stage::Prod), capsule: refs.after, ..refs })
        }
        1 => (Kind::Domain, Refs { domain: place(*count), capsule: refs.after, ..refs }),
        _ => (Kind::Run, refs),
    };
    let note = Note {
        principal: Principal::new("ana@laptop"),
        branch: Branch::main(),
        kind,
        title: format!("Run {count} of the landing page completed"),
        refs,
    };
    Saying::Entry(ids::derived(now, &[b"entry", &count.to_le_bytes()]), Box::new(note))
}

/// One of twenty names.
fn place(count: u64) -> Option<String> {
    Some(format!("place-{}", count / 1_000 % 20))
}

fn appends(node: &mut Bench) {
    let (mut count, begun) = (0, Instant::now());
    let (mut frame_bytes, mut computed) = (0, Vec::new());
    while begun.elapsed() < Duration::from_secs(5) {
        let now = node.clock.now();
        let started = Instant::now();
        let sayings = (0..BATCH).map(|_| saying(&mut count, now)).collect();
        let written = node.timeline.say(node.store.key(), now, sayings).expect("fits");
        computed.push(started.elapsed());
        frame_bytes += written.frames.iter().map(Vec::len).sum::<usize>();
        node.commit(written.changes);
    }
    report("timeline.append.entries_per_s", count as f64 / begun.elapsed().as_secs_f64());
    report("timeline.append.us_per_entry_without_commit", micros(median(&mut computed)) / BATCH as f64);
    report("timeline.wire_bytes_per_entry", frame_bytes as f64 / count as f64);
}

/// Pins, each of which is a board, and comments on one moment, which share one. A board is folded once, and each edit
/// goes on from there.
fn boards(node: &mut Bench, [mut first, mut second, mut mate]: [Bench; 3]) {
    growing("pin", &[100, 1_000, 10_000], node, &mut mate, pin);
    growing("comment", &[100, 1_000], node, &mut mate, comment);
    drop(mate);
    // Somebody builds on the work of one whom nobody else hears: that change waits for ever.
    second.admit(&edit(&mut first, comment(0)).1);
    node.admit(&edit(&mut second, comment(1)).1);
    let (thread, _) = comment(0);
    let reader = node.store.read().expect("reads");
    assert_eq!(reader.board(&thread).expect("reads").map(|row| row.pending), Some(1));
    drop(reader);
    let mut times: Vec<Duration> = (1_000..1_050).map(|number| edit(node, comment(number)).0).collect();
    report("timeline.comment.edit_ms.pending", micros(median(&mut times)) / 1e3);
    node.timeline =
        Timeline::open(&node.store.read().expect("reads"), env(), node.timeline.own()).expect("opens");
    report("timeline.comment.edit_ms.cold", micros(edit(node, comment(1_050)).0) / 1e3);
}

/// What it takes to write the last of so many edits, and what it takes a teammate to take them.
fn growing(
    what: &str,
    marks: &[u64],
    node: &mut Bench,
    mate: &mut Bench,
    one: impl Fn(u64) -> (Board, Edit),
) {
    let mut from = 0;
    for &to in marks {
        let (mut edited, mut admitted) = (Vec::new(), Vec::new());
        for number in from..to {
            let (took, frames) = edit(node, one(number));
            let [admission, _] = mate.admit(&frames);
            if number >= to - 50 {
                edited.push(took);
                admitted.push(admission);
            }
        }
        report(&format!("timeline.{what}.edit_ms.{to}"), micros(median(&mut edited)) / 1e3);
        report(&format!("timeline.{what}.admit_ms.{to}"), micros(median(&mut admitted)) / 1e3);
        from = to;
    }
}

fn pin(number: u64) -> (Board, Edit) {
    (Board::Pin(ids::derived(Timestamp::EPOCH, &[&number.to_le_bytes()])), Edit::Pin)
}

fn comment(number: u64) -> (Board, Edit) {
    let moment = ids::derived(Timestamp::EPOCH, &[b"moment"]);
    let comment = ids::derived(Timestamp::EPOCH, &[&number.to_le_bytes()]);
    (Board::Comments(moment), Edit::Comment(comment, format!("comment {number}")))
}

fn edit(node: &mut Bench, (board, edit): (Board, Edit)) -> (Duration, Vec<Vec<u8>>) {
    let begun = Instant::now();
    let now = node.clock.now();
    let reader = node.store.read().expect("reads");
    let written = node.timeline.edit(&reader, node.store.key(), now, &board, &[edit]).expect("fits");
    drop(reader);
    node.commit(written.changes);
    (begun.elapsed(), written.frames)
}

/// Records of another author, until the timeline has `entries`.
fn remote(mut node: Bench, writer: &mut Writer, entries: usize) {
    let (mut length, mut judged, mut kept) = (0, Vec::new(), Vec::new());
    let marks = [1_000, 10_000, 100_000, entries];
    while length < entries {
        let frames = writer.frames(BATCH);
        let [taken, committed] = node.admit(&frames);
        judged.push(taken);
        kept.push(committed);
        length += BATCH;
        if marks.iter().any(|mark| (length - BATCH..length).contains(mark)) || length >= entries {
            for (what, times) in [("admit", &mut judged), ("admit_and_commit", &mut kept)] {
                report(
                    &format!("timeline.{what}.us_per_record.{length}"),
                    micros(median(times)) / BATCH as f64,
                );
            }
        }
    }
    node.store.close();
}

/// Opens a folder that was closed, and reads a page.
fn cold(path: &Path) {
    let begun = Instant::now();
    let node = Bench::open(path);
    report("timeline.cold.open_ms", micros(begun.elapsed()) / 1e3);
    let reader = node.store.read().expect("reads");
    let mut filter = EntryFilter::default();
    for (name, branch) in [("newest", None), ("branch", Some(Branch::main()))] {
        filter.branch = branch;
        let begun = Instant::now();
        let page = reader.entries(&filter, Order::Descending, None, 50).expect("reads");
        assert_eq!(page.items.len(), 50);
        report(&format!("timeline.page.{name}_ms"), micros(begun.elapsed()) / 1e3);
    }
    // As the API does: both states, and the first page of what lies between.
    let newest = reader.entries(&filter, Order::Descending, None, 1).expect("reads").items[0].entry_id;
    let oldest = reader.entries(&filter, Order::Ascending, None, 1).expect("reads").items[0].entry_id;
    let begun = Instant::now();
    let states = [oldest, newest].map(|at| reader.state_at(at).expect("reads").expect("is here"));
    reader.entries_between(oldest, newest, None, 50).expect("reads").expect("are here");
    report("timeline.diff_ms", micros(begun.elapsed()) / 1e3);
    assert_ne!(states[0], states[1]);
    let begun = Instant::now();
    let track = Track { step: Some(Duration::from_secs(10)), ..Track::default() };
    let stops = reader.scrub(&track, None, 200).expect("reads").items.len();
    report("timeline.scrub.us_per_stop", micros(begun.elapsed()) / stops as f64);
    report("timeline.cold.rss_mb", rss_mb());
    let begun = Instant::now();
    reader.timeline_digest().expect("reads");
    report("timeline.digest_ms", micros(begun.elapsed()) / 1e3);
    report("timeline.rss_mb", rss_mb());
}

fn env() -> PublicKey {
    PublicKey::from_bytes([1; 32])
}

/// The middle one of `times`, which a busy machine lengthens less than their mean.
fn median(times: &mut Vec<Duration>) -> Duration {
    times.sort_unstable();
    let middle = times[times.len() / 2];
    times.clear();
    middle
}

fn rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.expect("Linux says") / 1024.0
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn report(figure: &str, value: f64) {
    println!("{{\"figure\":\"{figure}\",\"value\":{value:.4}}}");
}
