//! Seeds of documents: an Automerge snapshot that is merged into the one that is there.
//!
//! A merge knows what it has already, so one that a stop cut short is done again without harm. Invariant: no change
//! that the app made is lost, whichever seed is merged.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use xyn_capsules::manifest::Seed;
use xyn_store::timeline::{DOCUMENT_MAX_BYTES, merge_documents};

use super::{Sowing, notes, read};
use crate::runtime::Refusal;
use crate::services::deploy::release::unfit;

/// Refuses what is no document.
pub(super) fn check(seed: &Seed, bytes: &[u8]) -> Result<(), Refusal> {
    let sound = merge_documents(bytes, bytes).map(drop);
    sound.map_err(|error| {
        unfit(format!("its seed `{}` (`{}`) is no saved Automerge document: {error}", seed.name, seed.path))
    })
}

pub(super) fn apply(sowing: &Sowing, seed: &Seed) -> Result<(), Refusal> {
    let failed =
        |error: io::Error| Refusal::Unavailable(format!("cannot merge the seed `{}`: {error}", seed.name));
    if notes::noted(&sowing.ground.notes, seed).map_err(failed)? == Some(seed.digest.to_string()) {
        return Ok(());
    }
    let bytes = read(&sowing.blobs, &sowing.root, seed, DOCUMENT_MAX_BYTES)?;
    let folder = sowing.ground.data.join(seed.name.as_str());
    let place = folder.join(seed.path.name().unwrap_or(seed.name.as_str()));
    let merged = match there(&place).map_err(failed)? {
        None => bytes,
        Some(ours) => merge_documents(&ours, &bytes).map_err(|error| {
            unfit(format!(
                "its seed `{0}` cannot be merged into `{0}/{1}` in the data of this deployment: {error}; give the \
                 seed another name, or mend what is there",
                seed.name,
                seed.path.name().unwrap_or_default()
            ))
        })?,
    };
    write(&folder, &place, &merged).and_then(|()| notes::note(&sowing.ground.notes, seed)).map_err(failed)
}

/// The document that is there, if one is. No link is followed: it could lead out of the data.
fn there(place: &Path) -> io::Result<Option<Vec<u8>>> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(place) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(DOCUMENT_MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Puts the document in its place, whole or not at all.
fn write(folder: &Path, place: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(place).map_err(|error| error.error)?;
    notes::sync(Some(folder))
}
