//! Notes: which seed was applied under a name, kept beside the data.
//!
//! Invariant: a note is lasting before what it tells of is in its place.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use xyn_capsules::manifest::Seed;
use xyn_store::durable;

/// What is noted under the name of `seed`: the digest of what was applied.
pub(super) fn noted(notes: &Path, seed: &Seed) -> io::Result<Option<String>> {
    match fs::read_to_string(notes.join(seed.name.as_str())) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Notes that `seed` is applied.
pub(super) fn note(notes: &Path, seed: &Seed) -> io::Result<()> {
    durable::put(&notes.join(seed.name.as_str()), seed.digest.to_string().as_bytes())
}

/// Makes the names in `folder` lasting.
pub(super) fn sync(folder: Option<&Path>) -> io::Result<()> {
    folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
