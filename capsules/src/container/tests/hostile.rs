//! Capsules that were made to do harm, each with what is said about it.

use xyn_store::Digest;

use super::super::codec::{Encoder, patch};
use super::super::format::{Form, HEAD_BYTES, Kind, PREFACE_BYTES};
use super::forge::{Forge, directory, outline, plain, preface, refused, section, zstd_form};
use super::*;
use crate::tree::Mode;

const FILE: u8 = Mode::File as u8;
/// Where the first section begins behind its head.
const FIRST: usize = PREFACE_BYTES + HEAD_BYTES;

#[test]
fn what_does_not_begin_as_a_capsule_is_none() {
    let bytes = Forge::file("a", b"content").bytes();
    let message =
        "this is no capsule: it does not begin as one; a capsule begins at the first byte of its file";
    for hostile in [b"".as_slice(), b"xyn", b"PK\x03\x04aaaaaaaa", &[b" ", bytes.as_slice()].concat()] {
        assert_eq!(refused(hostile), message);
    }
    let newer = [b"xyncaps\x02", &bytes[PREFACE_BYTES..]].concat();
    assert_eq!(refused(&newer), "a capsule of format 2 is newer than this program understands; upgrade it");
    assert_eq!(refused(&[b"xyncaps\x00", &bytes[PREFACE_BYTES..]].concat()), message);
}

#[test]
fn a_capsule_that_ends_early_is_refused_at_every_byte() {
    let mut forge = Forge::file("a", &noise(1, 100));
    forge.attestations = vec![b"one".to_vec()];
    let bytes = forge.bytes();
    open(&bytes, None).and_then(Capsule::verify).expect("sound as a whole");
    for end in 0..bytes.len() {
        match open(&bytes[..end], None).and_then(Capsule::verify) {
            Err(ContainerError::NotCapsule) => assert!(end < PREFACE_BYTES),
            Err(ContainerError::Truncated { at, .. }) => assert_eq!(at, end as u64),
            other => panic!("{end}: {other:?}"),
        }
    }
    let message = format!(
        "the capsule ends at byte {}, within chunk 1 with the file `a`; fetch it again",
        bytes.len() - 1
    );
    assert_eq!(refused(&bytes[..bytes.len() - 1]), message);
}

#[test]
fn a_changed_byte_is_refused_wherever_it_is() {
    let place = Place::new();
    let text = "let changed = true;\n".repeat(50);
    let dir = place.folder("work", &[("a/b", text.as_bytes()), ("c", &noise(2, 300))]);
    let bytes = place.capsule(&dir, &Options::default());
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x20;
        let verified = open(&changed, None).and_then(Capsule::verify);
        assert!(verified.is_err(), "byte {at}");
    }
    let mut changed = bytes.clone();
    changed[FIRST] ^= 1;
    let message = "the manifest, from byte 49 on, was changed after it was written; fetch the capsule again";
    assert_eq!(refused(&changed), message);
    let (mut changed, last) = (bytes.clone(), bytes.len() - 1);
    changed[last] ^= 1;
    let error = refused(&changed);
    assert!(
        error.starts_with("chunk 1 with the file `a/b`, from byte ") && error.contains("was changed"),
        "{error}"
    );
}

#[test]
fn nothing_may_be_put_behind_a_capsule() {
    let bytes = Forge::file("a", b"content").bytes();
    let message = format!(
        "the capsule goes on behind its end at byte {}; nothing may be put behind a capsule",
        bytes.len()
    );
    for behind in [b"\0".as_slice(), &bytes] {
        assert_eq!(refused(&[bytes.as_slice(), behind].concat()), message);
    }
}

