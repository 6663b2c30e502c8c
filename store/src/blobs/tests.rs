//! Blobs on real folders: what comes back, what is shared, what is damaged, what a crash leaves.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use super::index::Place;
use super::*;
use crate::{Options, Store};

mod crash;
mod exchange;
mod gathering;
mod quota;
mod sweep;

pub(super) const MIB: u64 = 1 << 20;

/// Told of every step that leaves something on the disk.
#[derive(Default)]
pub(super) struct Steps(Mutex<Option<Watch>>);

type Watch = Box<dyn FnMut(&'static str) + Send>;

impl Steps {
    pub(super) fn reached(&self, step: &'static str) {
        // Taken out meanwhile, so that the watch may use the blobs itself.
        let watch = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut watch) = watch {
            watch(step);
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
        }
    }

    fn watch(&self, watch: impl FnMut(&'static str) + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(watch));
    }
}

fn open(folder: &Path, blob_quota_bytes: u64) -> Store {
    Store::open(folder, Options { blob_quota_bytes, ..Options::default() }).expect("opens")
}

fn store(blob_quota_bytes: u64) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let store = open(folder.path(), blob_quota_bytes);
    (folder, store)
}

/// Bytes that cannot be compressed, other ones for each seed.
pub(super) fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// A chunk as it travels.
fn travelling(chunk: &[u8]) -> Vec<u8> {
    record::Encoder::default().encode(&Digest::of(chunk), chunk).to_vec()
}

fn stream(mut writer: Writer, bytes: &[u8], piece: usize) -> Result<Written, BlobError> {
    for piece in bytes.chunks(piece) {
        writer = writer.write(piece)?;
    }
    writer.finish()
}

/// Names of the files in the folder of the blobs.
fn files(blobs: &Blobs) -> Vec<String> {
    let entries = fs::read_dir(&blobs.0.folder).expect("the folder is there");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("can be listed").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Bytes on the disk that belong to blobs.
fn stored_bytes(store: &Store) -> u64 {
    let blobs = store.blobs();
    let path = |name: &String| blobs.0.folder.join(name);
    let packs: u64 = files(blobs).iter().map(|name| fs::metadata(path(name)).expect("is there").len()).sum();
    packs + index::database_bytes(&store.read().expect("reads")).expect("is sound")
}

fn places(blobs: &Blobs) -> BTreeMap<Digest, Place> {
    let mut places = BTreeMap::new();
    let reader = blobs.0.slot.read().expect("reads");
    let scanned = reader.scan(Table::Chunks, &[], None, Order::Ascending, |key, value| {
        places.insert(index::digest_of(key)?, index::decode(Table::Chunks, value)?);
        Ok(true)
    });
    scanned.expect("nothing is damaged");
    places
}

/// Changes one byte of a chunk as it stands in its pack.
fn damage(blobs: &Blobs, chunk: &Digest) {
    let place = places(blobs)[chunk];
    let path = packer::path(&blobs.0.folder, place.pack);
    let mut bytes = fs::read(&path).expect("is there");
    bytes[place.offset as usize + record::HEADER_BYTES + 7] ^= 4;
    fs::write(&path, bytes).expect("own file");
}

#[test]
fn what_is_put_is_read_back_whatever_its_length() {
    let (_folder, store) = store(64 * MIB);
    let blobs = store.blobs();
    for length in [0, 1, INLINE_MAX, INLINE_MAX + 1, CHUNK_MAX, CHUNK_MAX + 1, 3_000_000] {
        let bytes = noise(1, length);
        let digest = blobs.put(&bytes).expect("there is room");
        assert_eq!(digest, Digest::of(&bytes));
        assert_eq!(blobs.read(&digest).expect("just put"), bytes);
        assert_eq!(blobs.verify(&digest).expect("just put"), length as u64);
        assert_eq!(blobs.size_bytes(&digest).expect("reads"), Some(length as u64));
        let written = stream(blobs.writer(4 * MIB), &bytes, 70_000).expect("there is room");
        assert_eq!((written.digest(), written.size_bytes()), (digest, length as u64));
        assert_eq!(matches!(written, Written::Inline(..)), is_inline(length as u64), "{length} bytes");
    }
    assert_eq!(blobs.used_bytes(), stored_bytes(&store));
}

#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::MetadataExt;
    let (_folder, store) = store(MIB);
    store.blobs().put(&noise(1, 20_000)).expect("there is room");
    let names = files(store.blobs());
    let metadata = fs::metadata(store.blobs().0.folder.join(&names[0])).expect("is there");
    assert_eq!((names.len(), metadata.mode() & 0o777), (1, 0o600));
}

