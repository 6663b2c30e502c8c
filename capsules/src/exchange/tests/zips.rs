//! Zips that were made to do harm, each with what is said about it.

use std::io::{Cursor, Write};

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::*;

/// A zip of a sound capsule with the one file `a`, to be changed.
fn sound(place: &Place) -> Vec<u8> {
    place.put("app/a", b"some content ".repeat(30));
    let capsule = place.capsule("whole.caps");
    let zip = place.path("sound.zip");
    export_zip(&open(&capsule), &zip, &place.path("side.json")).expect("exported");
    fs::read(zip).expect("there")
}

fn zip_refused(place: &Place, bytes: &[u8]) -> String {
    let source = place.path("hostile.zip");
    fs::write(&source, bytes).expect("written");
    refused(place, &source)
}

/// The zip with what `add` puts behind its entries.
fn with(bytes: &[u8], add: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).expect("sound");
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        writer.raw_copy_file(archive.by_index_raw(index).expect("there")).expect("copied");
    }
    add(&mut writer);
    writer.finish().expect("written").into_inner()
}

fn with_file(bytes: &[u8], name: &[u8]) -> Vec<u8> {
    // Names that no writer writes come in the place of one of the same length.
    let (plain, stored) = ("files/".to_owned() + &"z".repeat(name.len()), SimpleFileOptions::default());
    let bytes = with(bytes, |writer| {
        writer.start_file(&plain, stored.compression_method(CompressionMethod::Stored)).expect("begun");
        writer.write_all(b"x").expect("written");
    });
    replaced(&bytes, plain.as_bytes(), &[b"files/", name].concat(), usize::MAX)
}

/// Up to `most` times `from` made `to`.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8], most: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<_> = memchr::memmem::find_iter(&bytes, from).take(most).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// Sets bytes of the header of `name` in the directory, and of the one before the entry.
fn set(bytes: &[u8], name: &[u8], central: (usize, &[u8]), local: Option<(usize, &[u8])>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<_> = memchr::memmem::find_iter(&bytes, name).collect();
    let (first, last) = (places[0], *places.last().expect("in the directory"));
    bytes[last - 46 + central.0..][..central.1.len()].copy_from_slice(central.1);
    if let Some((at, to)) = local {
        bytes[first - 30 + at..][..to.len()].copy_from_slice(to);
    }
    bytes
}

const FILE: &[u8] = b"files/a";

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let place = Place::new();
    let zip = sound(&place);
    for (name, fault) in [
        (b"../x".as_slice(), "leads to no entry"),
        (b"/etc/x", "leads to no entry"),
        (b"b/../../x", "leads to no entry"),
        (b"b\\..\\x", "holds a separator of paths"),
        (b"C:x", "begins with a drive"),
        (b"b\0x", "holds control characters"),
        (b"\x1b[2Jx", "holds control characters"),
        ("\u{202e}gpj.exe".as_bytes(), "characters that hide how it reads"),
        (b".git/hooks/x", "is reserved"),
        (b"nul", "is reserved"),
        ("e\u{301}".as_bytes(), "is not in Unicode's form NFC"),
        (b"\xff\xfe", "is not UTF-8"),
    ] {
        let error = zip_refused(&place, &with_file(&zip, name));
        assert!(error.starts_with("the entry `files/") && error.contains(fault), "{error}");
    }
}

#[test]
fn one_path_twice_and_what_lies_within_a_file_are_refused() {
    let place = Place::new();
    let zip = sound(&place);
    assert!(zip_refused(&place, &with_file(&zip, b"a")).contains("duplicate file names"));
    assert!(zip_refused(&place, &with_file(&zip, b"a/b")).contains("the name `a` is there twice"));
    assert!(
        zip_refused(&place, &with_file(&zip, b"A")).contains("are one name where cases are not told apart")
    );
    let through = with(&zip, |writer| {
        writer.add_symlink("files/l", "a", SimpleFileOptions::default()).expect("added");
        writer.start_file("files/l/x", SimpleFileOptions::default()).expect("begun");
    });
    assert!(
        zip_refused(&place, &through).contains("the name `l` is there twice"),
        "nothing is written through a link"
    );
}

#[test]
fn links_that_leave_the_tree_are_refused() {
    let place = Place::new();
    let zip = sound(&place);
    for target in ["../../etc/passwd", "/etc/passwd", "a/../../x", "..", "C:\\x", &"x".repeat(9_000)] {
        let hostile = with(&zip, |writer| {
            writer.add_symlink("files/l", target, SimpleFileOptions::default()).expect("added");
        });
        let error = zip_refused(&place, &hostile);
        assert!(error.contains("`l`: no tree holds this link"), "{target}: {error}");
    }
}

#[test]
fn both_headers_of_an_entry_say_the_same() {
    let place = Place::new();
    let zip = sound(&place);
    // The name before the entry is another than the one in the directory.
    let error = zip_refused(&place, &replaced(&zip, FILE, b"files/b", 1));
    assert!(
        error.starts_with("this is no sound zip of a capsule: ") && error.contains("inconsisten"),
        "{error}"
    );
    for (central, local) in [((24, 9_u32), None), ((24, 390_u32), Some((22, 389_u32))), ((20, 1_u32), None)] {
        let bytes = |number: u32| number.to_le_bytes();
        let hostile = set(
            &zip,
            FILE,
            (central.0, &bytes(central.1)),
            local.map(|(at, number)| (at, bytes(number))).as_ref().map(|(at, bytes)| (*at, bytes.as_slice())),
        );
        zip_refused(&place, &hostile);
    }
}

