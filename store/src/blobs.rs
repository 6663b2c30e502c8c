//! Blobs: bytes too large for the journal, kept in files that are named by their SHA-256.
//!
//! Owns the folder, what it may hold in all, and the checking of what comes out. Small blobs belong to the
//! journal, and so do all references: nothing here knows what a blob is for. Every call blocks; callers in
//! async code move it to a blocking thread. A folder has one `Blobs` (its clones share it). Invariant: once a
//! digest is returned, its bytes are durable; a name without `.tmp` never shows part of a blob.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::{Digest, durable};

mod folder;
mod writer;

pub use writer::{Writer, Written};

/// The largest blob, in bytes, that the journal keeps in its own database.
pub const INLINE_MAX: usize = 16 * 1024;

/// How much of a file is in memory while it is checked.
const READ_BYTES: usize = 64 * 1024;

/// Whether a blob of this length belongs into the journal's database.
pub fn is_inline(size_bytes: u64) -> bool {
    size_bytes <= INLINE_MAX as u64
}

/// Why a blob was not kept or not handed out.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Not here. It may be elsewhere: small ones in the journal, others with a peer.
    #[error("blob `{0}` is not in this store")]
    NotFound(Digest),
    /// The bytes on disk are not those that were written.
    #[error("blob `{digest}` is damaged in `{}`; put its bytes again from a backup", path.display())]
    Damaged {
        /// What it should be.
        digest: Digest,
        /// Its file.
        path: PathBuf,
    },
    /// One blob is larger than its writer may take.
    #[error("the content is larger than the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The writer's limit.
        limit_bytes: u64,
    },
    /// All blobs together would be larger than the quota.
    #[error("the blob store is full: its quota is {quota_bytes} bytes; raise it or remove artifacts")]
    Quota {
        /// The store's limit.
        quota_bytes: u64,
    },
    /// A file or folder cannot be read or written.
    #[error("cannot {action} `{}`: {}", path.display(), durable::reason(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl BlobError {
    /// Makes an I/O error that names what was tried and where.
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

/// The blobs of a node. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Blobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    quota_bytes: u64,
    /// Bytes of finished blobs and of those being written.
    used_bytes: AtomicU64,
    /// Names temporary files. Left-overs go when the folder is opened, so counting from zero meets none.
    next: AtomicU64,
    /// Held while a blob gets its name, so that a file that is replaced is given back to the quota once.
    naming: Mutex<()>,
}

impl Blobs {
    /// Opens the folder, makes it if need be, throws away what a crash left unfinished and counts what is
    /// there.
    pub fn open(folder: &Path, quota_bytes: u64) -> Result<Self, BlobError> {
        folder::prepare(folder)?;
        let used_bytes = AtomicU64::new(folder::sweep(folder)?);
        let (folder, next, naming) = (folder.to_owned(), AtomicU64::new(0), Mutex::new(()));
        Ok(Self(Arc::new(Inner { folder, quota_bytes, used_bytes, next, naming })))
    }

