//! Sealing: envelopes before a tree, and the file in its place.
//!
//! Owns the order of the sections as they are written, for a draft and for a capsule that gets other envelopes.
//! Invariant: what is written keeps within the limits that reading it has.

use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::error::{ContainerError, Part};
use super::format::{self, Head, Kind};
use super::open::Cover;
use super::pack::Draft;
use super::place::place;
use crate::age::Encrypting;

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
        let failed = || ContainerError::io("write", &self.target);
        let size_bytes = place(&self.target, |file| {
            if self.recipients.is_empty() {
                self.write(file, manifest, attestations).map_err(failed())?;
            } else {
                let mut encrypting = Encrypting::new(&mut *file, &self.recipients)?;
                self.write(&mut encrypting, manifest, attestations).map_err(failed())?;
                encrypting.finish().map_err(failed())?;
            }
            file.stream_position().map_err(failed())
        })?;
        Ok(Sealed { size_bytes, chunks: self.chunks.len() as u64 })
    }

    fn write(&self, out: &mut impl Write, manifest: &[u8], attestations: &[Vec<u8>]) -> io::Result<()> {
        let mut index = Vec::new();
        self.chunks.iter().for_each(|chunk| chunk.row.encode(&mut index));
        out.write_all(&front(manifest, attestations, &self.tree, &index))?;
        for chunk in &self.chunks {
            self.spool.copy(chunk.at, chunk.row.stored_bytes().into(), out)?;
        }
        out.flush()
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
