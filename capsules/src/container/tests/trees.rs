//! Trees in capsules that were made to do harm, each with what is said about it.

use xyn_store::Digest;

use super::forge::{Forge, directory, tower};
use super::*;
use crate::tree::Mode;
use crate::tree::tests::hostile::NAMES;

const FILE: u8 = Mode::File as u8;
const DIRECTORY: u8 = Mode::Directory as u8;
const LINK: u8 = Mode::Symlink as u8;

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for name in NAMES {
        let error = Forge::new(&[directory(&[(name, FILE, b"x")])], b"x").refused();
        assert!(error.contains("is no sound directory of a tree: the name `"), "{error}");
    }
}

#[test]
fn one_path_twice_is_refused_whatever_stands_there() {
    // A link, then a file or a folder that would be written through it; names that some disks take for one.
    for (one, other) in [("a", "a"), ("b", "a"), ("README", "readme"), ("STRASSE", "straße")] {
        for modes in [[FILE, FILE], [LINK, FILE], [LINK, DIRECTORY], [FILE, DIRECTORY]] {
            let root = directory(&[(one.as_bytes(), modes[0], b"x"), (other.as_bytes(), modes[1], b"x")]);
            let error = Forge::new(&[root, b"x".to_vec()], b"x").refused();
            assert!(error.contains("is no sound directory of a tree"), "{error}");
        }
    }
}

#[test]
fn links_that_leave_the_tree_are_refused() {
    for to in ["/etc/passwd", "..", "../../x", "up/../..", "a/../../x", ".git/hooks", "a\0b"] {
        let root = directory(&[(b"l", LINK, to.as_bytes())]);
        let error = Forge::new(&[root, to.as_bytes().to_vec()], b"").refused();
        assert!(error.starts_with("`l`: no tree holds this link"), "{error}");
    }
}

#[test]
fn there_is_no_mode_for_devices_pipes_hard_links_and_other_users() {
    for mode in [b'c', b'b', b'p', b's', b'h', b'S', 0, 255] {
        let error = Forge::new(&[directory(&[(b"a", mode, b"x")])], b"x").refused();
        assert!(error.ends_with("these bytes are no directory"), "{error}");
    }
}

#[test]
fn lengths_and_contents_that_lie_are_refused() {
    let (five, four) = (b"12345".as_slice(), b"1234".as_slice());
    let told = directory(&[(b"a", FILE, five)]);
    let error = Forge::new(std::slice::from_ref(&told), four).refused();
    assert!(error.contains("its chunks have 4 bytes together, and the files of the tree 5"), "{error}");
    let error = Forge::new(&[told], b"54321").refused();
    let (said, found) = (Digest::of(five), Digest::of(b"54321"));
    let message =
        format!("the file `a` is not the one that the tree names: its content is `{found}`, not `{said}`");
    assert_eq!(error, message);
    // Two files that together are as long as they should be.
    let error = Forge::new(&[directory(&[(b"a", FILE, five), (b"b", FILE, four)])], b"123451243").refused();
    assert!(error.starts_with("the file `b` is not the one"), "{error}");
    let mut twice = directory(&[(b"a", FILE, five), (b"b", FILE, five)]);
    let last = twice.len() - 8;
    twice[last] = 4;
    assert_eq!(Forge::new(&[twice], five).refused(), "`b` is said to have 4 bytes and has 5");
    let mut empty = directory(&[(b"a", FILE, five)]);
    let last = empty.len() - 8;
    empty[last] = 0;
    assert!(Forge::new(&[empty], b"").refused().starts_with("the file `a` is not the one"));
    let mut endless = directory(&[(b"a", FILE, five)]);
    endless.truncate(endless.len() - 8);
    endless.extend(u64::MAX.to_le_bytes());
    let error = Forge::new(&[endless], five).refused();
    assert_eq!(error, "`a` is larger than 17179869184 bytes, the limit of a tree");
}

#[test]
fn many_levels_and_many_names_are_cut_off() {
    let deep = tower(100_000, |inner| directory(&[(b"a", DIRECTORY, inner)]));
    let error = Forge::new(&deep, b"").refused();
    assert!(error.ends_with("is more than 128 directories deep, the limit of a tree"), "{error}");
    let limits = Limits { entries: 20_000, path_bytes: 1 << 20, ..Limits::default() };
    let many = |blobs: &[Vec<u8>]| {
        let bytes = Forge::new(blobs, b"").bytes();
        let error = Cover::read(bytes.as_slice()).and_then(|cover| cover.open(None, limits)).map(drop);
        error.expect_err("too much").to_string()
    };
    let names: Vec<_> = (0..200).map(|number| format!("{number:03}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_bytes(), FILE, b"".as_slice())).collect();
    let files = directory(&files);
    let folders: Vec<_> = names.iter().map(|name| (name.as_bytes(), DIRECTORY, files.as_slice())).collect();
    let error = many(&[directory(&folders), files.clone()]);
    assert!(error.ends_with("is one of more than 20000 entries, the limit of a tree"), "{error}");
    let long = [[b'a'; 255], [b'b'; 255]];
    let wide = tower(100, |inner| directory(&[(&long[0], DIRECTORY, inner), (&long[1], DIRECTORY, inner)]));
    let error = many(&wide);
    let message = "is one of entries whose paths have more than 1048576 bytes together, the limit of a tree";
    assert!(error.ends_with(message), "{error}");
}

#[test]
fn a_million_empty_files_in_few_bytes_are_too_many() {
    let names: Vec<_> = (0..1_000).map(|number| format!("{number:03}")).collect();
    let listed = |mode: u8, content: &[u8]| {
        let entries: Vec<_> = names.iter().map(|name| (name.as_bytes(), mode, content)).collect();
        directory(&entries)
    };
    let files = listed(FILE, b"");
    let bytes = Forge::new(&[listed(DIRECTORY, &files), files], b"").bytes();
    assert!(bytes.len() < 100_000);
    let error = open(&bytes, None).map(drop).expect_err("too many").to_string();
    assert!(error.ends_with("is one of more than 500000 entries, the limit of a tree"), "{error}");
}

#[test]
fn an_outline_holds_what_its_tree_needs_and_nothing_else() {
    let inner = directory(&[(b"x", FILE, b"x")]);
    let root = directory(&[(b"d", DIRECTORY, &inner)]);
    let unsound = |forge: Forge, fault: &str| {
        let error = forge.refused();
        assert!(
            error.starts_with("the tree, from byte 98 on, is not sound: ") && error.contains(fault),
            "{error}"
        );
    };
    let needed = format!("the directory or link `{}` is not there when it is needed", Digest::of(&inner));
    unsound(Forge::new(std::slice::from_ref(&root), b"x"), &needed);
    unsound(Forge::new(&[root.clone(), b"other".to_vec(), inner.clone()], b"x"), &needed);
    let unused = "7 bytes belong to no directory and no link";
    unsound(Forge::new(&[root.clone(), inner.clone(), b"???".to_vec()], b"x"), unused);
    let mut short = Forge::new(&[root.clone(), inner.clone()], b"x");
    short.tree.raw_bytes -= 1;
    unsound(short, "it says that it has 109 bytes, stored in 110");
    let mut endless = Forge::new(&[root, inner.clone()], b"x");
    let at = endless.outline.len() - inner.len() - 4;
    endless.outline[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    unsound(endless, &needed);
}
