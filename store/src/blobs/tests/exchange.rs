//! Blobs that come from peers: in any order, broken off, killed, lied about.

use super::sweep::at;
use super::*;
use std::time::Duration;

const LIMIT: u64 = 16 * MIB;

/// A blob in a store of its own, and its manifest as it comes over the wire.
fn elsewhere(bytes: &[u8]) -> (tempfile::TempDir, Store, Manifest) {
    let (folder, store) = store(64 * MIB);
    let digest = store.blobs().put(bytes).expect("there is room");
    let manifest = store.blobs().manifest(&digest).expect("reads").expect("is here");
    let manifest = Manifest::decode(&manifest.encode()).expect("is sound");
    (folder, store, manifest)
}

fn send(from: &Store, to: &mut Intake, chunks: &[Digest]) {
    for chunk in chunks {
        let bytes = from.blobs().get_chunk(chunk).expect("is there");
        assert_eq!(to.put_chunk(&bytes).expect("was asked for"), *chunk);
    }
}

#[test]
fn a_blob_is_put_together_from_chunks_in_any_order() {
    for length in [0, 10, 30_000, 2_000_000] {
        let bytes = noise(1, length);
        let (_there, peer, manifest) = elsewhere(&bytes);
        for order in [0, 1, 2] {
            let (_here, store) = store(64 * MIB);
            let mut intake = store.blobs().intake(manifest.clone(), LIMIT).expect("fits");
            let mut chunks = intake.missing().expect("reads");
            match order {
                0 => {}
                1 => chunks.reverse(),
                _ => chunks.sort(),
            }
            send(&peer, &mut intake, &chunks);
            assert_eq!(intake.missing().expect("reads"), []);
            let digest = intake.assemble().expect("is the blob");
            assert_eq!(digest, Digest::of(&bytes));
            assert_eq!(store.blobs().read(&digest).expect("is here"), bytes);
            assert_eq!(store.blobs().manifest(&digest).expect("reads"), Some(manifest.clone()));
            assert_eq!(store.blobs().used_bytes(), stored_bytes(&store));
        }
    }
}

#[test]
fn what_is_here_is_not_asked_for() {
    let bytes = noise(2, 2_000_000);
    let (_there, peer, manifest) = elsewhere(&bytes);
    let (_here, store) = store(64 * MIB);
    store.blobs().put(&bytes[..1_500_000]).expect("there is room");
    let missing = store.blobs().missing(&manifest).expect("reads");
    assert!((1..=12).contains(&missing.len()), "{} chunks", missing.len());
    let mut intake = store.blobs().intake(manifest.clone(), LIMIT).expect("fits");
    send(&peer, &mut intake, &missing);
    assert_eq!(store.blobs().read(&intake.assemble().expect("is the blob")).expect("is here"), bytes);
    assert_eq!(store.blobs().missing(&manifest).expect("reads"), []);
}

#[test]
fn chunks_that_were_not_asked_for_and_lists_that_lie_are_refused() {
    let bytes = noise(3, 900_000);
    let (_there, peer, manifest) = elsewhere(&bytes);
    let (_here, store) = store(64 * MIB);
    let refused = store.blobs().intake(manifest.clone(), 899_999);
    assert!(matches!(refused, Err(BlobError::TooLarge { limit_bytes: 899_999 })));

    let mut parts = manifest.parts().to_vec();
    parts.swap(0, 1);
    let lie = Manifest::new(manifest.object(), parts);
    let mut intake = store.blobs().intake(lie, LIMIT).expect("nobody can tell yet");
    let mut chunk = peer.blobs().get_chunk(&manifest.parts()[0].0).expect("is there");
    chunk[0] ^= 1;
    assert!(matches!(intake.put_chunk(&chunk), Err(BlobError::Unasked { .. })));
    let missing = intake.missing().expect("reads");
    send(&peer, &mut intake, &missing);
    let error = intake.assemble().expect_err("the chunks are in another order");
    assert!(matches!(error, BlobError::Unproved { digest } if digest == manifest.object()));
    assert!(matches!(store.blobs().read(&manifest.object()), Err(BlobError::NotFound(_))));

    // The chunks themselves are no lie: with the right list they are a blob.
    let intake = store.blobs().intake(manifest.clone(), LIMIT).expect("fits");
    assert_eq!(intake.missing().expect("reads"), []);
    assert_eq!(store.blobs().read(&intake.assemble().expect("is the blob")).expect("is here"), bytes);
}

