//! Digests as lock files write them, brought to one form.
//!
//! Invariant: a [`Hash`] is as long as its algorithm makes it.

use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};

/// Algorithms, by their names in CycloneDX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// 128 bits.
    #[serde(rename = "MD5")]
    Md5,
    /// 160 bits.
    #[serde(rename = "SHA-1")]
    Sha1,
    /// 256 bits.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// 384 bits.
    #[serde(rename = "SHA-384")]
    Sha384,
    /// 512 bits.
    #[serde(rename = "SHA-512")]
    Sha512,
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "md5" => Self::Md5,
            "sha1" => Self::Sha1,
            "sha256" => Self::Sha256,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// A digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hash {
    /// How it was made.
    #[serde(rename = "alg")]
    pub algorithm: Algorithm,
    /// In hexadecimal digits.
    pub content: String,
}

impl Hash {
    fn new(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let content = HEXLOWER.encode(bytes);
        (bytes.len() == algorithm.bytes()).then_some(Self { algorithm, content })
    }

    /// `sha256` and hexadecimal digits.
    pub(super) fn hex(algorithm: &str, digits: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(digits.to_ascii_lowercase().as_bytes()).ok()?;
        Self::new(Algorithm::named(algorithm)?, &bytes)
    }

    /// `sha256:…`, as Python's lock files have it.
    pub(super) fn prefixed(text: &str) -> Option<Self> {
        text.split_once(':').and_then(|(algorithm, digits)| Self::hex(algorithm, digits))
    }

    /// `h1:…` of Go: SHA-256 over the list of the files of a module.
    pub(super) fn go(text: &str) -> Option<Self> {
        Self::new(Algorithm::Sha256, &BASE64.decode(text.strip_prefix("h1:")?.as_bytes()).ok()?)
    }

    /// Subresource integrity: one or more of `sha512-…`, with blanks between and options behind `?`.
    pub(super) fn integrity(text: &str) -> Option<Vec<Self>> {
        let one = |word: &str| {
            let (algorithm, digest) = word.split('?').next()?.split_once('-')?;
            Self::new(Algorithm::named(algorithm)?, &BASE64.decode(digest.as_bytes()).ok()?)
        };
        let mut hashes = text.split_ascii_whitespace().map(one).collect::<Option<Vec<_>>>()?;
        hashes.sort();
        hashes.dedup();
        (!hashes.is_empty()).then_some(hashes)
    }
}