#[test]
fn a_blob_that_is_not_here_is_not_found() {
    let (_folder, store) = store(MIB);
    let digest = Digest::of(b"elsewhere");
    assert!(matches!(store.blobs().read(&digest), Err(BlobError::NotFound(missing)) if missing == digest));
    assert!(matches!(store.blobs().verify(&digest), Err(BlobError::NotFound(_))));
    assert_eq!(store.blob(&digest).expect("reads"), None);
}

#[test]
fn the_length_of_a_blob_is_told_without_its_list_of_chunks() {
    let (_folder, store) = store(64 * MIB);
    let blobs = store.blobs();
    let small = Batch::put(&mut blobs.batch(), b"small").expect("there is room");
    assert_eq!(blobs.size_bytes(&small).expect("reads"), None, "nothing is here before it is durable");
    let large = blobs.put(&noise(1, 3_000_000)).expect("there is room");
    let list = blobs.manifest(&large).expect("reads").expect("is large").encode();
    let name = Digest::of(&list);
    assert_eq!(blobs.size_bytes(&name).expect("reads"), Some(list.len() as u64), "a list is a blob itself");
    let lose = |_: &WriteTransaction| {
        let mut changes = Changes::new();
        changes.unmark(Table::Manifests, index::key(&name));
        Ok((changes, ()))
    };
    blobs.change(lose).expect("writes");
    assert_eq!(blobs.size_bytes(&large).expect("reads"), Some(3_000_000));
    assert!(blobs.has(&large).expect("reads") && blobs.content(&large).is_err());
}

#[test]
fn any_range_is_the_same_bytes_and_reads_no_other_chunk() {
    let (_folder, store) = store(64 * MIB);
    let blobs = store.blobs();
    let bytes = noise(2, 2_000_000);
    let digest = blobs.put(&bytes).expect("there is room");
    let ends = [0, 1, 65_536, 999_999, 1_999_999, 2_000_000, 3_000_000];
    for (start, end) in ends.iter().flat_map(|start| ends.map(|end| (*start, end))) {
        let pieces = blobs.content(&digest).expect("is here").pieces(start..end);
        let found = pieces.collect::<Result<Vec<_>, _>>().expect("is whole").concat();
        let limit = |at: u64| at.min(2_000_000) as usize;
        let expected = bytes.get(limit(start)..limit(end)).unwrap_or_default();
        assert!(found == expected, "{start}..{end}");
    }
    let manifest = blobs.manifest(&digest).expect("reads").expect("is large");
    let (last, length) = *manifest.parts().last().expect("has chunks");
    damage(blobs, &last);
    let mut pieces = blobs.content(&digest).expect("is here").pieces(0..2_000_000 - u64::from(length));
    assert!(pieces.all(|piece| piece.is_ok()), "what is not asked for is not read");
    let mut pieces = blobs.content(&digest).expect("is here").pieces(1_999_999..2_000_000);
    assert!(matches!(pieces.next(), Some(Err(BlobError::Damaged { .. }))));
    assert!(pieces.next().is_none(), "an error is the end");
}

#[test]
fn a_damaged_chunk_is_named_with_its_blob_and_healed_by_the_same_bytes() {
    let (_folder, store) = store(64 * MIB);
    let blobs = store.blobs();
    let bytes = noise(3, 1_000_000);
    let digest = blobs.put(&bytes).expect("there is room");
    for piece in [None, Some(4_000)] {
        let chunk = blobs.manifest(&digest).expect("reads").expect("is large").parts()[2].0;
        damage(blobs, &chunk);
        let error = blobs.read(&digest).expect_err("a byte was changed");
        let told = error.to_string();
        assert!(told.contains(&digest.to_string()) && told.contains(&chunk.to_string()), "{told}");
        assert!(blobs.verify(&digest).is_err());
        match piece {
            None => drop(blobs.put(&bytes).expect("there is room")),
            Some(piece) => drop(stream(blobs.writer(MIB), &bytes, piece).expect("there is room")),
        }
        assert_eq!(blobs.read(&digest).expect("whole again"), bytes);
    }
}

