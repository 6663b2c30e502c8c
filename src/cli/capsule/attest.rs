//! What was found out about a capsule, signed and put beside it.

use std::path::{Path, PathBuf};

use xyn_capsules::manifest::Manifest;
use xyn_capsules::sign::{NotVerified, Predicate, Statement, Subject, seal};

use super::keys;
use crate::failure::Failure;

/// Signs `said` about the capsule of `manifest` with the key in `key`, and writes the envelope to `target`.
pub(in crate::cli) fn write<P: Predicate>(
    manifest: &Manifest,
    said: P,
    key: &Path,
    target: &Path,
) -> Result<(), Failure> {
    let name = manifest.id.to_string().parse().expect("ids are lines");
    let statement = Statement { subject: Subject { name, tree: manifest.tree }, predicate: said };
    let unsigned = |error: NotVerified| Failure::failed("not_signed", error.to_string());
    let envelope = seal(&statement, &keys::secret(key)?).map_err(unsigned)?;
    std::fs::write(target, envelope.to_bytes()).map_err(|error| Failure::file("write", target, &error))
}

/// The file beside `capsule` that is called like it, and `kind`.
pub(in crate::cli) fn beside(capsule: &Path, kind: &str) -> PathBuf {
    let mut name = capsule.as_os_str().to_owned();
    name.push(format!(".{kind}.json"));
    name.into()
}
