//! The check of everything that is kept: the engine's pages, every row, the audit chain, the bytes of artifacts, and
//! whether what is derived is what the journal and the timeline's records say.
//!
//! Works on a scratch copy, so that the folder stays as it is, and tries there what would mend it. Invariant: a
//! report without a fault means that whatever an answer is made of was looked at.

use std::path::Path;

use crate::audit::log;
use crate::blobs::BlobError;
use crate::database::Opener;
use crate::panics::contained;
use crate::projection::{ArtifactRow, ClaimRow};
use crate::reader::{decode, offset_of};
use crate::rebuild::Projector;
use crate::store::DATABASE_FILE;
use crate::tables::{Key, Table};
use crate::{Options, Order, Reader, Store, StoreError, Timestamp, scratch};

/// Faults that a report names; more are only counted.
const FAULT_LIMIT: usize = 100;

/// What a check of everything came to.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Report {
    /// Entries of the journal.
    pub entries: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Artifacts whose bytes are there and whole.
    pub artifacts: u64,
    /// What is wrong, as far as it is named.
    pub faults: Vec<String>,
    /// How many things are wrong.
    pub fault_count: u64,
    /// Whether a rebuild mends all of it: it was tried on the copy.
    pub rebuild_mends: bool,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.fault_count == 0
    }

    fn fault(&mut self, fault: impl ToString) {
        self.fault_count += 1;
        if self.faults.len() < FAULT_LIMIT {
            self.faults.push(fault.to_string());
        }
    }
}

/// Checks the folder of a stopped node and changes nothing of its data. `projector` makes what tells rows from
/// entries, `now` says which idempotency keys have expired, and `progress` is told of entries: each comes twice.
pub fn verify<P: Projector>(
    folder: &Path,
    projector: impl FnOnce(&Store) -> P,
    now: Timestamp,
    mut progress: impl FnMut(u64),
) -> Result<Report, StoreError> {
    let file = folder.join(DATABASE_FILE);
    let copy = || scratch::opener(&file, Options::default().cache_bytes);
    let mut report = Report::default();
    // The engine's own check repairs what it finds, so it has a copy of its own.
    let pages_are_whole = pages(&copy()?, &mut report);
    let opener = copy()?;
    let options = Options { opener: Some(opener.clone()), ..Options::default() };
    let Some(store) = told(Store::open(folder, options), &mut report)? else { return Ok(report) };
    let Some(()) = told(look(&store, &mut report, &mut progress), &mut report)? else { return Ok(report) };
    let before = store.read()?;
    let was_finished = !store.is_half_rebuilt()?;
    let entries = report.entries;
    let rebuilt = store.rebuild(&mut projector(&store), |entry| progress(entries + entry));
    let Some(_) = told(rebuilt, &mut report)? else { return Ok(report) };
    if pages_are_whole && was_finished {
        derived(&before, &store.read()?, now, &mut report);
    }
    drop(before);
    if !report.is_sound() {
        let mut mended = Report::default();
        look(&store, &mut mended, &mut |_| {})?;
        store.close();
        drop(store);
        pages(&opener, &mut mended);
        report.rebuild_mends = mended.is_sound();
    }
    Ok(report)
}

