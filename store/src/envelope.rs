//! The envelope: what one append leaves in the log, in versioned postcard.
//!
//! Owns the bytes on disk of the log. Variants and fields are append-only; old bytes stay readable (golden files
//! in the tests). The records inside are opaque here; the floor above encodes and decodes them.

use serde::{Deserialize, Serialize};

use crate::audit::leaf::Salt;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::StreamId;
use crate::scope::Attribution;

/// One append to one stream: who, when, and the encoded records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The stream.
    pub stream: StreamId,
    /// Position in the stream, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Who, where, in answer to what.
    pub attribution: Attribution,
    /// The records, encoded by the floor above.
    pub records: Vec<u8>,
}

/// The byte behind the salt: how to read the rest.
const VERSION: u8 = 1;
const SALT_BYTES: usize = 16;

/// Why stored bytes are no envelope.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer version of this program.
    #[error("envelope version {0} is newer than this program understands; upgrade it")]
    Newer(u8),
    /// Cut short or not an envelope.
    #[error("the envelope is malformed")]
    Malformed(#[source] Option<postcard::Error>),
}

/// An envelope with the salt that keeps its Merkle leaf from being guessed after a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// `salt ‖ version ‖ postcard(envelope)`
    bytes: Vec<u8>,
}

impl Sealed {
    /// Encodes `envelope` under `salt`.
    pub fn new(envelope: &Envelope, salt: &Salt) -> Result<Self, DecodeError> {
        let mut bytes = Vec::with_capacity(envelope.records.len() + 160);
        bytes.extend_from_slice(salt.as_bytes());
        bytes.push(VERSION);
        let bytes = postcard::to_extend(envelope, bytes).map_err(|e| DecodeError::Malformed(Some(e)))?;
        Ok(Self { bytes })
    }

    /// The bytes as stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The leaf that stands for the envelope in the audit tree.
    pub fn leaf(&self) -> Digest {
        leaf(&self.bytes)
    }

    /// The bytes as stored, owned.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The leaf of stored bytes: SHA-256 of their salt, which comes first and whose length is fixed, and the rest.
pub fn leaf(bytes: &[u8]) -> Digest {
    Digest::of(bytes)
}

/// Decodes stored bytes without copying them first.
pub fn decode(bytes: &[u8]) -> Result<Envelope, DecodeError> {
    match bytes.get(SALT_BYTES..).and_then(<[u8]>::split_first) {
        Some((&VERSION, envelope)) => {
            postcard::from_bytes(envelope).map_err(|e| DecodeError::Malformed(Some(e)))
        }
        Some((&version, _)) if version > VERSION => Err(DecodeError::Newer(version)),
        _ => Err(DecodeError::Malformed(None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;
    use crate::scope::{CorrelationId, Principal};
    use proptest::prelude::*;

    fn envelope(records: Vec<u8>) -> Envelope {
        let at = Timestamp::from_micros(1_700_000_000_000_000);
        Envelope {
            stream: ids::derived(at, &[b"stream"]),
            seq: 7,
            at,
            attribution: Attribution {
                actor: Principal::local_operator(),
                session: Some(ids::derived(at, &[b"session"])),
                correlation_id: CorrelationId::parse("corr").expect("fits"),
                causation_id: Some(ids::derived(at, &[b"event"])),
            },
            records,
        }
    }

    #[test]
    fn version_1_bytes_stay_readable() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/envelope.v1.hex");
        let again = Sealed::new(&envelope(b"records".to_vec()), &Salt::from_bytes([9; 16])).expect("encodes");
        if std::env::var_os("XYN_WRITE_GOLDEN").is_some() {
            let text: String = again.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            std::fs::write(golden, text + "\n").expect("writes");
        }
        let text = std::fs::read_to_string(golden).expect("is there");
        let digits =
            text.trim_end().as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
        let bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect();
        assert_eq!(decode(&bytes).expect("golden bytes decode"), envelope(b"records".to_vec()));
        assert_eq!(again.as_bytes(), bytes, "the encoding of version 1 is frozen");
    }

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let error = decode(&[[0; 16].as_slice(), &[VERSION + 1, 0]].concat()).expect_err("newer");
        assert!(matches!(error, DecodeError::Newer(2)), "{error}");
    }

    proptest! {
        #[test]
        fn envelopes_survive_sealing(records in proptest::collection::vec(any::<u8>(), 0..500), salt: [u8; 16]) {
            let sealed = Sealed::new(&envelope(records.clone()), &Salt::from_bytes(salt)).expect("encodes");
            prop_assert_eq!(decode(sealed.as_bytes()).expect("decodes"), envelope(records));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }
    }
}
