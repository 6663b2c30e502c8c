//! Blobs: bytes too large for a row, cut into chunks of which each is kept once. Artifacts, snapshots and
//! capsules share them.
//!
//! Owns the packs that hold the chunks, their index, what all blobs may hold together, and the checking of
//! what comes out. A blob is named by the SHA-256 of its bytes, however it is cut, stored or compressed.
//! Small ones that come with an append stay in the database with it. Nothing here knows what a blob is for.
//! Every call blocks; callers in async code move it to a blocking thread. Invariant: once a digest is
//! returned, its bytes are durable; whatever is here, all its chunks are.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::WriteTransaction;
use sha2::{Digest as _, Sha256};

use crate::database::Slot;
use crate::error::StoreError;
use crate::projection::Changes;
use crate::reader::Order;
use crate::tables::Table;
use crate::{Digest, durable};

mod batch;
mod clean;
mod content;
mod cutter;
mod exchange;
pub(crate) mod index;
mod manifest;
mod packer;
mod parcel;
mod pins;
mod quota;
mod record;
mod shared;
mod sweep;
mod writer;

pub use batch::Batch;
pub use content::{Content, Pieces};
pub use cutter::{Cuts, Cutter};
pub use exchange::{Gathering, Intake};
pub use manifest::{InvalidManifest, Manifest};
pub use parcel::{Chunk, InvalidParcel, Parcel};
pub use pins::Pins;
pub use shared::{FETCHED, Family, TIMELINE};
pub use sweep::Swept;
pub use writer::{Writer, Written};

pub(crate) use quota::{Quota, Room};

/// The largest blob, in bytes, that an append brings into the database.
pub const INLINE_MAX: usize = 16 * 1024;

/// The largest chunk in bytes.
pub const CHUNK_MAX: usize = 256 << 10;

/// A blob of at most so many bytes is one chunk, whoever cuts it.
pub const LONE_CHUNK_MAX: usize = cutter::CHUNK_MIN;

/// What a chunk takes in a parcel besides its bytes, at most.
pub const PARCEL_OVERHEAD_BYTES: usize = record::HEADER_BYTES;

/// Whether a blob of this length belongs into the journal's database.
pub fn is_inline(size_bytes: u64) -> bool {
    size_bytes <= INLINE_MAX as u64
}

/// Why a blob was not kept or not handed out.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Not here. It may be with a peer.
    #[error("blob `{0}` is not in this store")]
    NotFound(Digest),
    /// The bytes on disk are not those that were written.
    #[error(
        "blob `{digest}` is damaged: its chunk `{chunk}` in `{}`; put its bytes again from a backup",
        path.display()
    )]
    Damaged {
        /// What cannot be read.
        digest: Digest,
        /// Which part of it.
        chunk: Digest,
        /// The pack of that part.
        path: PathBuf,
    },
    /// One blob is larger than its writer may take.
    #[error("the content is larger than the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The writer's limit.
        limit_bytes: u64,
    },
    /// All blobs together would be larger than the quota.
    #[error(
        "the blob store is full: {left_bytes} of its quota of {quota_bytes} bytes are left; raise it or remove artifacts"
    )]
    Quota {
        /// The store's limit.
        quota_bytes: u64,
        /// How much of it is left.
        left_bytes: u64,
    },
    /// A peer sent a chunk that is not what it says.
    #[error(transparent)]
    Parcel(#[from] InvalidParcel),
    /// A peer sent a chunk that belongs to another blob, or to none.
    #[error("chunk `{chunk}` is not one that was asked for")]
    Unasked {
        /// What it is.
        chunk: Digest,
    },
    /// All chunks are here and are not the blob: their list lied.
    #[error("the chunks that are said to be blob `{digest}` are not")]
    Unproved {
        /// What they are not.
        digest: Digest,
    },
    /// The content to keep cannot be read.
    #[error("the content cannot be read: {0}")]
    Source(io::Error),
    /// The index cannot be read or written.
    #[error(transparent)]
    Index(Box<StoreError>),
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

impl From<StoreError> for BlobError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Blob(error) => error,
            error => Self::Index(Box::new(error)),
        }
    }
}

/// The blobs of a node. Clones are the same store.
#[derive(Clone)]
pub struct Blobs(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    slot: Arc<Slot>,
    quick_repair: bool,
    quota: Arc<Quota>,
    next_pack: AtomicU64,
    /// How often each digest is pinned by someone who works with it.
    pinned: Mutex<HashMap<Digest, u32>>,
    /// Held by the one sweep that may be under way.
    sweeping: Mutex<()>,
    #[cfg(test)]
    steps: tests::Steps,
}

/// Shows where they are.
impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Blobs").field(&self.0.folder).finish()
    }
}

impl Blobs {
    /// Opens the folder, makes it if need be, throws away what a crash left unfinished and finds the chunks
    /// that came from afar and were not entered into the index yet.
    pub(crate) fn open(
        folder: &Path,
        slot: Arc<Slot>,
        quota_bytes: u64,
        quick_repair: bool,
    ) -> Result<Self, BlobError> {
        let files = packer::prepare(folder)?;
        let reader = slot.read()?;
        let (mut known, mut used_bytes) = (HashMap::new(), index::database_bytes(&reader)?);
        reader.scan(Table::Packs, &[], None, Order::Ascending, |key, value| {
            let bytes: u64 = index::decode(Table::Packs, value)?;
            used_bytes += bytes;
            known.insert(index::pack_of(key)?, bytes);
            Ok(true)
        })?;
        drop(reader);
        let strange: Vec<_> = files.iter().filter(|(pack, _)| !known.contains_key(pack)).copied().collect();
        used_bytes += strange.iter().map(|(_, bytes)| bytes).sum::<u64>();
        let last = files.iter().map(|(pack, _)| pack).chain(known.keys()).max();
        let blobs = Self(Arc::new(Inner {
            folder: folder.to_owned(),
            slot,
            quick_repair,
            quota: Quota::new(quota_bytes, used_bytes),
            next_pack: AtomicU64::new(last.map_or(0, |last| last + 1)),
            pinned: Mutex::default(),
            sweeping: Mutex::default(),
            #[cfg(test)]
            steps: tests::Steps::default(),
        }));
        for pack in strange {
            blobs.recover(pack)?;
        }
        Ok(blobs)
    }

