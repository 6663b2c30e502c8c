//! Proofs from kept roots, beside those of the same log that nothing is kept of.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::audit::log;
use crate::audit::proof::{consistency_plan, hashes, inclusion_plan};
use crate::database::Opener;
use crate::journal::{Append, AppendError, Entry};
use crate::scope::{Attribution, CorrelationId, Principal};
use crate::simulation::{Dice, Disk, Failure, Survival};
use crate::{Options, Store, Timestamp, ids};

/// Appends entries to a stream of their own.
async fn grow(store: &Store, name: &str, count: u64) -> Result<(), AppendError> {
    let at = Timestamp::EPOCH;
    let attribution = Attribution {
        actor: Principal::local_operator(),
        session: None,
        correlation_id: CorrelationId::parse(name).expect("fits"),
        causation_id: None,
    };
    let stream = ids::derived(at, &[name.as_bytes()]);
    let entry = |expected| {
        let (attribution, names, records) = (attribution.clone(), Vec::new(), Vec::new());
        Entry { stream, expected, at, attribution, names, records }
    };
    let append = Append { entries: (0..count).map(entry).collect(), ..Append::default() };
    store.journal().expect("open").append(append).await.map(drop)
}

/// Holds proofs of every kind against those made of the leaves themselves.
fn compare(store: &Store) {
    let reader = store.read().expect("reads");
    let mut all = Vec::new();
    leaves(&reader, 0..log::state(&reader).expect("reads").0, |leaf| all.push(leaf)).expect("all are there");
    let size = all.len() as u64;
    let places = [1, TILE, TILE + 1, size / 2, size];
    let places = || places.into_iter().filter(|place| *place <= size);
    for (old, new) in
        places().flat_map(|new| places().map(move |old| (old, new))).filter(|(old, new)| old <= new)
    {
        let plan = consistency_plan(old, new).expect("in order");
        let proof = log::consistency(&reader, old, new).expect("reads");
        assert_eq!(Some(proof), hashes(&plan, &all), "from {old} to {new} of {size}");
        let (leaf, proof) = log::inclusion(&reader, old - 1, new).expect("reads");
        let plan = inclusion_plan(old - 1, new).expect("within");
        assert_eq!((leaf, Some(proof)), (all[old as usize - 1], hashes(&plan, &all)), "{old} of {new}");
    }
}

fn open(folder: &Path, opener: Opener) -> Store {
    Store::open(folder, Options { opener: Some(opener), ..Options::default() }).expect("opens")
}

/// How many roots are kept.
fn kept(store: &Store) -> usize {
    store.read().expect("reads").tiles().expect("an engine's").0.lock().expect("nobody panics").len()
}

#[tokio::test]
async fn proofs_are_the_same_whatever_is_kept_and_however_the_log_grows() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), Disk::default().opener());
    let mut tiles = Vec::new();
    for (name, count) in [("a", 100), ("b", TILE - 100), ("c", TILE + 7), ("d", TILE)] {
        grow(&store, name, count).await.expect("appends");
        compare(&store);
        tiles.push(kept(&store));
    }
    assert_eq!(tiles, [0, 0, 2, 3]);
    let beyond = log::consistency(&store.read().expect("reads"), 1, 4 * TILE);
    assert!(beyond.is_err(), "there are not so many entries");
    store.close();
}

#[tokio::test]
async fn a_log_that_was_set_back_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    // A disk that forgets, while the node runs, what it said was safe.
    let disks = Arc::new(Mutex::new(Disk::default()));
    let current = {
        let disks = Arc::clone(&disks);
        move || disks.lock().expect("nobody panics").clone()
    };
    let opener = current.clone();
    let store = open(folder.path(), Arc::new(move || opener().opener()()));
    grow(&store, "a", TILE - 100).await.expect("appends");
    let early = current().after_power_cut(Survival::None, &mut Dice::new(0));
    grow(&store, "b", TILE).await.expect("appends");
    compare(&store);
    assert_eq!(kept(&store), 1);
    let disk = current();
    *disks.lock().expect("nobody panics") = Disk::holding(early);
    disk.fail_from(disk.operations(), Failure::Broken);
    assert!(matches!(grow(&store, "c", 1).await, Err(AppendError::Unavailable(_))));
    grow(&store, "d", TILE).await.expect("appends");
    compare(&store);
    assert_eq!(kept(&store), 1);
    assert_eq!(log::state(&store.read().expect("reads")).expect("reads").0, 2 * TILE - 100);
    store.close();
}
