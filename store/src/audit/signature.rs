//! Public keys and Ed25519 signatures (RFC 8032) as they are stored, sent and checked.
//!
//! Owns the shapes and the strict check. Makes no signatures: that takes a [`NodeKey`](super::key::NodeKey).
//! Invariant: what is signed always begins with a domain, so that a signature for one purpose serves no
//! other.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::audit::hex;
use crate::legible::quoted;

/// An Ed25519 public key: who a node is. Shown as 64 hex digits. Not known to be a point of the curve until
/// used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicKey(#[serde(with = "hex")] [u8; 32]);

/// An Ed25519 signature of 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(#[serde(with = "hex")] [u8; 64]);

/// A text that is not 64 hex digits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a public key of 64 hex digits")]
pub struct InvalidPublicKey(String);

/// A signature that was not made by this key over these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not one of key `{0}`, or what it signed was changed")]
pub struct InvalidSignature(pub PublicKey);

impl PublicKey {
    /// A key from its raw bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What people compare aloud: the first 128 bits of the key's SHA-256, in eight groups of four hex
    /// digits.
    pub fn fingerprint(&self) -> String {
        let digest = Digest::of(&self.0);
        let groups = digest.as_bytes()[..16].chunks_exact(2).map(hex::encode);
        groups.collect::<Vec<_>>().join("-")
    }

    /// Checks a signature over `payload` in `domain`; refuses weak keys and malleable signatures.
    pub fn verify(
        &self,
        domain: &str,
        payload: &[u8],
        signature: &Signature,
    ) -> Result<(), InvalidSignature> {
        let invalid = |_| InvalidSignature(*self);
        let key = VerifyingKey::from_bytes(&self.0).map_err(invalid)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(&message(domain, payload), &signature).map_err(invalid)
    }
}

impl Signature {
    /// A signature from its raw bytes.
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

/// The bytes that are signed. A domain is one line, so that none is the beginning of another.
pub(super) fn message(domain: &str, payload: &[u8]) -> Vec<u8> {
    [domain.as_bytes(), b"\n", payload].concat()
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl FromStr for PublicKey {
    type Err = InvalidPublicKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex::decode(text).map(Self).ok_or_else(|| InvalidPublicKey(quoted(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, test 1: the empty message.
    const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    #[test]
    fn a_public_key_survives_its_text_form_and_has_a_short_one() {
        let key: PublicKey = KEY.parse().expect("64 hex digits");
        assert_eq!(key.to_string(), KEY);
        assert_eq!(key.fingerprint(), "21fe-31df-a154-a261-626b-f854-046f-d227");
        assert!(KEY[1..].parse::<PublicKey>().is_err());
        assert!("ä".repeat(32).parse::<PublicKey>().is_err());
    }

    #[test]
    fn a_key_of_small_order_signs_nothing() {
        // The identity point with R = identity and s = 0 satisfies the lax equation for every message.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let weak = PublicKey::from_bytes(identity);
        assert!(weak.verify("test", b"anything", &Signature::from_bytes(signature)).is_err());
    }
}