    /// Keeps `bytes`, whatever their length; they are durable when this returns.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let mut batch = self.batch();
        let digest = batch.put(bytes)?;
        batch.commit()?;
        Ok(digest)
    }

    /// Takes many blobs that become durable together.
    pub fn batch(&self) -> Batch {
        Batch::new(self, packer::Fate::Discard)
    }

    /// Keeps what is added to it from being swept, as long as it is not dropped.
    pub fn pins(&self) -> Pins {
        Pins::new(self)
    }

    /// Takes a blob in pieces, in bounded memory; more than `limit_bytes` is an error.
    pub fn writer(&self, limit_bytes: u64) -> Writer {
        Writer::new(self.batch(), limit_bytes)
    }

    /// Finds the blob `digest`, wherever it is kept.
    pub fn content(&self, digest: &Digest) -> Result<Content, BlobError> {
        Content::find(self, digest)?.ok_or(BlobError::NotFound(*digest))
    }

    /// The length of the blob `digest`; none when it is not here. What it leads to may not be.
    pub fn size_bytes(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        Content::length_of(self, digest)
    }

    /// Whether the blob `digest` is here. What it leads to may not be.
    pub fn has(&self, digest: &Digest) -> Result<bool, BlobError> {
        Ok(self.size_bytes(digest)?.is_some())
    }

    /// The whole blob, verified.
    pub fn read(&self, digest: &Digest) -> Result<Vec<u8>, BlobError> {
        let mut bytes = Vec::new();
        for piece in self.content(digest)?.pieces(0..u64::MAX) {
            bytes.append(&mut piece?);
        }
        Ok(bytes)
    }

    /// Reads the blob from end to end in bounded memory, compares its digest and returns its length.
    pub fn verify(&self, digest: &Digest) -> Result<u64, BlobError> {
        let content = self.content(digest)?;
        let size_bytes = content.size_bytes();
        let mut hasher = Sha256::new();
        for piece in content.pieces(0..u64::MAX) {
            hasher.update(piece?);
        }
        if Digest::from_bytes(hasher.finalize().into()) == *digest {
            Ok(size_bytes)
        } else {
            Err(BlobError::Unproved { digest: *digest })
        }
    }

    /// Bytes of all blobs as they are stored, small ones in the database too, with those being written.
    pub fn used_bytes(&self) -> u64 {
        self.0.quota.used_bytes()
    }

    /// Bytes that may still be kept.
    pub fn room_bytes(&self) -> u64 {
        self.0.quota.left_bytes()
    }

    /// The count that appends take part in.
    pub(crate) fn quota(&self) -> &Arc<Quota> {
        &self.0.quota
    }

    /// Enters what stands whole in a pack that the index does not know.
    fn recover(&self, (pack, bytes): (u64, u64)) -> Result<(), BlobError> {
        let path = packer::path(&self.0.folder, pack);
        // What the system still had in memory must not be lost after it was entered.
        let file = std::fs::File::open(&path).map_err(BlobError::io("open", &path))?;
        file.sync_all().map_err(BlobError::io("sync", &path))?;
        durable::sync_folder(&self.0.folder).map_err(BlobError::io("sync", &self.0.folder))?;
        let chunks = packer::scan(&path, pack)?.into_iter().collect();
        self.enter(&index::Entries { chunks, packs: vec![(pack, bytes)], ..Default::default() })
    }

    fn enter(&self, entries: &index::Entries) -> Result<(), BlobError> {
        self.change(|transaction| Ok((entries.changes(transaction)?, ())))?;
        self.reached("the index is written");
        Ok(())
    }

    /// Writes rows that `work` finds in the transaction they belong to. What else it answers is kept until
    /// after the commit.
    fn change<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(Changes, T), StoreError>,
    ) -> Result<T, BlobError> {
        let engine = self.0.slot.engine()?;
        let done = engine.guard(|| {
            let mut transaction = engine.begin_write()?;
            transaction.set_quick_repair(self.0.quick_repair);
            let (changes, value) = work(&transaction)?;
            let mut grown = 0;
            if changes.is_empty() {
                transaction.abort()?;
            } else {
                grown = index::write(&transaction, changes)?;
                transaction.commit()?;
            }
            Ok((value, grown))
        });
        let (value, grown) = done?;
        self.0.quota.shift(grown);
        Ok(value)
    }

    fn next_pack(&self) -> u64 {
        self.0.next_pack.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits while a sweep decides.
    fn pinned(&self) -> MutexGuard<'_, HashMap<Digest, u32>> {
        self.0.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells tests which step was taken.
    fn reached(&self, _step: &'static str) {
        #[cfg(test)]
        self.0.steps.reached(_step);
    }
}

#[cfg(test)]
mod tests;
