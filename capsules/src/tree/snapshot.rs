//! Taking a folder into the store.
//!
//! Owns when what was read becomes lasting: in portions, so that neither memory nor the transaction of one
//! grows with the folder. What was kept by a snapshot that did not come to its end is swept in time.
//! Invariant: a tree whose digest is returned is whole, lasting, and leads to all it holds.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use xyn_store::blobs::{Batch, BlobError, Blobs};
use xyn_store::{Digest, Timestamp};

use super::directory::Directory;
use super::error::TreeError;
use super::folder::Folder;
use super::limit::Limits;
use super::link::Target;
use super::path::RelPath;
use super::scan::{KeepError, Keeper, Scanned, Walk};
use super::seen::Seen;

/// Blobs that become lasting in one transaction.
const PORTION_BLOBS: usize = 4_096;
/// Bytes of files that do.
const PORTION_BYTES: u64 = 64 << 20;
/// Files up to this length are read in one piece.
const PIECE_BYTES: usize = 1 << 20;

/// A folder that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The tree.
    pub root: Digest,
    /// How many files it has.
    pub files: u64,
    /// Bytes of all files.
    pub size_bytes: u64,
    /// Files that were not read again, because nothing about them changed.
    pub reused: u64,
    /// Devices, pipes and sockets, which no tree holds.
    pub skipped: u64,
    /// What to give to the next snapshot, once somebody keeps this tree.
    pub seen: Seen,
}

/// Takes the folder `dir` into `blobs`. Nobody keeps the tree yet: it is swept in time.
///
/// `seen` comes from an earlier snapshot of the same folder, whose tree is still kept.
pub fn snapshot(
    blobs: &Blobs,
    dir: &Path,
    seen: &Seen,
    now: Timestamp,
    limits: Limits,
) -> Result<Taken, TreeError> {
    match take(blobs, dir, seen, now, limits) {
        // The store lost what was seen, as one that was restored from a backup has.
        Err(TreeError::Blob(BlobError::NotFound(_))) if !seen.is_empty() => {
            take(blobs, dir, &Seen::default(), now, limits)
        }
        taken => taken,
    }
}

/// Takes `folder` and all that is in it, as [`look_whole`](super::look_whole) looks at it. Nobody keeps the tree yet.
pub(crate) fn snapshot_whole(blobs: &Blobs, folder: &Folder, limits: Limits) -> Result<Digest, TreeError> {
    let keeper = Storing { portions: Portions::new(blobs), piece: Vec::new() };
    let nothing = Seen::default();
    let walk = Walk::new(keeper, &nothing, Timestamp::EPOCH, limits).without_rules();
    let (scanned, keeper) = walk.run(folder, None)?;
    keeper.portions.commit()?;
    Ok(scanned.root)
}

fn take(blobs: &Blobs, dir: &Path, seen: &Seen, now: Timestamp, limits: Limits) -> Result<Taken, TreeError> {
    let keeper = Storing { portions: Portions::new(blobs), piece: Vec::new() };
    let (scanned, keeper) = Walk::new(keeper, seen, now, limits).run(&Folder::open(dir)?, None)?;
    keeper.portions.commit()?;
    let Scanned { root, files, size_bytes, reused, skipped, seen } = scanned;
    Ok(Taken { root, files, size_bytes, reused, skipped, seen })
}

/// Blobs that become lasting portion by portion.
pub(crate) struct Portions<'a> {
    blobs: &'a Blobs,
    batch: Batch,
    count: usize,
    size_bytes: u64,
}

impl<'a> Portions<'a> {
    pub(crate) fn new(blobs: &'a Blobs) -> Self {
        Self { blobs, batch: blobs.batch(), count: 0, size_bytes: 0 }
    }

    /// Adds `bytes`.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let digest = self.batch.put(bytes)?;
        self.count(bytes.len() as u64)?;
        Ok(digest)
    }

    /// Adds what `content` gives; answers digest and length.
    pub(crate) fn read_from(
        &mut self,
        content: impl Read,
        limit_bytes: u64,
    ) -> Result<(Digest, u64), BlobError> {
        let kept = self.batch.read_from(content, limit_bytes)?;
        self.count(kept.1)?;
        Ok(kept)
    }

    /// Adds a directory, of which these are the bytes and whose entries were added before.
    pub(crate) fn directory(&mut self, directory: &Directory, bytes: &[u8]) -> Result<Digest, BlobError> {
        let digest = self.batch.put(bytes)?;
        self.batch.link(digest, directory.entries().values().map(|entry| entry.digest));
        self.count(0)?;
        Ok(digest)
    }

    /// Makes the last portion lasting.
    pub(crate) fn commit(self) -> Result<(), BlobError> {
        self.batch.commit()
    }

    fn count(&mut self, size_bytes: u64) -> Result<(), BlobError> {
        self.count += 1;
        self.size_bytes += size_bytes;
        if self.count >= PORTION_BLOBS || self.size_bytes >= PORTION_BYTES {
            (self.count, self.size_bytes) = (0, 0);
            std::mem::replace(&mut self.batch, self.blobs.batch()).commit()?;
        }
        Ok(())
    }
}

struct Storing<'a> {
    portions: Portions<'a>,
    piece: Vec<u8>,
}

impl Keeper for Storing<'_> {
    fn file(
        &mut self,
        _: &RelPath,
        mut file: &File,
        size_bytes: u64,
        limit_bytes: u64,
    ) -> Result<(Digest, u64), KeepError> {
        if size_bytes > PIECE_BYTES as u64 {
            return Ok(self.portions.read_from(file, limit_bytes)?);
        }
        // One byte more than was said: a file that grew meanwhile shows.
        self.piece.clear();
        file.by_ref().take(size_bytes + 1).read_to_end(&mut self.piece).map_err(KeepError::Read)?;
        Ok((self.portions.put(&self.piece)?, self.piece.len() as u64))
    }

    fn target(&mut self, target: &Target) -> Result<Digest, KeepError> {
        Ok(self.portions.put(target.as_str().as_bytes())?)
    }

    fn directory(
        &mut self,
        directory: &Directory,
        bytes: Vec<u8>,
        is_kept: bool,
    ) -> Result<Digest, KeepError> {
        if is_kept {
            return Ok(Digest::of(&bytes));
        }
        Ok(self.portions.directory(directory, &bytes)?)
    }
}
