//! What a capsule can hold from anyone: manifests, envelopes, statements and key rings.
//!
//! What stands behind a signature is tried without one, so that the fuzzer gets in.

use std::collections::BTreeMap;

use xyn_capsules::manifest::{Authored, Facts, Manifest, fill};
use xyn_capsules::sign::{
    DiffSummary, Envelope, Grant, Key, Payload, Predicate, Provenance, Quorum, Rebuild, Ring, Role, Rollback,
    Sbom, SecretKey, Simulation, Statement, Subject, seal,
};
use xyn_store::{Digest, Timestamp};

const AUTHORED: &str = r#"{"id":"shop","name":"The Shop","version":"1.4.2","node":"x",
"app":{"framework":"nextjs","node":"20.x","env":{"PORT":"8080","URL":null}},"createdAt":1767225600000,
"services":[{"name":"db","type":"postgres","config":{"version":16}}],"critical":["tree"],
"build":{"steps":["npm ci"],"outDir":"out","network":{"allow":["a.example"]}},
"seeds":[{"name":"s","type":"sql","path":"seeds/a.sql","service":"db"}],
"rights":{"license":"MIT OR (Apache-2.0 WITH LLVM-exception)","scope":"lan"},"minCore":"0.1.0"}"#;

fn secret() -> SecretKey {
    SecretKey::from_bytes(&[7; 32])
}

fn facts() -> Facts {
    Facts {
        tree: Digest::of(b"tree"),
        seeds: BTreeMap::from([("seeds/a.sql".parse().expect("a path"), Digest::of(b"sql"))]),
        generation: 7,
        created_at: super::now(),
        packer: "ada@lab".parse().expect("a line"),
        key_id: secret().public().id(),
        attestations: Vec::new(),
    }
}

fn manifest() -> Manifest {
    fill(Authored::read(AUTHORED.as_bytes()).expect("sound"), facts()).expect("complete")
}

fn again<T: Payload + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    match T::read(bytes) {
        Ok(read) => assert_eq!(T::read(&read.write().expect("what was read can be written")), Ok(read)),
        Err(error) => assert!(!error.to_string().contains(|c: char| c.is_control()), "{error:?}"),
    }
}

/// Manifests, and what becomes of what an author wrote.
pub(super) mod app_manifests {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        again::<Manifest>(bytes);
        if let Ok(authored) = Authored::read(bytes) {
            let _ = fill(authored, facts()).map_err(|error| error.to_string());
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        vec![manifest().to_bytes().expect("sound"), AUTHORED.into()]
    }
}

/// Envelopes: what nobody signed is never opened.
pub(super) mod signed_envelopes {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        let Ok(envelope) = Envelope::read(bytes) else { return };
        assert_eq!(Envelope::read(&envelope.to_bytes()).expect("own bytes"), envelope);
        let nobody = SecretKey::from_bytes(&[8; 32]).public();
        assert!(Quorum::one(nobody).manifest(&envelope).is_err(), "forged");
        if let Ok(opened) = Quorum::one(secret().public()).manifest(&envelope) {
            assert_eq!(opened.value(), &manifest(), "changed under its signature");
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let mut envelope = seal(&manifest(), &secret()).expect("sound");
        let one = envelope.to_bytes();
        envelope.sign(&SecretKey::from_bytes(&[9; 32])).expect("room for it");
        vec![one, envelope.to_bytes()]
    }
}

/// What can be said of a capsule.
pub(super) mod claims {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        fn one<P: Predicate + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
            again::<Statement<P>>(bytes);
        }
        one::<Provenance>(bytes);
        one::<Sbom>(bytes);
        one::<DiffSummary>(bytes);
        one::<Rebuild>(bytes);
        one::<Simulation>(bytes);
        one::<Rollback>(bytes);
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        fn written<P: Predicate>(predicate: &str) -> Vec<u8> {
            let subject = Subject { name: "shop".parse().expect("a line"), tree: Digest::of(b"tree") };
            let predicate = serde_json::from_str(predicate).expect("fits");
            Statement::<P> { subject, predicate }.write().expect("sound")
        }
        let digest = "ab".repeat(32);
        vec![
            written::<Provenance>(
                r#"{"buildDefinition":{"buildType":"urn:x","externalParameters":{"why":"x"},
                "resolvedDependencies":[{"uri":"a","digest":{"sha256":"00"}}]},
                "runDetails":{"builder":{"id":"urn:y"},"metadata":{"startedOn":"2026-01-31T12:00:00Z"}}}"#,
            ),
            written::<Sbom>(r#"{"bomFormat":"CycloneDX","components":[]}"#),
            written::<DiffSummary>(r#"{"files":{"added":1,"removed":0,"changed":2}}"#),
            written::<Rebuild>(&format!(
                r#"{{"expected":"{digest}","found":"{digest}","sandbox":"x",
                "startedAt":"2026-01-31T12:00:00Z","finishedAt":"2026-01-31T12:00:00Z"}}"#
            )),
            written::<Simulation>(&format!(
                r#"{{"scenario":"s","scenarioDigest":"{digest}","seed":1,"trace":"{digest}","nodes":3,
                "virtualMs":5,"checks":[{{"name":"n","held":true}}],
                "distribution":{{"file":"{digest}","sizeBytes":1,"chunks":1,"files":1,"generation":1,
                "sentBytes":1,"steps":[{{"name":"fetched","nodes":3,"p50Ms":1,"maxMs":2}}]}}}}"#
            )),
            written::<Rollback>(
                r#"{"app":"shop","env":"prod","from":9,"to":7,"issuedAt":"2026-01-31T12:00:00Z",
                "expires":"2026-02-01T12:00:00Z","reason":"r"}"#,
            ),
        ]
    }
}

/// Key rings.
pub(super) mod key_rings {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        again::<Ring>(bytes);
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let (id, key) = (secret().public().id(), secret().public());
        let grant = Grant { keys: vec![id], threshold: 1 };
        let key = Key {
            key,
            name: "ada".parse().expect("a line"),
            expires: Some(super::super::now()),
            revoked: None,
        };
        let ring = Ring {
            format_version: 1,
            env: "prod".parse().expect("a line"),
            version: 3,
            issued_at: super::super::now(),
            expires: Timestamp::MAX,
            keys: BTreeMap::from([(id, key)]),
            roles: BTreeMap::from([(Role::Root, grant.clone()), (Role::Publisher, grant.clone())]),
            apps: BTreeMap::from([("shop".parse().expect("a slug"), grant)]),
        };
        vec![ring.write().expect("sound")]
    }
}
