//! The rules of the house, kept by reading manifests and sources.
//!
//! Owns which floor may import which, who may name which crate, what code that decides may never name, and
//! the shape of files. Judges text only and compiles nothing. Invariant: each rule is a row of the tables
//! below, and a test shows it failing.

mod breaches;
mod code_map;
mod lexer;
mod manifest;
mod rules;
mod source;

use std::fs;
use std::path::Path;

use manifest::Manifest;
use source::Source;

/// Floors from the ground up. A floor may import those with a smaller number: none above it, none beside it.
const FLOORS: &[(&str, u8)] =
    &[("store", 0), ("capsules", 1), ("net", 2), ("actors", 3), ("api", 4), ("scenarios", 4), ("src", 5)];

/// Folders of the top level that hold Rust and are no floor.
const OUTBUILDINGS: &[&str] = &["tests", "benches", "fuzz"];

/// Crates that only some rooms may name: a path that ends with `/` or `*` is a beginning, `*/x` an end.
const RESERVED: &[(&[&str], &[&str])] = &[
    (&["redb", "automerge"], &["store/", "benches/samod/"]),
    (&["libp2p", "yamux"], &["net/src/driver*", "net/benches/", "tests/it/flood/"]),
    (&["axum"], &["api/"]),
    (&["actix", "actix_rt"], &["*/actor.rs", "actors/src/runtime/supervisor.rs"]),
];

/// Modules that decide. A file called `actor.rs` in them is their shell and may act.
const PURE: &[&str] = &[
    "actors/src/run",
    "actors/src/session",
    "actors/src/node",
    "actors/src/blueprint",
    "actors/src/document",
    "actors/src/governance",
    "net/src/proto",
    "scenarios/src",
    "store/src/timeline/fold",
    "store/src/timeline/replica",
    "store/src/trust",
];

/// What code that decides never names, and what it does instead.
const IMPURE: &[(&str, &str)] = &[
    ("tokio", "waiting and spawning belong to the shell"),
    ("actix", "mailboxes belong to the shell"),
    ("libp2p", "the wire belongs to the driver"),
    ("reqwest", "effects are returned as data"),
    ("std::fs", "files are read and written by the shell"),
    ("std::env", "settings are arguments"),
    ("std::process", "effects are returned as data"),
    ("std::thread", "waiting and spawning belong to the shell"),
    ("SystemTime", "the time is an argument"),
    ("Instant::now", "the time is an argument"),
    ("Timestamp::now", "the time is an argument"),
    ("Zoned::now", "the time is an argument"),
    ("Clock", "the time is an argument"),
    ("rand", "seeds are arguments"),
    ("getrandom", "seeds are arguments"),
    ("ids::fresh", "ids are derived or are arguments"),
    ("Uuid::new_v4", "ids are derived or are arguments"),
    ("Uuid::now_v7", "ids are derived or are arguments"),
    ("HashMap", "its order differs between processes: use BTreeMap"),
    ("HashSet", "its order differs between processes: use BTreeSet"),
];

/// Words that say nothing about what a file holds.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc"];

/// The most lines a file may have; the aim is 300.
const FILE_LINES_MAX: usize = 400;

/// Every file below the root, as its path from there, in a fixed order; not what is hidden or made.
fn files() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.to_path_buf()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the checkout can be listed") {
            let path = entry.expect("an entry of the checkout can be read").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("names are UTF-8");
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "node_modules"].contains(&name) {
                    folders.push(path);
                }
            } else {
                let inside = path.strip_prefix(root).expect("the walk stays below the root");
                found.push(inside.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// Reads every file whose path ends with `end`, as (path, text).
fn read_tree(end: &str) -> Vec<(String, String)> {
    let wanted = files().into_iter().filter(|path| path.ends_with(end));
    wanted.map(|path| (path.clone(), read(&path))).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it is there, in UTF-8")
}

fn sources() -> Vec<Source> {
    let files = read_tree(".rs");
    files.iter().map(|(path, text)| Source::new(path, text)).collect()
}

/// The manifests of the workspace; the fuzz targets, and what a bench is compared with, are workspaces of their own.
fn manifests() -> Vec<Manifest> {
    let files = read_tree("Cargo.toml");
    let members =
        files.iter().filter(|(path, _)| !path.starts_with("fuzz/") && !path.starts_with("benches/"));
    members.map(|(path, text)| Manifest::new(path, text)).collect()
}

#[track_caller]
fn assert_none(faults: Vec<String>) {
    assert!(faults.is_empty(), "the rules of the house are broken:\n  {}", faults.join("\n  "));
}

#[test]
fn floors_import_only_floors_below() {
    assert_none(rules::floors(&manifests()));
}

#[test]
fn every_file_stands_on_a_floor() {
    assert_none(rules::top_level(&sources()));
}

#[test]
fn reserved_crates_stay_in_their_rooms() {
    assert_none(rules::reserved(&sources()));
}

#[test]
fn code_that_decides_is_pure() {
    assert_none(rules::purity(&sources()));
}

#[test]
fn files_have_the_shape_of_the_house() {
    assert_none(rules::shape(&sources()));
}

#[test]
fn dependencies_are_named_once_with_a_reason_and_used() {
    assert_none(rules::dependencies(&manifests(), &sources()));
}

#[test]
fn the_code_map_leads_to_what_there_is() {
    assert_none(code_map::strays(&read("README.md"), &files()));
}
