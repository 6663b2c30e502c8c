//! The check of everything finds what a disk or a stranger did, names what mends it, and changes nothing.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use super::files::{Folder, Verdict};
use super::full;
use super::ledger::{changes_of, events_of};
use crate::audit::key::NodeKey;
use crate::envelope::Envelope;
use crate::journal::Append;
use crate::projection::{Changes, Row, RunRow};
use crate::rebuild::Projector;
use crate::scope::Principal;
use crate::simulation::Dice;
use crate::store::DATABASE_FILE;
use crate::tables::{Key, Table, seal};
use crate::timeline::feed::FeedId;
use crate::timeline::{Saying, Timeline, first_certificate};
use crate::trust::EnvId;
use crate::verify::{Report, verify};
use crate::{Options, Order, Store, StoreError, Timestamp};

const PAGE_BYTES: usize = 4096;
/// How a page of the engine begins that only leads to others.
const BRANCH: u8 = 2;

/// Tells rows from the entries of the ledger.
struct Probe;

impl Projector for Probe {
    fn project(
        &mut self,
        _: u64,
        envelope: &Envelope,
        changes: &mut Changes,
    ) -> Result<Vec<Cow<'static, str>>, StoreError> {
        changes.extend(changes_of(envelope));
        Ok(events_of(envelope))
    }
}

/// Checks the folder, whose database must be the same afterwards.
fn checked(folder: &Path) -> Report {
    let file = folder.join(DATABASE_FILE);
    let before = fs::read(&file).expect("is there");
    let report = verify(folder, |_| Probe, Timestamp::EPOCH, |_| {}).expect("can be checked");
    assert!(fs::read(&file).expect("is there") == before, "a check changes nothing");
    report
}

/// What a check says of the folder with `image` in place of its database.
fn verdict(folder: &Folder, image: &[u8]) -> Report {
    fs::write(folder.path().join(DATABASE_FILE), image).expect("writes");
    checked(folder.path())
}

/// Changes the database behind the store's back, as a bug would: every checksum fits.
fn meddle(folder: &Path, table: Table, key: &[u8], value: Option<Vec<u8>>) {
    let database = redb::Database::open(folder.join(DATABASE_FILE)).expect("opens");
    let transaction = database.begin_write().expect("begins");
    {
        let mut rows = transaction.open_table(table.definition()).expect("opens");
        match value {
            Some(value) => drop(rows.insert(key, seal(table, key, value).as_slice()).expect("inserts")),
            None => drop(rows.remove(key).expect("removes")),
        }
    }
    transaction.commit().expect("commits");
}

#[tokio::test]
async fn what_is_whole_is_sound() {
    let folder = Folder::new(60).await;
    let report = checked(folder.path());
    assert_eq!((report.faults, report.rebuild_mends), (vec![], false));
    assert_eq!(report.rows as usize, folder.rows());
    assert!(report.entries > 60);
}

#[tokio::test]
async fn a_flipped_bit_is_found_wherever_it_matters() {
    let folder = Folder::new(60).await;
    let mut dice = Dice::new(14);
    let samples = if full() { 2_000 } else { 40 };
    let mut found = 0;
    for _ in 0..samples {
        let mut image = folder.image().to_vec();
        let place = dice.below(image.len() as u64) as usize;
        image[place] ^= 1 << dice.below(8);
        if verdict(&folder, &image).is_sound() {
            assert_eq!(folder.probe(&image), Verdict::Unnoticed, "bit at {place}");
        } else {
            found += 1;
        }
    }
    assert!(found > 0, "no bit hit anything");
}

#[tokio::test]
async fn rows_that_a_damaged_index_page_hides_are_missed() {
    let folder = Folder::new(400).await;
    let mut dice = Dice::new(15);
    let branches: Vec<_> =
        (0..folder.image().len()).step_by(PAGE_BYTES).filter(|at| folder.image()[*at] == BRANCH).collect();
    let (mut tried, mut hidden) = (0, 0);
    // Which bits lead to another page depends on where the tables lie: it goes on until one did.
    while tried < 60 || (hidden == 0 && tried < 2_000) {
        tried += 1;
        let mut image = folder.image().to_vec();
        let page = branches[dice.below(branches.len() as u64) as usize];
        image[page + dice.below(400) as usize] ^= 1 << dice.below(8);
        if folder.probe(&image) == Verdict::Missing {
            hidden += 1;
            assert!(!verdict(&folder, &image).is_sound(), "nobody misses what page {page} hides");
        }
    }
    assert!(hidden > 0, "no page hid anything");
}

