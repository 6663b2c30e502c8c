//! One more signature, and when there is none.

use std::fs;

use super::*;
use crate::container::Options;
use crate::fixture::{Place, key, open};
use crate::proof::Trusted;
use crate::sign::Quorum;

fn signed_by(path: &Path, keys: &[u8], threshold: u32) -> Result<(), NotTrusted> {
    let quorum = Quorum::new(keys.iter().map(|number| key(*number).public()), threshold).expect("sound");
    let trusted = Trusted::read(File::open(path).expect("there"), &quorum)?;
    trusted.open(None, Limits::default())?.verify().map(drop).map_err(NotTrusted::from)
}

#[test]
fn a_second_signature_is_added_and_all_else_stays() {
    let place = Place::new();
    place.put("app/a", b"some content ".repeat(9_000));
    let capsule = place.capsule("whole.caps");
    signed_by(&capsule, &[1, 2], 2).expect_err("one has signed");
    let before = open(&capsule);
    let signed = countersign(&capsule, &key(2), None).expect("signed");
    assert_eq!((signed.signers.len(), signed.is_new), (2, true));
    signed_by(&capsule, &[1, 2], 2).expect("both have signed");
    let after = open(&capsule);
    assert_eq!(before.attestations(), after.attestations());
    let payload =
        |file: &crate::container::CapsuleFile| Envelope::read(file.manifest()).expect("sound").digest();
    assert_eq!((payload(&before), signed.digest), (payload(&after), payload(&after)));
    assert_eq!(place.names(), [place.path("app"), capsule.clone()]);
    let bytes = fs::read(&capsule).expect("there");
    assert!(!countersign(&capsule, &key(2), None).expect("it has signed").is_new);
    assert!(bytes == fs::read(&capsule).expect("there"), "nothing is written for that");
}

#[test]
fn a_capsule_that_is_not_whole_is_not_signed_and_stays_as_it_is() {
    let place = Place::new();
    place.put("app/a", b"some content ".repeat(9_000));
    let capsule = place.capsule("whole.caps");
    let mut bytes = fs::read(&capsule).expect("there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&capsule, &bytes).expect("written");
    let error = countersign(&capsule, &key(2), None).expect_err("damaged").to_string();
    assert!(error.contains("was changed after it was written"), "{error}");
    assert!(bytes == fs::read(&capsule).expect("there"));
}

#[test]
fn a_manifest_of_other_content_is_not_signed() {
    let place = Place::new();
    place.put("app/a", b"a");
    let one = place.capsule("one.caps");
    place.put("app/a", b"b");
    let draft = crate::container::pack(&place.path("app"), &place.path("two.caps"), &Options::default());
    draft.expect("packed").seal(open(&one).manifest(), open(&one).attestations()).expect("sealed");
    let error = countersign(&place.path("two.caps"), &key(2), None).expect_err("other content").to_string();
    assert!(error.starts_with("the manifest is about the tree `"), "{error}");
}

#[test]
fn a_delta_is_signed_with_its_base_and_stays_a_delta() {
    let place = Place::new();
    place.put("app/a", b"some content ".repeat(9_000));
    let base = place.capsule("base.caps");
    place.put("app/b", b"more");
    let (base, whole) = (open(&base), place.capsule("whole.caps"));
    let target = place.path("delta.caps");
    let options = Options { base: Some(&base), ..Options::default() };
    let draft = crate::container::pack(&place.path("app"), &target, &options).expect("packed");
    draft.seal(open(&whole).manifest(), open(&whole).attestations()).expect("sealed");
    let error = countersign(&target, &key(2), None).expect_err("no base").to_string();
    assert!(error.contains("only holds what changed"), "{error}");
    assert_eq!(countersign(&target, &key(2), Some(&base)).expect("signed").signers.len(), 2);
    assert_eq!(
        Cover::read(File::open(&target).expect("there")).expect("read").base(),
        Some(base.outline().root())
    );
}
