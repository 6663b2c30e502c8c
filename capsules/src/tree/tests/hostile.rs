//! Trees that were made to do harm.

use super::*;

fn raw(entries: &[(&[u8], Mode, &[u8])]) -> Vec<u8> {
    let mut bytes = b"xyn-dir\x01".to_vec();
    for (name, mode, content) in entries {
        bytes.extend([*mode as u8, name.len() as u8]);
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(Digest::of(content).as_bytes());
        bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
    }
    bytes
}

fn keep(memory: &mut Memory, bytes: &[u8]) -> Digest {
    memory.insert(Digest::of(bytes), bytes.to_vec());
    Digest::of(bytes)
}

/// Names that no entry of a tree may have.
pub(crate) const NAMES: [&[u8]; 17] = [
    b"..",
    b".",
    b"",
    b"/etc/cron.d/x",
    b"../x",
    b"a/b",
    b"a\\b",
    b"C:x",
    b"a\0b",
    b"\x1b]0;x\x07",
    "\u{202e}gpj.exe".as_bytes(),
    b".git",
    b".GiT",
    b"nul",
    "e\u{301}".as_bytes(),
    b"\xc3\x28",
    b".xyn-partial",
];

/// What becomes of laying out the tree of `memory`, and whether the folder is still empty.
fn refused(memory: &Memory, root: Digest) -> String {
    let place = Place::new();
    place.put(memory);
    let error = place.restore(&wish(root)).expect_err("refused").to_string();
    assert_eq!(fs::read_dir(&place.dir).expect("there").count(), 0, "nothing was written: {error}");
    error
}

#[test]
fn names_that_lead_elsewhere_are_refused_before_anything_is_written() {
    for name in NAMES {
        let mut memory = Memory::new();
        keep(&mut memory, b"x");
        let root = keep(&mut memory, &raw(&[(name, Mode::File, b"x")]));
        let error = refused(&memory, root);
        assert!(error.contains("is no sound directory") && error.contains("the name"), "{error}");
        assert!(!error.contains(|c: char| c.is_control() || c == '\u{202e}'), "{error:?}");
    }
}

#[test]
fn one_name_twice_or_in_two_cases_or_out_of_order_is_refused() {
    for (one, other) in [("a", "a"), ("a", "A"), ("b", "a"), ("STRASSE", "straße")] {
        let mut memory = Memory::new();
        keep(&mut memory, b"x");
        let files = [one, other].map(|name| (name.as_bytes(), Mode::File, b"x".as_slice()));
        let root = keep(&mut memory, &raw(&files));
        assert!(refused(&memory, root).contains("is no sound directory"), "{one} {other}");
    }
}

#[test]
fn links_that_leave_the_tree_are_refused_before_anything_is_written() {
    for target in ["/etc/passwd", "..", "../../x", "up/../..", "a/../../x", ".git/hooks"] {
        let mut memory = Memory::new();
        keep(&mut memory, target.as_bytes());
        keep(&mut memory, b"x");
        let files =
            [(b"a".as_slice(), Mode::File, b"x".as_slice()), (b"l", Mode::Symlink, target.as_bytes())];
        let root = keep(&mut memory, &raw(&files));
        assert!(refused(&memory, root).starts_with("`l`: no tree holds this link"), "{target}");
    }
}

#[test]
fn no_link_is_followed_while_writing() {
    // What a first tree made a link, a second one makes a folder, and writes into it.
    let outside = TempDir::new().expect("a folder");
    let place = Place::new();
    symlink(outside.path(), place.dir.join("d")).expect("made");
    let mut memory = Memory::new();
    let root = build(&mut memory, &sketch(&[("d/x", "evil")]));
    place.put(&memory);
    place.restore(&wish(root)).expect_err("the link leads out of the tree");
    assert_eq!(fs::read_dir(outside.path()).expect("there").count(), 0);
    fs::remove_file(place.dir.join("d")).expect("removed");
    fs::create_dir(place.dir.join("real")).expect("made");
    symlink("real", place.dir.join("d")).expect("made");
    assert!(matches!(place.restore(&wish(root)), Err(TreeError::Unsaved(_))));
    place.restore(&Wish { force: true, ..wish(root) }).expect("the link goes, not what it leads to");
    assert!(!place.dir.join("real/x").exists() && place.dir.join("d/x").exists());
}

#[test]
fn a_tree_that_holds_itself_many_times_over_is_cut_off_by_its_limits() {
    let mut memory = Memory::new();
    keep(&mut memory, b"x");
    let mut tower = |mut inner: Vec<u8>| {
        for _ in 0..100 {
            keep(&mut memory, &inner);
            inner = raw(&[(b"a", Mode::Directory, &inner), (b"b", Mode::Directory, &inner)]);
        }
        keep(&mut memory, &inner)
    };
    let [one, other] = [raw(&[]), raw(&[(b"x", Mode::File, b"x")])].map(&mut tower);
    let (empty, limits) = (Directory::empty(), Limits { entries: 10_000, ..Limits::default() });
    let message = "is one of more than 10000 entries, the limit of a tree";
    let listed = list(&memory, &one, limits).map(drop);
    let compared = diff(&memory, &empty, &one, limits).map(drop);
    let merged = merge(&memory, &empty, &one, &other, Side::Ours, limits).map(drop);
    for done in [listed, compared, merged] {
        let error = done.expect_err("too much").to_string();
        assert!(error.ends_with(message), "{error}");
    }
}

#[test]
fn a_tree_of_many_levels_is_refused() {
    let mut memory = Memory::new();
    let mut inner = raw(&[]);
    for _ in 0..100_000 {
        keep(&mut memory, &inner);
        inner = raw(&[(b"a", Mode::Directory, &inner)]);
    }
    let root = keep(&mut memory, &inner);
    let error = list(&memory, &root, Limits::default()).expect_err("too deep");
    assert!(error.to_string().ends_with("is more than 128 directories deep, the limit of a tree"), "{error}");
}

#[test]
fn lengths_that_lie_and_blobs_that_are_not_here_are_named() {
    let mut memory = Memory::new();
    keep(&mut memory, b"four");
    let mut lying = raw(&[(b"a", Mode::File, b"four")]);
    let at = lying.len() - 8;
    lying[at] = 5;
    let root = keep(&mut memory, &lying);
    let place = Place::new();
    place.put(&memory);
    let error = place.restore(&wish(root)).expect_err("a lie");
    assert_eq!(error.to_string(), "`a` is said to have 5 bytes and has 4");
    assert!(!place.dir.join("a").exists() && !place.dir.join(".xyn-partial").exists());
    let root = keep(&mut memory, &raw(&[(b"gone", Mode::Directory, b"x")]));
    assert!(refused(&memory, root).contains("is not in this store"));
    let root = keep(&mut memory, b"no tree");
    assert!(refused(&memory, root).contains("these bytes are no directory"));
}
