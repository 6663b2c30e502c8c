//! `requirements.txt` of pip, as pip-compile and others write it, and as people do.
//!
//! A requirement that leaves the version open is a package without one. Invariant: each line is understood or a
//! fault.

use super::error::{LockFault, shown};
use super::hash::Hash;
use super::package::{Lock, Package};
use super::purl::{Ecosystem, normal};

/// Options of pip that say where to look, not what for.
const OPTIONS: [&str; 14] = [
    "-i",
    "--index-url",
    "--extra-index-url",
    "--no-index",
    "-f",
    "--find-links",
    "--no-binary",
    "--only-binary",
    "--prefer-binary",
    "--pre",
    "--trusted-host",
    "--use-feature",
    "--require-hashes",
    "--config-settings",
];
/// Options that name another file; that is read on its own when it is a lock file by its name.
const FILES: [&str; 4] = ["-r", "--requirement", "-c", "--constraint"];

pub(super) fn read(text: &str) -> Result<Lock, LockFault> {
    let mut lock = Lock::default();
    let mut lines = text.lines().enumerate();
    while let Some((index, first)) = lines.next() {
        let mut line = uncommented(first).to_owned();
        while let Some(more) = line.strip_suffix('\\') {
            line = more.to_owned();
            line.push_str(lines.next().map_or("", |(_, next)| uncommented(next)));
        }
        let line = line.trim();
        let option = line.split(['=', ' ']).next().unwrap_or_default();
        if line.is_empty() || OPTIONS.contains(&option) || FILES.contains(&option) {
            continue;
        }
        let package =
            package(line).map_err(|what| LockFault::at(index + 1, format!("`{}` {what}", shown(line))))?;
        lock.roots.insert(package.purl.clone());
        lock.add(package);
    }
    Ok(lock)
}

/// A comment begins the line, or stands behind a blank.
fn uncommented(line: &str) -> &str {
    let line = if line.starts_with('#') { "" } else { line };
    line.split(" #").next().unwrap_or_default().trim_end()
}

fn package(line: &str) -> Result<Package, &'static str> {
    let line =
        ["-e ", "--editable ", "--editable="].iter().find_map(|edit| line.strip_prefix(edit)).unwrap_or(line);
    let (requirement, hashes) =
        line.split_once(" --hash").map_or((line, ""), |(before, _)| (before, &line[before.len()..]));
    let requirement = requirement.split(" --").next().unwrap_or_default();
    let requirement = requirement.split(';').next().unwrap_or_default().trim();
    let mut package = match requirement
        .split_once(" @ ")
        .or_else(|| requirement.split_once('@').filter(|(_, url)| url.contains(':')))
    {
        Some((name, url)) if !name.contains([':', '/']) => from_url(name, url.trim())?,
        _ if requirement.contains("://") || requirement.starts_with(['.', '/']) => {
            let name = requirement.split_once("#egg=").map(|(_, name)| name);
            let path = requirement.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            from_url(name.unwrap_or(path), requirement)?
        }
        _ => from_index(requirement)?,
    };
    for hash in hashes.split_ascii_whitespace().filter(|word| *word != "--hash") {
        let hash = hash.strip_prefix("--hash=").unwrap_or(hash);
        let read = Hash::prefixed(hash).ok_or("has a hash that is none")?;
        package.hashes.insert(read);
    }
    Ok(package)
}

fn from_url(name: &str, url: &str) -> Result<Package, &'static str> {
    let name = name.split('[').next().unwrap_or_default().trim();
    if !is_name(name) {
        return Err("has no name; write it as `name @ URL`");
    }
    let key = if url.starts_with("git+") { "vcs_url" } else { "download_url" };
    Ok(Package::new(Ecosystem::Pypi, &normal(name), None, &[(key, url)]))
}

/// `name[extras]==1.0.0`, or with a version that is left open.
fn from_index(requirement: &str) -> Result<Package, &'static str> {
    let end = requirement.find(['=', '<', '>', '!', '~', '(', ' ']).unwrap_or(requirement.len());
    let (name, wanted) = requirement.split_at(end);
    let name = name.split('[').next().unwrap_or_default().trim();
    let wanted = wanted.trim().trim_matches(['(', ')']);
    if !is_name(name) || !(wanted.is_empty() || wanted.starts_with(['=', '<', '>', '!', '~'])) {
        return Err("is no requirement");
    }
    let pinned = wanted.strip_prefix("===").or_else(|| wanted.strip_prefix("==")).map(str::trim);
    let version = pinned.filter(|version| !version.contains(['*', ',', ' ']));
    Ok(Package::new(Ecosystem::Pypi, &normal(name), version, &[]))
}

fn is_name(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_inner)
}