#[test]
fn sections_stand_in_one_order_each_once() {
    let forge = Forge::file("a", b"");
    let tree = [forge.tree.encode(), forge.outline.clone()].concat();
    let [manifest, tree, index] =
        [(Kind::Manifest, b"m".as_slice()), (Kind::Tree, &tree), (Kind::Index, b"")]
            .map(|(kind, bytes)| section(kind as u8, bytes));
    let read = |sections: &[&[u8]]| refused(&[preface(), sections.concat()].concat());
    let order = |part: &str, at: usize, found: u8| {
        format!(
            "{part}, from byte {at} on, is not sound: a section of kind {found} is not the one that comes next; \
             do not trust who made this capsule"
        )
    };
    let second = FIRST + 1;
    assert_eq!(read(&[&tree, &index]), order("the manifest", PREFACE_BYTES, 3));
    assert_eq!(read(&[&manifest, &manifest, &tree, &index]), order("the tree", second, 1));
    assert_eq!(read(&[&manifest, &index, &tree]), order("the tree", second, 4));
    assert_eq!(read(&[&manifest, &tree, &tree]), order("the index", second + tree.len(), 3));
    assert_eq!(read(&[&manifest, &section(9, b"")]), order("the tree", second, 9));
    assert!(read(&[&manifest, &tree, &index, &index]).contains("goes on behind its end"));
}

#[test]
fn what_says_that_it_is_larger_than_it_may_be_is_not_waited_for() {
    for (kind, said, message) in [
        (Kind::Manifest as u8, u64::MAX, "the manifest has 18446744073709551615 bytes, the limit is 4194304"),
        (Kind::Manifest as u8, (4 << 20) + 1, "the manifest has 4194305 bytes, the limit is 4194304"),
    ] {
        let mut head = section(kind, b"");
        head[1..9].copy_from_slice(&said.to_le_bytes());
        assert_eq!(refused(&[preface(), head].concat()), message);
    }
    let mut forge = Forge::file("a", b"content");
    forge.attestations = vec![Vec::new(); 65];
    assert_eq!(forge.refused(), "a capsule has at most 64 attestations");
    forge.attestations = vec![vec![0; 12 << 20]; 3];
    assert_eq!(forge.refused(), "attestation 3 has 12582912 bytes, the limit is 8388608");
    let mut forge = Forge::file("a", b"content");
    forge.tree.raw_bytes = u64::MAX;
    assert_eq!(forge.refused(), "the tree has 18446744073709551615 bytes, the limit is 67108864");
}

fn frame(raw: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(raw, 3).expect("compressed")
}

#[test]
fn what_is_decompressed_is_as_long_as_was_declared() {
    let (raw, bomb) = (vec![7; 1_000], vec![0; 256 << 20]);
    let check = |stored: Vec<u8>, fault: &str| {
        let form = zstd_form(&stored);
        let error = Forge::stored(&raw, stored, form).refused();
        assert!(error.starts_with("chunk 1 with the file `a`, from byte "), "{error}");
        assert!(error.contains(fault), "{error}");
    };
    let frame_fault = "its compressed bytes are not one frame of 1000 bytes";
    let sound = frame(&raw);
    let whole = Forge::stored(&raw, sound.clone(), zstd_form(&sound));
    open(&whole.bytes(), None).and_then(Capsule::verify).expect("sound");
    // Of 256 MB, in few bytes: cut to what may stand for so small a chunk.
    check(frame(&bomb)[..900].to_vec(), frame_fault);
    check([frame(&raw[..500]), frame(&raw[..500])].concat(), frame_fault);
    check([sound.clone(), b"more".to_vec()].concat(), frame_fault);
    check(b"no frame".to_vec(), frame_fault);
    check(b"\x28\xb5\x2f\xfd".to_vec(), frame_fault);
    // A window of two gigabytes, and none that is the content.
    check(b"\x28\xb5\x2f\xfd\x40\xa8\xe8\x02\x01\x00\x00".to_vec(), frame_fault);
    let mut dictionary = sound.clone();
    dictionary[4] |= 1;
    check(dictionary, frame_fault);
    let mut broken = sound.clone();
    let last = broken.len() - 1;
    broken[last] ^= 0xff;
    let error = Forge::stored(&raw, broken.clone(), zstd_form(&broken)).refused();
    assert!(error.contains("its compressed bytes are broken") || error.contains("it holds `"), "{error}");
    let mut other = raw.clone();
    other[3] = 0;
    check(
        frame(&other),
        &format!("it holds `{}`, and is said to be `{}`", Digest::of(&other), Digest::of(&raw)),
    );
}

