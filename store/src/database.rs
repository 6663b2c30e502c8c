//! The database file: opening, the format barrier, and reopening after an engine error.
//!
//! An I/O error makes the engine refuse everything until it is reopened, so readers and the writer take it out of a
//! [`Slot`] each time, and whoever meets an error marks it. Panics of the engine end here, as errors. Invariant: at
//! most one open engine at a time.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redb::{ReadableDatabase, ReadableTable, TableHandle};

use crate::audit::tiles::Tiles;
use crate::durable;
use crate::error::StoreError;
use crate::panics::{caught, contained};
use crate::reader::Reader;
use crate::tables::{Table, seal, unseal};

/// Newest layout of the data folder this program reads and writes.
pub(crate) const FORMAT: u32 = 1;
const FORMAT_KEY: &[u8] = b"format";
/// How long a reopening waits for readers to let go of the old engine.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// Opens the engine anew, each time on the same storage.
pub(crate) type Opener = Arc<dyn Fn() -> Result<redb::Database, StoreError> + Send + Sync>;

/// An opener for the file at `path`, which exists, with `cache_bytes` of page cache.
pub(crate) fn file_opener(path: PathBuf, cache_bytes: usize) -> Opener {
    Arc::new(move || {
        let mut builder = redb::Builder::new();
        builder.set_cache_size(cache_bytes);
        opened(&path, || builder.open(&path))
    })
}

/// The engine on the file at `path`, or why it does not take it; some damages make it panic.
pub(crate) fn opened(
    path: &Path,
    open: impl FnOnce() -> Result<redb::Database, redb::DatabaseError>,
) -> Result<redb::Database, StoreError> {
    let panicked = |reason| StoreError::Damaged(format!("`{}`: {reason}", path.display()));
    caught(open).map_err(panicked)?.map_err(|error| refused(path, error))
}

/// Makes the database at `path` where there is none. It gets its name when it is whole: the engine cannot open a file
/// whose first writes were cut, and takes an empty one, which may be what is left of a database, for a new one.
pub(crate) fn establish(path: &Path, folder: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() == 0 => {
            return Err(StoreError::Damaged(format!("`{}` is empty", path.display())));
        }
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(StoreError::io("look at", path, source)),
    }
    let temporary = path.with_extension("redb.new");
    let io = |source| StoreError::io("create", &temporary, source);
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        // What a crash left was never a database.
        _ => {}
    }
    durable::create_private(&temporary).map_err(io)?;
    let database = opened(&temporary, || redb::Builder::new().create(&temporary))?;
    check_format(&database, folder)?;
    drop(database);
    std::fs::File::open(&temporary).and_then(|file| file.sync_all()).map_err(io)?;
    std::fs::rename(&temporary, path).map_err(io)?;
    durable::sync_folder(folder).map_err(|source| StoreError::io("sync", folder, source))
}

/// Why the engine does not take the file at `path`.
fn refused(path: &Path, error: redb::DatabaseError) -> StoreError {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match redb::Error::from(error) {
        redb::Error::Io(source) if !matches!(source.kind(), InvalidData | UnexpectedEof) => {
            StoreError::io("open", path, source)
        }
        redb::Error::DatabaseAlreadyOpen => StoreError::InUse {
            folder: path.parent().map(Path::to_owned).unwrap_or_default(),
            holder: "its database is open".into(),
        },
        other => StoreError::Damaged(format!("`{}`: {other}", path.display())),
    }
}

/// An open database that remembers whether it failed.
pub(crate) struct Engine {
    /// Gone only while the engine is dropped.
    database: Option<redb::Database>,
    failed: AtomicBool,
    /// Of the log as it is on this engine.
    pub(crate) tiles: Tiles,
}

impl Deref for Engine {
    type Target = redb::Database;

    fn deref(&self) -> &redb::Database {
        self.database.as_ref().expect("the database is taken by drop alone")
    }
}

impl Drop for Engine {
    /// Closing writes, and so may panic on a damaged file; what was committed stands.
    fn drop(&mut self) {
        let database = self.database.take();
        if let Err(reason) = caught(|| drop(database)) {
            tracing::error!(reason, "the database could not be closed cleanly");
        }
    }
}

