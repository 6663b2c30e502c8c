//! Forks: a node that wrote two different records under one number, and the proof of it.
//!
//! Owns the proof, which convinces anyone: two frames that the node signed and that give one number two
//! hashes. Invariant: a proof that verifies cannot be made about a node that keeps to one chain.

use serde::{Deserialize, Serialize};

use super::bytes::Bytes;
use super::feed::FeedId;
use super::frame::{Frame, FrameError};
use crate::audit::signature::PublicKey;

/// Two frames of one feed that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The feed.
    pub feed: FeedId,
    /// The first number at which they are seen to differ.
    pub seq: u64,
    one: Bytes,
    other: Bytes,
}

/// Why two frames prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// One of them is no frame, or was not signed.
    #[error("half of the proof is invalid: {0}")]
    Frame(#[from] FrameError),
    /// They agree, or speak of different things.
    #[error("the two frames do not contradict each other")]
    NoContradiction,
}

impl Proof {
    /// The proof that `one` and `other` are, frames of an `env`.
    pub fn new(env: &PublicKey, one: Vec<u8>, other: Vec<u8>) -> Result<Self, ProofError> {
        let (left, right) = (Frame::open(env, &one)?, Frame::open(env, &other)?);
        let feed = left.place.feed;
        if right.place.feed != feed {
            return Err(ProofError::NoContradiction);
        }
        // A frame speaks of the records it holds and of the one before them.
        let first = left.place.seq.max(right.place.seq).saturating_sub(1).max(1);
        let last = left.last().seq.min(right.last().seq);
        let differs = |seq: &u64| left.hash_at(*seq).zip(right.hash_at(*seq)).is_some_and(|(l, r)| l != r);
        let seq = (first..=last.max(first)).find(differs).ok_or(ProofError::NoContradiction)?;
        // One order, so that two nodes that found the same contradiction hold the same proof.
        let (one, other) = if one <= other { (one, other) } else { (other, one) };
        Ok(Self { feed, seq, one: Bytes(one), other: Bytes(other) })
    }

    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(&(&self.one, &self.other))
            .expect("plain data always encodes into a growing buffer")
    }

    /// Reads and checks a proof that anyone may have sent to a node of `env`.
    pub fn open(env: &PublicKey, bytes: &[u8]) -> Result<Self, ProofError> {
        match postcard::take_from_bytes::<(Bytes, Bytes)>(bytes) {
            Ok(((one, other), [])) => Self::new(env, one.0, other.0),
            _ => Err(FrameError::Malformed.into()),
        }
    }
}
