//! `pnpm-lock.yaml`, in the versions 6 and 9 of its format.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::LockFault;
use super::hash::Hash;
use super::package::{Lock, Package};
use super::purl::Ecosystem;
use super::strict::{self, Table};

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "lockfileVersion")]
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    importers: Table<Importer>,
    #[serde(default)]
    packages: Table<Entry>,
    /// Of version 9: what each package needs, apart from what it is.
    #[serde(default)]
    snapshots: Table<Entry>,
    #[serde(flatten)]
    own: Importer,
}

/// What a folder of the application needs; without folders it stands at the top of the file.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Importer {
    #[serde(default)]
    dependencies: BTreeMap<String, Wanted>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Wanted>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Wanted>,
}

#[derive(Deserialize)]
struct Wanted {
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// Of packages that come from elsewhere than a registry.
    name: Option<String>,
    version: Option<String>,
    resolution: Option<Resolution>,
    #[serde(default)]
    dependencies: Table<String>,
    #[serde(default)]
    optional_dependencies: Table<String>,
}

#[derive(Deserialize)]
struct Resolution {
    integrity: Option<String>,
    tarball: Option<String>,
    repo: Option<String>,
    commit: Option<String>,
}

pub(super) fn read(text: &str) -> Result<Lock, LockFault> {
    let Version { version } = strict::yaml(text)?;
    if !matches!(version.split('.').next(), Some("6" | "9")) {
        return Err(LockFault::version(text, "lockfileVersion", &version, "6 and 9"));
    }
    let file: File = strict::yaml(text)?;
    let mut lock = Lock::default();
    let mut purls = BTreeMap::new();
    for (key, entry) in &file.packages.0 {
        let package = package(text, key, entry)?;
        // Packages with other peers are the same package.
        purls.insert(plain(key).to_owned(), package.purl.clone());
        lock.add(package);
    }
    for (key, entry) in file.packages.0.iter().chain(&file.snapshots.0) {
        let missing = || LockFault::of(text, key, "is no package of this file");
        let purl = purls.get(plain(key)).ok_or_else(missing)?.clone();
        let wanted = entry.dependencies.0.iter().chain(&entry.optional_dependencies.0);
        for (name, version) in wanted {
            if let Some(needed) = resolve(text, name, version, &purls)? {
                let package = lock.packages.get_mut(&purl).expect("each package URL here is one of the lock");
                package.dependencies.insert(needed);
            }
        }
    }
    for importer in file.importers.0.values().chain([&file.own]) {
        let Importer { dependencies, dev_dependencies, optional_dependencies } = importer;
        for (name, wanted) in dependencies.iter().chain(dev_dependencies).chain(optional_dependencies) {
            lock.roots.extend(resolve(text, name, &wanted.version, &purls)?);
        }
    }
    Ok(lock)
}

/// A key without its peers and without the `/` of version 6.
fn plain(key: &str) -> &str {
    let key = key.split('(').next().unwrap_or(key);
    key.strip_prefix('/').unwrap_or(key)
}

/// Name and version of a key: `@scope/name@1.0.0`.
fn split(key: &str) -> Option<(&str, &str)> {
    let at = key.get(1..)?.find('@')? + 1;
    Some((&key[..at], &key[at + 1..])).filter(|(_, version)| !version.is_empty())
}

fn package(text: &str, key: &str, entry: &Entry) -> Result<Package, LockFault> {
    let from_registry = split(plain(key)).filter(|(_, version)| !version.contains([':', '/']));
    let mut qualifiers = Vec::new();
    let (name, version) = match (from_registry, entry.name.as_deref(), split(plain(key))) {
        (Some((name, version)), ..) => (name, Some(version)),
        (None, Some(name), _) => (name, entry.version.as_deref()),
        (None, None, Some((name, _))) => (name, entry.version.as_deref()),
        (None, None, None) => return Err(LockFault::of(text, key, "has no name and version")),
    };
    let mut hashes = None;
    if let Some(Resolution { integrity, tarball, repo, commit }) = &entry.resolution {
        match (repo, commit, tarball) {
            (Some(repo), Some(commit), _) => qualifiers.push(("vcs_url", format!("git+{repo}@{commit}"))),
            (_, _, Some(tarball)) if from_registry.is_none() => {
                qualifiers.push(("download_url", tarball.clone()))
            }
            _ => {}
        }
        if let Some(integrity) = integrity {
            hashes = Hash::integrity(integrity);
            if hashes.is_none() {
                return Err(LockFault::of(text, integrity, "is no integrity"));
            }
        }
    }
    let qualifiers: Vec<_> = qualifiers.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let mut package = Package::new(Ecosystem::Npm, name, version, &qualifiers);
    package.hashes.extend(hashes.into_iter().flatten());
    Ok(package)
}

/// The package that `name` with `version` names; none for a folder of the application.
fn resolve(
    text: &str,
    name: &str,
    version: &str,
    purls: &BTreeMap<String, String>,
) -> Result<Option<String>, LockFault> {
    if ["link:", "workspace:"].iter().any(|prefix| version.starts_with(prefix)) {
        return Ok(None);
    }
    // Under another name than its own, a package is named in full.
    let full = format!("{name}@{}", plain(version));
    let found = purls.get(&full).or_else(|| purls.get(plain(version)));
    let missing = || {
        LockFault::of(
            text,
            name,
            format!("is wanted as `{}`, which is not here", super::error::shown(version)),
        )
    };
    found.cloned().map(Some).ok_or_else(missing)
}
