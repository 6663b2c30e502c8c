//! Proving a capsule, against whoever makes, changes or swaps it.

use std::fs::{self, File};
use std::path::Path;

use super::*;
use crate::container::{Options, pack};
use crate::fixture::{Place, key, open};
use crate::sign::{Quorum, Statement, Subject, seal};

fn read(path: &Path) -> Result<Trusted<File>, NotTrusted> {
    Trusted::read(File::open(path).expect("there"), &Quorum::one(key(1).public()))
}

/// What is said of the capsule at `path`.
fn refused(path: &Path) -> String {
    read(path).err().expect("refused").to_string()
}

fn rebuild(tree: Digest) -> Rebuild {
    let at = "2026-11-21T12:00:00Z".parse().expect("an instant");
    Rebuild {
        expected: tree,
        found: tree,
        different: Vec::new(),
        replayed: Vec::new(),
        sandbox: "x".into(),
        started_at: at,
        finished_at: at,
    }
}

/// That the tree was built again, said by key `signer`.
fn claim(about: Digest, signer: u8) -> Vec<u8> {
    let subject = Subject { name: "shop".parse().expect("a line"), tree: about };
    seal(&Statement { subject, predicate: rebuild(about) }, &key(signer)).expect("sound").to_bytes()
}

/// The capsule at `path` with other attestations.
fn with(place: &Place, path: &Path, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> std::path::PathBuf {
    let cover = Cover::read(File::open(path).expect("there")).expect("a capsule");
    let (manifest, mut attestations) = (cover.manifest().to_vec(), cover.attestations().to_vec());
    change(&mut attestations);
    let target = place.path("changed.caps");
    cover.seal_again(&manifest, &attestations, &target).expect("sealed");
    target
}

fn shop(place: &Place) -> std::path::PathBuf {
    place.put("app/a", b"content");
    place.capsule("whole.caps")
}

#[test]
fn what_is_swapped_behind_the_proof_is_not_what_is_laid_out() {
    let place = Place::new();
    let capsule = shop(&place);
    let trusted = read(&capsule).expect("signed");
    place.put("evil/a", b"evil");
    fs::rename(place.sealed("evil", "evil.caps", crate::fixture::SHOP, None), &capsule).expect("swapped");
    let out = place.path("out");
    trusted.open(None, Limits::default()).expect("opens").unpack(&out).expect("laid out");
    assert_eq!(fs::read(out.join("a")).expect("there"), b"content", "one open file is proved and laid out");
    // Written over in place, it is no longer what was signed.
    let trusted = read(&place.capsule("second.caps")).expect("signed");
    let mut bytes = fs::read(place.path("second.caps")).expect("there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(place.path("second.caps"), bytes).expect("written");
    let out = place.path("other");
    trusted.open(None, Limits::default()).expect("opens").unpack(&out).expect_err("another content");
    assert!(!out.exists());
}

#[test]
fn swapped_lost_and_foreign_attestations_are_named() {
    let place = Place::new();
    let capsule = shop(&place);
    let tree = open(&capsule).outline().root();
    let lost = refused(&with(&place, &capsule, Vec::clear));
    assert!(
        lost.contains("`https://slsa.dev/provenance/v1`") && lost.contains("missing or was swapped"),
        "{lost}"
    );
    place.put("evil/a", b"evil");
    let other =
        open(&place.sealed("evil", "evil.caps", crate::fixture::SHOP, None)).attestations()[0].clone();
    let swapped = refused(&with(&place, &capsule, |attestations| attestations[0] = other.clone()));
    assert_eq!(swapped, lost, "the provenance of another capsule, well signed");
    let more = refused(&with(&place, &capsule, |attestations| attestations.push(other)));
    assert!(more.starts_with("attestation 2: the statement is about content `"), "{more}");
    let stranger = refused(&with(&place, &capsule, |attestations| attestations.push(claim(tree, 9))));
    assert!(stranger.contains("is signed by nobody who counts"), "{stranger}");
    let trusted =
        read(&with(&place, &capsule, |attestations| attestations.push(claim(tree, 1)))).expect("sound");
    let told: Vec<_> = trusted.claims().iter().map(|claim| (claim.is_packed, claim.signers.len())).collect();
    assert_eq!(told, [(true, 1), (false, 1)]);
}

#[test]
fn a_manifest_is_about_the_content_it_came_with() {
    let place = Place::new();
    let capsule = open(&shop(&place));
    place.put("app/a", b"evil");
    let draft = pack(&place.path("app"), &place.path("forged.caps"), &Options::default()).expect("packed");
    draft.seal(capsule.manifest(), capsule.attestations()).expect("sealed");
    assert!(refused(&place.path("forged.caps")).starts_with("the manifest is about the tree `"));
    let draft = pack(&place.path("app"), &place.path("forged.caps"), &Options::default()).expect("packed");
    draft.seal(b"{}", &[]).expect("sealed");
    assert!(refused(&place.path("forged.caps")).starts_with("the manifest: no envelope: "));
}
