//! The disk fills up or breaks while appends are in flight, and recovers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::full;
use super::ledger::{Answers, acknowledged, check, claim, listing, on, open, stream, wave};
use crate::journal::AppendError;
use crate::simulation::{Dice, Disk, Failure, Survival};
use crate::{Store, StoreError};

const FAILURES: [Failure; 5] =
    [Failure::NoRoom, Failure::NoBlocks, Failure::NoSync, Failure::Broken, Failure::Unreadable];
/// How long the store may take to come back by itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends each append of `numbers` until it is answered for good. An append with a claim is sent as often as it takes;
/// one without is only sent again where it is certain that it did not happen.
async fn insist(store: &Store, numbers: impl Iterator<Item = u64> + Clone, sure: &mut BTreeMap<u64, u64>) {
    for n in numbers {
        let started = Instant::now();
        loop {
            assert!(started.elapsed() < PATIENCE, "append {n} gets no answer");
            match wave(store, [n]).await.remove(&n).expect("answered") {
                Ok(receipt) => drop(sure.insert(n, receipt.offset)),
                Err(AppendError::Claimed(row)) => assert_eq!(Some(*row), claim(n)),
                Err(AppendError::Unavailable(_)) if claim(n).is_some() => continue,
                Err(AppendError::Unavailable(_)) => {}
                // The heads could not be read beforehand.
                Err(AppendError::Conflict { .. }) => continue,
                Err(error) => panic!("{error}"),
            }
            break;
        }
    }
}

/// One round: appends, meets `failure` at operation `from` of the disk, heals after `lasting` waves, tries again.
/// Whether any append failed.
async fn round(folder: &Path, failure: Failure, from: u64, lasting: usize, quick_repair: bool) -> bool {
    let disk = Disk::default();
    let store = Store::open(folder, on(&disk, quick_repair)).expect("opens");
    let mut sure: BTreeMap<u64, u64> = acknowledged(&wave(&store, 0..20).await).collect();
    assert_eq!(sure.len(), 20);
    disk.fail_from(disk.operations() + from, failure);
    let mut failed = Answers::new();
    for number in 0..lasting as u64 {
        let numbers = 100 * (number + 1)..100 * (number + 1) + 12;
        let answers = wave(&store, numbers).await;
        sure.extend(acknowledged(&answers));
        failed.extend(answers.into_iter().filter(|(_, answer)| answer.is_err()));
        read_or_unavailable(&store);
    }
    for answer in failed.values() {
        let expected = matches!(answer, Err(AppendError::Unavailable(_) | AppendError::Conflict { .. }));
        assert!(expected, "{answer:?}");
    }
    disk.heal();
    let has_failed = !failed.is_empty();
    let retried: Vec<u64> = failed.into_keys().filter(|n| claim(*n).is_some()).collect();
    insist(&store, retried.iter().copied(), &mut sure).await;
    insist(&store, 5_000..5_005, &mut sure).await;
    let there = check(&store, &sure);
    assert!(retried.iter().all(|n| there.contains(n)), "what was asked for until it was answered is there");
    store.close();
    drop(store);

    let disk = Disk::holding(disk.after_power_cut(Survival::None, &mut Dice::new(0)));
    let store = open(folder, &disk);
    assert_eq!(check(&store, &sure), there);
    store.close();
    has_failed
}

/// What a reader sees while the disk fails: the truth, or that it cannot be had.
fn read_or_unavailable(store: &Store) {
    match store.read().and_then(|reader| reader.stream(stream(0), 0, usize::MAX)) {
        Ok(history) => assert!(history.iter().map(|(_, it)| it.seq).eq(1..=history.len() as u64)),
        Err(StoreError::Unavailable(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_failing_disk_costs_no_acknowledged_append_and_no_claim_is_answered_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut dice = Dice::new(3);
    let rounds = if full() { 2_000 } else { 30 };
    let mut failed = 0;
    for number in 0..rounds {
        let failure = FAILURES[number % FAILURES.len()];
        let (from, lasting, quick_repair) = (1 + dice.below(40), 1 + dice.below(3) as usize, dice.coin());
        let folder = folder.path().to_owned();
        let round = tokio::spawn(async move { round(&folder, failure, from, lasting, quick_repair).await });
        let told = format!("{failure:?} from {from}, {lasting} waves, quick repair {quick_repair}");
        failed += usize::from(round.await.expect(&told));
    }
    assert!(failed > rounds / 3, "only {failed} rounds met their failure");
}

#[tokio::test]
async fn an_idle_store_comes_back_for_its_readers() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Disk::default();
    let store = open(folder.path(), &disk);
    let sure = acknowledged(&wave(&store, 0..200).await).collect();
    store.close();
    drop(store);
    let store = open(folder.path(), &disk);
    disk.fail_from(0, Failure::Unreadable);
    let unreadable = store.read().and_then(|reader| listing(&reader)).map(|rows| rows.len());
    assert!(matches!(unreadable, Err(StoreError::Unavailable(_))), "{unreadable:?}");
    disk.heal();
    let started = Instant::now();
    while store.read().and_then(|reader| listing(&reader)).is_err() {
        assert!(started.elapsed() < PATIENCE, "nobody reopened it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    check(&store, &sure);
}

#[tokio::test]
async fn a_panic_of_the_engine_is_an_error_of_the_append() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Disk::default();
    let store = Arc::new(open(folder.path(), &disk));
    let mut sure: BTreeMap<u64, u64> = acknowledged(&wave(&store, 0..5).await).collect();
    disk.fail_from(0, Failure::Panics);
    let answers = wave(&store, [100]).await;
    assert!(matches!(answers[&100], Err(AppendError::Unavailable(_))), "{answers:?}");
    disk.heal();
    insist(&store, 100..105, &mut sure).await;
    check(&store, &sure);
    store.close();
}