#[test]
fn lengths_that_lie_are_refused_before_much_is_read() {
    let place = Place::new();
    let zip = sound(&place);
    let both = |bytes: &[u8]| set(&zip, FILE, (24, bytes), Some((22, bytes)));
    let length = |error: &str, said: u32| {
        assert!(
            error.starts_with(&format!("the entry `files/a` is said to have {said} bytes, and has ")),
            "{error}"
        );
    };
    length(&zip_refused(&place, &both(&391_u32.to_le_bytes())), 391);
    length(&zip_refused(&place, &both(&1_u32.to_le_bytes())), 1);
    let error = zip_refused(&place, &both(&0xffff_fff0_u32.to_le_bytes()));
    assert_eq!(error, "the zip unpacks to more than 200 times its size; that is a bomb, and no app");
}

#[test]
fn what_no_tree_holds_is_refused() {
    let place = Place::new();
    let zip = sound(&place);
    let mode = |mode: u32| set(&zip, FILE, (38, &(mode << 16).to_le_bytes()), None);
    for (bits, what) in [
        (0o020_644, "is a device"),
        (0o060_644, "is a device"),
        (0o010_644, "is a pipe"),
        (0o140_644, "is something else"),
        (0o040_755, "is a directory whose name does not say so"),
        (0o104_755, "has the bits that run it as somebody else"),
        (0o102_755, "has the bits that run it as somebody else"),
    ] {
        let error = zip_refused(&place, &mode(bits));
        assert!(error.starts_with(&format!("the entry `files/a` {what}")), "{bits:o}: {error}");
    }
    let other =
        with(&zip, |writer| writer.start_file("evil.txt", SimpleFileOptions::default()).expect("begun"));
    assert_eq!(zip_refused(&place, &other), "the entry `evil.txt` has no place in a capsule");
}

#[test]
fn what_is_encrypted_or_packed_otherwise_is_refused() {
    let place = Place::new();
    let zip = sound(&place);
    let encrypted = set(&zip, FILE, (8, &[1, 0]), Some((6, &[1, 0])));
    assert_eq!(zip_refused(&place, &encrypted), "the entry `files/a` is encrypted");
    let method = set(&zip, FILE, (10, &[12, 0]), Some((8, &[12, 0])));
    assert!(
        zip_refused(&place, &method).starts_with("the entry `files/a` is packed in a way that is not read")
    );
}

#[test]
fn nothing_stands_before_between_or_behind() {
    let place = Place::new();
    let zip = sound(&place);
    assert!(
        zip_refused(&place, &[b"PK\x03\x04junk", zip.as_slice()].concat())
            .starts_with("this is no sound zip")
    );
    let behind = zip_refused(&place, &[zip.as_slice(), b"behind"].concat());
    assert!(behind.contains("its last bytes are not the end of a directory"), "{behind}");
    let commented = with(&zip, |writer| writer.set_comment("hello").expect("set"));
    assert!(zip_refused(&place, &commented).starts_with("this is no sound zip"));
    for end in (0..zip.len()).step_by(7).chain([zip.len() - 1]) {
        zip_refused(&place, &zip[..end]);
    }
}

#[test]
fn a_directory_that_says_it_is_endless_is_not_read() {
    let place = Place::new();
    let mut zip = sound(&place);
    let end = zip.len() - 22;
    zip[end + 12..end + 16].copy_from_slice(&0xf000_0000_u32.to_le_bytes());
    let error = zip_refused(&place, &zip);
    assert_eq!(error, "the directory of the zip has 4026531840 bytes, the limit is 201326592");
}

#[test]
fn other_files_than_those_of_the_manifest_and_lost_envelopes_are_refused() {
    let place = Place::new();
    let zip = sound(&place);
    let other = with_file(&zip, b"more");
    assert!(zip_refused(&place, &other).starts_with("the manifest is about the tree `"));
    let drop = |name: &str| {
        let mut archive = ZipArchive::new(Cursor::new(&zip)).expect("sound");
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).expect("there");
            if entry.name_raw() != name.as_bytes() {
                writer.raw_copy_file(entry).expect("copied");
            }
        }
        writer.finish().expect("written").into_inner()
    };
    assert!(zip_refused(&place, &drop("manifest.dsse.json")).starts_with("the signed manifest is missing"));
    let error = zip_refused(&place, &drop("attestations/01.dsse.json"));
    assert!(error.contains("that the capsule was packed with is missing or was swapped"), "{error}");
    let swapped = replaced(&zip, b"attestations/01", b"attestations/02", usize::MAX);
    assert_eq!(
        zip_refused(&place, &swapped),
        "the entry `attestations/02.dsse.json` has no place in a capsule"
    );
}

#[test]
fn no_two_entries_share_bytes() {
    let place = Place::new();
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let file = |writer: &mut ZipWriter<Cursor<Vec<u8>>>, name: &str, content: &[u8]| {
        writer.start_file(name, stored).expect("begun");
        writer.write_all(content).expect("written");
    };
    let zip = sound(&place);
    let alone = with(&zip, |writer| file(writer, "files/y", b"payload"));
    let name = memchr::memmem::find(&alone, b"files/y").expect("there");
    let record = &alone[name - 30..name + 7 + 7];
    // The first holds the second, with all that stands before it.
    let mut hostile = with(&zip, |writer| {
        file(writer, "files/x", record);
        file(writer, "files/y", b"payload");
    });
    let inner = memchr::memmem::find(&hostile, record).expect("in the first") as u32;
    let directory = memchr::memmem::rfind(&hostile, b"files/y").expect("in the directory") - 46;
    hostile[directory + 42..directory + 46].copy_from_slice(&inner.to_le_bytes());
    let error = zip_refused(&place, &hostile);
    assert!(error.contains("overlapping entries"), "{error}");
}
