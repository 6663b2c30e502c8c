//! Database files that were cut short or changed by the disk.
//!
//! What is asked of a damaged file is an error or the truth, never a panic and never another answer.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::full;
use super::ledger::{Listing, acknowledged, differences, listing, stream, wave};
use crate::panics::contained;
use crate::projection::{Cursor, Row, RunFilter};
use crate::reader::decode;
use crate::simulation::Dice;
use crate::store::DATABASE_FILE;
use crate::tables::Table;
use crate::{Options, Order, Store, StoreError};

/// A closed data folder and what it holds.
pub(super) struct Folder {
    at: tempfile::TempDir,
    image: Vec<u8>,
    rows: Listing,
}

impl Folder {
    pub(super) async fn new(appends: u64) -> Self {
        let at = tempfile::tempdir().expect("a folder");
        let store = Store::open(at.path(), Options::default()).expect("opens");
        let answers = wave(&store, 0..appends).await;
        assert_eq!(acknowledged(&answers).count() as u64, appends);
        let rows = listing(&store.read().expect("reads")).expect("intact");
        store.close();
        drop(store);
        let image = fs::read(at.path().join(DATABASE_FILE)).expect("is there");
        Self { at, image, rows }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.at.path()
    }

    /// Its database, whole.
    pub(super) fn image(&self) -> &[u8] {
        &self.image
    }

    /// How many rows it holds.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The smallest key of a table.
    pub(super) fn first_key(&self, table: Table) -> Vec<u8> {
        let mut rows = self.rows.keys().filter(|(of, _)| *of == table);
        rows.next().expect("the ledger fills every table it is asked for").1.clone()
    }

    /// The row at `key`.
    pub(super) fn row<R: Row>(&self, key: &[u8]) -> R {
        decode(&self.rows[&(R::TABLE, key.to_vec())]).expect("decodes")
    }

    /// Opens the folder with `image` in place of its database.
    fn open(&self, image: &[u8]) -> Result<Store, StoreError> {
        fs::write(self.at.path().join(DATABASE_FILE), image).expect("writes");
        Store::open(self.at.path(), Options::default())
    }

    /// Reads all there is of a damaged image. Panics over anything that is not the truth.
    pub(super) fn probe(&self, image: &[u8]) -> Verdict {
        let store = match self.open(image) {
            Ok(store) => store,
            Err(error) => return Verdict::of(&error),
        };
        let mut verdict = Verdict::Unnoticed;
        for table in Table::ALL.into_iter().filter(|table| *table != Table::Meta) {
            verdict = verdict.max(self.probe_table(&store, table));
        }
        verdict = verdict.max(outcome(store.read().and_then(|it| it.stream(stream(0), 0, 9)).map(drop)));
        verdict = verdict.max(outcome(walk_runs(&store)));
        store.close();
        verdict
    }

    /// Whether the engine's own walk over all pages finds nothing. A row that an index page no longer leads to is
    /// found in no other way.
    fn is_whole(&self, image: &[u8]) -> bool {
        let path = self.at.path().join(DATABASE_FILE);
        fs::write(&path, image).expect("writes");
        let walk = contained(|| {
            let mut engine = redb::Database::open(&path)?;
            Ok(engine.check_integrity()?)
        });
        walk.unwrap_or(false)
    }

    fn probe_table(&self, store: &Store, table: Table) -> Verdict {
        let rows = |table| self.rows.iter().filter(move |((of, _), _)| *of == table);
        let mut seen = 0;
        let scanned = store.read().and_then(|reader| {
            reader.scan(table, &[], None, Order::Ascending, |key, value| {
                assert_eq!(
                    self.rows.get(&(table, key.to_vec())).map(Vec::as_slice),
                    Some(value),
                    "{table:?}"
                );
                seen += 1;
                Ok(true)
            })
        });
        let mut verdict = match scanned {
            Ok(()) if seen < rows(table).count() => Verdict::Missing,
            scanned => outcome(scanned),
        };
        for ((_, key), value) in rows(table) {
            verdict = verdict.max(match store.read().and_then(|reader| reader.get_raw(table, key)) {
                Ok(Some(found)) => {
                    assert_eq!(&found, value, "{table:?}");
                    Verdict::Unnoticed
                }
                Ok(None) => Verdict::Missing,
                Err(error) => Verdict::of(&error),
            });
        }
        verdict
    }
}

/// What became of a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// It hit nothing that counts.
    Unnoticed,
    /// Rows are not found, and only the engine's walk over all pages tells.
    Missing,
    /// Told as damage.
    Damaged,
    /// Told as a row that is damaged.
    DamagedRow,
    /// Told as a file that cannot be used at the moment.
    Unavailable,
}

