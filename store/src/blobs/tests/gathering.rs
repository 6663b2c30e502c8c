//! Small blobs that come many at a time: each for itself, in any order, kept whatever happens next.

use std::time::Duration;

use super::sweep::at;
use super::*;

/// Blobs of a chunk each in a store of their own, in their order.
fn elsewhere(count: usize) -> (tempfile::TempDir, Store, Vec<Digest>) {
    let (folder, store) = store(64 * MIB);
    let mut batch = store.blobs().batch();
    let digests = (0..count).map(|at| batch.put(&noise(9, 1_000 + at)).expect("there is room")).collect();
    batch.commit().expect("commits");
    (folder, store, digests)
}

/// Sends `digests`; answers which of them were new.
fn send(from: &Store, to: &mut Gathering, digests: &[Digest]) -> Result<Vec<bool>, BlobError> {
    let parcel = from.blobs().parcel(digests, Vec::new(), 1 << 20).expect("reads");
    Parcel::new(&parcel).map(|chunk| to.put(&chunk.expect("is sound"))).collect()
}

#[test]
fn what_is_gathered_is_a_blob_each_and_comes_once() {
    let (_there, peer, digests) = elsewhere(300);
    let (_here, store) = store(64 * MIB);
    let mut gathering = store.blobs().gather(digests.clone());
    assert_eq!(send(&peer, &mut gathering, &digests[100..]).expect("asked for"), [true; 200]);
    assert_eq!(
        send(&peer, &mut gathering, &digests[..102]).expect("asked for")[98..],
        [true, true, false, false]
    );
    assert!(!store.blobs().has(&digests[0]).expect("reads"), "nothing is known before it is lasting");
    gathering.finish().expect("is lasting");
    for (at, digest) in digests.iter().enumerate() {
        assert_eq!(store.blobs().read(digest).expect("is here"), noise(9, 1_000 + at));
    }
    assert_eq!(store.blobs().used_bytes(), stored_bytes(&store));
}

#[test]
fn what_was_not_asked_for_is_refused_and_takes_no_room() {
    let (_there, peer, digests) = elsewhere(3);
    let (_here, store) = store(64 * MIB);
    let mut gathering = store.blobs().gather([digests[0], digests[2]]);
    let refused = send(&peer, &mut gathering, &digests);
    assert!(matches!(refused, Err(BlobError::Unasked { chunk }) if chunk == digests[1]), "{refused:?}");
    gathering.finish().expect("the first came");
    assert!(store.blobs().has(&digests[0]).expect("reads"));
    assert!(!store.blobs().has(&digests[1]).expect("reads"));
}

#[test]
fn what_came_before_it_was_broken_off_stays_for_the_grace_time() {
    let (_there, peer, digests) = elsewhere(50);
    let (here, mut store) = store(64 * MIB);
    let mut gathering = store.blobs().gather(digests.clone());
    send(&peer, &mut gathering, &digests[..20]).expect("asked for");
    drop(gathering);
    store.close();
    drop(store);
    store = open(here.path(), 64 * MIB);
    let is_here = |store: &Store| digests.iter().filter(|it| store.blobs().has(it).expect("reads")).count();
    assert_eq!(is_here(&store), 20);
    let grace = Duration::from_secs(3600);
    store.blobs().sweep([], at(0), grace).expect("sweeps");
    assert_eq!(is_here(&store), 20);
    store.blobs().sweep([], at(1), grace).expect("sweeps");
    assert_eq!((is_here(&store), store.blobs().used_bytes()), (0, 0));
}

#[test]
fn holders_keep_what_is_here_and_only_that() {
    let (_folder, store) = store(64 * MIB);
    let [kept, other] = [1, 2].map(|seed| store.blobs().put(&noise(seed, 30_000)).expect("there is room"));
    let nowhere = store.blobs().hold(&Digest::of(b"elsewhere"), FETCHED);
    assert!(matches!(nowhere, Err(BlobError::NotFound(_))), "{nowhere:?}");
    store.blobs().hold(&kept, FETCHED).expect("is here");
    store.blobs().hold(&other, TIMELINE).expect("is here");
    store.blobs().hold(&other, "fetch").expect("is here");
    assert_eq!(store.blobs().held(FETCHED).expect("reads"), [kept]);
    assert_eq!(store.blobs().held(TIMELINE).expect("reads"), [other]);
    store.blobs().release(&kept, FETCHED).expect("releases");
    assert_eq!(store.blobs().held(FETCHED).expect("reads"), []);
    for hours in [0, 1] {
        store.blobs().sweep([], at(hours), Duration::from_secs(3600)).expect("sweeps");
    }
    assert!(!store.blobs().has(&kept).expect("reads") && store.blobs().has(&other).expect("reads"));
}
