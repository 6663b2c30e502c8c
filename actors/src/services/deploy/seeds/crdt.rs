//! Seeds of documents: an Automerge snapshot that is merged into the one that is there.
//!
//! A merge knows what it has already, so one that a stop cut short is done again without harm. Invariant: no change
//! that the app made is lost, whichever seed is merged.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use xyn_capsules::manifest::Seed;
use xyn_store::durable;
use xyn_store::timeline::{DOCUMENT_MAX_BYTES, merge_documents};

use super::{Sowing, notes, read};
use crate::runtime::Refusal;
use crate::services::deploy::release::unfit;

/// How often a document is merged that changes meanwhile.
const TRIES: usize = 8;

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
    let folder = sowing.ground.data.join(seed.name.as_str());
    let place = folder.join(seed.path.name().unwrap_or(seed.name.as_str()));
    let noted = notes::noted(&sowing.ground.notes, seed).map_err(failed)?;
    // A note without its document tells of one that was lost.
    if !sowing.again && noted == Some(seed.digest.to_string()) && place.exists() {
        return Ok(());
    }
    let bytes = read(&sowing.blobs, &sowing.root, seed, DOCUMENT_MAX_BYTES)?;
    for _ in 0..TRIES {
        let ours = there(&place).map_err(failed)?;
        let merged = match &ours {
            None => bytes.clone(),
            Some(ours) => merge_documents(ours, &bytes).map_err(|error| {
                unfit(format!(
                    "its seed `{0}` cannot be merged into `{0}/{1}` in the data of this deployment: {error}; give \
                     the seed another name, or mend what is there",
                    seed.name,
                    seed.path.name().unwrap_or_default()
                ))
            })?,
        };
        // The app that serves may have saved it meanwhile.
        if there(&place).map_err(failed)? == ours {
            let put = durable::put(&place, &merged);
            return put.and_then(|()| notes::note(&sowing.ground.notes, seed)).map_err(failed);
        }
    }
    Err(failed(io::Error::other("the app goes on changing the document; ask again")))
}

/// The document that is there, if one is. No link is followed: it could lead out of the data.
fn there(place: &Path) -> io::Result<Option<Vec<u8>>> {
    // Nor is anything waited for, such as the other end of a pipe.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(place) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(format!("`{}` is no file", place.display())));
    }
    let mut bytes = Vec::new();
    file.take(DOCUMENT_MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
