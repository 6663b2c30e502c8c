//! What goes and what stays: pins, roots, children, the grace time, and those who come to rely on an orphan
//! late.

use std::time::Duration;

use super::*;
use crate::Timestamp;
use crate::crash_tests::samples;
use crate::journal::{Append, AppendError};
use crate::projection::{ArtifactRow, Changes};

const GRACE: Duration = Duration::from_secs(3600);

/// The time `hours` after some beginning.
pub(super) fn at(hours: u64) -> Timestamp {
    Timestamp::EPOCH.after(Duration::from_secs((1000 + hours) * 3600))
}

pub(super) async fn append(store: &Store, change: impl FnOnce(&mut Changes)) -> Result<(), AppendError> {
    let mut changes = Changes::new();
    change(&mut changes);
    let append = Append { changes, ..Append::default() };
    store.journal().expect("open").append(append).await.map(drop)
}

/// Sweeps at `hours`, with the grace time.
fn sweep(store: &Store, hours: u64) -> Swept {
    let swept = store.blobs().sweep([], at(hours), GRACE).expect("sweeps");
    assert_eq!(store.blobs().used_bytes(), stored_bytes(store));
    swept
}

fn is_here(store: &Store, digest: &Digest) -> bool {
    match store.blobs().verify(digest) {
        Ok(_) => true,
        Err(BlobError::NotFound(_)) => false,
        Err(error) => panic!("half of it is here: {error}"),
    }
}

fn artifact(sha256: Digest) -> ArtifactRow {
    ArtifactRow { sha256, ..samples::artifact() }
}

#[tokio::test]
async fn what_nobody_names_goes_after_the_grace_time_and_leaves_no_file() {
    let (_folder, store) = store(64 * MIB);
    let digest = store.blobs().put(&noise(1, 3_000_000)).expect("there is room");
    let found = sweep(&store, 0);
    assert!(found.waiting > 30 && found.removed == 0, "{found:?}");
    assert_eq!(sweep(&store, 0).removed, 0);
    assert!(is_here(&store, &digest));
    let gone = sweep(&store, 1);
    assert_eq!((gone.waiting, gone.removed), (0, found.waiting));
    assert!(gone.freed_bytes > 3_000_000);
    assert!(!is_here(&store, &digest));
    assert_eq!((store.blobs().used_bytes(), files(store.blobs()).len()), (0, 0));
}

#[tokio::test]
async fn what_a_row_names_stays_and_so_does_what_came_with_an_append() {
    let (_folder, store) = store(64 * MIB);
    let [large, one_chunk] = [1_000_000, 20_000].map(|length| noise(2, length));
    for bytes in [&large, &one_chunk] {
        let digest = store.blobs().put(bytes).expect("there is room");
        append(&store, |changes| artifact(digest).write(changes)).await.expect("it is here");
    }
    append(&store, |changes| artifact(changes.keep_blob(b"small")).write(changes)).await.expect("it is here");
    for hours in [0, 1, 2] {
        assert_eq!(sweep(&store, hours), Swept::default());
    }
    for bytes in [large.as_slice(), &one_chunk, b"small"] {
        assert!(is_here(&store, &Digest::of(bytes)));
    }
}

#[tokio::test]
async fn an_append_that_names_what_is_not_here_is_refused_whole() {
    let (_folder, store) = store(64 * MIB);
    let missing = Digest::of(b"never put");
    let refused = append(&store, |changes| {
        changes.keep_blob(b"beside it");
        artifact(missing).write(changes);
    });
    let Err(AppendError::Unavailable(error)) = refused.await else { panic!("it is not here") };
    assert!(matches!(&*error, StoreError::Blob(BlobError::NotFound(named)) if *named == missing));
    let reader = store.read().expect("reads");
    assert!(
        reader
            .get::<ArtifactRow>(&ArtifactRow::key_of(artifact(missing).artifact_id))
            .expect("reads")
            .is_none()
    );
    assert_eq!(
        (store.blob(&Digest::of(b"beside it")).expect("reads"), store.blobs().used_bytes()),
        (None, 0)
    );

    let digest = store.blobs().put(&noise(3, 50_000)).expect("there is room");
    sweep(&store, 0);
    assert!(sweep(&store, 1).removed > 0);
    let late = append(&store, |changes| changes.pin("late", &digest)).await;
    assert!(matches!(late, Err(AppendError::Unavailable(_))), "what was swept cannot be named any more");
}

