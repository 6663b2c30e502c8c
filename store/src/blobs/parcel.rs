//! Parcels: chunks as they travel between nodes, the records of their packs one behind the other.
//!
//! Owns the making and the opening of them. A record travels as it is stored: nothing is compressed twice, and
//! whoever receives it verifies the stored bytes before it decompresses them, and the chunk after. Invariant:
//! a [`Chunk`] that came out of a parcel is the one that its digest names.

use std::borrow::Cow;

use super::content::Source;
use super::record::{Decoder, Encoder, Header};
use super::{BlobError, Blobs};
use crate::Digest;
use crate::tables::Table;

/// Bytes of which no chunk can be made, or another one than they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk in a parcel does not verify")]
pub struct InvalidParcel;

/// A chunk that came from a peer, verified.
#[derive(Debug)]
pub struct Chunk<'a> {
    digest: Digest,
    pub(super) record: &'a [u8],
    bytes: Cow<'a, [u8]>,
}

impl Chunk<'_> {
    /// Its name.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its record: what it is kept as and travels as.
    pub fn record(&self) -> &[u8] {
        self.record
    }
}

/// The chunks of a parcel. Each is verified, in memory for itself alone, when its turn comes; one that is false
/// is passed over, and behind one that does not say where it ends there are no more.
pub struct Parcel<'a> {
    rest: &'a [u8],
    decoder: Decoder,
}

impl<'a> Parcel<'a> {
    /// What came from a peer.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, decoder: Decoder::default() }
    }

    /// A parcel with `chunk` alone: its record.
    pub fn of(chunk: &[u8]) -> Vec<u8> {
        Encoder::default().encode(&Digest::of(chunk), chunk).to_vec()
    }

    /// The next chunk, whose digest `hash` makes, told which it has to be.
    pub(super) fn next_by(
        &mut self,
        hash: impl FnOnce(&Digest, &[u8]) -> Digest,
    ) -> Option<Result<Chunk<'a>, InvalidParcel>> {
        if self.rest.is_empty() {
            return None;
        }
        let before = self.rest.len();
        let chunk = self.open(hash).ok_or(InvalidParcel);
        if self.rest.len() == before {
            self.rest = &[];
        }
        Some(chunk)
    }

    fn open(&mut self, hash: impl FnOnce(&Digest, &[u8]) -> Digest) -> Option<Chunk<'a>> {
        let header = Header::decode(self.rest)?;
        let (record, rest) = self.rest.split_at_checked(header.record_bytes() as usize)?;
        self.rest = rest;
        let digest = header.digest;
        let bytes = self.decoder.decode_by(record, &digest, |bytes| hash(&digest, bytes))?;
        Some(Chunk { digest, record, bytes })
    }
}

impl<'a> Iterator for Parcel<'a> {
    type Item = Result<Chunk<'a>, InvalidParcel>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_by(|_, bytes| Digest::of(bytes))
    }
}

impl Blobs {
    /// A parcel with those of `chunks` that are here and sound, in their order, behind what `parcel` holds already,
    /// up to the first with which that would be longer than `limit_bytes`.
    pub fn parcel(
        &self,
        chunks: &[Digest],
        mut parcel: Vec<u8>,
        limit_bytes: usize,
    ) -> Result<Vec<u8>, BlobError> {
        let mut source = Source::new(self);
        for chunk in chunks {
            let fits = match source.copy(chunk, &mut parcel, limit_bytes) {
                Err(BlobError::NotFound(_)) => self.add_inline(chunk, &mut parcel, limit_bytes)?,
                Err(error @ BlobError::Damaged { .. }) => {
                    tracing::warn!(%error, "a peer asked for a chunk that cannot be sent");
                    true
                }
                other => other?,
            };
            if !fits {
                break;
            }
        }
        Ok(parcel)
    }

    /// The same for a blob that is in the database, if it is.
    fn add_inline(&self, blob: &Digest, parcel: &mut Vec<u8>, limit_bytes: usize) -> Result<bool, BlobError> {
        let Some(bytes) = self.0.slot.read()?.get_raw(Table::Blobs, blob.as_bytes())? else {
            return Ok(true);
        };
        let mut encoder = Encoder::default();
        let record = encoder.encode(blob, &bytes);
        let fits = parcel.len() + record.len() <= limit_bytes;
        if fits {
            parcel.extend_from_slice(record);
        }
        Ok(fits)
    }
}
