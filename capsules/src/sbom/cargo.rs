//! `Cargo.lock`, in the versions 1 to 4 of its format.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::error::{LockFault, shown};
use super::hash::Hash;
use super::package::{Lock, Package};
use super::purl::Ecosystem;
use super::strict::{self, Table};

/// The registry that a package URL need not name.
const CRATES_IO: [&str; 2] =
    ["registry+https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/"];
const VERSIONS: [i64; 4] = [1, 2, 3, 4];

#[derive(Deserialize)]
struct File {
    version: Option<i64>,
    #[serde(default)]
    package: Vec<Crate>,
    #[serde(default)]
    metadata: Table<String>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Crate {
    /// The three ways in which others name it, the shortest first.
    fn names(&self) -> [String; 3] {
        let Self { name, version, source, .. } = self;
        let source = source.as_ref().map_or(String::new(), |source| format!(" ({source})"));
        [name.clone(), format!("{name} {version}"), format!("{name} {version}{source}")]
    }

    fn package(&self) -> Package {
        let version = Some(self.version.as_str());
        let qualifiers: Vec<(&str, &str)> = match self.source.as_deref() {
            None => Vec::new(),
            Some(source) if CRATES_IO.contains(&source) => Vec::new(),
            Some(source) if source.starts_with("git+") => vec![("vcs_url", source)],
            Some(source) => vec![("repository_url", source.split_once('+').map_or(source, |(_, url)| url))],
        };
        Package::new(Ecosystem::Cargo, &self.name, version, &qualifiers)
    }
}

pub(super) fn read(text: &str) -> Result<Lock, LockFault> {
    let file: File = strict::toml(text)?;
    if let Some(version) = file.version.filter(|version| !VERSIONS.contains(version)) {
        return Err(LockFault::version(text, "version", &version.to_string(), "1 to 4"));
    }
    // A short name is one's own only while nobody else has it.
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in &file.package {
        let purl = package.package().purl;
        let names: BTreeSet<String> = package.names().into_iter().collect();
        names.into_iter().for_each(|name| named.entry(name).or_default().push(purl.clone()));
    }
    let mut lock = Lock::default();
    for (index, entry) in file.package.iter().enumerate() {
        let fault = |what: String| LockFault { line: line_of(text, index), what };
        let mut package = entry.package();
        // The first version of the format has the checksums together at its end.
        let elsewhere = || file.metadata.0.get(&format!("checksum {}", entry.names()[2]));
        if let Some(checksum) = entry.checksum.as_ref().or_else(elsewhere).filter(|sum| *sum != "<none>") {
            let hash = Hash::hex("sha256", checksum);
            package
                .hashes
                .insert(hash.ok_or_else(|| fault(format!("`{}` is no checksum", shown(checksum))))?);
        }
        for dependency in &entry.dependencies {
            let [purl] = named.get(dependency).map_or(&[][..], Vec::as_slice) else {
                return Err(fault(format!("`{}` is not one package of this file", shown(dependency))));
            };
            package.dependencies.insert(purl.clone());
        }
        if entry.source.is_none() {
            lock.roots.insert(package.purl.clone());
        }
        if lock.packages.contains_key(&package.purl) {
            return Err(fault(format!("`{}` is there twice", shown(&entry.names()[2]))));
        }
        lock.add(package);
    }
    Ok(lock)
}

/// The line in which the table of the package `index` begins.
pub(super) fn line_of(text: &str, index: usize) -> Option<usize> {
    let mut tables = text.lines().enumerate().filter(|(_, line)| line.trim() == "[[package]]");
    tables.nth(index).map(|(line, _)| line + 1)
}