#[test]
fn a_pack_that_is_cut_short_or_gone_is_told_and_healed() {
    let (_folder, store) = store(64 * MIB);
    let blobs = store.blobs();
    let bytes = noise(4, 500_000);
    let digest = blobs.put(&bytes).expect("there is room");
    let path = blobs.0.folder.join(&files(blobs)[0]);
    fs::OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(300_000)).expect("own file");
    assert!(matches!(blobs.read(&digest), Err(BlobError::Damaged { .. })));
    blobs.put(&bytes).expect("there is room");
    assert_eq!(blobs.read(&digest).expect("whole again"), bytes);
    files(blobs).iter().for_each(|name| fs::remove_file(blobs.0.folder.join(name)).expect("own file"));
    assert!(matches!(blobs.read(&digest), Err(BlobError::Damaged { .. })));
    blobs.put(&bytes).expect("there is room");
    assert_eq!(blobs.read(&digest).expect("whole again"), bytes);
}

#[test]
fn the_same_bytes_are_stored_once_and_an_edit_costs_the_chunks_around_it() {
    let (_folder, store) = store(64 * MIB);
    let blobs = store.blobs();
    let mut bytes = noise(5, 4_000_000);
    blobs.put(&bytes).expect("there is room");
    let (used, packs) = (blobs.used_bytes(), files(blobs));
    blobs.put(&bytes).expect("it is here already");
    stream(blobs.writer(8 * MIB), &bytes, 9_000).expect("it is here already");
    assert_eq!((blobs.used_bytes(), files(blobs)), (used, packs));
    bytes.splice(2_000_000..2_000_003, *b"edit");
    let edited = blobs.put(&bytes).expect("there is room");
    assert!(blobs.used_bytes() - used < 600_000, "{} more bytes", blobs.used_bytes() - used);
    assert_eq!(blobs.read(&edited).expect("just put"), bytes);
}

#[test]
fn what_can_be_compressed_takes_less_room() {
    let (_folder, store) = store(MIB);
    let text = "all work and no play\n".repeat(100_000);
    let digest = store.blobs().put(text.as_bytes()).expect("there is room, though not for all of it plain");
    assert!(store.blobs().used_bytes() < 100_000, "{}", store.blobs().used_bytes());
    assert_eq!(store.blobs().read(&digest).expect("just put"), text.as_bytes());
}

#[test]
fn a_batch_becomes_known_as_one() {
    let (_folder, store) = store(64 * MIB);
    let blobs = store.blobs();
    let mut batch = blobs.batch();
    let small: Vec<_> = (0..200).map(|n| batch.put(&noise(n, 500)).expect("there is room")).collect();
    let content = noise(7, 2_000_000);
    let (large, length) = batch.read_from(content.as_slice(), 2 * MIB).expect("there is room");
    assert_eq!((large, length), (Digest::of(&content), 2_000_000));
    let refused = batch.read_from(content.as_slice(), 1_999_999);
    assert!(matches!(refused, Err(BlobError::TooLarge { limit_bytes: 1_999_999 })));
    assert!(small.iter().all(|digest| blobs.read(digest).is_err()), "nothing is known yet");
    batch.commit().expect("is written");
    assert_eq!(files(blobs).len(), 1);
    assert_eq!(blobs.read(&large).expect("is here"), content);
    for (n, digest) in (0..).zip(&small) {
        assert_eq!(blobs.read(digest).expect("is here"), noise(n, 500));
    }
}

#[test]
fn many_writers_of_the_same_bytes_make_one_blob() {
    let (_folder, store) = store(64 * MIB);
    let bytes = noise(8, 600_000);
    thread::scope(|scope| {
        for turn in 0..6 {
            let (blobs, bytes) = (store.blobs().clone(), &bytes);
            scope.spawn(move || {
                let written = stream(blobs.writer(MIB), bytes, 10_000 + turn).expect("there is room");
                assert_eq!(blobs.read(&written.digest()).expect("durable when finished"), *bytes);
            });
        }
    });
    assert_eq!(store.blobs().used_bytes(), stored_bytes(&store));
    let chunks = store.blobs().manifest(&Digest::of(&bytes)).expect("reads").expect("is large");
    assert_eq!(places(store.blobs()).len(), chunks.parts().len());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("blobs");
    fs::write(&path, "a file in the way").expect("own folder");
    let error = Store::open(folder.path(), Options::default()).err().expect("a file is in the way");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[test]
fn a_full_disk_is_told_as_such() {
    let error = BlobError::io("write", Path::new("blobs/0.tmp"))(io::ErrorKind::StorageFull.into());
    assert_eq!(
        error.to_string(),
        "cannot write `blobs/0.tmp`: the disk is full; free some space and try again"
    );
}