    /// Keeps `bytes`, whatever their length; they are durable when this returns.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let digest = Digest::of(bytes);
        if !self.keeps(&digest, bytes.len() as u64)? {
            let mut writer = self.writer(bytes.len() as u64);
            writer.spill()?;
            writer.write(bytes)?.finish()?;
        }
        Ok(digest)
    }

    /// Takes a blob in pieces, in bounded memory; more than `limit_bytes` is an error.
    pub fn writer(&self, limit_bytes: u64) -> Writer {
        Writer::new(self.clone(), limit_bytes)
    }

    /// The whole blob, verified.
    pub fn read(&self, digest: &Digest) -> Result<Vec<u8>, BlobError> {
        let (mut file, size_bytes) = self.file(digest)?;
        let path = self.path(digest);
        // A hint only: a file of absurd length fails while it is read, not here.
        let mut bytes = Vec::with_capacity(usize::try_from(size_bytes.min(1 << 20)).unwrap_or(0));
        file.read_to_end(&mut bytes).map_err(BlobError::io("read", &path))?;
        if Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(BlobError::Damaged { digest: *digest, path })
        }
    }

    /// The blob's file and length, for downloads of a range. Not verified: see [`Blobs::verify`].
    pub fn file(&self, digest: &Digest) -> Result<(File, u64), BlobError> {
        let path = self.path(digest);
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => BlobError::NotFound(*digest),
            _ => BlobError::io("open", &path)(error),
        })?;
        let size_bytes = file.metadata().map_err(BlobError::io("read", &path))?.len();
        Ok((file, size_bytes))
    }

    /// Reads the blob from end to end in bounded memory, compares its digest and returns its length.
    pub fn verify(&self, digest: &Digest) -> Result<u64, BlobError> {
        let (mut file, _) = self.file(digest)?;
        let path = self.path(digest);
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut size_bytes = 0;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                    size_bytes += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BlobError::io("read", &path)(error)),
            }
        }
        if Digest::from_bytes(hasher.finalize().into()) == *digest {
            Ok(size_bytes)
        } else {
            Err(BlobError::Damaged { digest: *digest, path })
        }
    }

    /// Bytes of all blobs, with those being written.
    pub fn used_bytes(&self) -> u64 {
        self.0.used_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that may still be kept.
    pub fn room_bytes(&self) -> u64 {
        self.0.quota_bytes.saturating_sub(self.used_bytes())
    }

    fn shard(&self, digest: &Digest) -> PathBuf {
        self.0.folder.join(format!("{:02x}", digest.as_bytes()[0]))
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.shard(digest).join(digest.to_string())
    }

    /// Whether the blob is here and whole; if so makes sure that it stays. A damaged one does not count:
    /// whoever brings its bytes again heals it.
    fn keeps(&self, digest: &Digest, size_bytes: u64) -> Result<bool, BlobError> {
        if self.size_on_disk(digest)? != Some(size_bytes) {
            return Ok(false);
        }
        match self.verify(digest) {
            Ok(_) => {
                // Whoever gave it its name may not have come to syncing the folder.
                self.sync_shard(digest)?;
                Ok(true)
            }
            Err(BlobError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn size_on_disk(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        let path = self.path(digest);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BlobError::io("read", &path)(error)),
        }
    }

    fn sync_shard(&self, digest: &Digest) -> Result<(), BlobError> {
        let shard = self.shard(digest);
        durable::sync_folder(&shard).map_err(BlobError::io("sync", &shard))
    }

    /// Gives a written file its name, in place of a damaged one or of a twin that was faster.
    fn adopt(&self, digest: &Digest, file: &File, from: &Path) -> Result<(), BlobError> {
        let to = self.path(digest);
        file.sync_all().map_err(BlobError::io("sync", from))?;
        let _naming = self.0.naming.lock().unwrap_or_else(PoisonError::into_inner);
        let replaced = self.size_on_disk(digest)?;
        fs::rename(from, &to).map_err(BlobError::io("create", &to))?;
        self.release(replaced.unwrap_or(0));
        Ok(())
    }

    fn reserve(&self, bytes: u64) -> Result<(), BlobError> {
        let quota_bytes = self.0.quota_bytes;
        let within = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= quota_bytes);
        let reserved = self.0.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within);
        reserved.map(drop).map_err(|_| BlobError::Quota { quota_bytes })
    }

    fn release(&self, bytes: u64) {
        // Saturating: a file that a stranger made longer is given back at its new length.
        let less = |used: u64| Some(used.saturating_sub(bytes));
        let _always = self.0.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// A path for a temporary file, beside the shards: the same file system, and found again at the next
    /// opening.
    fn temporary(&self) -> PathBuf {
        self.0.folder.join(format!("{}.tmp", self.0.next.fetch_add(1, Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests;
