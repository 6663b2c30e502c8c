//! Signatures, whole: from a manifest to what may be installed, and who is turned away.

mod edits;
mod envelopes;
mod generations;
mod golden;
mod laws;
mod rings;
mod statements;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use xyn_store::{Digest, Timestamp};

use super::envelope::Envelope;
use super::*;
use crate::manifest::tests::sample;
use crate::manifest::{Line, Manifest, Slug};

pub(super) fn secret(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32])
}

pub(super) fn public(number: u8) -> PublicKey {
    secret(number).public()
}

pub(super) fn id(number: u8) -> KeyId {
    public(number).id()
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

/// An hour after the sample was packed.
pub(super) fn now() -> Timestamp {
    at("2026-11-21T13:00:00Z")
}

pub(super) fn line(text: &str) -> Line {
    text.parse().expect(text)
}

pub(super) fn slug(text: &str) -> Slug {
    text.parse().expect(text)
}

/// The sample manifest, signed by these.
pub(super) fn signed(signers: &[u8]) -> Envelope {
    sealed(&sample(), signers)
}

pub(super) fn sealed<T: Payload>(payload: &T, signers: &[u8]) -> Envelope {
    let mut envelope = seal(payload, &secret(signers[0])).expect("sound");
    for signer in &signers[1..] {
        envelope.sign(&secret(*signer)).expect("room for it");
    }
    envelope
}

/// The envelope as a document, changed, and read again.
pub(super) fn tampered(
    envelope: &Envelope,
    change: impl FnOnce(&mut Value),
) -> Result<Envelope, InvalidEnvelope> {
    let mut document: Value = serde_json::from_slice(&envelope.to_bytes()).expect("JSON");
    change(&mut document);
    Envelope::read(document.to_string().as_bytes())
}

pub(super) fn grant(keys: &[u8], threshold: u32) -> Grant {
    Grant { keys: keys.iter().map(|number| id(*number)).collect(), threshold }
}

/// The ring of `prod`: key 9 is its root, 1 and 2 publish, 3 attests, 4 gives leave; key 5 may do nothing.
pub(super) fn ring() -> Ring {
    let key = |number: u8| {
        let name = line(&format!("key {number}"));
        (id(number), Key { key: public(number), name, expires: None, revoked: None })
    };
    Ring {
        format_version: RING_FORMAT_VERSION,
        env: line("prod"),
        version: 1,
        issued_at: at("2026-11-01T00:00:00Z"),
        expires: at("2027-11-01T00:00:00Z"),
        keys: [1, 2, 3, 4, 5, 9].map(key).into(),
        roles: BTreeMap::from([
            (Role::Root, grant(&[9], 1)),
            (Role::Publisher, grant(&[1, 2], 1)),
            (Role::Attestor, grant(&[3], 1)),
            (Role::Rollback, grant(&[4], 1)),
        ]),
        apps: BTreeMap::new(),
    }
}

/// The sample, in this generation.
pub(super) fn generation(number: u64) -> Manifest {
    Manifest { generation: number, ..sample() }
}

pub(super) fn about_sample<P: Predicate>(predicate: P) -> Statement<P> {
    let manifest = sample();
    Statement { subject: Subject { name: line(&manifest.id.to_string()), tree: manifest.tree }, predicate }
}

pub(super) fn leave(from: u64, to: u64) -> Rollback {
    Rollback {
        app: slug("shop"),
        env: line("prod"),
        from,
        to,
        issued_at: now(),
        expires: at("2026-11-22T13:00:00Z"),
        reason: line("the basket is empty"),
    }
}