impl Engine {
    /// Runs `work` on the engine and contains its panics. A failure of the engine itself (not of what it holds) marks
    /// it for reopening: after an I/O error it refuses everything, and after a panic its locks are poisoned.
    pub(crate) fn guard<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let result = caught(work);
        if matches!(result, Err(_) | Ok(Err(StoreError::Unavailable(_)))) {
            self.failed.store(true, Ordering::Release);
        }
        result.unwrap_or_else(|reason| Err(StoreError::Damaged(reason)))
    }

    /// Whether it must be reopened.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}

/// The open engine, or the gap while it is reopened.
pub(crate) struct Slot {
    opener: Opener,
    engine: RwLock<Option<Arc<Engine>>>,
}

impl Slot {
    /// Opens the engine, containing its panics on damaged files.
    pub(crate) fn open(opener: Opener) -> Result<Self, StoreError> {
        let engine = open(&opener)?;
        Ok(Self { opener, engine: RwLock::new(Some(engine)) })
    }

    /// The open engine.
    pub(crate) fn engine(&self) -> Result<Arc<Engine>, StoreError> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        engine.clone().ok_or_else(|| StoreError::Unavailable("it is being reopened".into()))
    }

    /// A consistent view of the present.
    pub(crate) fn read(&self) -> Result<Reader, StoreError> {
        let engine = self.engine()?;
        let transaction = engine.guard(|| Ok(engine.begin_read()?))?;
        Ok(Reader::new(transaction, engine))
    }

    /// Closes the engine and opens it again. Without success the slot stays empty and the next call tries again.
    pub(crate) fn reopen(&self) -> Result<(), StoreError> {
        let old = self.engine.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(old) = old {
            let started = Instant::now();
            while Arc::strong_count(&old) > 1 && started.elapsed() < DRAIN_LIMIT {
                std::thread::sleep(Duration::from_millis(5));
            }
            drop(old);
        }
        let engine = open(&self.opener)?;
        *self.engine.write().unwrap_or_else(PoisonError::into_inner) = Some(engine);
        Ok(())
    }
}

fn open(opener: &Opener) -> Result<Arc<Engine>, StoreError> {
    let database = Some(contained(|| opener())?);
    Ok(Arc::new(Engine { database, failed: AtomicBool::new(false), tiles: Tiles::default() }))
}

/// Writes the format into a new database, or refuses one of a newer format. Tables that came with a later version of
/// the same format are added, so that readers never meet a missing one.
pub(crate) fn check_format(engine: &redb::Database, folder: &Path) -> Result<(), StoreError> {
    let transaction = engine.begin_write()?;
    let tables: Vec<String> = transaction.list_tables()?.map(|table| table.name().to_owned()).collect();
    {
        let mut meta = transaction.open_table(Table::Meta.definition())?;
        let found = match meta.get(FORMAT_KEY)? {
            Some(row) => Some(decode_format(unseal(Table::Meta, FORMAT_KEY, row.value())?)?),
            None => None,
        };
        match found {
            Some(found) if found > FORMAT => {
                let folder = folder.to_owned();
                return Err(StoreError::NewerFormat { folder, found, known: FORMAT });
            }
            Some(_) => {}
            None if tables.is_empty() => {
                let row = seal(Table::Meta, FORMAT_KEY, FORMAT.to_le_bytes().to_vec());
                meta.insert(FORMAT_KEY, row.as_slice())?;
            }
            // The first transaction writes the format, so whatever holds tables without it is not whole, or not ours.
            None => return Err(StoreError::Damaged("it does not say which format it has".into())),
        }
    }
    let missing = Table::ALL.into_iter().filter(|table| !tables.iter().any(|name| name == table.name()));
    let mut changed = false;
    for table in missing {
        transaction.open_table(table.definition())?;
        changed = true;
    }
    match changed {
        true => transaction.commit()?,
        false => transaction.abort()?,
    }
    Ok(())
}

fn decode_format(bytes: &[u8]) -> Result<u32, StoreError> {
    let bytes = <[u8; 4]>::try_from(bytes).map_err(|_| StoreError::Damaged("format row".into()))?;
    Ok(u32::from_le_bytes(bytes))
}
