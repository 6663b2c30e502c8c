//! Files of capsules under way: what is being packed, and what a delta is read against.
//!
//! Owns a folder beside the store, whose content is worth nothing to anybody else. Invariant: what a stop left there
//! is gone at the next start.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;
use xyn_capsules::container::BlobSource;
use xyn_store::blobs::{BlobError, Blobs};
use xyn_store::{Digest, Store};

use super::refusal;
use crate::runtime::{Inner, Refusal};

const FOLDER: &str = "capsules-under-way";

/// Throws away what a stop left. Nobody is at work yet.
pub(crate) fn clean(store: &Store) {
    let folder = store.folder().join(FOLDER);
    if let Err(error) = fs::remove_dir_all(&folder)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, folder = %folder.display(), "files of capsules that were under way stay");
    }
}

/// A folder for one act, which is gone with it.
pub(super) fn folder(inner: &Inner) -> Result<TempDir, Refusal> {
    let folder = inner.store.folder().join(FOLDER);
    let made = fs::create_dir_all(&folder).and_then(|()| tempfile::tempdir_in(&folder));
    made.map_err(|error| unwritten(&folder, &error))
}

/// Writes the blob `digest` to the new file `path`, verified.
pub(super) fn lay_out(blobs: &Blobs, digest: &Digest, path: &Path) -> Result<(), Refusal> {
    let content = blobs.content(digest).map_err(refusal::blob)?;
    let mut file = File::create_new(path).map_err(|error| unwritten(path, &error))?;
    match io::copy(&mut BlobSource::from(content), &mut file) {
        Ok(_) => Ok(()),
        Err(error) => match error.downcast::<BlobError>() {
            Ok(error) => Err(refusal::blob(error)),
            Err(error) => Err(unwritten(path, &error)),
        },
    }
}

/// Keeps the file at `path` as a blob; answers its digest and length.
pub(super) fn keep(blobs: &Blobs, path: &Path) -> Result<(Digest, u64), Refusal> {
    let file = File::open(path).map_err(|error| unwritten(path, &error))?;
    let mut batch = blobs.batch();
    let kept = batch.read_from(file, u64::MAX).map_err(refusal::blob)?;
    batch.commit().map_err(refusal::blob)?;
    Ok(kept)
}

fn unwritten(path: &Path, error: &io::Error) -> Refusal {
    Refusal::Unavailable(format!("cannot work in `{}`: {error}", path.display()))
}
