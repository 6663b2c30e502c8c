//! Blobs: bytes too large for the journal, kept in files that are named by their SHA-256.
//!
//! Owns the folder, what it may hold in all, and the checking of what comes out. Small blobs belong to the journal,
//! and so do all references: nothing here knows what a blob is for. Every call blocks; callers in async code move
//! it to a blocking thread. A folder has one `Blobs` (its clones share it). Invariant: once a digest is returned,
//! its bytes are durable; a name without `.tmp` never shows part of a blob.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::{Digest, durable};

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
    #[error("blob `{digest}` is damaged: `{}` has another digest; restore it from a backup or a peer", path.display())]
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
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
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
    /// Held while a blob gets its name, so that of two writers of the same bytes one finds the other's.
    naming: Mutex<()>,
}

impl Blobs {
    /// Opens the folder, makes it if need be, throws away what a crash left unfinished and counts what is there.
    pub fn open(folder: &Path, quota_bytes: u64) -> Result<Self, BlobError> {
        fs::create_dir_all(folder).map_err(BlobError::io("create", folder))?;
        for shard in 0..=u8::MAX {
            let path = folder.join(format!("{shard:02x}"));
            match fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(BlobError::io("create", &path)(error));
                }
                // All shards are made and synced here, so that a blob needs only its own shard synced.
                _ => {}
            }
        }
        for made in [Some(folder), folder.parent()].into_iter().flatten() {
            // The parent of a relative path of one part is the empty path, the current folder.
            let made = if made.as_os_str().is_empty() {
                Path::new(".")
            } else {
                made
            };
            durable::sync_folder(made).map_err(BlobError::io("sync", made))?;
        }
        let used_bytes = AtomicU64::new(sweep(folder)?);
        let (folder, next, naming) = (folder.to_owned(), AtomicU64::new(0), Mutex::new(()));
        Ok(Self(Arc::new(Inner {
            folder,
            quota_bytes,
            used_bytes,
            next,
            naming,
        })))
    }

    /// Keeps `bytes`, whatever their length; they are durable when this returns.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let digest = Digest::of(bytes);
        if !self.keeps(&digest, bytes.len() as u64)? {
            let mut writer = self.writer(bytes.len() as u64);
            writer.spill()?;
            writer.write(bytes)?;
            writer.finish()?;
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
        file.read_to_end(&mut bytes)
            .map_err(BlobError::io("read", &path))?;
        if Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(BlobError::Damaged {
                digest: *digest,
                path,
            })
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
            Err(BlobError::Damaged {
                digest: *digest,
                path,
            })
        }
    }

    /// Bytes of all blobs, with those being written.
    pub fn used_bytes(&self) -> u64 {
        self.0.used_bytes.load(Ordering::Relaxed)
    }

    fn shard(&self, digest: &Digest) -> PathBuf {
        self.0.folder.join(format!("{:02x}", digest.as_bytes()[0]))
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.shard(digest).join(digest.to_string())
    }

    /// Whether a blob of this digest and length is here already, and if so makes sure that it stays.
    fn keeps(&self, digest: &Digest, size_bytes: u64) -> Result<bool, BlobError> {
        let kept = self.size_on_disk(digest)? == Some(size_bytes);
        if kept {
            // Whoever gave it its name may not have come to syncing the folder.
            self.sync_shard(digest)?;
        }
        Ok(kept)
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

    /// Gives a written file its name, unless the same blob is here; returns whether the file was taken.
    fn adopt(&self, digest: &Digest, size_bytes: u64, file: &File, from: &Path) -> Result<bool, BlobError> {
        let to = self.path(digest);
        // Before the lock: this is the slow part.
        file.sync_all().map_err(BlobError::io("sync", from))?;
        let taken = {
            let _naming = self.0.naming.lock().unwrap_or_else(PoisonError::into_inner);
            let before = self.size_on_disk(digest)?;
            if before != Some(size_bytes) {
                durable::publish(file, from, &to).map_err(BlobError::io("create", &to))?;
                // A file of another length was a damaged one, which is now whole again.
                self.release(before.unwrap_or(0));
            }
            before != Some(size_bytes)
        };
        self.sync_shard(digest)?;
        Ok(taken)
    }

    fn reserve(&self, bytes: u64) -> Result<(), BlobError> {
        let quota_bytes = self.0.quota_bytes;
        let within = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= quota_bytes);
        let reserved = self
            .0
            .used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, within);
        reserved.map(drop).map_err(|_| BlobError::Quota { quota_bytes })
    }

    fn release(&self, bytes: u64) {
        // INVARIANT: what is released was reserved or counted at opening, so this does not go below zero.
        self.0.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// A path for a temporary file, beside the shards: the same file system, and found again at the next opening.
    fn temporary(&self) -> PathBuf {
        self.0
            .folder
            .join(format!("{}.tmp", self.0.next.fetch_add(1, Ordering::Relaxed)))
    }
}

/// Removes temporary files and adds up the lengths of all blobs. Leaves alone what is neither.
fn sweep(folder: &Path) -> Result<u64, BlobError> {
    for (path, _) in files(folder)? {
        if path.extension().is_some_and(|extension| extension == "tmp") {
            fs::remove_file(&path).map_err(BlobError::io("remove", &path))?;
        }
    }
    let mut used_bytes = 0;
    for shard in 0..=u8::MAX {
        let blobs = files(&folder.join(format!("{shard:02x}")))?.into_iter();
        let named = blobs.filter(|(path, _)| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.parse::<Digest>().is_ok())
        });
        used_bytes += named.map(|(_, size_bytes)| size_bytes).sum::<u64>();
    }
    Ok(used_bytes)
}

/// The plain files of a folder and their lengths.
fn files(folder: &Path) -> Result<Vec<(PathBuf, u64)>, BlobError> {
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

#[cfg(test)]
mod tests;
