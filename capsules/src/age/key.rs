//! Keys of age: who a file is for, and what opens it.
//!
//! Owns how they are written (Bech32), and how the key of a file is wrapped for one recipient. Invariant: a
//! [`Recipient`] is a point for which a secret can be shared, and a secret is never shown.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit, Nonce, Tag};
use hkdf::Hkdf;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};

use super::error::NotOpened;
use crate::json::shown;

pub(super) const FILE_KEY_BYTES: usize = 16;
pub(super) const KEY_BYTES: usize = 32;
/// The key of a file, wrapped.
pub(super) const WRAPPED_BYTES: usize = FILE_KEY_BYTES + 16;

/// What the wrapping of a key is for.
const LABEL: &[u8] = b"age-encryption.org/v1/X25519";
const RECIPIENT: Hrp = Hrp::parse_unchecked("age");
const IDENTITY: Hrp = Hrp::parse_unchecked("age-secret-key-");

pub(super) type FileKey = [u8; FILE_KEY_BYTES];

/// Somebody whom a capsule is encrypted to. Shown as `age1…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient([u8; KEY_BYTES]);

/// What opens a capsule that is encrypted to its recipient. Never shown.
#[derive(Clone)]
pub struct Identity(StaticSecret);

/// A text that is no key of age.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAgeKey {
    /// No public key.
    #[error("`{0}` is no recipient of age, which begins with `age1`")]
    Recipient(String),
    /// A point for which everybody knows what would be shared.
    #[error("`{0}` is a weak key: whatever is encrypted to it, anybody can read")]
    Weak(String),
    /// No file of secret keys. Says nothing of what it is, which may be most of one.
    #[error("line {0} is no secret key of age, which begins with `AGE-SECRET-KEY-1`")]
    Identity(usize),
    /// A file without a secret key.
    #[error("there is no secret key of age in it")]
    NoIdentity,
}

impl Recipient {
    /// The key of a file for this recipient alone: what they share, and what it wraps. `secret` is random,
    /// and used once.
    pub(super) fn wrap(
        &self,
        file_key: &FileKey,
        secret: [u8; KEY_BYTES],
    ) -> ([u8; KEY_BYTES], [u8; WRAPPED_BYTES]) {
        let secret = StaticSecret::from(secret);
        let share = PublicKey::from(&secret).to_bytes();
        let cipher = cipher(&secret.diffie_hellman(&PublicKey::from(self.0)), &share, &self.0);
        let mut wrapped = [0; WRAPPED_BYTES];
        let (body, tag) = wrapped.split_at_mut(FILE_KEY_BYTES);
        body.copy_from_slice(file_key);
        let sealed = cipher.encrypt_in_place_detached(&Nonce::default(), b"", body);
        tag.copy_from_slice(&sealed.expect("a few bytes are not too many for the cipher"));
        (share, wrapped)
    }
}

impl Identity {
    /// An identity of 32 random bytes.
    pub fn from_bytes(secret: [u8; KEY_BYTES]) -> Self {
        Self(StaticSecret::from(secret))
    }

    /// The identities in a file: one a line, with comments behind `#`.
    pub fn read_all(text: &str) -> Result<Vec<Self>, InvalidAgeKey> {
        let lines = text.lines().map(str::trim).zip(1..);
        let keys = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        let keys: Vec<Self> = keys
            .map(|(line, number)| {
                let secret = decode(line, IDENTITY).ok_or(InvalidAgeKey::Identity(number))?;
                Ok(Self::from_bytes(secret))
            })
            .collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(InvalidAgeKey::NoIdentity) } else { Ok(keys) }
    }

    /// As it stands in a file.
    pub fn secret_text(&self) -> String {
        encode(IDENTITY, self.0.as_bytes()).to_uppercase()
    }

    /// Whom it opens capsules of.
    pub fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0).to_bytes())
    }

    /// The key of a file that was wrapped, when it was for this identity. Nothing is to be had of a `share`
    /// for which everybody knows what is shared: that is a fault of `line`.
    pub(super) fn unwrap(
        &self,
        share: &[u8; KEY_BYTES],
        wrapped: &[u8; WRAPPED_BYTES],
        line: usize,
    ) -> Result<Option<FileKey>, NotOpened> {
        let shared = self.0.diffie_hellman(&PublicKey::from(*share));
        if !shared.was_contributory() {
            return Err(NotOpened::Header { line });
        }
        let mut file_key = [0; FILE_KEY_BYTES];
        let (body, tag) = wrapped.split_at(FILE_KEY_BYTES);
        file_key.copy_from_slice(body);
        let mut of = [0; 16];
        of.copy_from_slice(tag);
        let cipher = cipher(&shared, share, &self.recipient().0);
        let opened = cipher.decrypt_in_place_detached(&Nonce::default(), b"", &mut file_key, &Tag::from(of));
        Ok(opened.is_ok().then_some(file_key))
    }
}

fn cipher(shared: &SharedSecret, share: &[u8; KEY_BYTES], recipient: &[u8; KEY_BYTES]) -> ChaCha20Poly1305 {
    let salt = [share.as_slice(), recipient].concat();
    ChaCha20Poly1305::new(&derived(&salt, shared.as_bytes(), LABEL).into())
}

/// A key that follows from another one (HKDF with SHA-256, RFC 5869).
pub(super) fn derived(salt: &[u8], from: &[u8], purpose: &[u8]) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    let expanded = Hkdf::<Sha256>::new(Some(salt), from).expand(purpose, &mut key);
    expanded.expect("one block is not too much to ask for");
    key
}

fn encode(part: Hrp, bytes: &[u8]) -> String {
    bech32::encode::<Bech32>(part, bytes).expect("32 bytes are not too long")
}

fn decode(text: &str, part: Hrp) -> Option<[u8; KEY_BYTES]> {
    let checked = CheckedHrpstring::new::<Bech32>(text).ok().filter(|checked| checked.hrp() == part)?;
    checked.byte_iter().collect::<Vec<_>>().try_into().ok()
}

impl FromStr for Recipient {
    type Err = InvalidAgeKey;

    fn from_str(text: &str) -> Result<Self, InvalidAgeKey> {
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let point = decode(text, RECIPIENT).filter(|_| is_lower);
        let point = point.ok_or_else(|| InvalidAgeKey::Recipient(shown(text)))?;
        // Whatever the secret is, nothing is shared over a point of small order.
        let shared = StaticSecret::from([1; KEY_BYTES]).diffie_hellman(&PublicKey::from(point));
        match shared.was_contributory() {
            true => Ok(Self(point)),
            false => Err(InvalidAgeKey::Weak(shown(text))),
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(RECIPIENT, &self.0))
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

/// Shows the public half.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.recipient()).finish()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.to_string()
    }
}

impl TryFrom<String> for Recipient {
    type Error = InvalidAgeKey;

    fn try_from(text: String) -> Result<Self, InvalidAgeKey> {
        text.parse()
    }
}

impl JsonSchema for Recipient {
    fn schema_name() -> Cow<'static, str> {
        "Recipient".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^age1[02-9ac-hj-np-z]{58}$" })
    }
}

/// A point of small order, as nobody has one.
#[cfg(test)]
pub(super) fn weak() -> Recipient {
    Recipient([0; KEY_BYTES])
}
