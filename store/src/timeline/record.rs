//! Records: the unit of truth. Each names the one before it, so a feed is a chain that its last hash speaks
//! for.
//!
//! Owns the bytes of a record and what its hash covers. Knows nothing of signatures (a [frame](super::frame)
//! has them) and looks into no body. Invariant: a record is kept with the bytes it came in; its hash is over
//! those.

use serde::{Deserialize, Serialize};

use super::board::Board;
use super::bytes::Bytes;
use super::feed::FeedId;
use super::hlc::Hlc;
use crate::audit::signature::PublicKey;
use crate::digest::Digest;

/// Bytes that the content of one record may have.
pub const RECORD_MAX_BYTES: usize = 64 << 10;

/// What a record's hash begins with. What it covers is never changed under one version.
const DOMAIN: &[u8] = b"xyn record v1\n";

/// What stands in `prev` of a feed's first record.
pub const NO_RECORD: Digest = Digest::from_bytes([0; 32]);

/// What a record says. Variants are append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// A moment: one Automerge change to an entry document of the feed.
    Entry {
        /// Which of the feed's entry documents, from 0.
        document: u32,
        /// The change.
        change: Bytes,
    },
    /// An Automerge change to a document that several authors share.
    Board {
        /// Which document.
        board: Board,
        /// The change.
        change: Bytes,
    },
    /// A statement about who belongs; [`crate::trust`] reads it.
    Statement(Bytes),
}

/// What a record holds beside its place: the part that travels and is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// When, by the author's clock.
    pub hlc: Hlc,
    /// What it says.
    pub body: Body,
}

/// A record in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The feed it belongs to.
    pub feed: FeedId,
    /// Position in the feed, from 1.
    pub seq: u64,
    /// Hash of the record before it; [`NO_RECORD`] for the first.
    pub prev: Digest,
    /// Its own hash.
    pub hash: Digest,
    /// The bytes of its content, as they came.
    pub payload: Vec<u8>,
    /// What they say.
    pub content: Content,
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Too large.
    #[error("a record of {0} bytes is over the limit of {RECORD_MAX_BYTES}")]
    Oversized(usize),
    /// No content, or something behind it.
    #[error("the record does not decode")]
    Undecodable,
}

/// Where the next record of a feed stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The environment: its root key.
    pub env: PublicKey,
    /// The feed.
    pub feed: FeedId,
    /// Its position.
    pub seq: u64,
    /// Hash of the record before.
    pub prev: Digest,
}

impl Place {
    /// The hash of a record with `payload` at this place.
    pub fn hash(&self, payload: &[u8]) -> Digest {
        Digest::of_parts(&[
            DOMAIN,
            self.env.as_bytes(),
            self.feed.node.as_bytes(),
            &self.feed.incarnation.to_be_bytes(),
            &self.seq.to_be_bytes(),
            self.prev.as_bytes(),
            payload,
        ])
    }

    /// The place behind a record here whose hash is `hash`.
    pub fn next(&self, hash: Digest) -> Self {
        Self { seq: self.seq + 1, prev: hash, ..*self }
    }

    /// The record that says `content` at this place.
    pub fn write(&self, content: Content) -> Result<Record, RecordError> {
        let payload = postcard::to_stdvec(&content).expect("plain data always encodes into a growing buffer");
        if payload.len() > RECORD_MAX_BYTES {
            return Err(RecordError::Oversized(payload.len()));
        }
        Ok(self.record(payload, content))
    }

    /// The record whose content came as `payload`.
    pub fn read(&self, payload: Vec<u8>) -> Result<Record, RecordError> {
        if payload.len() > RECORD_MAX_BYTES {
            return Err(RecordError::Oversized(payload.len()));
        }
        match postcard::take_from_bytes(&payload) {
            Ok((content, [])) => Ok(self.record(payload, content)),
            _ => Err(RecordError::Undecodable),
        }
    }

    fn record(&self, payload: Vec<u8>, content: Content) -> Record {
        let hash = self.hash(&payload);
        Record { feed: self.feed, seq: self.seq, prev: self.prev, hash, payload, content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use proptest::prelude::*;

    fn place() -> Place {
        let key = |byte| PublicKey::from_bytes([byte; 32]);
        let feed = FeedId { node: key(2), incarnation: 3 };
        Place { env: key(1), feed, seq: 4, prev: Digest::of(b"before") }
    }

    fn content(bytes: &[u8]) -> Content {
        let hlc = Hlc { at: Timestamp::from_micros(1_700_000_000_000_000), counter: 5 };
        Content { hlc, body: Body::Statement(Bytes(bytes.to_vec())) }
    }

    #[test]
    fn a_record_survives_its_bytes_and_keeps_its_hash() {
        let written = place().write(content(b"statement")).expect("fits");
        assert_eq!(place().read(written.payload.clone()).expect("own bytes"), written);
    }

    #[test]
    fn the_hash_covers_everything_that_frames_leave_out() {
        let payload = b"payload";
        let mut places = vec![place(); 6];
        places[1].env = PublicKey::from_bytes([9; 32]);
        places[2].feed.node = PublicKey::from_bytes([9; 32]);
        places[3].feed.incarnation = 9;
        places[4].seq = 9;
        places[5].prev = Digest::of(b"other");
        let mut hashes: Vec<Digest> = places.iter().map(|place| place.hash(payload)).collect();
        hashes.push(place().hash(b"another"));
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), 7);
    }

    #[test]
    fn the_bytes_and_the_hash_of_version_1_are_frozen() {
        let record = place().write(content(b"statement")).expect("fits");
        let hex: String = record.payload.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "8080f2818389850605020973746174656d656e74");
        assert_eq!(
            record.hash.to_string(),
            "8ec02052335645129c116a30aa3d69b448968639081f94ce89ae33b2a4177d9a"
        );
    }

    #[test]
    fn what_is_too_large_or_goes_on_is_refused() {
        let large = vec![0; RECORD_MAX_BYTES];
        assert!(matches!(place().write(content(&large)), Err(RecordError::Oversized(_))));
        assert!(matches!(place().read(vec![0; RECORD_MAX_BYTES + 1]), Err(RecordError::Oversized(_))));
        let mut more = place().write(content(b"x")).expect("fits").payload;
        more.push(0);
        assert_eq!(place().read(more), Err(RecordError::Undecodable));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(record) = place().read(bytes.clone()) {
                prop_assert_eq!(record.payload, bytes);
            }
        }
    }
}