#[tokio::test]
async fn a_truncated_database_is_told_and_not_mended_by_a_rebuild() {
    let folder = Folder::new(20).await;
    let report = verdict(&folder, &folder.image()[..folder.image().len() - PAGE_BYTES]);
    assert!(!report.is_sound() && !report.rebuild_mends, "{report:?}");
}

#[tokio::test]
async fn rows_that_lie_are_told_and_a_rebuild_mends_them() {
    let folder = Folder::new(30).await;
    let key = folder.first_key(Table::Runs);
    let mut row = folder.row::<RunRow>(&key);
    row.name = "Another".into();
    let lie = Some(postcard::to_stdvec(&row).expect("encodes"));
    let stranger = Key::new().bytes(&[7; 16]).into_bytes();
    let meddlings = [
        (
            RunRow::TABLE,
            key.as_slice(),
            lie,
            "table `runs`: 1 rows say something else than what they come from",
        ),
        (RunRow::TABLE, &key, None, "table `runs`: 1 rows are missing"),
        (Table::RunsActive, &stranger, Some(vec![]), "table `runs_active`: 1 rows have nothing to come from"),
        (Table::Meta, b"rebuilding", Some(vec![]), "a rebuild was begun and not finished"),
    ];
    for (table, key, value, fault) in meddlings {
        fs::write(folder.path().join(DATABASE_FILE), folder.image()).expect("writes");
        meddle(folder.path(), table, key, value);
        let report = checked(folder.path());
        assert!(matches!(&report.faults[..], [told] if told.starts_with(fault)), "{:?}", report.faults);
        assert!(report.rebuild_mends, "{fault}");
        let store = Store::open(folder.path(), Options::default()).expect("opens");
        store.rebuild(&mut Probe, |_| {}).expect("folds");
        store.close();
        drop(store);
        assert_eq!(checked(folder.path()).faults, [] as [String; 0]);
    }
}

#[tokio::test]
async fn a_journal_that_lost_an_entry_is_beyond_a_rebuild() {
    let folder = Folder::new(30).await;
    for (table, key) in
        [(Table::Log, folder.first_key(Table::Log)), (Table::Streams, folder.first_key(Table::Streams))]
    {
        fs::write(folder.path().join(DATABASE_FILE), folder.image()).expect("writes");
        meddle(folder.path(), table, &key, None);
        let report = checked(folder.path());
        assert!(!report.is_sound() && !report.rebuild_mends, "{table:?}: {report:?}");
    }
}

#[tokio::test]
async fn rows_of_the_timeline_that_are_gone_are_told_and_a_rebuild_mends_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), Options::default()).expect("opens");
    let (root, key) = (NodeKey::from_secret([9; 32]), store.key());
    let env = EnvId::rooted_in(root.public());
    let own = FeedId { node: key.public(), incarnation: store.incarnation().id };
    let first = first_certificate(&root, key, Principal::local_operator(), Timestamp::EPOCH).expect("signs");
    let mut timeline = Timeline::open(&store.read().expect("reads"), env.root(), own).expect("opens");
    let saying = vec![Saying::Statement(first.as_bytes().to_vec())];
    let mut changes = timeline.say(key, Timestamp::EPOCH, saying).expect("says").changes;
    changes.put_environment(env);
    let append = Append { changes, ..Append::default() };
    store.journal().expect("open").append(append).await.expect("commits");
    store.close();
    drop(store);
    assert_eq!(checked(folder.path()).faults, [] as [String; 0]);
    let place = {
        let store = Store::open(folder.path(), Options::default()).expect("opens");
        let mut places = Vec::new();
        let reader = store.read().expect("reads");
        let keep = |key: &[u8], _: &[u8]| {
            places.push(key.to_vec());
            Ok(true)
        };
        reader.scan(Table::TimelineStatements, &[], None, Order::Ascending, keep).expect("reads");
        store.close();
        places.pop().expect("a statement")
    };
    meddle(folder.path(), Table::TimelineStatements, &place, None);
    let report = checked(folder.path());
    assert!(report.faults.iter().any(|told| told == "table `timeline_statements`: 1 rows are missing"));
    assert!(report.rebuild_mends);
}
