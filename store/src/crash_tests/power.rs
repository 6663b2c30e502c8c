//! The power goes at any operation of the disk, and any of the unsynced writes survive.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::full;
use super::ledger::{acknowledged, check, on, open, wave};
use crate::database::check_format;
use crate::simulation::{Dice, Disk, Survival};
use crate::{Store, StoreError};

/// Appends in flight at once, wave by wave.
const WAVES: [u64; 6] = [1, 8, 3, 20, 1, 12];
/// Appends before the round, so that it crosses a block of the index of names and the file has to grow.
const BEFORE: u64 = 140;

/// What is on the disk at the start of a round, and which appends that holds.
struct Start {
    image: Vec<u8>,
    acknowledged: BTreeMap<u64, u64>,
}

impl Start {
    /// A database as a folder gets it: whole, and without anything in it.
    fn new() -> Self {
        let disk = Disk::default();
        let engine = disk.opener()().expect("opens");
        check_format(&engine, Path::new("new")).expect("is new");
        drop(engine);
        let image = disk.after_power_cut(Survival::None, &mut Dice::new(0));
        Self { image, acknowledged: BTreeMap::new() }
    }

    async fn with_history(folder: &Path) -> Self {
        let disk = Disk::default();
        let store = open(folder, &disk);
        let answers = wave(&store, 0..BEFORE).await;
        store.close();
        drop(store);
        let image = disk.after_power_cut(Survival::All, &mut Dice::new(0));
        Self { image, acknowledged: acknowledged(&answers).collect() }
    }

    /// Appends until the power goes at operation `cut`, brings it back, checks, and appends more. Returns how many
    /// operations there were.
    async fn round(&self, folder: &Path, cut: u64, survival: Survival, seed: u64) -> u64 {
        let mut dice = Dice::new(seed);
        let disk = Disk::holding(self.image.clone());
        disk.cut_at(cut);
        let mut sure = self.acknowledged.clone();
        let first = sure.last_key_value().map_or(0, |(n, _)| n + 1);
        match Store::open(folder, on(&disk, dice.coin())) {
            Ok(store) => {
                let mut next = first;
                for size in WAVES {
                    let answers = wave(&store, next..next + size).await;
                    sure.extend(acknowledged(&answers));
                    next += size;
                }
                store.close();
            }
            Err(error) => assert!(disk.is_dark(), "with power it opens: {error}"),
        }
        let image = disk.after_power_cut(survival, &mut dice);
        let operations = disk.operations();

        let disk = Disk::holding(image);
        let store = open(folder, &disk);
        check(&store, &sure);
        let answers = wave(&store, 10_000..10_005).await;
        sure.extend(acknowledged(&answers));
        assert!(answers.values().all(Result::is_ok), "{answers:?}");
        check(&store, &sure);
        store.close();
        operations
    }
}

/// Cuts the power at sampled operations, or at each with each kind of survival.
async fn rounds(start: &Arc<Start>, samples: u64, seed: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let operations = start.round(folder.path(), u64::MAX, Survival::All, seed).await;
    let mut dice = Dice::new(seed);
    if !full() {
        for sample in 0..samples {
            let survival = Survival::ALL[sample as usize % Survival::ALL.len()];
            round(start, folder.path(), 1 + dice.below(operations), survival, dice.roll()).await;
        }
        return;
    }
    // Batches fall as they may, so that another round can have some operations more.
    for cut in 1..operations + 10 {
        for survival in Survival::ALL {
            round(start, folder.path(), cut, survival, dice.roll()).await;
        }
    }
}

async fn round(start: &Arc<Start>, folder: &Path, cut: u64, survival: Survival, seed: u64) {
    let (start, folder) = (start.clone(), folder.to_owned());
    let round = tokio::spawn(async move { start.round(&folder, cut, survival, seed).await });
    assert!(round.await.is_ok(), "cut {cut}, {survival:?}, seed {seed}");
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_power_cut_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    rounds(&Arc::new(Start::with_history(folder.path()).await), 30, 1).await;
}

#[tokio::test]
async fn a_power_cut_at_the_first_start_loses_nothing() {
    rounds(&Arc::new(Start::new()), 20, 2).await;
}

#[test]
fn a_disk_takes_one_engine_at_a_time() {
    let disk = Disk::default();
    let first = disk.opener()().expect("opens");
    assert!(matches!(disk.opener()(), Err(StoreError::Unavailable(_))));
    drop(first);
    disk.opener()().expect("opens again");
}
