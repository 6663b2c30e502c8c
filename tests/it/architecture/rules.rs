//! The checks behind the tables: each takes what was read and returns its faults as `path:line: what`.
//!
//! Pure, so that each is shown a made-up file that breaks it. Invariant: no fault, no text; one line a fault.

use std::collections::BTreeSet;

use super::manifest::Manifest;
use super::source::Source;
use super::{EMPTY_NAMES, FILE_LINES_MAX, FLOORS, IMPURE, OUTBUILDINGS, PURE, RESERVED};

/// Members depend only on floors below their own, and inherit the lints.
pub(super) fn floors(manifests: &[Manifest]) -> Vec<String> {
    let mut faults = Vec::new();
    for manifest in manifests {
        let path = &manifest.path;
        let Some(own) = height(manifest.floor()) else {
            faults.push(format!("{path}: `{}` is no floor of the house", manifest.floor()));
            continue;
        };
        if !manifest.says("lints", "workspace", "true") {
            faults.push(format!("{path}: lints are not inherited from the workspace"));
        }
        for dependency in manifest.dependencies() {
            let Some(floor) = dependency.name.strip_prefix("xyn-") else {
                continue;
            };
            if height(floor).is_none_or(|other| other >= own) {
                faults.push(format!(
                    "{path}:{}: `{floor}` is not below `{}`",
                    dependency.line,
                    manifest.floor()
                ));
            }
        }
    }
    faults
}

fn height(floor: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == floor).map(|(_, height)| *height)
}

/// The top level is fixed: a file stands on a floor or in a known folder beside them.
pub(super) fn top_level(sources: &[Source]) -> Vec<String> {
    let known = |folder: &str| height(folder).is_some() || OUTBUILDINGS.contains(&folder);
    let strays = sources.iter().filter(|source| !known(source.path.split('/').next().unwrap_or_default()));
    strays.map(|source| format!("{}: stands on no floor of the house", source.path)).collect()
}

/// A reserved crate is named only in its rooms, by test code too.
pub(super) fn reserved(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        for (crates, rooms) in RESERVED {
            if rooms.iter().any(|room| lies_in(&source.path, room)) {
                continue;
            }
            for name in source.names() {
                for krate in crates.iter().filter(|krate| name.segments[0] == **krate) {
                    let (path, line) = (&source.path, name.line);
                    faults.push(format!("{path}:{line}: `{krate}` is named only in {}", rooms.join(", ")));
                }
            }
        }
    }
    faults.dedup();
    faults
}

fn lies_in(path: &str, room: &str) -> bool {
    if let Some(end) = room.strip_prefix('*') {
        return path.ends_with(end);
    }
    match room.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None if room.ends_with('/') => path.starts_with(room),
        None => path == room,
    }
}

/// Modules that decide name nothing that acts, waits, reads a clock or depends on chance.
pub(super) fn purity(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources.iter().filter(|source| decides(&source.path)) {
        for name in source.names_outside_tests() {
            for (word, instead) in IMPURE.iter().filter(|(word, _)| name.mentions(word)) {
                faults.push(format!("{}:{}: pure code names `{word}`: {instead}", source.path, name.line));
            }
        }
    }
    faults.dedup();
    faults
}

/// Whether a path belongs to a pure module and is neither its shell nor its tests.
fn decides(path: &str) -> bool {
    let inside =
        |module: &&str| path.strip_prefix(*module).is_some_and(|rest| rest.starts_with('/') || rest == ".rs");
    PURE.iter().any(inside)
        && !["/actor.rs", "/tests.rs"].iter().any(|end| path.ends_with(end))
        && !path.contains("/tests/")
}

/// Files are short, introduced, aptly named, and skip no test.
pub(super) fn shape(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let path = &source.path;
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{path}: {lines} lines are more than {FILE_LINES_MAX}: split by concept"));
        }
        if !source.text.starts_with("//!") {
            faults.push(format!("{path}:1: a module opens with `//!`: what it owns, refuses and keeps true"));
        }
        if path.contains("src/") && path.ends_with("/mod.rs") {
            faults.push(format!("{path}: a module stands beside its folder, as `NAME.rs`"));
        }
        let words = path.trim_end_matches(".rs").split(['/', '_', '-']);
        for word in words.filter(|word| EMPTY_NAMES.contains(word)) {
            faults.push(format!("{path}: `{word}` says nothing about what is inside"));
        }
        for line in source.attribute_lines("ignore") {
            faults.push(format!("{path}:{line}: an ignored test is no test"));
        }
    }
    faults
}

/// Each dependency has one version with a reason, is wanted by a member, and named in that member's code.
pub(super) fn dependencies(manifests: &[Manifest], sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    let wanted: BTreeSet<&str> = manifests.iter().flat_map(Manifest::dependencies).map(|d| d.name).collect();
    for manifest in manifests {
        let path = &manifest.path;
        for dependency in manifest.workspace_dependencies() {
            let (name, line) = (dependency.name, dependency.line);
            let reason = dependency.value.split_once('#').map_or("", |(_, reason)| reason.trim());
            if reason.is_empty() && !dependency.value.contains("path =") {
                faults.push(format!("{path}:{line}: `{name}` has no reason beside it"));
            }
            if !wanted.contains(name) {
                faults.push(format!("{path}:{line}: `{name}` is used by no member"));
            }
        }
        let named = words_of(manifest, sources);
        for dependency in manifest.dependencies() {
            let (name, line) = (dependency.name, dependency.line);
            if !dependency.value.contains("workspace = true") {
                faults.push(format!("{path}:{line}: the version of `{name}` belongs to the workspace"));
            }
            if !named.contains(&name.replace('-', "_")) {
                faults.push(format!("{path}:{line}: no code of `{}` names `{name}`", manifest.floor()));
            }
        }
    }
    faults
}

/// Every first segment of a name in the package's code; the root package also holds `tests` and `benches`, and its tests
/// try the targets in `fuzz`.
fn words_of(manifest: &Manifest, sources: &[Source]) -> BTreeSet<String> {
    let folders = match manifest.floor() {
        "src" => vec!["src/", "tests/", "benches/", "fuzz/", "build.rs"],
        floor => vec![floor],
    };
    let own = sources.iter().filter(|s| folders.iter().any(|folder| s.path.starts_with(folder)));
    own.flat_map(Source::names).filter_map(|name| name.segments.into_iter().next()).collect()
}
