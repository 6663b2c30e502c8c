//! Folders go into the store and come out again.

use std::io::Write;

use super::*;

fn mixed() -> Sketch {
    let mut mixed = sketch(&[("readme", "hello"), ("src/main.rs", "fn main() {}\n"), ("src/deep/er/x", "")]);
    mixed.insert("run".into(), Thing::Program(b"#!/bin/sh\n".to_vec()));
    mixed.insert("src/link".into(), Thing::Link("../readme".into()));
    mixed.insert("empty/folder".into(), Thing::Folder);
    mixed.insert(
        "large".into(),
        Thing::File((0..3_000_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect()),
    );
    mixed
}

#[test]
fn a_folder_comes_back_as_it_was() {
    let place = Place::with(&mixed());
    let taken = place.take().expect("taken");
    assert_eq!((taken.files, taken.skipped, taken.reused), (5, 0, 0));
    assert_eq!(sketch_of(place.store.blobs(), &taken.root), mixed());
    let other = place.beside();
    let done = other.restore(&wish(taken.root)).expect("restored");
    assert_eq!((done.written, done.removed, done.size_bytes), (6, 0, taken.size_bytes));
    assert_eq!(other.sketch(), mixed());
    assert_eq!(other.take().expect("taken").root, taken.root);
    assert_eq!(other.restore(&wish(taken.root)).expect("nothing to do"), Restored::default());
}

#[test]
fn the_same_content_has_the_same_root_wherever_it_is_kept() {
    let (one, other) = (Place::with(&mixed()), Place::with(&mixed()));
    assert_eq!(one.take().expect("taken").root, other.take().expect("taken").root);
    let mut memory = Memory::new();
    assert_eq!(build(&mut memory, &mixed()), one.take().expect("taken").root);
    assert_eq!(Place::new().take().expect("taken").root, Directory::empty());
}

#[test]
fn only_what_changed_is_read_again() {
    let place = Place::with(&mixed());
    let first = place.take().expect("taken");
    let again = place.take_again(&first.seen).expect("taken");
    assert_eq!((again.root, again.reused), (first.root, 5));
    fs::write(place.dir.join("readme"), "HELLO").expect("written");
    let changed = place.take_again(&Seen::decode(&again.seen.encode())).expect("taken");
    assert_eq!((changed.reused, changed.files), (4, 5));
    assert_eq!(changed.root, place.take().expect("taken").root);
    assert_ne!(changed.root, first.root);
}

#[test]
fn a_file_that_changed_just_now_is_read_again() {
    let place = Place::with(&sketch(&[("a", "1")]));
    let now = Timestamp::from_micros(
        fs::metadata(place.dir.join("a"))
            .expect("there")
            .modified()
            .expect("known")
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970")
            .as_micros() as i64,
    );
    let first =
        snapshot(place.store.blobs(), &place.dir, &Seen::default(), now, Limits::default()).expect("taken");
    assert!(first.seen.is_empty(), "the file may change again within the same tick of its clock");
}

#[test]
fn what_was_seen_is_forgotten_with_the_store_that_held_it_or_when_it_is_damaged() {
    let place = Place::with(&mixed());
    let seen = place.take().expect("taken").seen;
    let other = Place::new();
    fs::write(place.dir.join("readme"), "HELLO").expect("written");
    let taken = snapshot(other.store.blobs(), &place.dir, &seen, later(), Limits::default());
    let taken = taken.expect("taken anew");
    assert_eq!((taken.reused, sketch_of(other.store.blobs(), &taken.root).len()), (0, mixed().len()));
    let mut bytes = seen.encode();
    assert_eq!(Seen::decode(&bytes), seen);
    bytes[50] ^= 1;
    assert!(Seen::decode(&bytes).is_empty() && Seen::decode(b"").is_empty());
}

#[test]
fn ignored_files_and_repositories_are_left_out() {
    let place = Place::with(&sketch(&[
        (".gitignore", "*.log\n/target/\n!keep.log\n"),
        (".git/config", "secret"),
        ("sub/.git", "gitdir: elsewhere"),
        ("sub/.xynignore", "secret\n!b.log\n"),
        ("sub/a.log", "x"),
        ("sub/b.log", "x"),
        ("sub/keep.log", "x"),
        ("sub/secret/key", "x"),
        ("sub/target/y", "x"),
        ("target/x", "x"),
        (".xyn-partial", "x"),
    ]));
    let names: Vec<_> = place.sketch().into_keys().collect();
    assert_eq!(names, [".gitignore", "sub/.xynignore", "sub/b.log", "sub/keep.log", "sub/target/y"]);
}

#[test]
fn what_no_tree_holds_is_skipped_or_refused_by_its_path() {
    let place = Place::with(&sketch(&[("a/b", "x")]));
    let socket = std::os::unix::net::UnixListener::bind(place.dir.join("a/socket")).expect("bound");
    assert_eq!(place.take().expect("taken").skipped, 1);
    drop(socket);
    let refused = |path: &str, thing: Thing| {
        write(&place.dir, &Sketch::from([(path.to_owned(), thing)]));
        let error = place.take().expect_err("refused").to_string();
        let path = place.dir.join(path);
        fs::remove_file(&path).expect("removed");
        error
    };
    let link = |to: &str| Thing::Link(to.into());
    assert!(
        refused("a/out", link("/etc/passwd")).starts_with("`a/out`: no tree holds this link: it leads out")
    );
    assert!(refused("a/up", link("../../x")).contains("leads out of the tree"));
    assert!(refused("a/aux.c", Thing::File(vec![])).starts_with("`a`: the name `aux.c` is reserved"));
    assert!(refused("a/B", Thing::File(vec![])).contains("`B` and `b` are one name"));
    let missing =
        snapshot(place.store.blobs(), &place.dir.join("no"), &Seen::default(), later(), Limits::default());
    assert!(matches!(missing, Err(TreeError::NoFolder(_))));
}

#[test]
fn a_folder_over_a_limit_is_refused_by_the_path_that_is_too_much() {
    let place = Place::with(&sketch(&[("a/b/c", "12345"), ("d", "12345")]));
    let limits = Limits { depth: 3, entries: 4, path_bytes: 20, file_bytes: 5, total_bytes: 10 };
    let take = |limits| snapshot(place.store.blobs(), &place.dir, &Seen::default(), later(), limits);
    let root = take(limits).expect("just fits").root;
    let list = |limits| list(place.store.blobs(), &root, limits).map(|_| ());
    list(limits).expect("just fits");
    for (limits, message) in [
        (Limits { depth: 2, ..limits }, "`a/b/c` is more than 2 directories deep"),
        (Limits { entries: 3, ..limits }, "`d` is one of more than 3 entries"),
        (Limits { file_bytes: 4, ..limits }, "`a/b/c` is larger than 4 bytes"),
        (Limits { total_bytes: 9, ..limits }, "`d` is one of files of more than 9 bytes together"),
    ] {
        assert!(take(limits).expect_err("too much").to_string().starts_with(message), "{message}");
        assert!(list(limits).expect_err("too much").to_string().starts_with(message), "{message}");
    }
}

#[test]
fn what_a_snapshot_kept_is_swept_when_nobody_keeps_its_tree() {
    let place = Place::with(&mixed());
    place.take().expect("taken");
    assert!(place.store.blobs().used_bytes() > 1_000);
    let grace = std::time::Duration::ZERO;
    for now in [1, 2] {
        place.store.blobs().sweep([], Timestamp::from_micros(now), grace).expect("swept");
    }
    assert_eq!(place.store.blobs().used_bytes(), 0);
}

#[test]
fn all_of_a_tree_stays_as_long_as_its_root_does() {
    let place = Place::with(&mixed());
    let root = place.take().expect("taken").root;
    for now in [1, 2, 3] {
        place
            .store
            .blobs()
            .sweep([root], Timestamp::from_micros(now), std::time::Duration::ZERO)
            .expect("swept");
    }
    assert_eq!(sketch_of(place.store.blobs(), &root), mixed());
}

#[test]
fn a_local_change_is_not_overwritten_unless_forced() {
    let place = Place::with(&sketch(&[("a", "1"), ("b", "1"), ("c", "1")]));
    let old = place.take().expect("taken").root;
    write(&place.dir, &sketch(&[("a", "2"), ("b", "2"), ("d", "2")]));
    let new = place.take().expect("taken").root;
    write(&place.dir, &sketch(&[("a", "mine"), ("new", "mine")]));
    let wish = Wish { base: Some(new), ..wish(old) };
    let refused = place.restore(&wish).expect_err("a change would be lost");
    assert_eq!(refused.to_string(), "a change would be lost, which is in no snapshot: `a`");
    assert_eq!(fs::read(place.dir.join("b")).expect("there"), b"2", "nothing was done");
    let done = place.restore(&Wish { force: true, ..wish }).expect("restored");
    assert_eq!((done.written, done.removed), (2, 0));
    assert_eq!(place.sketch(), sketch(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "2"), ("new", "mine")]));
}