#[test]
fn an_outline_is_no_bomb() {
    let mut forge = Forge::file("a", b"x");
    let mut encoder = Encoder::new().expect("made");
    let stored = encoder.compress(&vec![0; 64 << 20]).expect("compressed").expect("smaller");
    forge.outline = stored.to_vec();
    forge.tree.is_compressed = true;
    let error = forge.refused();
    assert!(error.contains("its compressed bytes are not one frame of 55 bytes"), "{error}");
    forge.tree.raw_bytes = 64 << 20;
    assert!(forge.refused().contains("is not there when it is needed"));
}

#[test]
fn rows_of_the_index_that_no_writer_writes_are_refused() {
    let content = noise(3, 50);
    let index = |change: &dyn Fn(&mut Forge), fault: &str| {
        let mut forge = Forge::file("a", &content);
        change(&mut forge);
        let error = forge.refused();
        assert!(error.starts_with("the index, from byte ") && error.contains(fault), "{error}");
    };
    let zstd = |bytes| Form::Zstd { bytes, sum: Digest::of(b"") };
    index(&|forge| forge.rows[0].raw_bytes = 0, "it says that it has 0 bytes, stored in 0");
    index(&|forge| forge.rows[0].raw_bytes = u32::MAX, "it says that it has 4294967295 bytes");
    index(&|forge| forge.rows[0].form = zstd(0), "it says that it has 50 bytes, stored in 0");
    index(&|forge| forge.rows[0].form = zstd(51), "it says that it has 50 bytes, stored in 51");
    index(
        &|forge| forge.rows.push(plain(b"more")),
        "its chunks have 54 bytes together, and the files of the tree 50",
    );
    index(&|forge| forge.rows.clear(), "its chunks have 0 bytes together, and the files of the tree 50");
    // Bytes of a base, where there is none: of this machine, nothing can be named.
    index(
        &|forge| forge.rows[0].form = Form::Held { at: 0 },
        "it refers to bytes 0 to 50 of a base that has 0",
    );
    let patch = |at, near| Form::Patch { bytes: 9, sum: Digest::of(b""), at, near };
    let message = "it refers to bytes 18446744073709551615 to 18446744073709551615 of a base that has 0";
    index(&|forge| forge.rows[0].form = patch(u64::MAX, u32::MAX), message);
}

#[test]
fn a_delta_that_points_anywhere_but_at_what_it_says_is_refused_with_a_real_base() {
    let (place, raw) = (Place::new(), noise(4, 2_000));
    let dir = place.folder("base", &[("a", &raw), ("b", &noise(5, 3_000))]);
    fs::write(place.path("base.caps"), place.capsule(&dir, &Options::default())).expect("written");
    let base = CapsuleFile::open(&place.path("base.caps"), Limits::default()).expect("opens");
    let read = |form: Form, raw: &[u8], stored: &[u8]| {
        let mut forge = Forge::stored(raw, stored.to_vec(), form);
        forge.tree.base = Some(base.outline().root());
        open(&forge.bytes(), Some(&base)).and_then(Capsule::verify).map(drop)
    };
    let refused = |form, raw: &[u8], stored: &[u8], fault: &str| {
        let error = read(form, raw, stored).expect_err("refused").to_string();
        assert!(error.contains(fault), "{fault}: {error}");
    };
    // All of the base is 5,000 bytes; the first 2,000 are meant.
    let held = |at| Form::Held { at };
    read(held(0), &raw, b"").expect("sound");
    for at in [1, 1_999, 3_000] {
        refused(held(at), &raw, b"", "and is said to be");
    }
    for (at, end) in [(3_001, 5_001), (5_000, 7_000), (u64::MAX - 1_999, u64::MAX), (u64::MAX, u64::MAX)] {
        refused(held(at), &raw, b"", &format!("it refers to bytes {at} to {end} of a base that has 5000"));
    }
    refused(held(0), &raw, b"more", "goes on behind its end");
    let next = [raw.as_slice(), b" and more"].concat();
    let stored = patch(&next, &raw).expect("patched").expect("smaller");
    let patched = |at, near| Form::Patch { bytes: stored.len() as u32, sum: Digest::of(&stored), at, near };
    read(patched(0, 2_000), &next, &stored).expect("sound");
    for (at, near) in [(1, 2_000), (0, 1_999), (0, 0), (3_000, 2_000), (5_000, 0)] {
        let error = read(patched(at, near), &next, &stored).expect_err("another part").to_string();
        assert!(error.contains("are broken") || error.contains("and is said to be"), "{at} {near}: {error}");
    }
    for (at, near) in [(0, 5_001), (3_001, 2_000), (5_001, 0), (u64::MAX, 1), (0, u32::MAX)] {
        let end = at.saturating_add(near.into());
        let fault = format!("it refers to bytes {at} to {end} of a base that has 5000");
        refused(patched(at, near), &next, &stored, &fault);
    }
}

