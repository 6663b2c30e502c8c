//! Capsules: a source tree of 200 MB in 12,763 files into one file, proved, laid out, and its next version as
//! a delta. Prints one JSON line a figure; beside them what tar and zstd, restic, borg, casync and `cp -r` take
//! with the same tree in the same run; `beside.X: missing` says which of them is not installed.
//!
//! `cargo bench -p xyn-capsules --bench capsules`. `XYN_BENCH_FILES` is the number of files, `XYN_BENCH_TREE`
//! a folder to take instead of made files, `XYN_BENCH_LARGE` the bytes of a large file (4 GB by default).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use xyn_capsules::container::{CapsuleFile, Cover, Options, import, pack, pack_tree};
use xyn_capsules::inspection::{Inspection, Origin};
use xyn_capsules::manifest::Authored;
use xyn_capsules::secrets::Allow;
use xyn_capsules::tree::{Limits, RelPath};
use xyn_store::Store;

mod source;

/// Bytes of the large file, unless something else is asked for.
const LARGE_BYTES: u64 = 4 << 30;
/// How often what takes little time is measured; the best is told.
const TIMES: usize = 3;

fn main() {
    let scratch = tempfile::Builder::new().prefix("capsules-bench").tempdir_in(".").expect("a folder");
    let at = |name: &str| scratch.path().join(name);
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let size = match std::env::var_os("XYN_BENCH_TREE") {
        Some(tree) => source::copy(Path::new(&tree), &at("v1")),
        None => source::generate(&at("v1"), number("XYN_BENCH_FILES").unwrap_or(12_763) as usize),
    };
    assert!(Command::new("cp").arg("-r").args([at("v1"), at("v2")]).status().expect("runs").success());
    source::change(&at("v2"));
    settle(scratch.path());
    report("load.before", load());
    capsules(&at, size);
    store(&at, size);
    peers(scratch.path(), size);
    large(&at, number("XYN_BENCH_LARGE").unwrap_or(LARGE_BYTES));
    report("load.after", load());
}

fn capsules(at: &dyn Fn(&str) -> PathBuf, size: u64) {
    let (dir, file) = (at("v1"), at("v1.caps"));
    let seal = |dir: &Path, file: &Path, options: &Options<'_>| {
        let draft = pack(dir, file, options).expect("packed");
        draft.seal(b"manifest", &[]).expect("sealed").size_bytes
    };
    let (stored, took) = best(|_| seal(&dir, &file, &Options::default()));
    rate("capsule.pack", size, took);
    report("capsule.mb", stored as f64 / 1e6);
    let (found, took) = best(|_| searched(&dir, &at("searched.caps")));
    rate("capsule.pack.with_scan", size, took);
    report("capsule.pack.with_scan.findings", found as f64);
    let cover = || Cover::read(File::open(&file).expect("there")).expect("a capsule");
    let (_, took) = best(|_| cover().open(None, Limits::default()).expect("opens").verify().expect("sound"));
    rate("capsule.verify", size, took);
    let lay_out = |time: usize| {
        let capsule = cover().open(None, Limits::default()).expect("opens");
        capsule.unpack(&at(&format!("out{time}"))).expect("laid out");
    };
    let (_, took) = best(lay_out);
    rate("capsule.unpack.with_sync", size, took);
    (0..TIMES).for_each(|time| fs::remove_dir_all(at(&format!("out{time}"))).expect("removed"));

    let base = CapsuleFile::open(&file, Limits::default()).expect("opens");
    let options = Options { base: Some(&base), ..Options::default() };
    let (stored, took) = best(|_| seal(&at("v2"), &at("v2.caps"), &options));
    rate("capsule.pack.delta", size, took);
    report("capsule.delta.mb", stored as f64 / 1e6);
    let delta = || Cover::read(File::open(at("v2.caps")).expect("there")).expect("a capsule");
    let open = || delta().open(Some(&base), Limits::default()).expect("opens");
    let (_, took) = best(|_| open().verify().expect("sound"));
    rate("capsule.verify.delta", size, took);
    report("memory.peak.tree.mb", memory());
}