#[test]
fn what_the_tree_has_not_goes_only_when_asked_and_only_when_it_is_kept() {
    let place = Place::with(&sketch(&[("a", "1"), (".gitignore", "out\n")]));
    let old = place.take().expect("taken").root;
    write(&place.dir, &sketch(&[("x/y/z", "2"), ("x/out", "built")]));
    let new = place.take().expect("taken").root;
    write(&place.dir, &sketch(&[("x/mine", "3")]));
    let wish = Wish { base: Some(new), remove: true, ..wish(old) };
    assert_eq!(
        place.restore(&wish).expect_err("kept nowhere").to_string(),
        "a change would be lost, which is in no snapshot: `x/mine`"
    );
    fs::remove_file(place.dir.join("x/mine")).expect("removed");
    place.restore(&wish).expect("restored");
    assert!(!place.dir.join("x/y").exists());
    assert_eq!(fs::read(place.dir.join("x/out")).expect("what is ignored stays"), b"built");
}

#[test]
fn an_ignored_file_in_the_way_counts_as_a_change() {
    let place = Place::with(&sketch(&[("out", "kept")]));
    let root = place.take().expect("taken").root;
    write(&place.dir, &sketch(&[("out", "built"), (".gitignore", "out\n")]));
    assert!(
        matches!(place.restore(&wish(root)), Err(TreeError::Unsaved(paths)) if paths == ["out".parse().expect("a path")])
    );
}

