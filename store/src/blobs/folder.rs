//! The folder of the blobs: `00` to `ff` by the first byte of the digest, unfinished files beside them.
//!
//! Owns its making and what happens to it at opening. Invariant: after [`prepare`] every shard is durable, so
//! that keeping a blob takes the syncing of its own shard only.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::BlobError;
use crate::{Digest, durable};

/// Makes the folder and its shards where they are missing.
pub(super) fn prepare(folder: &Path) -> Result<(), BlobError> {
    fs::create_dir_all(folder).map_err(BlobError::io("create", folder))?;
    for path in shards(folder) {
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(BlobError::io("create", &path)(error));
            }
            _ => {}
        }
    }
    for made in [Some(folder), folder.parent()].into_iter().flatten() {
        // The parent of a relative path of one part is the empty path: the current folder.
        let made = if made.as_os_str().is_empty() { Path::new(".") } else { made };
        durable::sync_folder(made).map_err(BlobError::io("sync", made))?;
    }
    Ok(())
}

fn shards(folder: &Path) -> impl Iterator<Item = PathBuf> {
    (0..=u8::MAX).map(move |first| folder.join(format!("{first:02x}")))
}

/// Removes temporary files and adds up the lengths of all blobs. Leaves alone what is neither.
pub(super) fn sweep(folder: &Path) -> Result<u64, BlobError> {
    for (path, _) in files(folder)? {
        if path.extension().is_some_and(|extension| extension == "tmp") {
            fs::remove_file(&path).map_err(BlobError::io("remove", &path))?;
        }
    }
    let mut used_bytes = 0;
    for shard in shards(folder) {
        let blobs = files(&shard)?.into_iter();
        let named = blobs.filter(|(path, _)| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<Digest>().is_ok())
        });
        used_bytes += named.map(|(_, size_bytes)| size_bytes).sum::<u64>();
    }
    Ok(used_bytes)
}

/// The plain files of a folder and their lengths.
pub(super) fn files(folder: &Path) -> Result<Vec<(PathBuf, u64)>, BlobError> {
    let list = || -> io::Result<Vec<(PathBuf, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_file() {
                found.push((entry.path(), metadata.len()));
            }
        }
        Ok(found)
    };
    list().map_err(BlobError::io("read", folder))
}
