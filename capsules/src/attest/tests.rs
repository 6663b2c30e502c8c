//! What was found out, put into a capsule.

use std::fs;

use super::*;
use crate::fixture::{Place, key, open};
use crate::proof::Trusted;
use crate::sign::{Check, Quorum, Simulation, Statement, Subject, seal};
use crate::tree::Limits;

/// What key `number` says of the tree `tree`.
fn report(tree: Digest, number: u8) -> Vec<u8> {
    let check = Check { name: "laws".to_owned(), held: true, seen: None };
    let predicate = Simulation {
        scenario: "two".to_owned(),
        scenario_digest: Digest::of(b"two"),
        seed: 1,
        trace: Digest::of(b"trace"),
        nodes: 2,
        virtual_ms: 3,
        checks: vec![check],
        distribution: None,
    };
    let subject = Subject { name: "urn:xyn:app:shop@1.4.2".parse().expect("a line"), tree };
    seal(&Statement { subject, predicate }, &key(number)).expect("signed").to_bytes()
}

/// The content of the capsule at `path`.
fn root(path: &Path) -> Digest {
    Cover::read(File::open(path).expect("there")).expect("read").root()
}

fn trusted(path: &Path) -> Result<Vec<String>, NotTrusted> {
    let quorum = Quorum::new([key(1).public()], 1).expect("sound");
    let trusted = Trusted::read(File::open(path).expect("there"), &quorum)?;
    let counted = trusted.claims().iter().filter(|claim| claim.ignored.is_none());
    let kinds = counted.map(|claim| claim.kind.clone()).collect();
    trusted.open(None, Limits::default())?.verify()?;
    Ok(kinds)
}

#[test]
fn a_report_is_added_once_and_all_else_stays() {
    let place = Place::new();
    place.put("app/a", b"some content ".repeat(9_000));
    let capsule = place.capsule("whole.caps");
    let (before, kinds) = (open(&capsule), trusted(&capsule).expect("sound"));
    let said = report(root(&capsule), 1);
    let done = attest(&capsule, &said).expect("added");
    assert_eq!((done.kind.as_str(), done.is_new), ("urn:xyn:predicate:simulation:v1", true));
    let after = open(&capsule);
    assert_eq!(before.manifest(), after.manifest());
    assert_eq!(trusted(&capsule).expect("sound"), [kinds, vec![done.kind]].concat());
    let bytes = fs::read(&capsule).expect("there");
    assert!(!attest(&capsule, &said).expect("it is there").is_new);
    assert!(bytes == fs::read(&capsule).expect("there"), "nothing is written for that");
    assert_eq!(place.names(), [place.path("app"), capsule]);
}

#[test]
fn what_is_said_of_another_capsule_or_is_no_statement_is_not_added() {
    let place = Place::new();
    place.put("app/a", b"a");
    let capsule = place.capsule("whole.caps");
    let bytes = fs::read(&capsule).expect("there");
    let refused = |report: &[u8]| attest(&capsule, report).expect_err("refused").to_string();
    let other = refused(&report(Digest::of(b"another tree"), 1));
    assert!(other.starts_with("attestation ") && other.contains("the statement is about content"), "{other}");
    refused(b"{}");
    refused(open(&capsule).manifest());
    assert!(bytes == fs::read(&capsule).expect("there"));
    // Who says it is judged by who takes the capsule.
    let counted = trusted(&capsule).expect("sound");
    assert!(attest(&capsule, &report(root(&capsule), 9)).expect("added").is_new);
    assert_eq!(trusted(&capsule).expect("a stranger is no reason"), counted);
}