#[tokio::test]
async fn pins_and_roots_hold_until_they_are_given_up() {
    let (_folder, store) = store(64 * MIB);
    let [pinned, root] = [4, 5].map(|seed| store.blobs().put(&noise(seed, 600_000)).expect("there is room"));
    for holder in ["one", "two"] {
        append(&store, |changes| changes.pin(holder, &pinned)).await.expect("it is here");
    }
    for hours in [0, 1] {
        let swept = store.blobs().sweep([root, Digest::of(b"elsewhere")], at(hours), GRACE).expect("sweeps");
        assert_eq!(swept, Swept::default());
    }
    append(&store, |changes| changes.unpin("one", &pinned)).await.expect("is written");
    sweep(&store, 2);
    sweep(&store, 3);
    assert!(is_here(&store, &pinned) && !is_here(&store, &root));
    append(&store, |changes| changes.unpin("two", &pinned)).await.expect("is written");
    sweep(&store, 4);
    sweep(&store, 5);
    assert_eq!((is_here(&store, &pinned), store.blobs().used_bytes()), (false, 0));
}

#[tokio::test]
async fn a_blob_keeps_its_children_and_they_go_with_it() {
    let (_folder, store) = store(64 * MIB);
    let mut batch = store.blobs().batch();
    let children: Vec<_> = [100, 700_000].map(|length| batch.put(&noise(6, length)).expect("room")).into();
    let tree = batch.put(b"a folder").expect("room");
    let top = batch.put(&noise(7, 400_000)).expect("room");
    batch.link(tree, children.iter().copied());
    batch.link(top, [tree]);
    batch.commit().expect("is written");
    let mut broken = store.blobs().batch();
    let orphan = broken.put(b"another").expect("room");
    broken.link(orphan, [Digest::of(b"elsewhere")]);
    assert!(matches!(broken.commit(), Err(BlobError::NotFound(_))), "a child must be here");

    append(&store, |changes| changes.pin("workspace", &top)).await.expect("it is here");
    sweep(&store, 0);
    assert_eq!(sweep(&store, 1).waiting, 0);
    assert!(children.iter().chain([&tree, &top]).all(|digest| is_here(&store, digest)));
    append(&store, |changes| changes.unpin("workspace", &top)).await.expect("is written");
    sweep(&store, 2);
    sweep(&store, 3);
    assert!(!children.iter().chain([&tree, &top]).any(|digest| is_here(&store, digest)));
}