#[test]
fn an_intake_that_lacks_a_chunk_is_not_put_together() {
    let (_there, peer, manifest) = elsewhere(&noise(4, 900_000));
    let (_here, store) = store(64 * MIB);
    let mut intake = store.blobs().intake(manifest.clone(), LIMIT).expect("fits");
    let chunks = intake.missing().expect("reads");
    send(&peer, &mut intake, &chunks[1..]);
    assert!(matches!(intake.assemble(), Err(BlobError::NotFound(missing)) if missing == chunks[0]));
    assert_eq!(store.blobs().missing(&manifest).expect("reads"), chunks[..1], "what came stays");
}

#[test]
fn what_came_stays_through_a_pause_and_goes_when_it_is_given_up() {
    let (_there, peer, manifest) = elsewhere(&noise(5, 900_000));
    let (here, mut store) = store(64 * MIB);
    let chunks = store.blobs().missing(&manifest).expect("reads");
    let mut intake = store.blobs().intake(manifest.clone(), LIMIT).expect("fits");
    send(&peer, &mut intake, &chunks[..5]);
    drop(intake);
    for hours in [0, 1000] {
        let swept = store.blobs().sweep([], at(hours), Duration::ZERO).expect("sweeps");
        assert_eq!(swept, Swept::default(), "it may go on in a week");
    }
    store.close();
    drop(store);
    store = open(here.path(), 64 * MIB);
    assert_eq!(store.blobs().missing(&manifest).expect("reads"), chunks[5..]);
    store.blobs().intake(manifest.clone(), LIMIT).and_then(Intake::abandon).expect("is written");
    for hours in [2000, 2001] {
        store.blobs().sweep([], at(hours), Duration::ZERO).expect("sweeps");
    }
    assert_eq!(store.blobs().missing(&manifest).expect("reads"), chunks);
    assert_eq!((store.blobs().used_bytes(), files(store.blobs()).len()), (0, 0));
}

#[test]
fn after_a_kill_only_the_chunk_in_flight_is_missing() {
    let (_there, peer, manifest) = elsewhere(&noise(6, 2_000_000));
    let (here, store) = store(64 * MIB);
    let chunks = store.blobs().missing(&manifest).expect("reads");
    let mut intake = store.blobs().intake(manifest.clone(), LIMIT).expect("fits");
    send(&peer, &mut intake, &chunks[..20]);
    // A kill drops nothing and may cut the last write short.
    std::mem::forget(intake);
    let pack = store.blobs().0.folder.join(files(store.blobs()).last().expect("is there"));
    let length = fs::metadata(&pack).expect("is there").len();
    store.close();
    drop(store);
    for (cut, left) in [(0, 20), (1, 19), (200_000, 15)] {
        let copy = tempfile::tempdir().expect("a folder");
        crash::copy(here.path(), copy.path());
        let pack = copy.path().join("blobs").join(pack.file_name().expect("a file"));
        let file = fs::OpenOptions::new().write(true).open(&pack).expect("own file");
        file.set_len(length - cut).expect("own file");
        let store = open(copy.path(), 64 * MIB);
        let missing = store.blobs().missing(&manifest).expect("reads");
        let (found, lost) = (chunks.len() - missing.len(), 20 - (chunks.len() - missing.len()));
        assert!(
            found >= left && missing.ends_with(&chunks[20..]) && (lost == 0) == (cut == 0),
            "{found} of 20"
        );
        assert_eq!(store.blobs().used_bytes(), stored_bytes(&store));
        let mut intake = store.blobs().intake(manifest.clone(), LIMIT).expect("goes on");
        send(&peer, &mut intake, &missing);
        assert_eq!(intake.assemble().expect("is the blob"), manifest.object());
        store.blobs().verify(&manifest.object()).expect("is whole");
    }
}