impl Verdict {
    fn of(error: &StoreError) -> Self {
        match error {
            StoreError::DamagedRow(_) => Self::DamagedRow,
            StoreError::Damaged(_) | StoreError::Inconsistent(_) => Self::Damaged,
            StoreError::Unavailable(_) | StoreError::Io { .. } => Self::Unavailable,
            error => panic!("{error}"),
        }
    }
}

fn outcome(result: Result<(), StoreError>) -> Verdict {
    result.map_or_else(|error| Verdict::of(&error), |()| Verdict::Unnoticed)
}

fn walk_runs(store: &Store) -> Result<(), StoreError> {
    let reader = store.read()?;
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = reader.runs(&RunFilter::default(), cursor.as_ref(), 3)?;
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Where `value` is in `image`, if it is there exactly once.
fn only_place(image: &[u8], value: &[u8]) -> Option<usize> {
    let mut places = image.windows(value.len()).enumerate().filter(|(_, window)| *window == value);
    let (place, _) = places.next()?;
    places.next().is_none().then_some(place)
}

#[tokio::test]
async fn every_truncation_is_an_error_or_the_truth() {
    let folder = Folder::new(60).await;
    let mut dice = Dice::new(11);
    let samples = if full() { 2_000 } else { 25 };
    let lengths = (0..samples).map(|_| dice.below(folder.image.len() as u64) as usize);
    for len in [0, 1, 9, 319, 320, 4095, 4096, folder.image.len() - 1].into_iter().chain(lengths) {
        let error = folder.open(&folder.image[..len]).err();
        assert!(matches!(error, Some(StoreError::Damaged(_))), "{len} bytes: {error:?}");
    }
    let store = folder.open(&folder.image).expect("intact");
    assert_eq!(differences(&listing(&store.read().expect("reads")).expect("intact"), &folder.rows), []);
}

#[tokio::test]
async fn a_flipped_bit_is_an_error_or_the_truth() {
    let folder = Folder::new(60).await;
    let mut dice = Dice::new(12);
    let samples = if full() { 5_000 } else { 60 };
    let mut verdicts = BTreeMap::<_, u64>::new();
    for sample in 0..samples {
        let mut image = folder.image.clone();
        // Every fourth in the engine's header, and only where something is.
        let end = if sample % 4 == 0 { 320 } else { image.len() as u64 };
        let place = loop {
            let place = dice.below(end) as usize;
            if end == 320 || image[place] != 0 {
                break place;
            }
        };
        image[place] ^= 1 << dice.below(8);
        let verdict = folder.probe(&image);
        if verdict == Verdict::Missing {
            assert!(!folder.is_whole(&image), "bit at {place} goes unnoticed by all");
        }
        *verdicts.entry(verdict).or_default() += 1;
    }
    assert!(
        verdicts.contains_key(&Verdict::DamagedRow) && verdicts.contains_key(&Verdict::Damaged),
        "{verdicts:?}"
    );
}

#[tokio::test]
async fn a_flipped_bit_in_a_value_is_a_damaged_row() {
    let folder = Folder::new(60).await;
    let mut dice = Dice::new(13);
    let samples = if full() { 1_000 } else { 20 };
    let rows: Vec<_> = folder.rows.iter().filter(|((table, _), _)| *table != Table::Meta).collect();
    let mut flipped = 0;
    while flipped < samples {
        let ((table, key), value) = rows[dice.below(rows.len() as u64) as usize];
        let place = if value.len() > 20 { only_place(&folder.image, value) } else { None };
        let Some(place) = place else { continue };
        let mut image = folder.image.clone();
        image[place + dice.below(value.len() as u64) as usize] ^= 1 << dice.below(8);
        let store = folder.open(&image).expect("the engine does not notice");
        let error = store.read().expect("reads").get_raw(*table, key).err();
        assert!(matches!(&error, Some(StoreError::DamagedRow(row)) if row.table == *table), "{error:?}");
        store.close();
        flipped += 1;
    }
}

#[tokio::test]
async fn strangers_files_are_refused() {
    let folder = Folder::new(1).await;
    let path = folder.at.path().join(DATABASE_FILE);
    for stranger in [b"{}".as_slice(), &[0; 4096], &[0xff; 100_000], b"SQLite format 3\0"] {
        let error = folder.open(stranger).err();
        assert!(matches!(error, Some(StoreError::Damaged(_))), "{error:?}");
        assert_eq!(fs::read(&path).expect("is there"), stranger, "it is left as it was");
    }
    foreign_database(&path);
    let error = Store::open(folder.at.path(), Options::default()).err();
    assert!(matches!(error, Some(StoreError::Damaged(_))), "{error:?}");
}

/// Somebody else's database of the same engine.
fn foreign_database(path: &Path) {
    fs::remove_file(path).expect("is there");
    let database = redb::Database::create(path).expect("creates");
    let transaction = database.begin_write().expect("begins");
    transaction.open_table(redb::TableDefinition::<u64, u64>::new("theirs")).expect("opens");
    transaction.commit().expect("commits");
}
