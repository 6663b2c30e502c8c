//! Adding to a capsule what was found out about it, so that it travels along.
//!
//! Owns what is looked at before: that what is said is about this content. Who says it is for those to judge who take
//! the capsule. Invariant: nothing but the attestations changes, and what was attested before stays.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use xyn_store::Digest;

use crate::container::{ContainerError, Cover};
use crate::manifest::Manifest;
use crate::proof::NotTrusted;
use crate::sign::{Envelope, NotVerified, Payload, claimed_predicate_type, claimed_subject};

/// A capsule with one more attestation.
#[derive(Clone, Debug, PartialEq)]
pub struct Attested {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Of the bytes of its manifest: the name of the capsule, which stays.
    pub digest: Digest,
    /// What kind of thing is attested.
    pub kind: String,
    /// Whether it was not attested before.
    pub is_new: bool,
}

/// Adds the statement in the envelope `report` to the capsule at `path`, which is replaced in one go.
pub fn attest(path: &Path, report: &[u8]) -> Result<Attested, NotTrusted> {
    let file = File::open(path).map_err(ContainerError::io("open", path))?;
    let cover = Cover::read(BufReader::with_capacity(1 << 20, file))?;
    let envelope = Envelope::read(cover.manifest()).map_err(NotVerified::from);
    let envelope = envelope.map_err(NotTrusted::Manifest)?;
    let manifest = <Manifest as Payload>::read(envelope.unverified()).map_err(NotTrusted::Manifest)?;
    let (said, held) = (manifest.tree, cover.root());
    if said != held {
        return Err(NotTrusted::Tree { said, held });
    }
    let mut attestations = cover.attestations().to_vec();
    let number = attestations.len() + 1;
    let unsound = |source: NotVerified| NotTrusted::Attestation { number, source };
    let report = Envelope::read(report).map_err(|error| unsound(error.into()))?;
    let kind = claimed_predicate_type(&report).map_err(|error| unsound(error.into()))?;
    let found = claimed_subject(&report).map_err(|error| unsound(error.into()))?;
    if found != manifest.tree {
        return Err(unsound(NotVerified::Subject { found, wanted: manifest.tree }));
    }
    let (bytes, sealed) = (report.to_bytes(), cover.manifest().to_vec());
    let is_new = !attestations.contains(&bytes);
    if is_new {
        attestations.push(bytes);
        cover.seal_again(&sealed, &attestations, path)?;
    }
    Ok(Attested { manifest, digest: envelope.digest(), kind, is_new })
}

#[cfg(test)]
mod tests;
