//! What holds for all trees.

use proptest::prelude::*;

use super::*;

fn things() -> impl Strategy<Value = Thing> {
    let lines = proptest::collection::vec("[a-c]", 0..5).prop_map(|lines| lines.join("\n").into_bytes());
    prop_oneof![
        6 => lines.clone().prop_map(Thing::File),
        1 => lines.prop_map(Thing::Program),
        1 => "[ab]{1,2}".prop_map(Thing::Link),
        1 => Just(Thing::Folder),
    ]
}

/// Sketches over few names, so that they meet; what lies in what is no folder is left out.
fn sketches() -> impl Strategy<Value = Sketch> {
    proptest::collection::btree_map("[aAb](/[ab](/[ab])?)?", things(), 0..8).prop_map(|mut sketch| {
        let paths: Vec<_> = sketch.keys().cloned().collect();
        for path in &paths {
            let inside = format!("{path}/");
            if paths.iter().any(|other| other.starts_with(&inside)) {
                sketch.remove(path);
            }
        }
        // Names that only cases tell apart stand in no sound directory.
        if sketch.keys().any(|path| path.starts_with('a')) {
            sketch.retain(|path, _| !path.starts_with('A'));
        }
        sketch
    })
}

/// Three trees, of which two are often much like the first.
fn threes() -> impl Strategy<Value = [Sketch; 3]> {
    (sketches(), sketches(), sketches(), 0_u8..3).prop_map(|(base, mut one, mut other, likeness)| {
        if likeness > 0 {
            for side in [&mut one, &mut other] {
                let mut like = base.clone();
                for (path, thing) in side.iter().take(usize::from(likeness)) {
                    if like.contains_key(path) {
                        like.insert(path.clone(), thing.clone());
                    }
                }
                *side = like;
            }
        }
        [base, one, other]
    })
}

fn diffs(shelf: &dyn Shelf, before: &Digest, after: &Digest) -> Vec<Difference> {
    diff(shelf, before, after, Limits::default()).expect("compared")
}

