//! Trees that come from elsewhere: level by level, whole or not at all, and within the limits.

use std::time::Duration;

use xyn_store::blobs::FETCHED;

use super::*;

/// Takes `root` into `place` from `elsewhere`; answers how many blobs came at each level.
fn bring(place: &Place, elsewhere: &Memory, root: Digest) -> Result<Vec<usize>, TreeError> {
    let mut arrival = Arrival::of(place.store.blobs(), root, Limits::default());
    let mut came = Vec::new();
    loop {
        let missing = arrival.missing()?;
        came.push(missing.len());
        for one in &missing {
            assert!(one.limit_bytes() >= elsewhere[&one.digest].len() as u64);
            place.store.blobs().put(&elsewhere[&one.digest]).expect("there is room");
        }
        if !arrival.descend()? {
            break;
        }
    }
    arrival.finish(FETCHED)?;
    Ok(came)
}

fn sweep(place: &Place) {
    for now in [1, 2, 3] {
        place.store.blobs().sweep([], Timestamp::from_micros(now), Duration::ZERO).expect("swept");
    }
}

fn deep() -> Sketch {
    sketch(&[("a", "1"), ("b/c", "2"), ("b/same", "1"), ("b/d/e", "3"), ("nothing", "")])
}

#[test]
fn a_tree_comes_level_by_level_each_blob_once_and_stays_until_it_is_released() {
    let (place, mut elsewhere) = (Place::new(), Memory::new());
    let root = build(&mut elsewhere, &deep());
    // The root; `a` and `b`, but not what is empty; `b/c` and `b/d`, but not what is as `a`; `b/d/e`.
    assert_eq!(bring(&place, &elsewhere, root).expect("sound"), [1, 2, 2, 1]);
    sweep(&place);
    assert_eq!(sketch_of(place.store.blobs(), &root), deep());
    assert_eq!(place.store.blobs().held(FETCHED).expect("reads"), [root]);
    assert!(place.store.blobs().is_shared(&root).expect("reads"), "others may have it from here");
    assert_eq!(bring(&place, &elsewhere, root).expect("sound"), [0], "it is here");
    place.store.blobs().release(&root, FETCHED).expect("releases");
    sweep(&place);
    assert_eq!(place.store.blobs().used_bytes(), 0);
}

#[test]
fn of_a_tree_that_resembles_one_that_is_here_only_the_rest_comes() {
    let (place, mut elsewhere) = (Place::new(), Memory::new());
    let root = build(&mut elsewhere, &deep());
    bring(&place, &elsewhere, root).expect("sound");
    let mut changed = deep();
    changed.insert("b/c".into(), Thing::File(b"another".to_vec()));
    let next = build(&mut elsewhere, &changed);
    assert_eq!(bring(&place, &elsewhere, next).expect("sound"), [1, 1, 1]);
    place.store.blobs().release(&root, FETCHED).expect("releases");
    sweep(&place);
    assert_eq!(sketch_of(place.store.blobs(), &next), changed, "what both have is held by the other");
}

#[test]
fn what_came_of_a_tree_that_is_not_whole_leads_nowhere_and_is_kept_while_it_comes() {
    let (place, mut elsewhere) = (Place::new(), Memory::new());
    let root = build(&mut elsewhere, &deep());
    let blobs = place.store.blobs();
    let mut arrival = Arrival::of(blobs, root, Limits::default());
    for _ in 0..2 {
        for one in arrival.missing().expect("reads") {
            blobs.put(&elsewhere[&one.digest]).expect("there is room");
        }
        assert!(arrival.descend().expect("sound"));
    }
    sweep(&place);
    assert!(blobs.has(&root).expect("reads") && blobs.links(&root).expect("reads").is_empty());
    assert!(!blobs.is_shared(&root).expect("reads"), "nobody is given half of it");
    let left: Vec<_> =
        arrival.missing().expect("reads").into_iter().map(|one| one.path.to_string()).collect();
    assert_eq!(left, ["b/c", "b/d"], "the next goes on from there");
    drop(arrival);
    sweep(&place);
    assert_eq!(blobs.used_bytes(), 0);
}

#[test]
fn a_tree_that_lies_or_is_too_large_is_refused_before_more_of_it_comes() {
    let (place, mut elsewhere) = (Place::new(), Memory::new());
    let file = Digest::of(b"1");
    let entry = Entry { mode: Mode::File, digest: file, size_bytes: 7 };
    let directory = Directory::new([("a".parse().expect("a name"), entry)].into()).expect("sound").encode();
    let root = Digest::of(&directory);
    elsewhere.insert(root, directory);
    elsewhere.insert(file, b"1".to_vec());
    place.put(&elsewhere);
    let mut arrival = Arrival::of(place.store.blobs(), root, Limits::default());
    assert!(arrival.missing().expect("reads").is_empty() && arrival.descend().expect("sound"));
    let lie = arrival.missing().expect_err("it has one byte");
    assert!(matches!(lie, TreeError::Length { said: 7, found: 1, .. }), "{lie}");

    let root = build(&mut elsewhere, &deep());
    place.put(&elsewhere);
    let whole = Limits::default();
    for limits in
        [Limits { depth: 1, ..whole }, Limits { entries: 2, ..whole }, Limits { total_bytes: 1, ..whole }]
    {
        let mut arrival = Arrival::of(place.store.blobs(), root, limits);
        let refused = loop {
            assert!(arrival.missing().expect("reads").is_empty());
            match arrival.descend() {
                Ok(true) => {}
                other => break other,
            }
        };
        assert!(matches!(refused, Err(TreeError::Limit { .. })), "{refused:?}");
    }
    let no_directory = place.store.blobs().put(b"no directory").expect("there is room");
    let mut arrival = Arrival::of(place.store.blobs(), no_directory, whole);
    assert!(arrival.missing().expect("reads").is_empty());
    assert!(arrival.descend().is_err());
}
