//! Frames: consecutive records of one feed under one signature; the unit that travels.
//!
//! Owns the bytes on the wire. The signature is over the hash of the last record, which through `prev` speaks
//! for all before it; what the records have in common is said once and what follows is left out. Invariant:
//! an opened frame was signed by the node whose feed it is part of.

use super::feed::FeedId;
use super::record::{Place, RECORD_MAX_BYTES, Record, RecordError};
use crate::audit::key::NodeKey;
use crate::audit::signature::{PublicKey, Signature};
use crate::digest::Digest;

/// Bytes of one frame on the wire: two of them, as a proof that a feed forked, fit into one message of the mesh.
pub const FRAME_MAX_BYTES: usize = 380 << 10;
/// Records of one pack: a range of a feed that begins and ends at the same records everywhere. Frames do not cross
/// from one into the next, so the last record of each is signed, and the frame over a whole pack is the same bytes on
/// every node.
pub const PACK_RECORDS: u64 = 1024;

/// What a feed's signature begins with.
const DOMAIN: &str = "xyn feed v1";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 1 + 32 + 32 + 8 + 8 + 32;
const SIGNATURE_BYTES: usize = 64;
/// Bytes of a frame beside its records.
pub(super) const OVERHEAD_BYTES: usize = HEADER_BYTES + SIGNATURE_BYTES;
/// Bytes before each record: three are enough for the largest.
pub(super) const LENGTH_BYTES: usize = 3;

/// Records that follow each other, and the signature that speaks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where the first one stands.
    pub place: Place,
    /// At least one.
    pub records: Vec<Record>,
    /// Over the last one's hash.
    pub signature: Signature,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Too large.
    #[error("a frame of {0} bytes is over the limit of {FRAME_MAX_BYTES}")]
    Oversized(usize),
    /// It holds records of two packs.
    #[error("the frame crosses from one pack of {PACK_RECORDS} records into the next")]
    CrossesPacks,
    /// Written by a newer version of this program.
    #[error("frame version {0} is newer than this program understands; upgrade it")]
    Newer(u8),
    /// Cut short, empty, or followed by something.
    #[error("the frame is malformed")]
    Malformed,
    /// Of another environment.
    #[error("the frame belongs to environment `{0}`")]
    WrongEnv(PublicKey),
    /// A record in it is none.
    #[error("record {seq}: {source}")]
    Record {
        /// The record.
        seq: u64,
        /// What is wrong with it.
        source: RecordError,
    },
    /// Not signed by the feed's node.
    #[error("the signature is not one of the feed's node over these records")]
    BadSignature,
}

/// Signs that the feed comes to the record with `hash`.
pub(super) fn sign(key: &NodeKey, hash: &Digest) -> Signature {
    key.sign(DOMAIN, hash.as_bytes())
}

/// Whether `feed`'s node signed that it comes to the record with `hash`.
pub(super) fn verify(feed: &FeedId, hash: &Digest, signature: &Signature) -> Result<(), FrameError> {
    feed.node.verify(DOMAIN, hash.as_bytes(), signature).map_err(|_| FrameError::BadSignature)
}

/// The bytes of records at and behind `place`, signed with `signature`.
pub(super) fn encode<'a>(
    place: &Place,
    payloads: impl IntoIterator<Item = &'a [u8]>,
    signature: &Signature,
) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(place.env.as_bytes());
    bytes.extend_from_slice(place.feed.node.as_bytes());
    bytes.extend_from_slice(&place.feed.incarnation.to_be_bytes());
    bytes.extend_from_slice(&place.seq.to_be_bytes());
    bytes.extend_from_slice(place.prev.as_bytes());
    for payload in payloads {
        bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes()[4 - LENGTH_BYTES..]);
        bytes.extend_from_slice(payload);
    }
    bytes.extend_from_slice(signature.as_bytes());
    bytes
}

/// Which pack a record belongs to, from 0.
pub(super) fn pack_of(seq: u64) -> u64 {
    seq.saturating_sub(1) / PACK_RECORDS
}

impl Frame {
    /// The frame of `records`, which follow each other, signed with the feed's key.
    pub fn seal(key: &NodeKey, env: PublicKey, records: Vec<Record>) -> Option<Self> {
        let signature = sign(key, &records.last()?.hash);
        Self::of(env, records, signature)
    }