#[tokio::test]
async fn whoever_relies_on_an_orphan_in_time_finds_all_of_it() {
    let (_folder, store) = store(64 * MIB);
    let bytes = noise(8, 900_000);
    let digest = store.blobs().put(&bytes).expect("there is room");
    sweep(&store, 0);
    // Put again after it was marked: it is not due any more, and is marked anew.
    store.blobs().put(&bytes).expect("it is here");
    assert_eq!(sweep(&store, 1).removed, 0);
    assert!(is_here(&store, &digest));
    // A longer blob with the same chunks at its start, an orphan that is not due.
    let longer = store.blobs().put(&[bytes.as_slice(), &noise(9, 500_000)].concat()).expect("there is room");
    sweep(&store, 2);
    assert!(!is_here(&store, &digest), "nobody named it in time");
    assert!(is_here(&store, &longer), "but the chunks it shares stay");
    append(&store, |changes| changes.pin("it", &longer)).await.expect("it is here");
    sweep(&store, 9);
    assert!(is_here(&store, &longer));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_comes_while_a_sweep_decides_saves_the_blob_or_is_refused() {
    let steps =
        ["orphans are found", "blobs are removed", "chunks are removed", "packs are no longer needed"];
    for step in [None].into_iter().chain(steps.map(Some)) {
        let is_in_time = step.is_none_or(|step| step == "orphans are found");
        let (_folder, store) = store(64 * MIB);
        let digest = store.blobs().put(&noise(10, 900_000)).expect("there is room");
        sweep(&store, 0);
        let pin = {
            let (store, handle) = (store.clone(), tokio::runtime::Handle::current());
            move || handle.block_on(append(&store, |changes| changes.pin("late", &digest))).is_ok()
        };
        let pinned = match step {
            None => tokio::task::spawn_blocking(pin).await.expect("runs"),
            Some(step) => {
                let answer = Arc::new(Mutex::new(None));
                let told = answer.clone();
                store.blobs().0.steps.watch(move |reached| {
                    if reached == step {
                        let pin = pin.clone();
                        let pinned = thread::spawn(pin).join().expect("runs");
                        *told.lock().expect("nobody panicked") = Some(pinned);
                    }
                });
                let sweeping = store.clone();
                tokio::task::spawn_blocking(move || sweep(&sweeping, 1)).await.expect("sweeps");
                store.blobs().0.steps.watch(|_| ());
                answer.lock().expect("nobody panicked").expect("the step was reached")
            }
        };
        sweep(&store, 1);
        assert_eq!((pinned, is_here(&store, &digest)), (is_in_time, is_in_time), "{step:?}");
    }
}

#[test]
fn an_orphan_that_still_waits_keeps_what_it_leads_to() {
    let (_folder, store) = store(64 * MIB);
    let bytes = noise(19, 900_000);
    store.blobs().put(&bytes).expect("there is room");
    let longer = [bytes.as_slice(), &noise(20, 500_000)].concat();
    let (blobs, mut late) = (store.blobs().clone(), Some(longer.clone()));
    // It comes to use the chunks after they were found to be orphans, and before they are marked as such.
    store.blobs().0.steps.watch(move |step| {
        if step == "orphans are found" {
            let bytes = late.take().expect("there is one sweep");
            blobs.put(&bytes).expect("there is room");
        }
    });
    let sweep = |hours| store.blobs().sweep([], at(hours), 2 * GRACE).expect("sweeps");
    sweep(0);
    store.blobs().0.steps.watch(|_| ());
    let longer = Digest::of(&longer);
    assert!(is_here(&store, &longer), "it was put in time");
    sweep(1);
    sweep(2);
    assert!(is_here(&store, &longer));
    sweep(3);
    assert!(!is_here(&store, &longer));
    assert_eq!(store.blobs().used_bytes(), 0);
}

#[test]
fn what_a_batch_under_way_uses_again_is_not_swept() {
    let (_folder, store) = store(64 * MIB);
    let bytes = noise(11, 700_000);
    let digest = store.blobs().put(&bytes).expect("there is room");
    sweep(&store, 0);
    let mut batch = store.blobs().batch();
    batch.put(&bytes).expect("it is here");
    sweep(&store, 1);
    batch.commit().expect("all its chunks are still here");
    assert!(is_here(&store, &digest));
    assert_eq!(store.blobs().pinned().len(), 0, "what works no more pins nothing");
}

#[test]
fn a_pack_that_is_half_dead_is_copied_and_one_that_is_damaged_waits_to_be_healed() {
    let (_folder, store) = store(64 * MIB);
    let blobs = store.blobs();
    let mut batch = blobs.batch();
    let [stays, goes] =
        [(12, 600_000), (13, 1_500_000)].map(|(seed, length)| batch.put(&noise(seed, length)).expect("room"));
    batch.commit().expect("is written");
    let pieces = blobs.content(&stays).expect("is here").pieces(0..u64::MAX);
    let before = files(blobs);
    for hours in [0, 1] {
        blobs.sweep([stays], at(hours), GRACE).expect("sweeps");
    }
    assert!(is_here(&store, &stays) && !is_here(&store, &goes));
    assert!(files(blobs).len() == 1 && files(blobs) != before, "what stays has a pack of its own");
    assert!(blobs.used_bytes() < 700_000 && blobs.used_bytes() == stored_bytes(&store));
    let read = pieces.collect::<Result<Vec<_>, _>>().expect("who began to read before reads on").concat();
    assert_eq!(read, noise(12, 600_000));

    let mut batch = blobs.batch();
    let [hurt, _] =
        [(14, 600_000), (15, 1_500_000)].map(|(seed, length)| batch.put(&noise(seed, length)).expect("room"));
    batch.commit().expect("is written");
    let chunk = blobs.manifest(&hurt).expect("reads").expect("is large").parts()[0].0;
    damage(blobs, &chunk);
    let hurt_pack = files(blobs).pop().expect("is there");
    for hours in [2, 3] {
        blobs.sweep([stays, hurt], at(hours), GRACE).expect("sweeps");
    }
    assert!(files(blobs).contains(&hurt_pack), "a damaged pack is not thrown away");
    assert!(matches!(blobs.read(&hurt), Err(BlobError::Damaged { chunk: named, .. }) if named == chunk));
    blobs.put(&noise(14, 600_000)).expect("heals it");
    blobs.sweep([stays, hurt], at(4), GRACE).expect("sweeps");
    assert!(!files(blobs).contains(&hurt_pack) && is_here(&store, &hurt));
}

#[test]
fn a_full_store_is_swept_and_cleaned_all_the_same() {
    let (_folder, store) = store(2_200_000);
    let mut batch = store.blobs().batch();
    let stays = batch.put(&noise(16, 600_000)).expect("room");
    batch.put(&noise(17, 1_500_000)).expect("room");
    batch.commit().expect("is written");
    assert!(matches!(store.blobs().put(&noise(18, 400_000)), Err(BlobError::Quota { .. })));
    for hours in [0, 1] {
        store.blobs().sweep([stays], at(hours), GRACE).expect("sweeps");
    }
    store.blobs().put(&noise(18, 1_400_000)).expect("there is room again");
    assert!(is_here(&store, &stays));
}
