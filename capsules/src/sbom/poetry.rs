//! `poetry.lock`, in the versions 1 and 2 of its format.
//!
//! A package says which names it needs, not which of their versions: where a lock has several, it needs all.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::cargo::line_of;
use super::error::{LockFault, shown};
use super::hash::Hash;
use super::package::{Lock, Package};
use super::purl::{Ecosystem, normal};
use super::strict::{self, Table};

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    package: Vec<Entry>,
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    lock_version: String,
    /// Before 1.2 of the format, files stand here.
    #[serde(default)]
    files: Table<Vec<Archive>>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    #[serde(default)]
    files: Vec<Archive>,
    #[serde(default)]
    dependencies: Table<IgnoredAny>,
    source: Option<Source>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: Option<String>,
    url: String,
    resolved_reference: Option<String>,
}

#[derive(Deserialize)]
struct Archive {
    file: String,
    hash: String,
}

impl Entry {
    fn package(&self) -> Package {
        let from = self.source.as_ref().map(|source| match source.kind.as_deref() {
            Some("git") => {
                let commit =
                    source.resolved_reference.as_ref().map_or(String::new(), |commit| format!("@{commit}"));
                ("vcs_url", format!("git+{}{commit}", source.url))
            }
            Some("url" | "file" | "directory") => ("download_url", source.url.clone()),
            _ => ("repository_url", source.url.clone()),
        });
        let qualifiers: Vec<_> = from.iter().map(|(key, value)| (*key, value.as_str())).collect();
        Package::new(Ecosystem::Pypi, &normal(&self.name), Some(&self.version), &qualifiers)
    }
}

pub(super) fn read(text: &str) -> Result<Lock, LockFault> {
    let file: File = strict::toml(text)?;
    let version = &file.metadata.lock_version;
    if !matches!(version.split('.').next(), Some("1" | "2")) {
        return Err(LockFault::version(text, "lock-version", version, "1 and 2"));
    }
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in &file.package {
        named.entry(normal(&entry.name)).or_default().push(entry.package().purl);
    }
    let mut lock = Lock::default();
    for (index, entry) in file.package.iter().enumerate() {
        let mut package = entry.package();
        let elsewhere = file.metadata.files.0.get(&entry.name).into_iter().flatten();
        for Archive { file, hash } in entry.files.iter().chain(elsewhere) {
            let read = Hash::prefixed(hash);
            let fault =
                || LockFault { line: line_of(text, index), what: format!("`{}` is no hash", shown(hash)) };
            package.distributions.entry(file.clone()).or_default().insert(read.ok_or_else(fault)?);
        }
        // What is needed on other systems only, or with an extra, is not in the lock.
        let needed = entry.dependencies.0.keys().filter_map(|name| named.get(&normal(name)));
        package.dependencies.extend(needed.flatten().cloned());
        lock.add(package);
    }
    Ok(lock)
}
