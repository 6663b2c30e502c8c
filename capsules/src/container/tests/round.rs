//! From a folder into a capsule and out again.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// A folder with all that a tree can hold.
fn varied(place: &Place, name: &str) -> PathBuf {
    let large = noise(1, 3 << 20);
    let text = "fn main() { println!(\"hello\"); }\n".repeat(400);
    let dir = place.folder(
        name,
        &[
            ("README", b"read me"),
            ("src/main.rs", text.as_bytes()),
            ("src/copy.rs", text.as_bytes()),
            ("src/empty", b""),
            ("data/large", &large),
            ("data/large.copy", &large),
            ("z", b"last"),
        ],
    );
    fs::create_dir_all(dir.join("nothing/in/here")).expect("made");
    fs::set_permissions(dir.join("src/main.rs"), fs::Permissions::from_mode(0o755)).expect("set");
    symlink("src/main.rs", dir.join("run")).expect("made");
    symlink("../README", dir.join("src/about")).expect("made");
    dir
}

#[test]
fn a_folder_comes_out_of_its_capsule_as_it_went_in() {
    let place = Place::new();
    let dir = varied(&place, "work");
    let bytes = place.capsule(&dir, &Options::default());
    let cover = Cover::read(bytes.as_slice()).expect("a capsule");
    assert_eq!((cover.manifest(), cover.attestations().len()), (b"manifest".as_slice(), 2));
    assert_eq!((cover.root(), cover.base()), (root_of(&dir), None));
    let verified = open(&bytes, None).expect("opens").verify().expect("verified");
    assert_eq!((verified.files, verified.stored_bytes), (7, bytes.len() as u64));
    let out = place.path("out");
    assert_eq!(open(&bytes, None).expect("opens").unpack(&out).expect("unpacked"), verified);
    assert_eq!(root_of(&out), root_of(&dir));
    assert_eq!(fs::read(out.join("data/large.copy")).expect("there"), noise(1, 3 << 20));
    assert!(fs::metadata(out.join("src/main.rs")).expect("there").permissions().mode() & 0o100 != 0);
    assert_eq!(place.left(&["work", "made.caps", "out"]), Vec::<String>::new());
}
