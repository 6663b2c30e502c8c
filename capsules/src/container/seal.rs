//! Sealing: envelopes before a tree, and the file in its place.
//!
//! Owns the order of the sections as they are written, for a draft and for a capsule that gets other envelopes.
//! Invariant: what is written keeps within the limits that reading it has.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::error::{ContainerError, Part};
use super::format::{self, Head, Kind};
use super::open::Cover;
use super::pack::Draft;
use super::place::place;

/// A capsule that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes of the file.
    pub size_bytes: u64,
    /// How many chunks it has.
    pub chunks: u64,
}

impl Draft {
    /// Writes the capsule with the envelope of its manifest and those of its attestations; lasting when this
    /// returns. A file that was in its place is replaced.
    pub fn seal(self, manifest: &[u8], attestations: &[Vec<u8>]) -> Result<Sealed, ContainerError> {
        check(manifest, attestations)?;
        let failed = ContainerError::io("write", &self.target);
        let write = |file: &mut File| self.write(file, manifest, attestations).map_err(failed);
        let size_bytes = place(&self.target, write)?;
        Ok(Sealed { size_bytes, chunks: self.chunks.len() as u64 })
    }

    fn write(&self, file: &mut File, manifest: &[u8], attestations: &[Vec<u8>]) -> io::Result<u64> {
        let mut index = Vec::new();
        self.chunks.iter().for_each(|chunk| chunk.row.encode(&mut index));
        let front = front(manifest, attestations, &self.tree, &index);
        file.write_all(&front)?;
        let mut size_bytes = front.len() as u64;
        for chunk in &self.chunks {
            let bytes = u64::from(chunk.row.stored_bytes());
            self.spool.copy(chunk.at, bytes, file)?;
            size_bytes += bytes;
        }
        Ok(size_bytes)
    }
}

impl<R: Read> Cover<R> {
    /// Writes the same content to `target` under other envelopes; lasting when this returns. The content is
    /// copied as it is, and not looked at. Answers the bytes of the file.
    pub fn seal_again(
        mut self,
        manifest: &[u8],
        attestations: &[Vec<u8>],
        target: &Path,
    ) -> Result<u64, ContainerError> {
        check(manifest, attestations)?;
        let (tree, index) = self.sections();
        let front = front(manifest, attestations, &tree, index);
        place(target, |file| {
            file.write_all(&front).map_err(ContainerError::io("write", target))?;
            let copied = io::copy(self.rest(), file).map_err(ContainerError::io("write", target))?;
            Ok(front.len() as u64 + copied)
        })
    }
}

/// All that stands before the chunks.
fn front(manifest: &[u8], attestations: &[Vec<u8>], tree: &[u8], index: &[u8]) -> Vec<u8> {
    let mut front = [format::MAGIC.as_slice(), &[format::VERSION]].concat();
    let attestations = attestations.iter().map(|bytes| (Kind::Attestation, bytes.as_slice()));
    let sections = [(Kind::Manifest, manifest)].into_iter().chain(attestations);
    for (kind, bytes) in sections.chain([(Kind::Tree, tree), (Kind::Index, index)]) {
        front.extend_from_slice(&Head::of(kind, bytes).encode());
        front.extend_from_slice(bytes);
    }
    front
}

fn check(manifest: &[u8], attestations: &[Vec<u8>]) -> Result<(), ContainerError> {
    let within = |part, said: u64, limit| match said <= limit {
        true => Ok(()),
        false => Err(ContainerError::TooLarge { part, said, limit }),
    };
    within(Part::Manifest, manifest.len() as u64, format::MANIFEST_MAX_BYTES)?;
    if attestations.len() > format::ATTESTATIONS_MAX {
        return Err(ContainerError::TooMany { limit: format::ATTESTATIONS_MAX });
    }
    let mut left = format::ATTESTATIONS_MAX_BYTES;
    for (index, bytes) in attestations.iter().enumerate() {
        let limit = left.min(format::ATTESTATION_MAX_BYTES);
        within(Part::Attestation(index + 1), bytes.len() as u64, limit)?;
        left -= bytes.len() as u64;
    }
    Ok(())
}
