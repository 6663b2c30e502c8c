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
        capsule: None,
        expected: tree,
        found: tree,
        different: Vec::new(),
        replayed: Vec::new(),
        sandbox: "x".into(),
        started_at: at,
        finished_at: at,
    }
}

fn key_id(number: u8) -> KeyId {
    key(number).public().id()
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
    let trusted =
        read(&with(&place, &capsule, |attestations| attestations.push(claim(tree, 1)))).expect("sound");
    let told: Vec<_> = trusted.claims().iter().map(|claim| (claim.is_packed, claim.signers.len())).collect();
    assert_eq!(told, [(true, 1), (false, 1)]);
}

#[test]
fn what_nobody_says_who_counts_is_passed_over_and_told_and_what_contradicts_is_refused() {
    let place = Place::new();
    let capsule = shop(&place);
    let tree = open(&capsule).outline().root();
    let other = Digest::of(b"another tree");
    // Whatever a stranger says, also of other content, and what nobody signed.
    let unsigned = {
        let mut said: serde_json::Value = serde_json::from_slice(&claim(tree, 1)).expect("JSON");
        said["signatures"] = serde_json::json!([]);
        serde_json::to_vec(&said).expect("JSON")
    };
    let strangers = [claim(tree, 9), claim(other, 9), unsigned];
    let trusted = read(&with(&place, &capsule, |all| all.extend(strangers))).expect("they are no reason");
    let told: Vec<_> = trusted.claims().iter().filter_map(Claim::passed_over).collect();
    let stranger = format!(
        "(`{}`) does not count: 0 of 1 needed signatures; key `{}` is not known here",
        Rebuild::TYPE,
        key_id(9)
    );
    assert_eq!(told[..2], [format!("attestation 2 {stranger}"), format!("attestation 3 {stranger}")]);
    assert!(told[2].starts_with("attestation 4 ") && told[2].contains("nobody signed it"), "{told:?}");
    assert!(trusted.claims()[1..].iter().all(|claim| claim.signers.is_empty()));
    let ring = Quorum::one(key(1).public());
    assert!(!counts(&claim(tree, 9), &tree, &ring) && !contradicts(&claim(tree, 9), &tree, &ring));

    // Nor does what is said in the name of somebody who counts, and that they did not sign.
    let mut changed: serde_json::Value = serde_json::from_slice(&claim(tree, 1)).expect("JSON");
    changed["payload"] =
        serde_json::from_slice::<serde_json::Value>(&claim(other, 1)).expect("JSON")["payload"].clone();
    let changed = serde_json::to_vec(&changed).expect("JSON");
    let trusted = read(&with(&place, &capsule, |all| all.push(changed.clone()))).expect("it is no reason");
    let told: Vec<_> = trusted.claims().iter().filter_map(Claim::passed_over).collect();
    let forged = format!("does not count: the signature of key `{}` was made by another", key_id(1));
    assert!(
        told.len() == 1 && told[0].starts_with("attestation 2 ") && told[0].contains(&forged),
        "{told:?}"
    );
    assert!(!counts(&changed, &tree, &ring) && !contradicts(&changed, &tree, &ring));

    // Whoever counts is held to what they signed.
    let refusal = refused(&with(&place, &capsule, |all| all.extend([claim(tree, 9), claim(other, 1)])));
    assert!(refusal.starts_with("attestation 3: the statement is about content `"), "{refusal}");
    assert!(contradicts(&claim(other, 1), &tree, &ring));
}

#[test]
fn a_signature_that_is_forged_beside_one_that_holds_bars_no_capsule() {
    let place = Place::new();
    let (capsule, forged) = (shop(&place), place.path("forged.caps"));
    let cover = Cover::read(File::open(&capsule).expect("there")).expect("a capsule");
    let mut envelope: serde_json::Value = serde_json::from_slice(cover.manifest()).expect("JSON");
    let mut signature = envelope["signatures"][0].clone();
    signature["keyid"] = key_id(2).to_string().into();
    envelope["signatures"] = serde_json::json!([signature, envelope["signatures"][0]]);
    let attestations = cover.attestations().to_vec();
    cover.seal_again(envelope.to_string().as_bytes(), &attestations, &forged).expect("sealed");
    let ever = Quorum::new([key(1).public(), key(2).public()], 1).expect("sound");
    let trusted = Trusted::read(File::open(&forged).expect("there"), &ever).expect("key 1 signed it");
    assert_eq!(trusted.signers(), &BTreeSet::from([key_id(1)]));
    let told = trusted.passed_over();
    let wanted = format!("the signature of key `{}` does not count", key_id(2));
    assert!(told.len() == 1 && told[0].starts_with(&wanted), "{told:?}");
    trusted.open(None, Limits::default()).expect("opens").verify().expect("whole");
    // Where nobody signed it who counts, it says what was done to it.
    let refused = Trusted::read(File::open(&forged).expect("there"), &Quorum::one(key(2).public()));
    let refused = refused.err().expect("forged").to_string();
    let wanted = format!("the manifest: the signature of key `{}` was made by another key", key_id(2));
    assert!(refused.starts_with(&wanted), "{refused}");
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
