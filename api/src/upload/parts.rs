//! Uploads that go on where they broke off: a blob comes chunk by chunk, and what came stays.
//!
//! Owns the frames of such a body: first the list of the blob's chunks, then records of chunks, in any order. A frame
//! is its length in four bytes, little-endian, and so many bytes. Nothing is believed: each chunk is verified as it
//! comes, and the blob when all are here. Invariant: what is not said to be lacking is here.

use std::collections::BTreeSet;

use axum::body::Bytes;
use futures::Stream;
use xyn_store::Digest;
use xyn_store::blobs::{BlobError, CHUNK_MAX, Manifest, PARCEL_OVERHEAD_BYTES, Parcel};

use super::{Incoming, through};
use crate::error::ApiError;
use crate::limits::{BLOB_LIST_MAX_BYTES, BLOB_MAX_BYTES};
use crate::state::AppState;

/// Bytes of a frame with a chunk.
const FRAME_MAX: usize = CHUNK_MAX + PARCEL_OVERHEAD_BYTES;

/// What is known of a blob after a part of it came.
pub(crate) struct Taken {
    pub(crate) digest: Digest,
    pub(crate) size_bytes: u64,
    /// Where the bytes begin that are still lacking, and how many they are; nothing once the blob is here.
    pub(crate) lacking: Vec<(u64, u64)>,
}

/// Takes in what comes of a blob.
pub(crate) async fn take<E: Into<ApiError>>(
    state: &AppState,
    pieces: impl Stream<Item = Result<Bytes, E>>,
) -> Result<Taken, ApiError> {
    let blobs = state.runtime().store().blobs().clone();
    through(pieces, move |incoming| {
        let mut frames = Frames { incoming, piece: Bytes::new() };
        let list = frames.next(BLOB_LIST_MAX_BYTES)?;
        let list = list.ok_or_else(|| malformed("the body begins with the list of the blob's chunks"))?;
        let manifest = Manifest::decode(&list).map_err(|error| malformed(&error.to_string()))?;
        let mut intake = blobs.intake(manifest.clone(), BLOB_MAX_BYTES)?;
        while let Some(frame) = frames.next(FRAME_MAX)? {
            let mut parcel = Parcel::new(&frame);
            while let Some(taken) = intake.take(&mut parcel) {
                taken?;
            }
        }
        let lacking = lacking(&manifest, intake.missing()?);
        if lacking.is_empty() {
            intake.assemble().map_err(|error| match error {
                BlobError::Unproved { .. } => malformed(&error.to_string()),
                error => error.into(),
            })?;
        }
        Ok(Taken { digest: manifest.object(), size_bytes: manifest.size_bytes(), lacking })
    })
    .await
}

/// Where the chunks `missing` are, those beside each other together.
fn lacking(manifest: &Manifest, missing: Vec<Digest>) -> Vec<(u64, u64)> {
    let missing: BTreeSet<_> = missing.into_iter().collect();
    let (mut at, mut lacking) = (0, Vec::<(u64, u64)>::new());
    for (chunk, length) in manifest.parts() {
        let length = u64::from(*length);
        if missing.contains(chunk) {
            match lacking.last_mut() {
                Some((from, bytes)) if *from + *bytes == at => *bytes += length,
                _ => lacking.push((at, length)),
            }
        }
        at += length;
    }
    lacking
}

/// The frames of a body.
struct Frames {
    incoming: Incoming,
    /// What came and was not looked at.
    piece: Bytes,
}

impl Frames {
    /// The next frame, of at most `max_bytes`; none at the end.
    fn next(&mut self, max_bytes: usize) -> Result<Option<Vec<u8>>, ApiError> {
        let Some(length) = self.read(size_of::<u32>())? else { return Ok(None) };
        let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
        if length > max_bytes {
            return Err(malformed(&format!("a frame has {length} bytes, and at most {max_bytes} are taken")));
        }
        match self.read(length)? {
            Some(frame) => Ok(Some(frame)),
            None => Err(malformed("the body ends within a frame")),
        }
    }

    /// The next `count` bytes; none at the end. What is held grows with what comes, not with what is said.
    fn read(&mut self, count: usize) -> Result<Option<Vec<u8>>, ApiError> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            if self.piece.is_empty() {
                match self.incoming.next()? {
                    Some(piece) => self.piece = piece,
                    None if bytes.is_empty() => return Ok(None),
                    None => return Err(malformed("the body ends within a frame")),
                }
            }
            let some = self.piece.split_to(self.piece.len().min(count - bytes.len()));
            bytes.extend_from_slice(&some);
        }
        Ok(Some(bytes))
    }
}

fn malformed(why: &str) -> ApiError {
    ApiError::invalid("body", why)
}
