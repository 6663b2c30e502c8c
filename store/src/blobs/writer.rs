//! Taking a blob in pieces: hashed on the way, counted against limits, never whole in memory.
//!
//! Owns the unfinished blob. One that stays small never touches the disk. Invariant: a writer that does not
//! finish leaves nothing behind, neither a file nor a count.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::{BlobError, Blobs, INLINE_MAX};
use crate::{Digest, durable};

/// A blob being written. Dropped before [`Writer::finish`] it leaves nothing.
#[derive(Debug)]
pub struct Writer {
    blobs: Blobs,
    limit_bytes: u64,
    size_bytes: u64,
    hasher: Sha256,
    content: Content,
}

/// Where the bytes are so far.
#[derive(Debug)]
enum Content {
    Memory(Vec<u8>),
    Disk { file: File, path: PathBuf },
}

/// A finished blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Small: the journal keeps these bytes in its database, and until then nobody does.
    Inline(Digest, Vec<u8>),
    /// In a file of the store, durable.
    File {
        /// Its name.
        digest: Digest,
        /// Its length.
        size_bytes: u64,
    },
}

impl Writer {
    pub(super) fn new(blobs: Blobs, limit_bytes: u64) -> Self {
        let (hasher, content) = (Sha256::new(), Content::Memory(Vec::new()));
        Self { blobs, limit_bytes, size_bytes: 0, hasher, content }
    }

    /// Appends bytes. An error takes the writer with it: a blob with a hole in it cannot be finished.
    pub fn write(mut self, bytes: &[u8]) -> Result<Self, BlobError> {
        let grown = self.size_bytes.saturating_add(bytes.len() as u64);
        if grown > self.limit_bytes {
            return Err(BlobError::TooLarge { limit_bytes: self.limit_bytes });
        }
        if grown > INLINE_MAX as u64 {
            self.spill()?;
        }
        if let Content::Disk { .. } = self.content {
            self.blobs.reserve(bytes.len() as u64)?;
        }
        self.size_bytes = grown;
        self.hasher.update(bytes);
        match &mut self.content {
            Content::Memory(held) => held.extend_from_slice(bytes),
            Content::Disk { file, path } => file.write_all(bytes).map_err(BlobError::io("write", path))?,
        }
        Ok(self)
    }

    /// Ends the blob and makes it durable, unless it is one for the journal.
    pub fn finish(mut self) -> Result<Written, BlobError> {
        let digest = Digest::from_bytes(std::mem::take(&mut self.hasher).finalize().into());
        let size_bytes = self.size_bytes;
        match &mut self.content {
            Content::Memory(held) => return Ok(Written::Inline(digest, std::mem::take(held))),
            // The drop at the end removes the second copy.
            Content::Disk { .. } if self.blobs.keeps(&digest, size_bytes)? => {}
            Content::Disk { file, path } => {
                self.blobs.adopt(&digest, file, path)?;
                // The file is the store's now: what is dropped is an empty blob.
                self.content = Content::Memory(Vec::new());
                self.blobs.sync_shard(&digest)?;
            }
        }
        Ok(Written::File { digest, size_bytes })
    }

    /// Moves what is held in memory into a file.
    pub(super) fn spill(&mut self) -> Result<(), BlobError> {
        if let Content::Memory(held) = &self.content {
            let path = self.blobs.temporary();
            let mut file = durable::create_private(&path).map_err(BlobError::io("create", &path))?;
            let written = file.write_all(held).map_err(BlobError::io("write", &path));
            let reserved = written.and_then(|()| self.blobs.reserve(held.len() as u64));
            if let Err(error) = reserved {
                discard(&path);
                return Err(error);
            }
            self.content = Content::Disk { file, path };
        }
        Ok(())
    }
}

impl Written {
    /// The blob's name.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Inline(digest, _) | Self::File { digest, .. } => *digest,
        }
    }

    /// The blob's length.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Inline(_, bytes) => bytes.len() as u64,
            Self::File { size_bytes, .. } => *size_bytes,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Content::Disk { path, .. } = &self.content {
            discard(path);
            self.blobs.release(self.size_bytes);
        }
    }
}

/// Removes a temporary file. One that cannot be removed now goes when the folder is next opened.
fn discard(path: &std::path::Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "cannot remove a temporary blob");
    }
}

/// Fails to compile if a writer cannot move to a blocking thread between two pieces.
const _: fn() = || {
    fn movable<T: Send + 'static>() {}
    movable::<Writer>();
};
