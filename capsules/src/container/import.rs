//! Importing a capsule into the chunk store of a node.
//!
//! Owns what is left out: files that the store has already are not unpacked, so an import that was cut short
//! goes on where it was. Invariant: a tree whose digest is returned is whole in the store, and each directory
//! leads to what it holds.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

use xyn_store::Digest;
use xyn_store::blobs::{BlobError, Blobs, Writer};

use super::error::ContainerError;
use super::open::Capsule;
use super::outline::Outline;
use super::replay::{Replay, Sink, Verified};
use crate::tree::{Directory, Mode, Portions, Shelf, target};

/// A capsule that was imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// What was read.
    pub verified: Verified,
    /// Contents that the store had already.
    pub known: u64,
}

/// Imports a capsule into `blobs`. Nobody keeps the tree yet: it is swept in time.
pub fn import<R: Read>(capsule: Capsule<'_, R>, blobs: &Blobs) -> Result<Imported, ContainerError> {
    let Capsule { source, outline, index, base, .. } = capsule;
    let mut wanted = Vec::with_capacity(outline.layout.files.len());
    for file in &outline.layout.files {
        wanted.push(match blobs.content(&file.digest) {
            Ok(_) => false,
            Err(BlobError::NotFound(_)) => true,
            Err(error) => return Err(error.into()),
        });
    }
    let known = wanted.iter().filter(|is_wanted| !**is_wanted).count() as u64;
    let (portions, open) = (Mutex::new(Portions::new(blobs)), Mutex::default());
    let sink = Keeping { outline: &outline, wanted, blobs, portions, open };
    let verified = Replay { outline: &outline, index: &index, base, sink: &sink }.run(source)?;
    let mut portions = sink.portions.into_inner().unwrap_or_else(PoisonError::into_inner);
    directories(&outline, &mut portions)?;
    portions.commit()?;
    Ok(Imported { verified, known })
}

/// Keeps links and directories, each after what it leads to.
fn directories(outline: &Outline, portions: &mut Portions<'_>) -> Result<(), ContainerError> {
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for (path, entry) in &outline.listing.entries {
        match entry.mode {
            Mode::Symlink if known.insert(entry.digest) => {
                portions.put(target(outline, path, entry)?.as_str().as_bytes())?;
            }
            Mode::Directory => found.push(entry.digest),
            _ => {}
        }
    }
    // In the listing, what is in a directory comes behind it.
    for digest in found.iter().rev().chain([&outline.root]) {
        if known.insert(*digest) {
            let directory: Directory = outline.directory(digest)?;
            portions.directory(&directory, &directory.encode())?;
        }
    }
    Ok(())
}

struct Keeping<'a> {
    outline: &'a Outline,
    wanted: Vec<bool>,
    blobs: &'a Blobs,
    portions: Mutex<Portions<'a>>,
    /// The file whose pieces come.
    open: Mutex<Option<Writer>>,
}

impl Sink for Keeping<'_> {
    fn wants(&self, file: usize) -> bool {
        self.wanted[file]
    }

    fn whole(&self, files: &[(usize, &[u8])]) -> Result<(), ContainerError> {
        let mut portions = self.portions.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, bytes) in files {
            let _digest: Digest = portions.put(bytes)?;
        }
        Ok(())
    }

    fn piece(&self, file: usize, bytes: &[u8]) -> Result<(), ContainerError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let size_bytes = self.outline.layout.files[file].size_bytes;
        let writer = open.take().unwrap_or_else(|| self.blobs.writer(size_bytes));
        *open = Some(writer.write(bytes)?);
        Ok(())
    }

    fn proved(&self, _: usize) -> Result<(), ContainerError> {
        let Some(writer) = self.open.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(());
        };
        match writer.finish()? {
            // A small file, in pieces all the same.
            xyn_store::blobs::Written::Inline(_, bytes) => {
                self.portions.lock().unwrap_or_else(PoisonError::into_inner).put(&bytes)?;
            }
            xyn_store::blobs::Written::Stored { .. } => {}
        }
        Ok(())
    }
}
