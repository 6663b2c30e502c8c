//! Kills between any two steps, and power cuts in the middle of the index's commits.
//!
//! After each the store must open, hold what was acknowledged, name nothing that is not there, and work on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::sweep::at;
use super::*;
use crate::simulation::{Dice, Disk, Survival};

/// What was acknowledged, and what may or may not be there any more.
#[derive(Clone, Default)]
struct Sure {
    here: BTreeSet<Digest>,
    roots: BTreeSet<Digest>,
}

/// Copies the files of a folder, with one level of folders below.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("own folder");
    for entry in fs::read_dir(from).expect("reads") {
        let entry = entry.expect("reads");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}

/// Puts, takes in, sweeps and cleans; tells of each thing as it is acknowledged. Ends with the first error.
fn story(store: &Store, sure: &Mutex<Sure>) -> Result<(), BlobError> {
    let blobs = store.blobs();
    let tell = |digest| sure.lock().expect("nobody panicked").here.insert(digest);
    let stays = blobs.put(&noise(1, 300_000))?;
    tell(stays);
    sure.lock().expect("nobody panicked").roots.insert(stays);
    let mut batch = blobs.batch();
    let digests =
        [batch.put(&noise(2, 900_000))?, batch.put(&noise(3, 40_000))?, batch.put(&noise(1, 350_000))?];
    batch.link(digests[0], [digests[1]]);
    batch.commit()?;
    for digest in digests {
        tell(digest);
    }
    sure.lock().expect("nobody panicked").roots.insert(digests[1]);

    let parts: Vec<_> = [noise(4, 60_000), noise(5, 70_000)].into();
    let list = parts.iter().map(|part| (Digest::of(part), part.len() as u32)).collect();
    let object = Digest::of(&parts.concat());
    let mut intake = blobs.intake(Manifest::new(object, list), MIB)?;
    for part in &parts {
        let record = travelling(part);
        intake.take(&mut Parcel::new(&record)).expect("is there")?;
    }
    tell(intake.assemble()?);

    let roots = sure.lock().expect("nobody panicked").roots.clone();
    for hours in [0, 1] {
        if hours == 1 {
            // From here on only what the roots lead to is sure.
            sure.lock().expect("nobody panicked").here.clone_from(&roots);
        }
        blobs.sweep(roots.iter().copied(), at(hours), Duration::from_secs(3600))?;
    }
    tell(blobs.put(&noise(6, 100_000))?);
    Ok(())
}

/// Opens what is left and looks at all of it.
fn check(store: &Store, sure: &Sure, when: &str) {
    let blobs = store.blobs();
    for digest in &sure.here {
        blobs.verify(digest).unwrap_or_else(|error| panic!("{when}: {error}"));
    }
    for chunk in places(blobs).keys() {
        content::Source::new(blobs)
            .chunk(chunk, chunk)
            .unwrap_or_else(|error| panic!("{when}: the index names what is not there: {error}"));
    }
    let reader = store.read().expect("reads");
    let scanned = reader.scan(Table::Objects, &[], None, Order::Ascending, |key, _| {
        let digest = index::digest_of(key)?;
        blobs.verify(&digest).unwrap_or_else(|error| panic!("{when}: half a blob is here: {error}"));
        Ok(true)
    });
    scanned.expect("nothing is damaged");
    assert!(!files(blobs).iter().any(|name| name.ends_with(".tmp")), "{when}");
    assert_eq!(blobs.used_bytes(), stored_bytes(store), "{when}");
    let again = noise(2, 900_000);
    assert_eq!(blobs.read(&blobs.put(&again).expect("goes on")).expect("is here"), again, "{when}");
    for hours in [100, 102] {
        let swept = blobs.sweep(sure.roots.iter().copied(), at(hours), Duration::from_secs(3600));
        swept.unwrap_or_else(|error| panic!("{when}: {error}"));
    }
    let packs: BTreeSet<_> = places(blobs).values().map(|place| place.pack).collect();
    assert_eq!(files(blobs).len(), packs.len(), "{when}: every pack that is left is needed");
    assert!(sure.roots.intersection(&sure.here).all(|digest| blobs.verify(digest).is_ok()), "{when}");
}

#[test]
fn a_kill_between_any_two_steps_loses_nothing_and_leaves_nothing_by_half() {
    let (folder, store) = store(64 * MIB);
    let copies = tempfile::tempdir().expect("a folder");
    let sure = Arc::new(Mutex::new(Sure::default()));
    let moments = Arc::new(Mutex::new(Vec::new()));
    {
        let (from, to) = (folder.path().to_owned(), copies.path().to_owned());
        let (sure, moments) = (sure.clone(), moments.clone());
        store.blobs().0.steps.watch(move |step| {
            let mut moments = moments.lock().expect("nobody panicked");
            copy(&from, &to.join(moments.len().to_string()));
            moments.push((step, sure.lock().expect("nobody panicked").clone()));
        });
    }
    story(&store, &sure).expect("there is room");
    store.blobs().0.steps.watch(|_| ());
    check(&store, &sure.lock().expect("nobody panicked"), "at the end");
    let moments = moments.lock().expect("nobody panicked");
    let steps: BTreeSet<_> = moments.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps.len(), 9, "{steps:?}");
    for (number, (step, sure)) in moments.iter().enumerate() {
        let copy = copies.path().join(number.to_string());
        check(&open(&copy, 64 * MIB), sure, &format!("killed at step {number}: {step}"));
    }
}

#[test]
fn a_power_cut_in_any_commit_loses_nothing_and_leaves_nothing_by_half() {
    let round = |cut: u64, survival: Survival, seed: u64| {
        let folder = tempfile::tempdir().expect("a folder");
        let options = |disk: &Disk| Options { opener: Some(disk.opener()), ..Options::default() };
        let disk = Disk::default();
        crate::database::check_format(&disk.opener()().expect("opens"), folder.path()).expect("is new");
        let begun = disk.operations();
        disk.cut_at(begun + cut);
        let sure = Mutex::new(Sure::default());
        if let Ok(store) = Store::open(folder.path(), options(&disk)) {
            let end = story(&store, &sure);
            assert!(end.is_ok() || disk.is_dark(), "cut {cut}: {end:?}");
            store.close();
        }
        let disk_after = Disk::holding(disk.after_power_cut(survival, &mut Dice::new(seed)));
        let store = Store::open(folder.path(), options(&disk_after)).expect("opens");
        check(
            &store,
            &sure.lock().expect("nobody panicked"),
            &format!("cut {cut}, {survival:?}, seed {seed}"),
        );
        disk.operations() - begun
    };
    let operations = round(u64::MAX / 2, Survival::All, 0);
    let mut dice = Dice::new(11);
    let rounds = if crate::crash_tests::full() { 400 } else { 15 };
    for number in 0..rounds {
        let survival = Survival::ALL[number % Survival::ALL.len()];
        round(1 + dice.below(operations), survival, dice.roll());
    }
}
