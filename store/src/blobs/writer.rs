//! Taking one blob in pieces: hashed on the way, counted against limits, never whole in memory.
//!
//! Owns the limit of an upload and the line between small and large. A blob that stays small never touches
//! the disk. Invariant: a writer that does not finish leaves nothing behind.

use super::batch::{Batch, Object};
use super::{BlobError, is_inline};
use crate::Digest;

/// A blob being written. Dropped before [`Writer::finish`] it leaves nothing.
pub struct Writer {
    batch: Batch,
    object: Object,
    limit_bytes: u64,
}

/// A finished blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Small: the journal keeps these bytes in its database, and until then nobody does.
    Inline(Digest, Vec<u8>),
    /// In the store, durable.
    Stored {
        /// Its name.
        digest: Digest,
        /// Its length.
        size_bytes: u64,
    },
}

impl Writer {
    pub(super) fn new(batch: Batch, limit_bytes: u64) -> Self {
        Self { batch, object: Object::default(), limit_bytes }
    }

    /// Appends bytes. An error takes the writer with it: a blob with a hole in it cannot be finished.
    pub fn write(mut self, bytes: &[u8]) -> Result<Self, BlobError> {
        if self.object.size_bytes().saturating_add(bytes.len() as u64) > self.limit_bytes {
            return Err(BlobError::TooLarge { limit_bytes: self.limit_bytes });
        }
        self.object.write(&mut self.batch, bytes)?;
        Ok(self)
    }

    /// Ends the blob and makes it durable, unless it is one for the journal.
    pub fn finish(self) -> Result<Written, BlobError> {
        let Self { mut batch, object, .. } = self;
        if is_inline(object.size_bytes()) {
            let (digest, bytes) =
                object.uncut().expect("a chunk is cut when more than a small blob has come");
            return Ok(Written::Inline(digest, bytes));
        }
        let (digest, size_bytes) = object.finish(&mut batch)?;
        batch.commit()?;
        Ok(Written::Stored { digest, size_bytes })
    }
}

impl Written {
    /// The blob's name.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Inline(digest, _) | Self::Stored { digest, .. } => *digest,
        }
    }

    /// The blob's length.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Inline(_, bytes) => bytes.len() as u64,
            Self::Stored { size_bytes, .. } => *size_bytes,
        }
    }
}

/// Fails to compile if a writer cannot move to a blocking thread between two pieces.
const _: fn() = || {
    fn movable<T: Send + 'static>() {}
    movable::<Writer>();
};