#[test]
fn files_folders_and_links_take_each_others_place() {
    let mut one = sketch(&[("a", "file"), ("b/c/d", "deep"), ("e", "x")]);
    one.insert("l".into(), Thing::Link("b".into()));
    let mut other = sketch(&[("a/x/y", "deep"), ("b", "file"), ("l/z", "real")]);
    other.insert("e".into(), Thing::Program(b"x".to_vec()));
    let place = Place::with(&one);
    let first = place.take().expect("taken").root;
    let mut memory = Memory::new();
    let second = build(&mut memory, &other);
    place.put(&memory);
    place.restore(&Wish { base: Some(first), remove: true, ..wish(second) }).expect("there");
    assert_eq!(place.sketch(), other);
    place.restore(&Wish { base: Some(second), remove: true, ..wish(first) }).expect("and back");
    assert_eq!(place.sketch(), one);
}

#[test]
fn a_pipe_or_a_full_ignored_folder_in_the_way_is_named() {
    let place = Place::new();
    let mut memory = Memory::new();
    let root = build(&mut memory, &sketch(&[("s", "x")]));
    place.put(&memory);
    let socket = std::os::unix::net::UnixListener::bind(place.dir.join("s")).expect("bound");
    assert_eq!(
        place.restore(&wish(root)).expect_err("in the way").to_string(),
        "`s` is in the way; move it elsewhere"
    );
    drop(socket);
    fs::remove_file(place.dir.join("s")).expect("removed");
    write(&place.dir, &sketch(&[("s/.gitignore", "x\n"), ("s/x", "built")]));
    let base = place.take().expect("taken").root;
    let wish = Wish { base: Some(base), force: true, ..wish(root) };
    assert!(matches!(place.restore(&wish), Err(TreeError::InTheWay(_))));
    assert_eq!(fs::read(place.dir.join("s/x")).expect("stays"), b"built");
}

#[test]
fn what_a_crash_left_half_written_is_no_part_of_a_tree_and_in_nobodys_way() {
    let place = Place::with(&sketch(&[("a", "1")]));
    let root = place.take().expect("taken").root;
    fs::File::create(place.dir.join(".xyn-partial")).expect("made").write_all(b"half").expect("written");
    fs::remove_file(place.dir.join("a")).expect("removed");
    place.restore(&wish(root)).expect("restored");
    assert_eq!(place.take().expect("taken").root, root);
    assert!(!place.dir.join(".xyn-partial").exists());
}