    /// The frame of `records`, if any, with a signature over the last.
    pub(super) fn of(env: PublicKey, records: Vec<Record>, signature: Signature) -> Option<Self> {
        let first = records.first()?;
        let place = Place { env, feed: first.feed, seq: first.seq, prev: first.prev };
        Some(Self { place, records, signature })
    }

    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        let payloads = self.records.iter().map(|record| record.payload.as_slice());
        encode(&self.place, payloads, &self.signature)
    }

    /// Reads bytes that anyone may have sent to a node of `env`.
    pub fn open(env: &PublicKey, bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.len() > FRAME_MAX_BYTES {
            return Err(FrameError::Oversized(bytes.len()));
        }
        let place = read_place(env, bytes)?;
        let (body, signature) = bytes.split_last_chunk::<SIGNATURE_BYTES>().ok_or(FrameError::Malformed)?;
        let body = body.get(HEADER_BYTES..).ok_or(FrameError::Malformed)?;
        let records = read_records(place, body)?;
        let last = records.last().ok_or(FrameError::Malformed)?;
        let signature = Signature::from_bytes(*signature);
        verify(&place.feed, &last.hash, &signature)?;
        Ok(Self { place, records, signature })
    }

    /// Which records of which feed the bytes of a frame claim to hold: first and last; none where they are no frame
    /// of this version. Verifies nothing.
    pub fn span(bytes: &[u8]) -> Option<(FeedId, u64, u64)> {
        let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
        let mut place = header.strip_prefix(&[VERSION])?.get(32..)?;
        let feed = FeedId {
            node: PublicKey::from_bytes(take(&mut place).ok()?),
            incarnation: u64::from_be_bytes(take(&mut place).ok()?),
        };
        let first = u64::from_be_bytes(take(&mut place).ok()?);
        let (mut body, _) = rest.split_last_chunk::<SIGNATURE_BYTES>()?;
        let mut next = first;
        while !body.is_empty() {
            let [high, middle, low] = take(&mut body).ok()?;
            body = body.get(u32::from_be_bytes([0, high, middle, low]) as usize..)?;
            next = next.checked_add(1)?;
        }
        (next > first).then_some((feed, first, next - 1))
    }

    /// The last record.
    pub fn last(&self) -> &Record {
        self.records.last().expect("a frame holds at least one record")
    }

    /// The hash that this frame gives the record at `seq`: as one of its own, or as the one before its first.
    pub fn hash_at(&self, seq: u64) -> Option<Digest> {
        match seq.checked_sub(self.place.seq) {
            Some(index) => self.records.get(usize::try_from(index).ok()?).map(|record| record.hash),
            None => (seq + 1 == self.place.seq && seq > 0).then_some(self.place.prev),
        }
    }
}

fn read_place(env: &PublicKey, bytes: &[u8]) -> Result<Place, FrameError> {
    let (&found, mut rest) = bytes.split_first().ok_or(FrameError::Malformed)?;
    if found != VERSION {
        return Err(if found > VERSION { FrameError::Newer(found) } else { FrameError::Malformed });
    }
    let sender = PublicKey::from_bytes(take(&mut rest)?);
    if sender != *env {
        return Err(FrameError::WrongEnv(sender));
    }
    let node = PublicKey::from_bytes(take(&mut rest)?);
    let feed = FeedId { node, incarnation: u64::from_be_bytes(take(&mut rest)?) };
    let seq = u64::from_be_bytes(take(&mut rest)?);
    let prev = Digest::from_bytes(take(&mut rest)?);
    // The numbers of all records of a frame fit, and none is 0.
    if seq == 0 || seq > u64::MAX / 2 || (seq == 1) != (prev == super::record::NO_RECORD) {
        return Err(FrameError::Malformed);
    }
    Ok(Place { env: sender, feed, seq, prev })
}

/// Reads records that stand at and behind `place`.
fn read_records(mut place: Place, mut body: &[u8]) -> Result<Vec<Record>, FrameError> {
    let mut records = Vec::new();
    while !body.is_empty() {
        if !records.is_empty() && place.seq % PACK_RECORDS == 1 {
            return Err(FrameError::CrossesPacks);
        }
        let [high, middle, low] = take(&mut body)?;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        let fault = |source| FrameError::Record { seq: place.seq, source };
        if length > RECORD_MAX_BYTES {
            return Err(fault(RecordError::Oversized(length)));
        }
        let (payload, rest) = body.split_at_checked(length).ok_or(FrameError::Malformed)?;
        let record = place.read(payload.to_vec()).map_err(fault)?;
        place = place.next(record.hash);
        records.push(record);
        body = rest;
    }
    Ok(records)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], FrameError> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(FrameError::Malformed)?;
    *bytes = rest;
    Ok(*taken)
}
