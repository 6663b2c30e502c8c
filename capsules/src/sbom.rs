//! What an application is made of: packages as its lock files name them, told as CycloneDX 1.6.
//!
//! Owns the lock files that are understood and the form in which packages are told. Refuses to guess: a lock
//! file that is not understood wholly is an error that says where. Invariant: equal lock files give equal bytes,
//! on every machine; no clock and no chance enters.

mod cargo;
mod document;
mod error;
mod golang;
mod hash;
mod npm;
mod package;
mod pnpm;
mod poetry;
mod purl;
mod requirements;
mod strict;
mod uv;

use std::collections::BTreeMap;

pub use document::{Difference, Subject, diff, document, packages};
pub use error::{LockError, LockFault, SbomError};
pub use hash::{Algorithm, Hash};
pub use package::{Distribution, Lock, Package};

use self::error::shown;
use crate::tree::RelPath;

/// Bytes that a lock file may have.
pub const LOCK_MAX_BYTES: usize = 64 << 20;
/// Packages that lock files may name together.
pub const PACKAGES_MAX: usize = 200_000;

type Reader = fn(&str) -> Result<Lock, LockFault>;

/// Whether this module reads the file at `path`, by its name.
pub fn is_lock(path: &RelPath) -> bool {
    reader(path).is_some()
}

/// What people run to have the lock file at `path` resolved again, by its name.
pub fn resolver(path: &RelPath) -> Option<&'static str> {
    reader(path)?;
    Some(match path.name()? {
        "Cargo.lock" => "cargo generate-lockfile",
        "package-lock.json" | "npm-shrinkwrap.json" => "npm install --package-lock-only",
        "pnpm-lock.yaml" => "pnpm install --lockfile-only",
        "uv.lock" => "uv lock",
        "poetry.lock" => "poetry lock",
        "go.sum" => "go mod tidy",
        _ => "pip-compile",
    })
}

/// Reads the lock file at `path`; none when its name is of no lock file.
pub fn read(path: &RelPath, bytes: &[u8]) -> Option<Result<Lock, LockError>> {
    let reader = reader(path)?;
    let fail = |fault| LockError { path: path.clone(), fault };
    if bytes.len() > LOCK_MAX_BYTES {
        return Some(Err(fail(LockFault::of_file("is larger than 64 MiB"))));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count();
        fail(LockFault::at(line, "is not UTF-8"))
    });
    Some(text.and_then(|text| reader(text).and_then(named).map_err(fail)))
}

/// Whatever the format: a bill of materials lists nothing without a name.
fn named(lock: Lock) -> Result<Lock, LockFault> {
    match lock.packages.values().find(|package| package.name.is_empty()) {
        Some(package) => Err(LockFault::of_file(format!("names `{}` without a name", shown(&package.purl)))),
        None => Ok(lock),
    }
}

fn reader(path: &RelPath) -> Option<Reader> {
    let name = path.name()?;
    let is_requirements = name.strip_prefix("requirements").is_some_and(|rest| {
        rest.strip_suffix(".txt")
            .is_some_and(|middle| middle.is_empty() || middle.starts_with(['-', '_', '.']))
    });
    Some(match name {
        "Cargo.lock" => cargo::read,
        "package-lock.json" | "npm-shrinkwrap.json" => npm::read,
        "pnpm-lock.yaml" => pnpm::read,
        "uv.lock" => uv::read,
        "poetry.lock" => poetry::read,
        "go.sum" => golang::read,
        _ if is_requirements => requirements::read,
        _ => return None,
    })
}

/// All packages of several locks, each once: what they say of one is put together.
fn together<'l>(locks: impl IntoIterator<Item = &'l Lock>) -> Result<Lock, SbomError> {
    let mut all = Lock::default();
    for lock in locks {
        for package in lock.packages.values() {
            all.add(package.clone());
        }
        all.roots.extend(lock.roots.iter().cloned());
    }
    if all.packages.len() > PACKAGES_MAX { Err(SbomError::TooMany) } else { Ok(all) }
}

/// Packages by their package URL.
pub type Packages = BTreeMap<String, Package>;

#[cfg(test)]
mod tests;
