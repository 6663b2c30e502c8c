//! Into the chunk store of a node and out of it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use xyn_store::{Options as Opening, Store};

use super::*;
use crate::tree::{Shelf, Wish, restore, snapshot};

fn store(place: &Place, name: &str) -> Store {
    Store::open(&place.path(name), Opening::default()).expect("opens")
}

fn filled(place: &Place) -> PathBuf {
    let dir = place.folder("work", &[("a/large", &noise(5, 5 << 20)), ("a/copy", b"text"), ("b", b"text")]);
    for number in 0..400_u64 {
        put(&dir, &format!("c/{}/file{number}", number % 7), &noise(number, 9_000));
    }
    fs::create_dir(dir.join("nothing")).expect("made");
    std::os::unix::fs::symlink("a/large", dir.join("link")).expect("made");
    dir
}

#[test]
fn what_was_imported_is_the_tree_that_was_packed() {
    let place = Place::new();
    let dir = filled(&place);
    let bytes = place.capsule(&dir, &Options::default());
    let store = store(&place, "node");
    let imported = import(open(&bytes, None).expect("opens"), store.blobs()).expect("imported");
    assert_eq!((imported.verified.root, imported.known), (root_of(&dir), 0));
    let wish = Wish { root: imported.verified.root, base: None, force: false, remove: false };
    let (out, now) = (place.path("out"), xyn_store::Timestamp::MAX);
    restore(store.blobs(), &out, &wish, &Seen::default(), now, Limits::default()).expect("laid out");
    assert_eq!(root_of(&out), root_of(&dir));
    let again = import(open(&bytes, None).expect("opens"), store.blobs()).expect("imported");
    assert_eq!(again.known, 402, "every content is there");
}

#[test]
fn a_file_is_read_out_of_a_capsule_that_is_a_blob() {
    let place = Place::new();
    let bytes = place.capsule(&filled(&place), &Options::default());
    let store = store(&place, "node");
    let digest = store.blobs().put(&bytes).expect("kept");
    let capsule = CapsuleFile::stored(store.blobs(), &digest, Limits::default()).expect("opens");
    let read = |path: &str| {
        let entry = capsule.outline().listing().entries.iter().find(|(at, _)| at.as_str() == path);
        Shelf::read(&capsule, &entry.expect("is there").1.digest, 6 << 20)
    };
    assert_eq!(read("a/large").expect("reads"), noise(5, 5 << 20));
    assert_eq!(read("c/3/file10").expect("reads"), noise(10, 9_000));
    let cut = store.blobs().put(&bytes[..bytes.len() - 1]).expect("kept");
    let cut = CapsuleFile::stored(store.blobs(), &cut, Limits::default()).map(drop).expect_err("cut");
    assert!(matches!(cut, ContainerError::Truncated { .. }), "{cut}");
}

#[test]
fn an_import_that_was_cut_short_goes_on_where_it_was() {
    let place = Place::new();
    let bytes = place.capsule(&filled(&place), &Options::default());
    let store = store(&place, "node");
    // The large file is whole in the first half.
    let cut = open(&bytes[..bytes.len() * 3 / 4], None).expect("opens");
    import(cut, store.blobs()).expect_err("cut short");
    let imported = import(open(&bytes, None).expect("opens"), store.blobs()).expect("imported");
    assert!(imported.known >= 1, "{imported:?}");
    store.blobs().verify(&imported.verified.root).expect("there");
}

#[test]
fn a_capsule_from_a_store_has_the_bytes_of_one_from_the_folder() {
    let place = Place::new();
    let dir = filled(&place);
    let from_folder = place.capsule(&dir, &Options::default());
    let store = store(&place, "node");
    let now = xyn_store::Timestamp::MAX;
    let taken = snapshot(store.blobs(), &dir, &Seen::default(), now, Limits::default()).expect("taken");
    let target = place.path("other.caps");
    let draft = pack_tree(store.blobs(), taken.root, &target, &Options::default()).expect("packed");
    assert_eq!(draft.root(), taken.root);
    draft.seal(b"manifest", &[b"one".to_vec(), b"two".to_vec()]).expect("sealed");
    assert_eq!(fs::read(&target).expect("there"), from_folder);
}

#[test]
fn a_store_that_has_the_base_reads_and_writes_deltas() {
    let place = Place::new();
    let dir = filled(&place);
    let whole = place.capsule(&dir, &Options::default());
    put(&dir, "c/3/file3", b"edited");
    let store = store(&place, "node");
    let imported = import(open(&whole, None).expect("opens"), store.blobs()).expect("imported");
    let base = StoredTree::new(store.blobs(), imported.verified.root, Limits::default()).expect("there");
    let delta = place.capsule(&dir, &Options { base: Some(&base), ..Options::default() });
    assert!(delta.len() < 3_000, "{} bytes", delta.len());
    let imported = import(open(&delta, Some(&base)).expect("opens"), store.blobs()).expect("imported");
    assert_eq!(imported.verified.root, root_of(&dir));
    store.blobs().directory(&imported.verified.root).expect("there");
}

#[test]
fn whoever_looks_at_files_sees_each_content_once() {
    let place = Place::new();
    let dir = filled(&place);
    let seen = Mutex::new(BTreeMap::<String, BTreeMap<u64, usize>>::new());
    let inspect = |path: &crate::tree::RelPath, at: u64, bytes: &[u8]| {
        let mut seen = seen.lock().expect("no one panics");
        assert!(seen.entry(path.to_string()).or_default().insert(at, bytes.len()).is_none());
    };
    let draft =
        pack(&dir, &place.path("made.caps"), &Options { inspect: Some(&inspect), ..Options::default() });
    assert_eq!(draft.expect("packed").listing().files, 403);
    let seen = seen.into_inner().expect("no one panics");
    assert_eq!(seen.len(), 402, "`b` has what `a/copy` has");
    assert_eq!(seen["a/large"].values().sum::<usize>(), 5 << 20);
    assert_eq!(place.left(&["work"]), Vec::<String>::new(), "a draft that is not sealed leaves nothing");
}
