//! `uv.lock`, in version 1 of its format.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cargo::line_of;
use super::error::{LockFault, shown};
use super::hash::Hash;
use super::package::{Lock, Package};
use super::purl::{Ecosystem, normal};
use super::strict::{self, Table};

#[derive(Deserialize)]
struct File {
    version: i64,
    #[serde(default)]
    package: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    name: String,
    version: Option<String>,
    #[serde(default)]
    source: Source,
    #[serde(default)]
    dependencies: Vec<Wanted>,
    #[serde(default)]
    optional_dependencies: Table<Vec<Wanted>>,
    #[serde(default)]
    dev_dependencies: Table<Vec<Wanted>>,
    sdist: Option<Archive>,
    #[serde(default)]
    wheels: Vec<Archive>,
}

#[derive(Default, Deserialize)]
struct Source {
    git: Option<String>,
    url: Option<String>,
    #[serde(rename = "virtual")]
    own: Option<String>,
    editable: Option<String>,
    directory: Option<String>,
}

#[derive(Deserialize)]
struct Wanted {
    name: String,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Archive {
    url: Option<String>,
    path: Option<String>,
    filename: Option<String>,
    hash: Option<String>,
}

impl Entry {
    fn is_own(&self) -> bool {
        let Source { own, editable, directory, .. } = &self.source;
        own.is_some() || editable.is_some() || directory.is_some()
    }

    fn package(&self) -> Package {
        let (git, url) = (&self.source.git, &self.source.url);
        let git = git.iter().map(|url| ("vcs_url", format!("git+{url}")));
        let from: Vec<_> = git.chain(url.iter().map(|url| ("download_url", url.clone()))).collect();
        let qualifiers: Vec<_> = from.iter().map(|(key, value)| (*key, value.as_str())).collect();
        Package::new(Ecosystem::Pypi, &normal(&self.name), self.version.as_deref(), &qualifiers)
    }
}

pub(super) fn read(text: &str) -> Result<Lock, LockFault> {
    let file: File = strict::toml(text)?;
    if file.version != 1 {
        return Err(LockFault::version(text, "version", &file.version.to_string(), "only 1"));
    }
    let mut named: BTreeMap<String, Vec<(Option<&str>, String)>> = BTreeMap::new();
    for entry in &file.package {
        let known = named.entry(normal(&entry.name)).or_default();
        known.push((entry.version.as_deref(), entry.package().purl));
    }
    let mut lock = Lock::default();
    for (index, entry) in file.package.iter().enumerate() {
        let fault = |what: String| LockFault { line: line_of(text, index), what };
        let mut package = entry.package();
        for archive in entry.sdist.iter().chain(&entry.wheels) {
            let place = archive.url.as_ref().or(archive.path.as_ref()).or(archive.filename.as_ref());
            let place = place.ok_or_else(|| fault("has an archive without a place".into()))?;
            let hashes = package.distributions.entry(place.clone()).or_default();
            if let Some(hash) = &archive.hash {
                hashes.insert(
                    Hash::prefixed(hash).ok_or_else(|| fault(format!("`{}` is no hash", shown(hash))))?,
                );
            }
        }
        let optional =
            entry.optional_dependencies.0.values().chain(entry.dev_dependencies.0.values()).flatten();
        for wanted in entry.dependencies.iter().chain(optional) {
            let known = named.get(&normal(&wanted.name)).map_or(&[][..], Vec::as_slice);
            let fitting = known
                .iter()
                .filter(|(version, _)| wanted.version.is_none() || *version == wanted.version.as_deref());
            let before = package.dependencies.len();
            package.dependencies.extend(fitting.map(|(_, purl)| purl.clone()));
            if known.is_empty() || (package.dependencies.len() == before && before == 0) {
                return Err(fault(format!("`{}` is no package of this file", shown(&wanted.name))));
            }
        }
        if entry.is_own() {
            lock.roots.insert(package.purl.clone());
        }
        lock.add(package);
    }
    Ok(lock)
}
