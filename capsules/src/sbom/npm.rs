//! `package-lock.json` of npm, in the versions 1 to 3 of its format.
//!
//! Owns how Node finds a package: in `node_modules` beside who asks, then beside each folder above.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::LockFault;
use super::hash::Hash;
use super::package::{Lock, Package};
use super::purl::Ecosystem;
use super::strict::{self, Table};

/// Packages in one another that a lock of version 1 may have.
const DEPTH_MAX: usize = 60;
const MODULES: &str = "node_modules/";

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "lockfileVersion")]
    version: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    packages: Table<Entry>,
    #[serde(default)]
    dependencies: Table<Nested>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: Option<String>,
    version: Option<String>,
    resolved: Option<String>,
    integrity: Option<String>,
    #[serde(default)]
    link: bool,
    #[serde(default)]
    dependencies: Table<String>,
    #[serde(default)]
    dev_dependencies: Table<String>,
    #[serde(default)]
    optional_dependencies: Table<String>,
    #[serde(default)]
    peer_dependencies: Table<String>,
}

/// An entry of version 1: what it needs alone is within it.
#[derive(Deserialize)]
struct Nested {
    version: String,
    resolved: Option<String>,
    integrity: Option<String>,
    #[serde(default)]
    requires: Requires,
    #[serde(default)]
    dependencies: Table<Nested>,
}

/// Older files say `true` where they mean none of their own.
#[derive(Deserialize)]
#[serde(untagged)]
enum Requires {
    Names(BTreeMap<String, String>),
    Switch(IgnoredAny),
}

impl Default for Requires {
    fn default() -> Self {
        Self::Names(BTreeMap::new())
    }
}

pub(super) fn read(text: &str) -> Result<Lock, LockFault> {
    let Version { version } = strict::json(text)?;
    match version.as_ref().and_then(serde_json::Value::as_u64) {
        Some(1) => {
            let file: File = strict::json(text)?;
            let mut entries = BTreeMap::new();
            flatten("", file.dependencies, 0, &mut entries)?;
            lock(text, &entries)
        }
        Some(2 | 3) => lock(text, &strict::json::<File>(text)?.packages.0),
        _ => {
            let found = version.map_or_else(|| "none".into(), |version| version.to_string());
            Err(LockFault::version(text, "\"lockfileVersion\"", &found, "1, 2 and 3"))
        }
    }
}

/// Brings version 1 to the form of the later ones: entries by the folder in which they are installed.
fn flatten(
    folder: &str,
    table: Table<Nested>,
    depth: usize,
    into: &mut BTreeMap<String, Entry>,
) -> Result<(), LockFault> {
    if depth > DEPTH_MAX {
        return Err(LockFault::of_file(format!("has packages more than {DEPTH_MAX} deep in one another")));
    }
    for (name, nested) in table.0 {
        let path = format!("{folder}{MODULES}{name}");
        let alias = nested.version.strip_prefix("npm:").and_then(|alias| alias.rsplit_once('@'));
        let (real, version) = match alias {
            Some((real, version)) => (Some(real.to_owned()), version.to_owned()),
            None => (None, nested.version),
        };
        let dependencies = match nested.requires {
            Requires::Names(names) => Table(names),
            Requires::Switch(_) => Table::default(),
        };
        let entry = Entry {
            name: real,
            version: Some(version),
            resolved: nested.resolved,
            integrity: nested.integrity,
            dependencies,
            ..Entry::default()
        };
        flatten(&format!("{path}/"), nested.dependencies, depth + 1, into)?;
        into.insert(path, entry);
    }
    Ok(())
}

fn lock(text: &str, entries: &BTreeMap<String, Entry>) -> Result<Lock, LockFault> {
    let mut lock = Lock::default();
    let mut purls = BTreeMap::new();
    for (path, entry) in entries.iter().filter(|(path, entry)| !path.is_empty() && !entry.link) {
        let package = package(text, path, entry)?;
        purls.insert(path.as_str(), package.purl.clone());
        lock.add(package);
    }
    // A link stands for the folder that it leads to.
    for (path, entry) in entries.iter().filter(|(_, entry)| entry.link) {
        let target = entry.resolved.as_deref().and_then(|target| purls.get(target)).cloned();
        let target = target.ok_or_else(|| LockFault::of(text, path, "links to no package of this file"))?;
        purls.insert(path, target);
    }
    for (path, entry) in entries.iter().filter(|(_, entry)| !entry.link) {
        let needs = needs(text, path, entry, &purls)?;
        match purls.get(path.as_str()).and_then(|purl| lock.packages.get_mut(purl)) {
            Some(package) => package.dependencies.extend(needs),
            None => lock.roots.extend(needs),
        }
    }
    Ok(lock)
}

fn package(text: &str, path: &str, entry: &Entry) -> Result<Package, LockFault> {
    let installed = path.rsplit_once(MODULES).map_or(path, |(_, name)| name);
    let name = entry.name.as_deref().unwrap_or(installed);
    let quoted = format!("\"{path}\"");
    let (version, from) = match entry.version.as_deref() {
        // A folder of the application itself need not have a version.
        None if !path.contains(MODULES) => (None, None),
        None => return Err(LockFault::of(text, &quoted, "has no version")),
        Some(version) if version.contains(':') => (None, Some(version)),
        Some(version) => (Some(version), entry.resolved.as_deref().filter(|url| url.starts_with("git"))),
    };
    let qualifiers: Vec<_> = from
        .map(|url| (if url.starts_with("git") { "vcs_url" } else { "download_url" }, url))
        .into_iter()
        .collect();
    let mut package = Package::new(Ecosystem::Npm, name, version, &qualifiers);
    if let Some(integrity) = &entry.integrity {
        let hashes = Hash::integrity(integrity);
        package.hashes.extend(hashes.ok_or_else(|| LockFault::of(text, integrity, "is no integrity"))?);
    }
    Ok(package)
}

/// What `entry` needs, as Node finds it; what is optional, or another's to bring, may be missing.
fn needs(
    text: &str,
    path: &str,
    entry: &Entry,
    purls: &BTreeMap<&str, String>,
) -> Result<Vec<String>, LockFault> {
    let wanted = entry.dependencies.0.keys().chain(entry.dev_dependencies.0.keys());
    // What is needed to develop a package is installed for the application itself only.
    let is_own = !path.contains(MODULES);
    let mut found = Vec::new();
    for name in wanted {
        let is_needed =
            entry.dependencies.0.contains_key(name) && !entry.optional_dependencies.0.contains_key(name);
        match resolve(path, name, purls) {
            Some(purl) => found.push(purl),
            None if is_needed || (is_own && entry.dev_dependencies.0.contains_key(name)) => {
                return Err(LockFault::of(
                    text,
                    &format!("\"{path}\""),
                    format!("needs `{name}`, which is not here"),
                ));
            }
            None => {}
        }
    }
    let others = entry.optional_dependencies.0.keys().chain(entry.peer_dependencies.0.keys());
    found.extend(others.filter_map(|name| resolve(path, name, purls)));
    Ok(found)
}

fn resolve(path: &str, name: &str, purls: &BTreeMap<&str, String>) -> Option<String> {
    let mut folder = path;
    loop {
        let candidate =
            if folder.is_empty() { format!("{MODULES}{name}") } else { format!("{folder}/{MODULES}{name}") };
        if let Some(purl) = purls.get(candidate.as_str()) {
            return Some(purl.clone());
        }
        if folder.is_empty() {
            return None;
        }
        folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
    }
}
