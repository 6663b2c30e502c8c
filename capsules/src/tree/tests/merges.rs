//! Merges of trees, case by case.

use super::*;

/// What came of a merge: the tree, and what clashed where.
type Outcome = (Sketch, Vec<(String, Clash)>);

fn merged(base: &Sketch, ours: &Sketch, theirs: &Sketch, favour: Side) -> Outcome {
    let mut memory = Memory::new();
    let [base, ours, theirs] = [base, ours, theirs].map(|sketch| build(&mut memory, sketch));
    let merged = merge(&memory, &base, &ours, &theirs, favour, Limits::default()).expect("merged");
    let blobs = merged.blobs();
    let sketch = sketch_of(&Overlay { above: &blobs, below: &memory }, &merged.root);
    let conflict = |conflict: &Conflict| (conflict.path.to_string(), conflict.clash);
    (sketch, merged.conflicts.iter().map(conflict).collect())
}

fn ours(base: &[(&str, &str)], ours: &[(&str, &str)], theirs: &[(&str, &str)]) -> Outcome {
    merged(&sketch(base), &sketch(ours), &sketch(theirs), Side::Ours)
}

fn clean(files: &[(&str, &str)]) -> Outcome {
    (sketch(files), Vec::new())
}

#[test]
fn what_only_one_side_did_is_done() {
    let base = [("a", "1"), ("b/c", "1"), ("b/d", "1")];
    let one = [("a", "2"), ("b/c", "1"), ("b/d", "1"), ("new/x", "1")];
    let other = [("a", "1"), ("b/d", "1"), ("b/e", "3")];
    assert_eq!(ours(&base, &one, &other), clean(&[("a", "2"), ("b/d", "1"), ("b/e", "3"), ("new/x", "1")]));
    assert_eq!(ours(&base, &one, &one), clean(&one));
}

#[test]
fn different_lines_of_one_text_come_together_with_a_new_mode() {
    let text = |text: &str| Sketch::from([("x/t".to_owned(), Thing::File(text.as_bytes().to_vec()))]);
    let base = text("a\nb\nc\nd\n");
    let program = Sketch::from([("x/t".to_owned(), Thing::Program(b"A\nb\nc\nd\n".to_vec()))]);
    let (sketch, conflicts) = merged(&base, &program, &text("a\nb\nc\nD\n"), Side::Ours);
    assert_eq!(sketch, Sketch::from([("x/t".to_owned(), Thing::Program(b"A\nb\nc\nD\n".to_vec()))]));
    assert!(conflicts.is_empty());
}

#[test]
fn each_clash_is_named_and_shows_what_the_favoured_side_has() {
    let link = |to: &str| Sketch::from([("p".to_owned(), Thing::Link(to.into()))]);
    let file = |text: &str| sketch(&[("p", text)]);
    let program = |text: &str| Sketch::from([("p".to_owned(), Thing::Program(text.into()))]);
    let none = Sketch::new();
    let cases = [
        ("same lines", file("a"), file("b"), file("c"), Clash::Content),
        ("both new", none.clone(), file("b"), file("c"), Clash::Content),
        ("no text", file("\0"), file("\0a"), file("\0b"), Clash::Content),
        ("links", link("a"), link("b"), link("c"), Clash::Content),
        ("gone", file("a"), none.clone(), file("b"), Clash::Removed),
        ("link or file", file("a"), link("x"), file("b"), Clash::Shape),
        ("folder or file", file("a"), sketch(&[("p/q", "x")]), file("b"), Clash::Shape),
        ("new modes", none, file("a"), program("a"), Clash::Mode),
    ];
    for (case, base, one, other, clash) in cases {
        let expected = vec![("p".to_owned(), clash)];
        assert_eq!(merged(&base, &one, &other, Side::Ours), (one.clone(), expected.clone()), "{case}");
        assert_eq!(merged(&base, &one, &other, Side::Theirs), (other.clone(), expected.clone()), "{case}");
        assert_eq!(merged(&base, &other, &one, Side::Ours), (other, expected), "{case}");
    }
}

#[test]
fn a_removed_folder_keeps_what_the_other_side_did_in_it() {
    let base = [("d/a", "1"), ("d/b", "1")];
    assert_eq!(ours(&base, &[], &[("d/a", "1"), ("d/b", "1"), ("d/new", "2")]), clean(&[("d/new", "2")]));
    let (kept, conflicts) = ours(&base, &[], &[("d/a", "1"), ("d/b", "2")]);
    assert_eq!((kept, conflicts), (Sketch::new(), vec![("d/b".to_owned(), Clash::Removed)]));
}

#[test]
fn a_folder_that_both_emptied_stays_and_one_that_a_side_removed_goes() {
    let base = sketch(&[("d/a", "1"), ("d/b", "1")]);
    let (one, other) = (sketch(&[("d/a", "1")]), sketch(&[("d/b", "1")]));
    let empty = Sketch::from([("d".to_owned(), Thing::Folder)]);
    assert_eq!(merged(&base, &one, &other, Side::Ours), (empty, Vec::new()));
    assert_eq!(merged(&base, &one, &Sketch::new(), Side::Ours), (Sketch::new(), Vec::new()));
}

#[test]
fn names_that_only_cases_tell_apart_do_not_go_together() {
    let (one, other) = (sketch(&[("d/README", "1")]), sketch(&[("d/readme", "2")]));
    let conflict = |name: &str| vec![(format!("d/{name}"), Clash::Names)];
    assert_eq!(merged(&Sketch::new(), &one, &other, Side::Ours), (one.clone(), conflict("README")));
    assert_eq!(merged(&Sketch::new(), &one, &other, Side::Theirs), (other, conflict("readme")));
}

#[test]
fn what_a_merge_made_stays_in_a_store() {
    let mut memory = Memory::new();
    let [base, one, other] = [
        sketch(&[("d/t", "a\nb\nc\n"), ("x", "1")]),
        sketch(&[("d/t", "A\nb\nc\n"), ("x", "1")]),
        sketch(&[("d/t", "a\nb\nC\n"), ("x", "1")]),
    ]
    .map(|sketch| build(&mut memory, &sketch));
    let place = Place::new();
    place.put(&memory);
    let blobs = place.store.blobs();
    let merged = merge(blobs, &base, &one, &other, Side::Ours, Limits::default()).expect("merged");
    let root = merged.keep(blobs).expect("kept");
    for now in [1, 2, 3] {
        blobs.sweep([root], Timestamp::from_micros(now), std::time::Duration::ZERO).expect("swept");
    }
    assert_eq!(sketch_of(blobs, &root), sketch(&[("d/t", "A\nb\nC\n"), ("x", "1")]));
}
