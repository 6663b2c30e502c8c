//! Signing a capsule that somebody else made: one more signature on the same manifest.
//!
//! Owns what is looked at before a key vouches for a capsule: that its manifest is about its content, and every
//! byte of that. Invariant: nothing but the signatures changes, and a capsule that is not whole is not signed.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::Path;

use xyn_store::Digest;

use crate::container::{Base, ContainerError, Cover};
use crate::manifest::Manifest;
use crate::proof::NotTrusted;
use crate::sign::{Envelope, KeyId, NotVerified, Payload, SecretKey};
use crate::tree::Limits;

/// A capsule that was signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Of the bytes of its manifest: the name of the capsule, which stays.
    pub digest: Digest,
    /// Who is said to have signed it by now.
    pub signers: Vec<KeyId>,
    /// Whether the key had not signed it before.
    pub is_new: bool,
}

/// Adds the signature of `key` to the capsule at `path`, which is replaced in one go. A delta needs its `base`.
pub fn countersign(path: &Path, key: &SecretKey, base: Option<&dyn Base>) -> Result<Signed, NotTrusted> {
    let read = ContainerError::Read;
    let mut file = File::open(path).map_err(ContainerError::io("open", path))?;
    let cover = Cover::read(BufReader::with_capacity(1 << 20, &file))?;
    let envelope = Envelope::read(cover.manifest()).map_err(NotVerified::from);
    let mut envelope = envelope.map_err(NotTrusted::Manifest)?;
    let manifest = <Manifest as Payload>::read(envelope.unverified()).map_err(NotTrusted::Manifest)?;
    let (said, held) = (manifest.tree, cover.root());
    if said != held {
        return Err(NotTrusted::Tree { said, held });
    }
    cover.open(base, Limits::default())?.verify()?;
    let before = envelope.claimed_signers().count();
    envelope.sign(key).map_err(|error| NotTrusted::Manifest(error.into()))?;
    let signers: Vec<_> = envelope.claimed_signers().collect();
    let is_new = signers.len() > before;
    if is_new {
        file.rewind().map_err(read)?;
        let cover = Cover::read(BufReader::with_capacity(1 << 20, &file))?;
        let attestations = cover.attestations().to_vec();
        cover.seal_again(&envelope.to_bytes(), &attestations, path)?;
    }
    Ok(Signed { digest: envelope.digest(), manifest, signers, is_new })
}

#[cfg(test)]
mod tests;