fn merges(shelf: &dyn Shelf, [base, ours, theirs]: [Digest; 3], favour: Side) -> Merged {
    merge(shelf, &base, &ours, &theirs, favour, Limits::default()).expect("merged")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_is_what_it_was_made_of(sketch in sketches()) {
        let mut memory = Memory::new();
        let root = build(&mut memory, &sketch);
        prop_assert_eq!(sketch_of(&memory, &root), sketch);
    }

    #[test]
    fn a_merge_with_what_did_not_change_is_the_other_side([base, one, _] in threes()) {
        let mut memory = Memory::new();
        let [base, one] = [base, one].map(|sketch| build(&mut memory, &sketch));
        for three in [[base, one, base], [base, base, one], [base, one, one]] {
            let merged = merges(&memory, three, Side::Ours);
            prop_assert_eq!((merged.root, merged.conflicts), (one, vec![]));
        }
    }

    #[test]
    fn a_merge_is_the_same_from_either_side(three in threes()) {
        let mut memory = Memory::new();
        let [base, one, other] = three.map(|sketch| build(&mut memory, &sketch));
        for (favour, turned) in [(Side::Ours, Side::Theirs), (Side::Theirs, Side::Ours)] {
            let merged = merges(&memory, [base, one, other], favour);
            let mut mirror = merges(&memory, [base, other, one], turned);
            for conflict in &mut mirror.conflicts {
                std::mem::swap(&mut conflict.ours, &mut conflict.theirs);
            }
            prop_assert_eq!(merged, mirror);
        }
    }

    #[test]
    fn without_a_conflict_it_does_not_matter_who_is_favoured(three in threes()) {
        let mut memory = Memory::new();
        let three = three.map(|sketch| build(&mut memory, &sketch));
        let [ours, theirs] = [Side::Ours, Side::Theirs].map(|favour| merges(&memory, three, favour));
        prop_assert_eq!(ours.conflicts.is_empty(), theirs.conflicts.is_empty());
        if ours.conflicts.is_empty() {
            prop_assert_eq!(ours.root, theirs.root);
        }
    }

    #[test]
    fn changes_of_different_paths_commute(base in sketches(), one in sketches(), other in sketches()) {
        // One changes below `x`, the other below `y`.
        let at = |part: &str, sketch: &Sketch| -> Sketch {
            sketch.iter().map(|(path, thing)| (format!("{part}/{path}"), thing.clone())).collect()
        };
        let both = |x: &Sketch, y: &Sketch| -> Sketch { at("x", x).into_iter().chain(at("y", y)).collect() };
        let mut memory = Memory::new();
        // Where nothing is left, the folder itself is gone: then it is a change of the tree, not below it.
        prop_assume!(![&base, &one, &other].iter().any(|sketch| sketch.is_empty()));
        let three = [both(&base, &base), both(&one, &base), both(&base, &other)].map(|sketch| build(&mut memory, &sketch));
        let expected = build(&mut memory, &both(&one, &other));
        let merged = merges(&memory, three, Side::Ours);
        prop_assert_eq!((merged.root, merged.conflicts), (expected, vec![]));
    }

    #[test]
    fn what_a_diff_says_makes_one_tree_of_the_other([_, one, other] in threes()) {
        let mut memory = Memory::new();
        let [before, after] = [&one, &other].map(|sketch| build(&mut memory, sketch));
        let differences = diffs(&memory, &before, &after);
        prop_assert_eq!(differences.is_empty(), before == after);
        let mut patched = one;
        for difference in &differences {
            patched.remove(&difference.from.as_ref().unwrap_or(&difference.path).to_string());
            if difference.from.is_none() && difference.before.is_some() {
                patched.remove(&difference.path.to_string());
            }
        }
        for difference in differences.iter().filter(|difference| difference.after.is_some()) {
            let path = difference.path.to_string();
            patched.insert(path.clone(), other[&path].clone());
        }
        prop_assert_eq!(patched, other);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_folder_becomes_any_tree_and_is_taken_as_that_tree(
        one in sketches(),
        other in sketches(),
    ) {
        let place = Place::with(&one);
        let first = place.take().expect("taken").root;
        prop_assert_eq!(sketch_of(place.store.blobs(), &first), one);
        let mut memory = Memory::new();
        let second = build(&mut memory, &other);
        place.put(&memory);
        place.restore(&Wish { base: Some(first), remove: true, ..wish(second) }).expect("restored");
        prop_assert_eq!(place.take().expect("taken").root, second);
    }
}

#[test]
fn a_diff_names_each_change_and_finds_what_was_moved() {
    let mut one =
        sketch(&[("a", "1"), ("gone", "x"), ("old/name", "moved"), ("old/same", "twin"), ("p", "run")]);
    one.insert("e/f".into(), Thing::Folder);
    let mut other = sketch(&[("a", "2"), ("new/thing", "moved"), ("other/same", "twin"), ("z", "twin")]);
    other.insert("p".into(), Thing::Program(b"run".to_vec()));
    other.insert("e/g".into(), Thing::Folder);
    let mut memory = Memory::new();
    let [before, after] = [one, other].map(|sketch| build(&mut memory, &sketch));
    let told: Vec<_> = diffs(&memory, &before, &after)
        .iter()
        .map(|difference| {
            let from = difference.from.as_ref().map(|from| format!("{from} -> ")).unwrap_or_default();
            format!("{} {from}{}", difference.change().as_str(), difference.path)
        })
        .collect();
    assert_eq!(
        told,
        [
            "changed a",
            "removed e/f",
            "added e/g",
            "removed gone",
            "renamed old/name -> new/thing",
            "renamed old/same -> other/same",
            "mode p",
            "added z",
        ]
    );
}
