//! Notes: which seed was applied under a name, kept beside the data.
//!
//! Invariant: a note is lasting before what it tells of is in its place.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use xyn_capsules::manifest::Seed;

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
    put(notes, &notes.join(seed.name.as_str()), seed.digest.to_string().as_bytes())
}

/// Puts a file of these bytes at `place` in `folder`, whole or not at all.
pub(super) fn put(folder: &Path, place: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(place).map_err(|error| error.error)?;
    sync(Some(folder))?;
    // It may be new itself.
    sync(folder.parent())
}

/// Makes the names in `folder` lasting.
pub(super) fn sync(folder: Option<&Path>) -> io::Result<()> {
    folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
