//! Blobs that come from peers: in any order, broken off, killed, lied about.

use super::sweep::{append, at};
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

fn parcel(from: &Store, chunks: &[Digest]) -> Vec<u8> {
    from.blobs().parcel(chunks, Vec::new(), 1 << 20).expect("reads")
}

fn send(from: &Store, to: &mut Intake, chunks: &[Digest]) {
    for chunk in chunks {
        let parcel = parcel(from, &[*chunk]);
        let mut parcel = Parcel::new(&parcel);
        assert_eq!(to.take(&mut parcel).expect("is there").expect("was asked for"), *chunk);
        assert!(to.take(&mut parcel).is_none());
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
    let stranger = peer.blobs().put(b"another blob").expect("there is room");
    let stranger = parcel(&peer, &[stranger]);
    let refused = intake.take(&mut Parcel::new(&stranger)).expect("is there");
    assert!(matches!(refused, Err(BlobError::Unasked { .. })));
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
fn a_false_chunk_in_its_turn_leaves_the_proof_of_the_blob_alone() {
    let bytes = noise(12, 300_000);
    let (_there, peer, manifest) = elsewhere(&bytes);
    let (_here, store) = store(64 * MIB);
    let mut intake = store.blobs().intake(manifest.clone(), LIMIT).expect("fits");
    for (chunk, length) in manifest.parts() {
        let false_one = record::Encoder::default().encode(chunk, &noise(13, *length as usize)).to_vec();
        let refused = intake.take(&mut Parcel::new(&false_one)).expect("is there");
        assert!(matches!(refused, Err(BlobError::Parcel(InvalidParcel))));
        send(&peer, &mut intake, &[*chunk]);
    }
    assert_eq!(store.blobs().read(&intake.assemble().expect("is the blob")).expect("is here"), bytes);
}

#[test]
fn many_chunks_that_come_in_are_synced_once_and_not_each() {
    let bytes = noise(14, 6_000_000);
    let (_there, peer, manifest) = elsewhere(&bytes);
    let (_here, store) = store(64 * MIB);
    let mut intake = store.blobs().intake(manifest.clone(), LIMIT).expect("fits");
    let steps = Arc::new(Mutex::new(BTreeMap::<&str, usize>::new()));
    let counted = Arc::clone(&steps);
    store.blobs().0.steps.watch(move |step| {
        *counted.lock().expect("nobody panicked").entry(step).or_default() += 1;
    });
    let chunks = intake.missing().expect("reads");
    assert!(chunks.len() > 50, "{} chunks", chunks.len());
    send(&peer, &mut intake, &chunks);
    assert_eq!(*steps.lock().expect("nobody panicked"), BTreeMap::new(), "nothing waits for the disk yet");
    intake.assemble().expect("is the blob");
    let mut steps = steps.lock().expect("nobody panicked");
    // For the chunks, and again when they are proved to be the blob.
    let indexed = steps.remove("the index is written");
    assert!(indexed.is_some_and(|times| times <= 3), "{indexed:?}");
    let wanted = [("a pack is written", 1), ("a pack is synced", 1), ("the packs are lasting", 1)];
    assert_eq!(*steps, BTreeMap::from(wanted));
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
fn what_came_stays_while_it_comes_and_for_the_grace_time_and_goes_when_nobody_goes_on() {
    let (_there, peer, manifest) = elsewhere(&noise(5, 900_000));
    let (here, mut store) = store(64 * MIB);
    let chunks = store.blobs().missing(&manifest).expect("reads");
    let mut intake = store.blobs().intake(manifest.clone(), LIMIT).expect("fits");
    send(&peer, &mut intake, &chunks[..5]);
    drop(intake);
    let sweep = |store: &Store, hours, grace| store.blobs().sweep([], at(hours), grace).expect("sweeps");
    let hour = Duration::from_secs(3600);
    assert_eq!(sweep(&store, 0, hour).removed, 0);
    store.close();
    drop(store);
    store = open(here.path(), 64 * MIB);
    assert_eq!(store.blobs().missing(&manifest).expect("reads"), chunks[5..]);
    let slow = store.blobs().intake(manifest.clone(), LIMIT).expect("fits");
    for hours in [1000, 1001, 2000] {
        assert_eq!(sweep(&store, hours, hour).removed, 0, "it is under way");
    }
    drop(slow);
    assert_eq!(store.blobs().missing(&manifest).expect("reads"), chunks[5..]);
    for hours in [3000, 3001] {
        sweep(&store, hours, Duration::ZERO);
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

fn digests(parcel: &[u8]) -> Vec<Result<Digest, InvalidParcel>> {
    Parcel::new(parcel).map(|chunk| chunk.map(|chunk| chunk.digest())).collect()
}

#[test]
fn a_parcel_holds_what_is_here_and_fits_in_the_order_asked() {
    let (_there, peer, manifest) = elsewhere(&noise(7, 900_000));
    let chunks: Vec<_> = manifest.parts().iter().map(|(chunk, _)| *chunk).collect();
    let asked = [chunks[3], Digest::of(b"nobody has this"), chunks[0], chunks[5]];
    let whole = parcel(&peer, &asked);
    assert_eq!(digests(&whole), [Ok(chunks[3]), Ok(chunks[0]), Ok(chunks[5])]);
    let less = peer.blobs().parcel(&asked, Vec::new(), whole.len() - 1).expect("reads");
    assert_eq!(digests(&less), [Ok(chunks[3]), Ok(chunks[0])]);
}

#[test]
fn a_false_chunk_is_passed_over_and_behind_one_without_an_end_there_are_no_more() {
    let (_there, peer, manifest) = elsewhere(&noise(11, 900_000));
    let chunks: Vec<_> = manifest.parts().iter().map(|(chunk, _)| *chunk).take(3).collect();
    let whole = parcel(&peer, &chunks);
    let [first, second] = [1, 2].map(|count| parcel(&peer, &chunks[..count]).len());
    let mut bad = whole.clone();
    bad[second - 1] ^= 1;
    assert_eq!(digests(&bad), [Ok(chunks[0]), Err(InvalidParcel), Ok(chunks[2])]);
    bad[first] ^= 1;
    assert_eq!(digests(&bad), [Ok(chunks[0]), Err(InvalidParcel)]);
}

#[test]
fn a_parcel_with_any_bit_changed_is_refused_where_it_was_changed() {
    let (_there, peer, manifest) = elsewhere(&noise(8, 70_000));
    let text = peer.blobs().put(&b"compressible ".repeat(20)).expect("there is room");
    let whole = parcel(&peer, &[text, manifest.parts()[0].0]);
    for bit in (0..300 * 8).chain([whole.len() * 8 - 1]) {
        let mut bad = whole.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Parcel::new(&bad).any(|chunk| chunk.is_err()), "bit {bit}");
    }
    let cut = &whole[..whole.len() - 1];
    assert!(matches!(Parcel::new(cut).last(), Some(Err(InvalidParcel))), "cut short");
}

#[test]
fn a_damaged_chunk_is_kept_back_and_its_neighbours_are_sent() {
    let (there, peer, manifest) = elsewhere(&noise(9, 300_000));
    let chunks: Vec<_> = manifest.parts().iter().map(|(chunk, _)| *chunk).collect();
    let pack = there.path().join("blobs").join(files(peer.blobs()).remove(0));
    let mut bytes = fs::read(&pack).expect("is there");
    bytes[100] ^= 1;
    fs::write(&pack, bytes).expect("own file");
    let parcel = parcel(&peer, &chunks);
    assert_eq!(Parcel::new(&parcel).filter(Result::is_ok).count(), chunks.len() - 1);
}

#[tokio::test]
async fn a_blob_in_the_database_travels_as_well() {
    let (_there, peer) = store(64 * MIB);
    let (_here, store) = store(64 * MIB);
    let small = Digest::of(b"a small artifact");
    append(&peer, |changes| assert_eq!(changes.keep_blob(b"a small artifact"), small))
        .await
        .expect("there is room");
    let manifest = peer.blobs().manifest(&small).expect("reads").expect("is here");
    let mut intake = store.blobs().intake(manifest, LIMIT).expect("fits");
    let missing = intake.missing().expect("reads");
    assert_eq!(missing, [small]);
    send(&peer, &mut intake, &missing);
    assert_eq!(intake.assemble().expect("is the blob"), small);
    assert_eq!(store.blobs().read(&small).expect("is here"), b"a small artifact");
}

#[test]
fn a_chunk_that_comes_twice_is_kept_once() {
    let (_there, peer, manifest) = elsewhere(&noise(10, 300_000));
    let (_here, store) = store(64 * MIB);
    let mut intake = store.blobs().intake(manifest, LIMIT).expect("fits");
    let missing = intake.missing().expect("reads");
    send(&peer, &mut intake, &missing);
    let used = store.blobs().used_bytes();
    send(&peer, &mut intake, &missing);
    assert_eq!(store.blobs().used_bytes(), used);
    intake.assemble().expect("is the blob");
}

#[test]
fn more_than_a_pack_comes_while_the_one_before_is_made_lasting() {
    let bytes = noise(11, 100 << 20);
    let (_there, peer) = store(512 * MIB);
    let digest = peer.blobs().put(&bytes).expect("there is room");
    let manifest = peer.blobs().manifest(&digest).expect("reads").expect("is here");
    let (_here, store) = store(512 * MIB);
    let mut intake = store.blobs().intake(manifest, 512 * MIB).expect("fits");
    let mut missing = intake.missing().expect("reads");
    // In an order that no budget of memory smooths.
    let late = missing.split_off(missing.len() / 4);
    send(&peer, &mut intake, &late);
    assert_eq!(intake.missing().expect("reads"), missing);
    send(&peer, &mut intake, &missing);
    assert_eq!(intake.assemble().expect("is the blob"), digest);
    assert_eq!(store.blobs().verify(&digest).expect("is whole"), bytes.len() as u64);
    assert!(files(store.blobs()).len() >= 2);
}

#[test]
fn a_list_of_chunks_is_handed_out_as_it_is_kept_under_its_name() {
    let (_folder, store) = store(64 * MIB);
    let blobs = store.blobs();
    for length in [0, 1, CHUNK_MAX, 3_000_000] {
        let object = blobs.put(&noise(1, length)).expect("there is room");
        let (name, bytes) = blobs.manifest_bytes(&object).expect("reads").expect("is here");
        let manifest = blobs.manifest(&object).expect("reads").expect("is here");
        assert_eq!((name, &bytes), (Digest::of(&bytes), &manifest.encode()));
        assert_eq!((manifest.object(), manifest.size_bytes()), (object, length as u64));
    }
    assert!(blobs.manifest_bytes(&Digest::of(b"elsewhere")).expect("reads").is_none());
}
