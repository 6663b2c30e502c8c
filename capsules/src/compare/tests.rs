//! Two capsules side by side.

use super::*;
use crate::fixture::{Place, open};

const BEFORE: &str = r#"{"id": "shop", "name": "The shop", "version": "1.0.0",
    "seeds": [{"name": "rows", "type": "sql", "path": "rows.sql"}, {"name": "old", "type": "files", "path": "a"}]}"#;
const AFTER: &str = r#"{"id": "shop", "name": "The big shop", "version": "1.1.0", "rights": {"license": "MIT"},
    "seeds": [{"name": "rows", "type": "sql", "path": "rows.sql"}]}"#;

fn two(place: &Place) -> (CapsuleFile, CapsuleFile) {
    place.put("one/a", b"a");
    place.put("one/moved", b"content that is moved");
    place.put("one/rows.sql", b"select 1;");
    place.put("one/requirements.txt", b"flask==3.0.0\ngone==1.0\n");
    let one = open(&place.sealed("one", "one.caps", BEFORE, None));
    place.put("two/a", b"aa");
    place.put("two/to", b"content that is moved");
    place.put("two/rows.sql", b"select 2;");
    place.put("two/requirements.txt", b"flask==3.1.0\nnew==1.0\n");
    let parent = Edition::of(&one).expect("sound");
    let two = open(&place.sealed("two", "two.caps", AFTER, Some(&parent)));
    drop(parent);
    (one, two)
}

fn compared(one: &CapsuleFile, two: &CapsuleFile) -> Comparison {
    let [one, two] = [one, two].map(|file| Edition::of(file).expect("sound"));
    compare(&one, &two, Limits::default()).expect("compared")
}

#[test]
fn files_fields_packages_and_seeds_that_differ_are_told() {
    let place = Place::new();
    let (one, two) = two(&place);
    let found = compared(&one, &two);
    let files: Vec<_> = found.files.iter().map(|file| (file.path.as_str(), file.change().as_str())).collect();
    let expected =
        [("a", "changed"), ("requirements.txt", "changed"), ("rows.sql", "changed"), ("to", "renamed")];
    assert_eq!(files, expected);
    let fields: Vec<_> = found.fields.iter().map(|field| field.place.as_str()).collect();
    assert_eq!(fields, ["/generation", "/id", "/name", "/rights/license", "/seeds", "/version"]);
    let packages: Vec<_> = found.packages.keys().map(String::as_str).collect();
    assert_eq!(packages, ["pkg:pypi/flask", "pkg:pypi/gone", "pkg:pypi/new"]);
    let seeds: Vec<_> = found.seeds.iter().map(|seed| (seed.name.as_str(), seed.after.is_some())).collect();
    assert_eq!(seeds, [("old", false), ("rows", true)]);
    assert!(compared(&two, &two).is_empty());
}

#[test]
fn a_capsule_says_signed_what_it_changes_of_its_parent() {
    let place = Place::new();
    let (one, two) = two(&place);
    let said = two.attestations().iter().find_map(|bytes| {
        let envelope = Envelope::read(bytes).expect("sound");
        Statement::<DiffSummary>::read(envelope.unverified()).ok()
    });
    let said = said.expect("it has a parent");
    assert_eq!(said.subject.tree, two.outline().root());
    assert_eq!(said.predicate, compared(&one, &two).summary(one.outline().root()));
    let FileChanges { added, removed, changed } = said.predicate.files;
    assert_eq!((added, removed, changed), (0, 0, 4));
    let flask = ("3.0.0".to_owned(), "3.1.0".to_owned());
    assert_eq!(said.predicate.packages.changed.get("pkg:pypi/flask"), Some(&flask));
    assert!(Edition::of(&two).expect("sound").manifest.attestations.len() == 3);
}

#[test]
fn what_a_stranger_calls_a_package_moves_no_cursor() {
    let place = Place::new();
    let (_, file) = two(&place);
    let bill = serde_json::json!({
        "bomFormat": "CycloneDX", "components": [{ "purl": "pkg:x/\u{1b}[2J\u{202e}@1" }],
    });
    let bill = bill.as_object().cloned().expect("an object");
    let before = Edition { packages: None, ..Edition::of(&file).expect("sound") };
    let after = Edition { packages: Some(Sbom(bill)), ..Edition::of(&file).expect("sound") };
    let found = compare(&before, &after, Limits::default()).expect("compared");
    let summary = found.summary(before.manifest.tree);
    let name = summary.packages.added.keys().next().expect("one came");
    assert_eq!(name, "pkg:x/\\u{1b}[2J\\u{202e}");
}
