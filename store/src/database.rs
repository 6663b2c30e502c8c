//! The database file: opening, the format barrier, and reopening after an engine error.
//!
//! An I/O error makes the engine refuse everything until it is reopened, so readers and the writer take the
//! database out of a [`Slot`] each time. Invariant: at most one open engine at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redb::{ReadableDatabase, ReadableTable};

use crate::error::StoreError;
use crate::reader::Reader;
use crate::tables::{Table, seal, unseal};

/// Newest layout of the data folder this program reads and writes.
pub(crate) const FORMAT: u32 = 1;
const FORMAT_KEY: &[u8] = b"format";
/// How long a reopening waits for readers to let go of the old engine.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// Opens the engine anew, each time on the same storage.
pub(crate) type Opener = Arc<dyn Fn() -> Result<redb::Database, StoreError> + Send + Sync>;

/// An opener for the file at `path` with `cache_bytes` of page cache.
pub(crate) fn file_opener(path: PathBuf, cache_bytes: usize) -> Opener {
    Arc::new(move || {
        let mut builder = redb::Builder::new();
        builder.set_cache_size(cache_bytes);
        builder.create(&path).map_err(|error| match redb::Error::from(error) {
            redb::Error::Io(source) if source.kind() != std::io::ErrorKind::InvalidData => {
                StoreError::io("open", &path, source)
            }
            redb::Error::DatabaseAlreadyOpen => StoreError::InUse {
                folder: path.parent().map(Path::to_owned).unwrap_or_default(),
                holder: "its database is open".into(),
            },
            other => StoreError::Damaged(format!("`{}`: {other}", path.display())),
        })
    })
}

/// The open engine, or the gap while it is reopened.
pub(crate) struct Slot {
    opener: Opener,
    engine: RwLock<Option<Arc<redb::Database>>>,
}

impl Slot {
    /// Opens the engine, containing its panics on damaged files.
    pub(crate) fn open(opener: Opener) -> Result<Self, StoreError> {
        let engine = contained(|| opener())?;
        Ok(Self { opener, engine: RwLock::new(Some(Arc::new(engine))) })
    }

    /// The open engine.
    pub(crate) fn engine(&self) -> Result<Arc<redb::Database>, StoreError> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        engine.clone().ok_or_else(|| StoreError::Unavailable("it is being reopened".into()))
    }

    /// A consistent view of the present.
    pub(crate) fn read(&self) -> Result<Reader, StoreError> {
        let engine = self.engine()?;
        let transaction = contained(|| Ok(engine.begin_read()?))?;
        Ok(Reader::new(transaction, engine))
    }

    /// Closes the engine and opens it again. Without success the slot stays empty and the next call tries again.
    pub(crate) fn reopen(&self) -> Result<Arc<redb::Database>, StoreError> {
        let old = self.engine.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(old) = old {
            let started = Instant::now();
            while Arc::strong_count(&old) > 1 && started.elapsed() < DRAIN_LIMIT {
                std::thread::sleep(Duration::from_millis(5));
            }
            // The engine may panic while it closes after an error; the file is what counts.
            let _ = contained(|| {
                drop(old);
                Ok(())
            });
        }
        let engine = Arc::new(contained(|| (self.opener)())?);
        *self.engine.write().unwrap_or_else(PoisonError::into_inner) = Some(engine.clone());
        Ok(engine)
    }
}

/// Runs `work` and turns a panic of the engine into an error.
pub(crate) fn contained<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(StoreError::Damaged(text.unwrap_or_else(|| "the engine panicked".into())))
    })
}

/// Writes the format into a new database, or refuses one of a newer format.
pub(crate) fn check_format(engine: &redb::Database, folder: &Path) -> Result<(), StoreError> {
    let transaction = engine.begin_write()?;
    {
        let mut meta = transaction.open_table(Table::Meta.definition())?;
        let found = match meta.get(FORMAT_KEY)? {
            Some(row) => {
                let bytes = unseal(Table::Meta, FORMAT_KEY, row.value())?;
                let bytes = <[u8; 4]>::try_from(bytes);
                Some(u32::from_le_bytes(bytes.map_err(|_| StoreError::Damaged("format row".into()))?))
            }
            None => None,
        };
        match found {
            Some(found) if found > FORMAT => {
                let folder = folder.to_owned();
                return Err(StoreError::NewerFormat { folder, found, known: FORMAT });
            }
            Some(_) => return Ok(()),
            None => {
                let row = seal(Table::Meta, FORMAT_KEY, FORMAT.to_le_bytes().to_vec());
                meta.insert(FORMAT_KEY, row.as_slice())?;
            }
        }
        for table in Table::ALL {
            transaction_open(&transaction, table)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Makes sure that `table` exists, so that readers never meet a missing one.
fn transaction_open(transaction: &redb::WriteTransaction, table: Table) -> Result<(), StoreError> {
    if table != Table::Meta {
        transaction.open_table(table.definition())?;
    }
    Ok(())
}