/// What came of a part of the check. An error about what the folder holds is a fault, unless it follows from one that
/// was told; an error about getting at it ends the check.
fn told<T>(result: Result<T, StoreError>, report: &mut Report) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_damage(&error) => {
            if report.is_sound() {
                report.fault(error);
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether an error is about what the folder holds, and not about getting at it.
fn is_damage(error: &StoreError) -> bool {
    use StoreError::{Blob, InUse, Io, Key, NewerFormat};
    !matches!(error, Blob(_) | InUse { .. } | Io { .. } | Key(_) | NewerFormat { .. })
}

/// The engine's walk over all pages it can reach; whether they are whole. A damaged one may hide rows, which shows
/// nowhere else.
fn pages(opener: &Opener, report: &mut Report) -> bool {
    match contained(|| Ok(opener()?.check_integrity()?)) {
        Ok(true) => return true,
        Ok(false) => report.fault("the database is damaged: pages do not fit their checksums"),
        Err(error) => report.fault(error),
    }
    false
}

/// Everything that can be seen without folding the journal.
fn look(store: &Store, report: &mut Report, progress: &mut impl FnMut(u64)) -> Result<(), StoreError> {
    if store.is_half_rebuilt()? {
        report.fault("a rebuild was begun and not finished");
    }
    let [mut entries, mut indexed] = [0; 2];
    for table in Table::ALL {
        let rows = rows(store, table, report);
        report.rows += rows;
        match table {
            Table::Log => entries = rows,
            Table::Streams => indexed = rows,
            _ => {}
        }
    }
    let chain = log::verify(store, progress)?;
    report.entries = chain.entries;
    chain.faults.iter().for_each(|fault| report.fault(fault));
    if entries != indexed {
        report.fault(format!("the index of streams has {indexed} entries, the log {entries}"));
    }
    // Whatever ends these walks was told above, row by row.
    let reader = store.read()?;
    let _told = streams(&reader, report);
    let _told = artifacts(store, &reader, report);
    Ok(())
}

/// Reads every row of a table, names those that are damaged, and says how many are sound.
fn rows(store: &Store, table: Table, report: &mut Report) -> u64 {
    let mut sound = 0;
    let mut after: Option<Vec<u8>> = None;
    loop {
        let read = store.read().and_then(|reader| {
            reader.scan(table, &[], after.as_deref(), Order::Ascending, |_, _| {
                sound += 1;
                Ok(true)
            })
        });
        match read {
            Ok(()) => return sound,
            // Where it is the key that was damaged, what stands behind the row may be before it by its key.
            Err(StoreError::DamagedRow(row)) if after.as_ref().is_none_or(|after| row.key > *after) => {
                report.fault(&row);
                after = Some(row.key);
            }
            Err(error) => {
                report.fault(format!("table `{}` cannot be read to its end: {error}", table.name()));
                return sound;
            }
        }
    }
}

/// Each entry of the log is found by its stream.
fn streams(reader: &Reader, report: &mut Report) -> Result<(), StoreError> {
    reader.log(0, Order::Ascending, |offset, entry| {
        let key = Key::new().bytes(entry.stream.as_bytes()).u64(entry.seq);
        let found = reader.get_raw(Table::Streams, key.as_bytes())?;
        if found.map(|bytes| offset_of(&bytes)).transpose()? != Some(offset) {
            let (stream, seq) = (entry.stream, entry.seq);
            report.fault(format!("entry {offset} is not found as number {seq} of stream {stream}"));
        }
        Ok(true)
    })
}

/// The bytes of each artifact are there and whole.
fn artifacts(store: &Store, reader: &Reader, report: &mut Report) -> Result<(), StoreError> {
    reader.scan(Table::Artifacts, &[], None, Order::Ascending, |_, value| {
        let row = decode::<ArtifactRow>(value)?;
        match store.blobs().verify(&row.sha256) {
            Ok(_) => report.artifacts += 1,
            Err(BlobError::NotFound(_)) => {
                report
                    .fault(format!("the bytes of artifact {} are missing: {}", row.artifact_id, row.sha256));
            }
            Err(error) => report.fault(error),
        }
        Ok(true)
    })
}

/// Compares what stood there with what the journal and the timeline's records say.
fn derived(before: &Reader, after: &Reader, now: Timestamp, report: &mut Report) {
    for table in Table::DERIVED.into_iter().chain(Table::TIMELINE_DERIVED) {
        let [mut other, mut missing, mut strange] = [0_u64; 3];
        let compared = after.scan(table, &[], None, Order::Ascending, |key, value| {
            match before.get_raw(table, key) {
                Ok(Some(stood)) => other += u64::from(stood != value),
                Ok(None) => missing += u64::from(!is_forgotten(table, value, now)),
                // A damaged row was told as one.
                Err(_) => {}
            }
            Ok(true)
        });
        let counted = before.scan(table, &[], None, Order::Ascending, |key, _| {
            strange += u64::from(after.get_raw(table, key)?.is_none());
            Ok(true)
        });
        if let Err(error) = compared.and(counted).or_else(|error| match error {
            StoreError::DamagedRow(_) => Ok(()),
            error => Err(error),
        }) {
            report.fault(format!("table `{}` cannot be compared: {error}", table.name()));
        }
        for (count, what) in [
            (other, "say something else than what they come from"),
            (missing, "are missing"),
            (strange, "have nothing to come from"),
        ] {
            if count > 0 {
                report.fault(format!("table `{}`: {count} rows {what}", table.name()));
            }
        }
    }
}

/// Whether a row that the journal gives rise to is rightly gone: an idempotency key that has expired.
fn is_forgotten(table: Table, value: &[u8], now: Timestamp) -> bool {
    table == Table::Claims && decode::<ClaimRow>(value).is_ok_and(|claim| claim.expires_at <= now)
}
