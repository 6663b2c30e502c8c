//! The data folder as a whole: lock, key, database, blobs, and the journal over them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::audit::key::{KeyError, NodeKey};
use crate::blobs::{BlobError, Blobs};
use crate::database::{Engine, Opener, Slot, check_format, establish, file_opener};
use crate::digest::Digest;
use crate::error::StoreError;
use crate::handover;
use crate::incarnation::Incarnation;
use crate::journal::{Journal, WriterOptions};
use crate::json::Json;
use crate::panics::contained;
use crate::projection::Payload;
use crate::reader::Reader;

/// Name of the database file in the data folder.
pub const DATABASE_FILE: &str = "xyn.redb";
const LOCK_FILE: &str = "node.lock";

/// How a data folder is opened.
#[derive(Clone)]
pub struct Options {
    /// Bytes of database pages kept in memory.
    pub cache_bytes: usize,
    /// Save the allocator's state with each commit: opening after a kill is then instant, at the price of a second
    /// sync in a lone commit.
    pub quick_repair: bool,
    /// Bytes of blobs that the folder may hold.
    pub blob_quota_bytes: u64,
    /// Storage other than the file itself: a scratch copy, or a disk that fails in tests.
    pub(crate) opener: Option<Opener>,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 12 << 20, quick_repair: false, blob_quota_bytes: 20 << 30, opener: None }
    }
}

/// An open data folder. Cheap to clone; the folder is released when the last clone is gone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    slot: Arc<Slot>,
    journal: Mutex<Option<Journal>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    blobs: Blobs,
    key: NodeKey,
    incarnation: Incarnation,
    _lock: File,
}

impl Store {
    /// Opens the data folder at `folder` and makes it when it does not exist.
    pub fn open(folder: &Path, options: Options) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|source| StoreError::io("create", folder, source))?;
        let lock = lock(folder)?;
        let key = node_key(folder)?;
        let file = folder.join(DATABASE_FILE);
        let opener = match options.opener {
            Some(opener) => opener,
            None => {
                contained(|| establish(&file, folder))?;
                file_opener(file, options.cache_bytes)
            }
        };
        let slot = Arc::new(Slot::open(opener)?);
        let incarnation = contained(|| {
            let engine = slot.engine()?;
            check_format(&engine, folder)?;
            Incarnation::establish(&engine, folder)
        })?;
        let key = handover::settle(key, folder, &slot.read()?)?;
        let quick_repair = options.quick_repair;
        let blobs = Blobs::open(&folder.join("blobs"), slot.clone(), options.blob_quota_bytes, quick_repair)?;
        let quota = blobs.quota().clone();
        let writer = WriterOptions { quick_repair, folder: folder.to_owned(), quota };
        let (journal, thread) = Journal::start(slot.clone(), writer)?;
        Ok(Self(Arc::new(Inner {
            folder: folder.to_owned(),
            slot,
            journal: Mutex::new(Some(journal)),
            writer: Mutex::new(Some(thread)),
            blobs,
            key,
            incarnation,
            _lock: lock,
        })))
    }

    /// The journal. Its handles keep the writer alive.
    pub fn journal(&self) -> Result<Journal, StoreError> {
        let journal = self.0.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.clone().ok_or_else(|| StoreError::Unavailable("the store is closed".into()))
    }

    /// A consistent view of the present.
    pub fn read(&self) -> Result<Reader, StoreError> {
        self.0.slot.read()
    }

    /// The blobs.
    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    /// The bytes of the blob `digest`, wherever it is kept; none when it is not here.
    pub fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        match self.0.blobs.read(digest) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(BlobError::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The length of the blob `digest`, wherever it is kept; none when it is not here.
    pub fn blob_length(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        Ok(self.0.blobs.size_bytes(digest)?)
    }

    /// The document that `payload` holds or names.
    pub fn payload(&self, payload: &Payload) -> Result<Json, StoreError> {
        let sha256 = match payload {
            Payload::Json(json) => return Ok(json.clone()),
            Payload::Blob { sha256, .. } => sha256,
        };
        let broken = |what: &str| StoreError::Inconsistent(format!("the payload in blob {sha256} {what}"));
        let bytes = self.blob(sha256)?.ok_or_else(|| broken("is missing"))?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_| broken("is no JSON"))?;
        Ok(Json::from(&value))
    }

    /// The node's key.
    pub fn key(&self) -> &NodeKey {
        &self.0.key
    }

    /// A node starts on the folder: whatever was copied of it before is told apart from now on.
    pub fn started(&self) -> Result<(), StoreError> {
        contained(|| self.0.incarnation.renew(&*self.0.slot.engine()?, &self.0.folder))
    }

    /// Which life of the folder this is.
    pub fn incarnation(&self) -> &Incarnation {
        &self.0.incarnation
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    pub(crate) fn engine(&self) -> Result<Arc<Engine>, StoreError> {
        self.0.slot.engine()
    }

    /// Whether a rebuild was begun and not finished: then its rows cannot be relied on.
    pub fn is_half_rebuilt(&self) -> Result<bool, StoreError> {
        crate::rebuild::is_unfinished(&self.read()?)
    }

    /// Waits until everything appended is written, then stops the writer. Journal handles elsewhere keep it alive.
    pub fn close(&self) {
        drop(self.0.journal.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the journal's writer ended in a panic");
        }
    }
}

/// The node's key; a folder without a database gets a new one.
fn node_key(folder: &Path) -> Result<NodeKey, KeyError> {
    match NodeKey::load(folder) {
        Err(KeyError::Missing(_)) if !folder.join(DATABASE_FILE).exists() => NodeKey::create(folder),
        found => found,
    }
}

/// Takes the folder for this process, or says who has it.
fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK_FILE);
    let fail = |source| StoreError::io("lock", &path, source);
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The name of the holder is a courtesy; the refusal stands without it.
            let _ = file.read_to_string(&mut holder);
            let holder = if holder.is_empty() { "unknown process".into() } else { holder.trim().to_owned() };
            return Err(StoreError::InUse { folder: folder.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(fail(source)),
    }
    file.set_len(0).map_err(fail)?;
    file.seek(SeekFrom::Start(0)).map_err(fail)?;
    writeln!(file, "process {}", std::process::id()).map_err(fail)?;
    Ok(file)
}
