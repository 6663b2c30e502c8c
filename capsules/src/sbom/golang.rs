//! `go.sum`: modules and the hashes of their files.
//!
//! A line for `/go.mod` alone is of a module that was looked at, and is not part of the application.

use super::error::{LockFault, shown};
use super::hash::Hash;
use super::package::{Lock, Package};
use super::purl::Ecosystem;

pub(super) fn read(text: &str) -> Result<Lock, LockFault> {
    let mut lock = Lock::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fault = |what: String| LockFault::at(index + 1, what);
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [module, version, sum] = words[..] else {
            return Err(fault(format!("`{}` is not a module, a version and a hash", shown(line))));
        };
        let hash = Hash::go(sum).ok_or_else(|| fault(format!("`{}` is no hash of kind `h1`", shown(sum))))?;
        if !version.starts_with('v') {
            return Err(fault(format!("`{}` is no version", shown(version))));
        }
        if !version.ends_with("/go.mod") {
            let mut package = Package::new(Ecosystem::Golang, module, Some(version), &[]);
            package.hashes.insert(hash);
            lock.add(package);
        }
    }
    Ok(lock)
}
