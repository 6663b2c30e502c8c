//! Trees: a folder of 200 MB in 12,000 files into the store and out again, one file changed, a diff, a merge.
//! Prints one JSON line a figure; beside them what `cp -r` and `git add` take in the same run.
//!
//! `cargo bench -p xyn-capsules --bench trees`; `XYN_BENCH_FILES` is the number of files, 12,000 by default.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use xyn_capsules::tree::{Limits, Seen, Side, Taken, Wish, diff, merge, restore, snapshot};
use xyn_store::{Clock, Options, Store};

/// Bytes of a file on average.
const FILE_BYTES: usize = 16_700;
/// Files in one folder.
const FOLDER_FILES: usize = 12;

fn main() {
    let scratch =
        tempfile::Builder::new().prefix("trees-bench").tempdir_in(".").expect("a folder on this disk");
    let files = std::env::var("XYN_BENCH_FILES").ok().and_then(|text| text.parse().ok()).unwrap_or(12_000);
    let (work, out) = (scratch.path().join("work"), scratch.path().join("out"));
    let size = generate(&work, files);
    let mut options = Options::default();
    options.blob_quota_bytes = 8 << 30;
    let store = Store::open(&scratch.path().join("store"), options).expect("opens");
    let sync = || assert!(Command::new("sync").arg("-f").arg(&work).status().expect("runs").success());
    let beside = |name: &str, program: &str, arguments: &[&str]| {
        sync();
        let run =
            || Command::new(program).args(arguments).current_dir(scratch.path()).output().expect("runs");
        let (output, took) = timed(run);
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        rate(name, size, took);
        let (_, synced) = timed(sync);
        rate(&format!("{name}.with_sync"), size, took + synced);
    };

    beside("beside.cp_r", "cp", &["-r", "work", "copy"]);
    beside("beside.git_init", "git", &["init", "-q", "work"]);
    beside("beside.git_add", "git", &["-C", "work", "add", "-A"]);
    beside("beside.git_add.nothing_changed", "git", &["-C", "work", "add", "-A"]);

    // What changed just now is read again the next time.
    std::thread::sleep(Duration::from_secs(3));
    let (first, took) = timed(|| take(&store, &work, &Seen::default()));
    rate("tree.snapshot", size, took);
    report("tree.snapshot.stored_per_byte", store.blobs().used_bytes() as f64 / size as f64);
    let (again, took) = timed(|| take(&store, &work, &first.seen));
    millis("tree.snapshot.nothing_changed", took);
    assert_eq!(again.root, first.root);
    let (_, took) = timed(|| take(&store, &work, &Seen::default()));
    rate("tree.snapshot.all_read_again", size, took);
    change(&work, 0);
    let (changed, took) = timed(|| take(&store, &work, &again.seen));
    millis("tree.snapshot.one_file_changed", took);
    assert_eq!(changed.reused, files as u64 - 1);
    beside("beside.git_add.one_file_changed", "git", &["-C", "work", "add", "-A"]);

    let (_, took) = timed(|| lay_out(&store, &out, &first, &Seen::default()));
    rate("tree.restore.with_sync", size, took);
    let seen = take(&store, &out, &Seen::default()).seen;
    let (_, took) = timed(|| lay_out(&store, &out, &changed, &seen));
    millis("tree.restore.one_file_changed", took);

    let limits = Limits::default();
    let (found, took) = timed(|| diff(store.blobs(), &first.root, &changed.root, limits).expect("compared"));
    millis("tree.diff.one_file_changed", took);
    assert_eq!(found.len(), 1);
    (1..files).step_by(100).for_each(|index| change(&work, index));
    let many = take(&store, &work, &changed.seen);
    let (found, took) = timed(|| diff(store.blobs(), &changed.root, &many.root, limits).expect("compared"));
    millis(&format!("tree.diff.{}_files_changed", found.len()), took);
    let three = [&first, &changed, &many].map(|taken| taken.root);
    let (merged, took) =
        timed(|| merge(store.blobs(), &three[0], &three[1], &three[2], Side::Ours, limits).expect("merged"));
    millis("tree.merge", took);
    assert!(merged.conflicts.is_empty());
}

fn take(store: &Store, dir: &Path, seen: &Seen) -> Taken {
    snapshot(store.blobs(), dir, seen, Clock::system().now(), Limits::default()).expect("taken")
}

fn lay_out(store: &Store, dir: &Path, taken: &Taken, seen: &Seen) {
    let wish = Wish { root: taken.root, base: None, force: true, remove: true };
    restore(store.blobs(), dir, &wish, seen, Clock::system().now(), Limits::default()).expect("restored");
}

/// Writes files of words, as sources are: many small ones, some large; answers their bytes.
fn generate(work: &Path, files: usize) -> u64 {
    let mut random = 1_u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    let mut size = 0;
    for index in 0..files {
        let folder = work.join(format!("part{}/room{}", index / (FOLDER_FILES * 20), index / FOLDER_FILES));
        fs::create_dir_all(&folder).expect("made");
        let length = if index % 10 == 0 { FILE_BYTES * 5 } else { FILE_BYTES * 5 / 9 };
        let length = length / 2 + next() % length;
        let mut text = String::with_capacity(length + 16);
        while text.len() < length {
            let word = next() % 5_000;
            text.push_str(&format!("{}{:x}", ["let ", "fn ", "if ", "use ", "// "][word % 5], word * word));
            text.push_str(if word % 9 == 0 { ";\n" } else { " " });
        }
        size += text.len() as u64;
        fs::write(folder.join(format!("file{index}.rs")), text).expect("written");
    }
    size
}

fn change(work: &Path, index: usize) {
    let folder = work.join(format!("part{}/room{}", index / (FOLDER_FILES * 20), index / FOLDER_FILES));
    let path = folder.join(format!("file{index}.rs"));
    let mut text = fs::read(&path).expect("there");
    text.splice(10..10, *b" edited ");
    fs::write(path, text).expect("written");
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let value = work();
    (value, begun.elapsed())
}

fn rate(name: &str, bytes: u64, took: Duration) {
    report(&format!("{name}.mb_per_s"), bytes as f64 / 1e6 / took.as_secs_f64());
}

fn millis(name: &str, took: Duration) {
    report(&format!("{name}.ms"), took.as_secs_f64() * 1e3);
}

#[expect(clippy::print_stdout, reason = "a bench reports on stdout")]
fn report(name: &str, value: f64) {
    println!("{{\"name\":\"{name}\",\"value\":{value:.3}}}");
}
