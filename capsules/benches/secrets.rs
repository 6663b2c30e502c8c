//! The search for secrets: a tree of sources in memory, on one core; findings by rule, since on a clean tree
//! each is a false one. Prints one JSON line a figure.
//!
//! `cargo bench -p xyn-capsules --bench secrets`; `XYN_BENCH_TREE` is a folder to search, by default sources
//! are made up. With `XYN_BENCH_SHOW` each finding is printed, too.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use xyn_capsules::secrets::{Finding, Limits, scan, scan_stream};
use xyn_capsules::tree::RelPath;

/// Bytes that are searched at once, so that memory is not what is measured.
const BATCH_BYTES: usize = 256 << 20;
const ROUNDS: usize = 3;

fn main() {
    let files = match std::env::var_os("XYN_BENCH_TREE") {
        Some(folder) => read(Path::new(&folder)),
        None => made_up(),
    };
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            files.iter().for_each(|(path, bytes)| drop(black_box(scan(path, bytes, Limits::default()))));
            bytes as f64 / 1e6 / begun.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    report("secrets.scan.mb_per_s", rates[ROUNDS / 2]);
    let whole: Vec<u8> = files.iter().flat_map(|(_, bytes)| bytes).take(64 << 20).copied().collect();
    let begun = Instant::now();
    let path: RelPath = "large.txt".parse().expect("a path");
    black_box(scan_stream(&path, whole.as_slice(), Limits::default()).expect("memory can be read"));
    report("secrets.scan_stream.mb_per_s", whole.len() as f64 / 1e6 / begun.elapsed().as_secs_f64());

    let mut rules: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut found, mut with) = (0, 0);
    for (path, bytes) in &files {
        let findings = scan(path, bytes, Limits::default());
        found += findings.len();
        with += usize::from(!findings.is_empty());
        for finding in &findings {
            *rules.entry(finding.rule.name()).or_default() += 1;
            show(finding);
        }
    }
    report("secrets.files", files.len() as f64);
    report("secrets.mb", bytes as f64 / 1e6);
    report("secrets.findings", found as f64);
    report("secrets.files_with_findings", with as f64);
    rules.iter().for_each(|(rule, count)| report(&format!("secrets.findings.{rule}"), f64::from(*count)));
}

fn read(folder: &Path) -> Vec<(RelPath, Vec<u8>)> {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    let (mut files, mut size) = (Vec::new(), 0);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder").map(|entry| entry.expect("an entry")) {
            let kind = entry.file_type().expect("a kind");
            let inside = entry.path();
            let path = inside.strip_prefix(folder).expect("below it").to_string_lossy().parse::<RelPath>();
            match path {
                _ if kind.is_dir() => folders.push(inside),
                Ok(path) if kind.is_file() && size < BATCH_BYTES => {
                    let bytes = fs::read(&inside).expect("readable");
                    size += bytes.len();
                    files.push((path, bytes));
                }
                _ => {}
            }
        }
    }
    files
}

/// Words, as sources are.
fn made_up() -> Vec<(RelPath, Vec<u8>)> {
    let mut random = 1_u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    let words =
        ["let", "token", "self.secret", "password:", "https://a.b/", "value", "fn", "if", "some_longer_name"];
    let mut file = |index: usize| {
        let mut text = String::new();
        while text.len() < 16_000 {
            let word = next();
            let end = if word % 9 == 0 { ";\n" } else { " " };
            text.push_str(&format!("{}{:x}{end}", words.get(word % 40).unwrap_or(&"use"), word % 65_536));
        }
        (format!("file{index}.rs").parse().expect("a path"), text.into_bytes())
    };
    (0..6_000).map(&mut file).collect()
}

#[expect(clippy::print_stdout, reason = "a bench reports on stdout")]
fn report(name: &str, value: f64) {
    println!("{{\"name\":\"{name}\",\"value\":{value:.3}}}");
}

#[expect(clippy::print_stdout, reason = "a bench reports on stdout")]
fn show(finding: &Finding) {
    if std::env::var_os("XYN_BENCH_SHOW").is_some() {
        println!("{finding}");
    }
}
