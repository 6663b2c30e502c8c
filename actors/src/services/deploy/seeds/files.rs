//! Seeds of files: laid out below their name, where nothing is yet.
//!
//! Invariant: what is there is the app's own and never written over. Where a seed is asked for again, it is put aside.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use xyn_capsules::manifest::Seed;
use xyn_capsules::tree::{self, Entry, Limits, Seen, Wish};

use super::{Sowing, find, notes};
use crate::runtime::Refusal;
use crate::services::deploy::release::unfit;

pub(super) fn apply(sowing: &Sowing, seed: &Seed) -> Result<(), Refusal> {
    let entry = find(&sowing.blobs, &sowing.root, seed)?;
    let place = sowing.ground.data.join(seed.name.as_str());
    let failed =
        |error: io::Error| Refusal::Unavailable(format!("cannot lay out the seed `{}`: {error}", seed.name));
    match (notes::noted(&sowing.ground.notes, seed).map_err(failed)?, place.exists()) {
        _ if sowing.again => lay_out(sowing, seed, &entry, &place).map_err(failed),
        (Some(digest), true) if digest == seed.digest.to_string() => Ok(()),
        (Some(_), true) => {
            Err(taken(seed, "holds another seed of this name, which the app may have changed"))
        }
        (None, true) => Err(taken(seed, "is the app's own")),
        (_, false) => lay_out(sowing, seed, &entry, &place).map_err(failed),
    }
}

fn taken(seed: &Seed, what: &str) -> Refusal {
    unfit(format!("`{0}` in the data of this deployment {what}; give the seed `{0}` another name", seed.name))
}

/// Lays out `entry` beside `place` and moves it there in one go. The note comes first: with it and without the place,
/// it is done again.
fn lay_out(sowing: &Sowing, seed: &Seed, entry: &Entry, place: &Path) -> io::Result<()> {
    let beside = place.with_file_name(format!(".{}.partial", seed.name));
    remove(&beside)?;
    fs::create_dir_all(&beside)?;
    if entry.is_directory() {
        let wish = Wish { root: entry.digest, base: None, force: true, remove: false };
        let (seen, limits) = (Seen::default(), Limits::default());
        let done = tree::restore(&sowing.blobs, &beside, &wish, &seen, sowing.now, limits);
        done.map_err(io::Error::other)?;
    } else {
        let name = seed.path.name().unwrap_or(seed.name.as_str());
        let mut file = fs::File::create_new(beside.join(name))?;
        for piece in sowing.blobs.content(&entry.digest).map_err(io::Error::other)?.pieces(0..u64::MAX) {
            file.write_all(&piece.map_err(io::Error::other)?)?;
        }
        file.sync_all()?;
    }
    notes::sync(Some(&beside))?;
    notes::note(&sowing.ground.notes, seed)?;
    if sowing.again && place.symlink_metadata().is_ok() {
        put_aside(place, &sowing.ground.aside.join(seed.name.as_str()))?;
    }
    fs::rename(&beside, place)?;
    notes::sync(place.parent())
}

/// Moves what stands at `place` to `aside`, in place of what was moved there before.
fn put_aside(place: &Path, aside: &Path) -> io::Result<()> {
    aside.parent().map_or(Ok(()), fs::create_dir_all)?;
    remove(aside)?;
    fs::rename(place, aside)?;
    notes::sync(aside.parent())
}

/// Removes what stands at `path`, if anything does; no link is followed.
fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}