/// Packs as the command does: with a search for secrets, the checks and the lock files. Answers the findings.
fn searched(dir: &Path, file: &Path) -> usize {
    let inspection = Inspection::new(Allow::default());
    let look = |path: &RelPath, at: u64, bytes: &[u8]| inspection.look(path, at, bytes);
    let options = Options { inspect: Some(&look), ..Options::default() };
    let draft = pack(dir, file, &options).expect("packed");
    let authored = Authored::read(br#"{"id":"bench","name":"Bench","version":"1.0.0"}"#).expect("sound");
    let found = inspection.finish(&draft, &authored, &Origin::Folder(dir.to_owned())).expect("read");
    draft.seal(b"manifest", &[]).expect("sealed");
    found.secrets.len()
}

fn store(at: &dyn Fn(&str) -> PathBuf, size: u64) {
    let mut options = xyn_store::Options::default();
    options.blob_quota_bytes = 8 << 30;
    let store = Store::open(&at("store"), options).expect("opens");
    let cover = || Cover::read(File::open(at("v1.caps")).expect("there")).expect("a capsule");
    let open = || cover().open(None, Limits::default()).expect("opens");
    let (imported, took) = timed(|| import(open(), store.blobs()).expect("imported"));
    rate("capsule.import", size, took);
    let (again, took) = timed(|| import(open(), store.blobs()).expect("imported"));
    rate("capsule.import.again", size, took);
    assert_eq!(imported.known, 0);
    assert!(again.known > 0);
    let pack = || {
        let draft = pack_tree(store.blobs(), imported.verified.root, &at("again.caps"), &Options::default());
        draft.expect("packed").seal(b"manifest", &[]).expect("sealed")
    };
    let (_, took) = timed(pack);
    rate("capsule.pack.from_store", size, took);
    let same = |name: &str| fs::read(at(name)).expect("there");
    assert!(same("v1.caps") == same("again.caps"), "equal trees make equal capsules");
}

/// A file that cannot be compressed and is larger than what may be in memory.
fn large(at: &dyn Fn(&str) -> PathBuf, size: u64) {
    fs::create_dir(at("large")).expect("made");
    let mut file = File::create(at("large/file")).expect("made");
    let mut random = source::Random::new(7);
    let mut piece = vec![0; 1 << 20];
    for _ in 0..size >> 20 {
        random.fill(&mut piece);
        file.write_all(&piece).expect("written");
    }
    drop(file);
    let target = at("large.caps");
    // With the search for secrets: nobody packs without it.
    let (found, took) = timed(|| searched(&at("large"), &target));
    rate("large.pack.with_scan", size, took);
    report("large.pack.with_scan.findings", found as f64);
    fs::remove_dir_all(at("large")).expect("removed");
    let open = || {
        let cover = Cover::read(File::open(&target).expect("there")).expect("a capsule");
        cover.open(None, Limits::default()).expect("opens")
    };
    let (_, took) = timed(|| open().verify().expect("sound"));
    rate("large.verify", size, took);
    let (_, took) = timed(|| open().unpack(&at("large")).expect("laid out"));
    rate("large.unpack.with_sync", size, took);
    report("memory.peak.mb", memory());
}

fn peers(scratch: &Path, size: u64) {
    let run = |name: &str, script: &str| {
        settle(scratch);
        let mut command = Command::new("bash");
        command.args(["-c", &format!("set -eo pipefail; {script}")]).current_dir(scratch);
        command.env("RESTIC_PASSWORD", "x").env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
        let (output, took) = timed(|| command.output().expect("runs"));
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        rate(&format!("beside.{name}"), size, took);
    };
    let is_there = |program: &str| {
        let is_there = Command::new(program).arg("--help").output().is_ok();
        if !is_there {
            missing(program);
        }
        is_there
    };
    let megabytes = |name: &str, folder: &str| {
        let output = Command::new("du").args(["-sb", folder]).current_dir(scratch).output().expect("runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let bytes: f64 = text.split_whitespace().next().and_then(|text| text.parse().ok()).expect("a number");
        report(&format!("beside.{name}.mb"), bytes / 1e6);
        bytes
    };
    run("cp_r.with_sync", "cp -r v1 cp; sync -f cp; rm -r cp");
    if is_there("zstd") {
        run("tar_zstd.pack", "tar cf - v1 | zstd -3 -q > v1.tar.zst; sync v1.tar.zst");
        megabytes("tar_zstd", "v1.tar.zst");
        run(
            "tar_zstd.unpack.with_sync",
            "mkdir tar; zstd -dcq v1.tar.zst | tar xf - -C tar; sync -f tar; rm -r tar",
        );
    }
    if is_there("restic") {
        run("restic.pack", "restic init -q -r r >&2; cd v1; restic backup -q -r ../r . >&2");
        let before = megabytes("restic", "r");
        run("restic.pack.delta", "cd v2; restic backup -q -r ../r . >&2");
        report("beside.restic.delta.mb", (megabytes("restic", "r") - before) / 1e6);
        run("restic.verify", "restic check -q --read-data -r r >&2");
        run("restic.unpack.with_sync", "restic restore -q -r r --target rr latest >&2; sync -f rr; rm -r rr");
    }
    if is_there("borg") {
        run("borg.pack", "borg init -e none b; cd v1; borg create -C zstd,3 ../b::1 .");
        let before = megabytes("borg", "b");
        run("borg.pack.delta", "cd v2; borg create -C zstd,3 ../b::2 .");
        report("beside.borg.delta.mb", (megabytes("borg", "b") - before) / 1e6);
        run("borg.verify", "borg check --verify-data b");
        run("borg.unpack.with_sync", "mkdir bb; cd bb; borg extract ../b::1; sync -f .; cd ..; rm -r bb");
    }
    if is_there("casync") {
        run("casync.pack", "casync make --without=all --store=c v1.caidx v1 >&2");
        let before = megabytes("casync", "c");
        run("casync.pack.delta", "casync make --without=all --store=c v2.caidx v2 >&2");
        report("beside.casync.delta.mb", (megabytes("casync", "c") - before) / 1e6);
        run(
            "casync.unpack.with_sync",
            "casync extract --without=all --store=c v1.caidx cc >&2; sync -f cc; rm -r cc",
        );
    }
}

/// Lets what was written before reach the disk, so that nobody else pays for it.
fn settle(folder: &Path) {
    assert!(Command::new("sync").arg("-f").arg(folder).status().expect("runs").success());
}

/// What others take of this machine.
fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The most memory that this process ever had, in MB.
fn memory() -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1e3
}

/// The best of a few times.
fn best<T>(mut work: impl FnMut(usize) -> T) -> (T, Duration) {
    let times = (0..TIMES).map(|time| timed(|| work(time)));
    times.min_by_key(|(_, took)| *took).expect("it is done more than once")
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let value = work();
    (value, begun.elapsed())
}

fn rate(name: &str, bytes: u64, took: Duration) {
    report(&format!("{name}.mb_per_s"), bytes as f64 / 1e6 / took.as_secs_f64());
}

/// A program beside which nothing could be measured.
#[expect(clippy::print_stdout, reason = "a bench reports on stdout")]
fn missing(program: &str) {
    println!("beside.{program}: missing");
}

#[expect(clippy::print_stdout, reason = "a bench reports on stdout")]
fn report(name: &str, value: f64) {
    println!("{{\"name\":\"{name}\",\"value\":{value:.3}}}");
}
