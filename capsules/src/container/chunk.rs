//! A chunk, from its stored bytes to its raw ones.
//!
//! Owns the order of what is checked: the stored bytes before they are decompressed, the raw ones before they
//! are used. Invariant: what comes out has the digest and the length that its row says.

use xyn_store::Digest;

use super::base::Base;
use super::codec::{self, Decoder};
use super::error::{ContainerError, Fault, Part};
use super::format::{Form, Row};

/// Why a chunk cannot be used.
pub(super) enum ChunkError {
    Altered,
    Unsound(Fault),
    Base(ContainerError),
}

impl ChunkError {
    /// The error about `part`, which stands at byte `at`.
    pub(super) fn at(self, part: Part, at: u64) -> ContainerError {
        match self {
            Self::Altered => ContainerError::Altered { part, at },
            Self::Unsound(fault) => ContainerError::Unsound { part, at, fault },
            Self::Base(error) => error,
        }
    }
}

/// The raw bytes of the chunk `row`. What it refers to in `base` is known to be there.
pub(super) fn unpacked(
    row: &Row,
    stored: Vec<u8>,
    base: Option<&dyn Base>,
    decoder: &mut Decoder,
) -> Result<Vec<u8>, ChunkError> {
    let found = Digest::of(&stored);
    if row.sum().is_some_and(|sum| sum != found) {
        return Err(ChunkError::Altered);
    }
    if row.form == Form::Plain {
        return Ok(stored);
    }
    let raw_bytes = row.raw_bytes as usize;
    let near = match (row.near(), base) {
        (Some((at, bytes)), Some(base)) => base.read(at..at + bytes).map_err(ChunkError::Base)?,
        _ => Vec::new(),
    };
    let raw = match row.form {
        Form::Held { .. } => Ok(near),
        Form::Patch { .. } => codec::unpatch(&stored, &near, raw_bytes),
        Form::Plain | Form::Zstd { .. } => decoder.decompress(&stored, raw_bytes),
    };
    let raw = raw.map_err(ChunkError::Unsound)?;
    let found = Digest::of(&raw);
    match found == row.digest {
        true => Ok(raw),
        false => Err(ChunkError::Unsound(Fault::Digest { said: row.digest, found })),
    }
}
