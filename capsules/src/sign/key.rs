//! Keys that sign capsules: Ed25519 (RFC 8032).
//!
//! Owns which keys are taken, how they are named, and the strict check of a signature. Refuses keys under
//! which a signature could mean more than one thing: of low or mixed order, or not written in the one way.
//! Invariant: two [`PublicKey`]s that are not equal are two keys.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use xyn_store::Digest;

use crate::json::shown;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// The order of the group, little-endian: a sound signature ends in a number below it (RFC 8032, §5.1.7).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The name of a key: the SHA-256 of its 32 bytes, shown as 64 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(Digest);

/// A public key. Shown as 64 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(VerifyingKey);

/// A secret key. Whoever has it speaks for its public half; it is never shown.
pub struct SecretKey(SigningKey);

/// A text or bytes that name no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// No name of a key.
    #[error("`{0}` is no key id of 64 lowercase hex digits")]
    Id(String),
    /// No secret key. Says nothing of what it is, which may be most of one.
    #[error("this is no secret key of 64 lowercase hex digits; restore it from where it was kept")]
    Secret,
    /// No public key.
    #[error("`{0}` is no public key of 64 lowercase hex digits")]
    Text(String),
    /// Not on the curve, or written otherwise than everybody writes it.
    #[error("`{0}` is no point of the curve in its one form; get the key again from who holds it")]
    Point(String),
    /// Under this key signatures can be made without its secret, or mean two things.
    #[error("`{0}` is a weak key: anybody could sign for it; make a new one")]
    Weak(String),
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// It ends in a number that is too large: another form of a sound signature.
    #[error("is not in its one form (S is not below the order of the group)")]
    Scalar,
    /// It was made by another key, or over something else.
    #[error("was made by another key or over other bytes")]
    Wrong,
}

impl PublicKey {
    /// The key in `bytes`.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        let hex = || Digest::from_bytes(*bytes).to_string();
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| InvalidKey::Point(hex()))?;
        let point = key.to_edwards();
        if point.compress().as_bytes() != bytes {
            Err(InvalidKey::Point(hex()))
        } else if key.is_weak() || !point.is_torsion_free() {
            Err(InvalidKey::Weak(hex()))
        } else {
            Ok(Self(key))
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        KeyId(Digest::of(self.as_bytes()))
    }

    /// Checks that its holder signed `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Result<(), BadSignature> {
        // Compared from the last byte, which weighs most.
        if !signature[32..].iter().rev().lt(ORDER.iter().rev()) {
            return Err(BadSignature::Scalar);
        }
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).map_err(|_| BadSignature::Wrong)
    }
}

impl SecretKey {
    /// A key from 32 random bytes.
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs `message`, which must say what it is for.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }
}

/// Shows the public half.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretKey").field(&self.public()).finish()
    }
}

/// 32 bytes in the one way in which they are written.
fn hex_32(text: &str) -> Option<Digest> {
    text.parse().ok().filter(|digest: &Digest| digest.to_string() == text)
}

impl FromStr for KeyId {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        hex_32(text).map(Self).ok_or_else(|| InvalidKey::Id(shown(text)))
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let bytes = hex_32(text).ok_or_else(|| InvalidKey::Text(shown(text)))?;
        Self::from_bytes(bytes.as_bytes())
    }
}

impl FromStr for SecretKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let bytes = hex_32(text).ok_or(InvalidKey::Secret)?;
        Ok(Self::from_bytes(bytes.as_bytes()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest::from_bytes(*self.as_bytes()).fmt(f)
    }
}

macro_rules! as_text {
    ($($name:ident, $description:literal;)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidKey;

            fn try_from(text: String) -> Result<Self, InvalidKey> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $description, "pattern": "^[0-9a-f]{64}$" })
            }
        }
    )*};
}

as_text! {
    KeyId, "SHA-256 of the 32 bytes of the public key, in hex";
    PublicKey, "Ed25519 public key, in hex";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, test 2: one byte.
    const KEY: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    fn signature() -> [u8; 64] {
        let (r, s) = SIGNATURE.split_at(64);
        let half = |text: &str| *text.parse::<Digest>().expect("64 hex digits").as_bytes();
        [half(r), half(s)].concat().try_into().expect("two halves")
    }

    #[test]
    fn the_vector_of_the_rfc_verifies_and_no_other_message_does() {
        let key: PublicKey = KEY.parse().expect("a key");
        assert_eq!(key.verify(&[0x72], &signature()), Ok(()));
        assert_eq!(key.verify(&[0x73], &signature()), Err(BadSignature::Wrong));
        assert_eq!(key.to_string(), KEY);
        assert_eq!(key.id().to_string(), Digest::of(key.as_bytes()).to_string());
    }

    #[test]
    fn the_other_form_of_a_sound_signature_is_refused() {
        let key: PublicKey = KEY.parse().expect("a key");
        let mut other = signature();
        let mut carry = 0;
        for (byte, order) in other[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert_eq!(key.verify(&[0x72], &other), Err(BadSignature::Scalar));
        other[32..].copy_from_slice(&ORDER);
        assert_eq!(key.verify(&[0x72], &other), Err(BadSignature::Scalar));
        assert_eq!(key.verify(&[0x72], &[0xff; 64]), Err(BadSignature::Scalar));
    }

    #[test]
    fn weak_keys_and_keys_in_another_form_are_none() {
        // The eight points of small order, and those that have a second form (RFC 7748 has no others).
        for text in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        ] {
            assert_eq!(text.parse::<PublicKey>(), Err(InvalidKey::Weak(text.into())), "{text}");
        }
        for text in [
            // y = p + 1, and x = 0 with a sign.
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0100000000000000000000000000000000000000000000000000000000000080",
            // No point at all.
            "0200000000000000000000000000000000000000000000000000000000000000",
        ] {
            assert_eq!(text.parse::<PublicKey>(), Err(InvalidKey::Point(text.into())), "{text}");
        }
        for text in ["", &KEY[1..], &KEY.to_uppercase(), &format!("{KEY} "), &"é".repeat(32)] {
            assert!(matches!(text.parse::<PublicKey>(), Err(InvalidKey::Text(_))), "{text}");
            assert!(matches!(text.parse::<KeyId>(), Err(InvalidKey::Id(_))), "{text}");
        }
    }

    #[test]
    fn a_key_with_a_part_of_small_order_is_none() {
        let key = KEY.parse::<PublicKey>().expect("a key").0.to_edwards();
        let small = VerifyingKey::from_bytes(&[0; 32]).expect("a point of order four").to_edwards();
        let mixed = (key + small).compress().to_bytes();
        assert!(matches!(PublicKey::from_bytes(&mixed), Err(InvalidKey::Weak(_))));
    }

    #[test]
    fn the_secret_is_never_shown() {
        let key = SecretKey::from_bytes(&[7; 32]);
        assert!(!format!("{key:?}").contains("0707"));
        assert!(format!("{key:?}").contains(&key.public().to_string()));
        let kept: SecretKey = "07".repeat(32).parse().expect("64 hex digits");
        assert_eq!(kept.public(), key.public());
        let most = "5ec2e7".repeat(10);
        let error = most.parse::<SecretKey>().expect_err("cut short");
        assert!(!format!("{error} {error:?}").contains("5ec2e7"));
    }
}