#[test]
fn an_index_that_is_no_list_of_rows_is_refused() {
    let forge = Forge::file("a", b"content");
    let tree = section(Kind::Tree as u8, &[forge.tree.encode(), forge.outline.clone()].concat());
    let with = |index: &[u8]| {
        let manifest = section(Kind::Manifest as u8, b"m");
        refused(
            &[preface(), manifest, tree.clone(), section(Kind::Index as u8, index), forge.chunks.clone()]
                .concat(),
        )
    };
    let mut row = Vec::new();
    forge.rows[0].encode(&mut row);
    assert!(with(&row[..row.len() - 1]).contains("its fields are cut short or go on behind its end"));
    row[0] = 4;
    assert!(with(&row).contains("it is stored in the unknown form 4"));
    let mut flags = forge.tree.encode();
    flags[0] = 4;
    let tree = section(Kind::Tree as u8, &[flags, outline(&[])].concat());
    let manifest = section(Kind::Manifest as u8, b"m");
    let error = refused(&[preface(), manifest, tree, section(Kind::Index as u8, b"")].concat());
    assert!(error.contains("it is stored in the unknown form 4"), "{error}");
}

#[test]
fn a_chunk_in_the_place_of_another_is_refused() {
    let mut forge = Forge::file("a", b"content");
    forge.chunks = b"CONTENT".to_vec();
    assert!(forge.refused().contains("chunk 1 with the file `a`, from byte "));
    forge.rows = vec![plain(b"CONTENT")];
    assert!(forge.refused().starts_with("the file `a` is not the one that the tree names"));
}

#[test]
fn the_first_fault_is_told_whoever_finds_it_first() {
    let contents: Vec<_> = (0..40).map(|seed| noise(seed, 5_000)).collect();
    let names: Vec<_> = (0..40).map(|number| format!("f{number:02}")).collect();
    let files: Vec<_> = names
        .iter()
        .zip(&contents)
        .map(|(name, content)| (name.as_bytes(), FILE, content.as_slice()))
        .collect();
    let mut forge = Forge::new(&[directory(&files)], &contents.concat());
    forge.rows = contents.iter().map(|content| plain(content)).collect();
    forge.chunks[5_000 * 7] ^= 1;
    forge.chunks[5_000 * 8] ^= 1;
    forge.chunks.truncate(5_000 * 9);
    for _ in 0..20 {
        let error = open(&forge.bytes(), None).and_then(Capsule::verify).expect_err("refused").to_string();
        assert!(error.starts_with("chunk 8 with the file `f07`"), "{error}");
    }
}

#[test]
fn a_folder_or_link_that_is_there_is_not_unpacked_into() {
    let place = Place::new();
    let bytes = Forge::file("a", b"content").bytes();
    let outside = place.folder("outside", &[]);
    let target = place.path("out");
    let unpack = || open(&bytes, None).and_then(|capsule| capsule.unpack(&target)).map(drop);
    let refused = || {
        let error = unpack().expect_err("it is there").to_string();
        assert_eq!(error, format!("`{}` is there already; name a folder that is not", target.display()));
    };
    // What a first capsule laid out as a link, a second one does not write through.
    std::os::unix::fs::symlink(&outside, &target).expect("made");
    refused();
    assert_eq!(fs::read_dir(&outside).expect("there").count(), 0);
    fs::remove_file(&target).expect("removed");
    std::os::unix::fs::symlink("nowhere", &target).expect("made");
    refused();
    fs::remove_file(&target).expect("removed");
    fs::create_dir(&target).expect("made");
    refused();
    fs::remove_dir(&target).expect("removed");
    unpack().expect("nothing is in the way");
    refused();
    assert_eq!(place.left(&["outside", "out"]), Vec::<String>::new());
}
