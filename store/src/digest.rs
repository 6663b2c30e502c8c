//! SHA-256 digests: the names of blobs, blueprints and tree nodes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::legible::quoted;

/// A SHA-256 digest, shown as 64 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A text that is not 64 hex digits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a SHA-256 digest of 64 hex digits")]
pub struct InvalidDigest(String);

impl Digest {
    /// Its length in bytes.
    pub const BYTES: usize = 32;

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of the concatenation of `parts`.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        Self(hasher.finalize().into())
    }

    /// A digest from its raw bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A digest under way.
#[derive(Clone, Default)]
pub(crate) struct Hasher {
    sha: Sha256,
    bytes: usize,
}

impl Hasher {
    /// What SHA-256 works on at a time.
    const BLOCK_BYTES: usize = 64;

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.bytes += bytes.len();
    }

    /// Takes the next bytes and answers their own digest. A block of a digest waits for the one before it, but not
    /// for those of another: in turn the processor works on both at once.
    pub(crate) fn update_and_digest(&mut self, bytes: &[u8]) -> Digest {
        let mut own = Sha256::new();
        // From where a block of this one begins: what lies across two is copied.
        let begun = self.bytes % Self::BLOCK_BYTES;
        let (head, rest) = bytes.split_at(bytes.len().min((Self::BLOCK_BYTES - begun) % Self::BLOCK_BYTES));
        self.update(head);
        let blocks = rest.chunks_exact(Self::BLOCK_BYTES);
        let in_turn = blocks.len() * Self::BLOCK_BYTES;
        for (block, own_block) in blocks.zip(bytes.chunks_exact(Self::BLOCK_BYTES)) {
            self.sha.update(block);
            own.update(own_block);
        }
        self.bytes += in_turn;
        self.update(&rest[in_turn..]);
        own.update(&bytes[in_turn..]);
        Digest(own.finalize().into())
    }

    /// The digest of all that came.
    pub(crate) fn finish(self) -> Digest {
        Digest(self.sha.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDigest(quoted(text));
        if text.len() != 64 || !text.is_ascii() {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |c: u8| (c as char).to_digit(16);
            let (high, low) = digit(pair[0]).zip(digit(pair[1])).ok_or_else(invalid)?;
            *byte = (high * 16 + low) as u8;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_text_form() {
        let digest = Digest::of(b"xyn");
        assert_eq!(digest.to_string().parse::<Digest>().expect("own output parses"), digest);
        assert_eq!(Digest::of_parts(&[b"x", b"yn"]), digest);
    }

    #[test]
    fn a_digest_of_a_part_is_made_beside_that_of_the_whole() {
        let bytes: Vec<u8> = (0..1_000_u32).map(|at| ((at * at) >> 3) as u8).collect();
        for length in [1, 63, 64, 65, 127, 130, 333] {
            let mut whole = Hasher::default();
            for part in bytes.chunks(length) {
                assert_eq!(whole.update_and_digest(part), Digest::of(part), "{length}");
            }
            assert_eq!(whole.finish(), Digest::of(&bytes), "{length}");
        }
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for text in ["", "zz", &"g".repeat(64), &"é".repeat(32)] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
