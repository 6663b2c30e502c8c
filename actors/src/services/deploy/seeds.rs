//! Seeds: the data that an app starts with, laid out once per target.
//!
//! Owns the folder `data` of a deployment, which outlives its releases, and the notes of what was laid out there. What
//! is there already is the app's own and never overwritten. Blocks. Invariant: a seed is laid out whole or not at all,
//! and not again after the app may have changed it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use xyn_capsules::manifest::{Manifest, Seed, SeedKind};
use xyn_capsules::tree::{self, Entry, Limits, Seen, Wish};
use xyn_store::blobs::Blobs;
use xyn_store::{Digest, Timestamp};

use super::release::unfit;
use crate::runtime::Refusal;

/// The folders of a deployment's data.
pub(super) struct Ground {
    /// What the app keeps.
    pub(super) data: PathBuf,
    /// What was laid out there: a file for each seed, with its digest.
    pub(super) notes: PathBuf,
}

/// Why a capsule has seeds that this version does not apply.
pub(super) fn check(manifest: &Manifest) -> Result<(), Refusal> {
    let other = manifest.seeds.iter().find(|seed| seed.kind != SeedKind::Files);
    other.map_or(Ok(()), |seed| {
        let kind = if seed.kind == SeedKind::Sql { "sql" } else { "crdt" };
        Err(unfit(format!(
            "its seed `{}` is of type `{kind}`, and this version lays out `files` only; apply it by hand, and pack \
             the app without it",
            seed.name
        )))
    })
}

/// Lays out the seeds of the content `root`, which `manifest` describes, that are not there yet; answers all of them.
pub(super) fn apply(
    blobs: &Blobs,
    root: &Digest,
    manifest: &Manifest,
    ground: &Ground,
    now: Timestamp,
) -> Result<Vec<(String, Digest)>, Refusal> {
    check(manifest)?;
    let mut applied = Vec::with_capacity(manifest.seeds.len());
    for seed in &manifest.seeds {
        let found =
            tree::find(blobs, root, &seed.path).map_err(|error| Refusal::Unavailable(error.to_string()))?;
        let entry = found.filter(|entry| entry.digest == seed.digest).ok_or_else(|| {
            unfit(format!("what stands at `{}` is not the seed `{}`; pack it again", seed.path, seed.name))
        })?;
        let (note, place) = (ground.notes.join(seed.name.as_str()), ground.data.join(seed.name.as_str()));
        let failed = |error: io::Error| {
            Refusal::Unavailable(format!("cannot lay out the seed `{}`: {error}", seed.name))
        };
        let noted = match fs::read_to_string(&note) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        match (noted, place.exists()) {
            (Some(digest), true) if digest == seed.digest.to_string() => {}
            (Some(_), true) => {
                return Err(taken(seed, "holds another seed of this name, which the app may have changed"));
            }
            (None, true) => return Err(taken(seed, "is the app's own")),
            (_, false) => lay_out(blobs, &entry, seed, &note, &place, now).map_err(failed)?,
        }
        applied.push((seed.name.to_string(), seed.digest));
    }
    Ok(applied)
}

fn taken(seed: &Seed, what: &str) -> Refusal {
    unfit(format!("`{0}` in the data of this deployment {what}; give the seed `{0}` another name", seed.name))
}

/// Lays out `entry` beside `place` and moves it there in one go. The note comes first: with it and without the place,
/// it is done again.
fn lay_out(
    blobs: &Blobs,
    entry: &Entry,
    seed: &Seed,
    note: &Path,
    place: &Path,
    now: Timestamp,
) -> io::Result<()> {
    let beside = place.with_file_name(format!(".{}.partial", seed.name));
    match fs::remove_dir_all(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(&beside)?,
    }
    if entry.is_directory() {
        let wish = Wish { root: entry.digest, base: None, force: true, remove: false };
        let done = tree::restore(blobs, &beside, &wish, &Seen::default(), now, Limits::default());
        done.map_err(io::Error::other)?;
    } else {
        let mut file = fs::File::create_new(beside.join(seed.path.name().unwrap_or(seed.name.as_str())))?;
        for piece in blobs.content(&entry.digest).map_err(io::Error::other)?.pieces(0..u64::MAX) {
            file.write_all(&piece.map_err(io::Error::other)?)?;
        }
        file.sync_all()?;
    }
    if let Some(folder) = note.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut noted = fs::File::create(note)?;
    noted.write_all(seed.digest.to_string().as_bytes())?;
    noted.sync_all()?;
    fs::rename(&beside, place)?;
    place.parent().map_or(Ok(()), |data| fs::File::open(data)?.sync_all())
}
