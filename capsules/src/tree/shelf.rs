//! Where the blobs of trees are read from: the chunk store, memory, or one before the other.
//!
//! Invariant: a directory that is handed out is sound.

use std::collections::BTreeMap;

use xyn_store::Digest;
use xyn_store::blobs::{BlobError, Blobs};

use super::directory::Directory;
use super::error::TreeError;
use super::limit::DIRECTORY_MAX_BYTES;

/// Something that holds the blobs of trees.
pub trait Shelf {
    /// The blob `digest`, of at most `limit_bytes`.
    fn read(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, TreeError>;

    /// The directory `digest`. The empty one is everywhere.
    fn directory(&self, digest: &Digest) -> Result<Directory, TreeError> {
        if *digest == Directory::empty() {
            return Ok(Directory::default());
        }
        let bytes = self.read(digest, DIRECTORY_MAX_BYTES)?;
        Directory::decode(&bytes).map_err(|source| TreeError::Directory { digest: *digest, source })
    }
}

impl Shelf for Blobs {
    fn read(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, TreeError> {
        let content = self.content(digest)?;
        let size_bytes = content.size_bytes();
        if size_bytes > limit_bytes {
            return Err(BlobError::TooLarge { limit_bytes }.into());
        }
        let mut bytes = Vec::with_capacity(size_bytes as usize);
        for piece in content.pieces(0..size_bytes) {
            bytes.append(&mut piece?);
        }
        Ok(bytes)
    }
}

impl Shelf for BTreeMap<Digest, Vec<u8>> {
    fn read(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, TreeError> {
        match self.get(digest) {
            Some(bytes) if bytes.len() as u64 > limit_bytes => {
                Err(BlobError::TooLarge { limit_bytes }.into())
            }
            Some(bytes) => Ok(bytes.clone()),
            None => Err(BlobError::NotFound(*digest).into()),
        }
    }
}

/// One before another: trees that are looked at and not kept, or two that are compared.
pub struct Overlay<'a> {
    /// Looked at first.
    pub above: &'a dyn Shelf,
    /// Looked at for what is not above.
    pub below: &'a dyn Shelf,
}

impl Shelf for Overlay<'_> {
    fn read(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, TreeError> {
        match self.above.read(digest, limit_bytes) {
            Err(TreeError::Blob(BlobError::NotFound(_))) => self.below.read(digest, limit_bytes),
            found => found,
        }
    }
}
