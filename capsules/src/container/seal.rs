//! Sealing a draft: its envelopes before it, and the file in its place.
//!
//! Owns how the file appears: written beside its place, made lasting, and moved there in one go. Invariant:
//! whoever finds the file finds all of it.

use std::fs::File;
use std::io::{self, Write};

use super::error::{ContainerError, Part};
use super::format::{self, Head, Kind};
use super::pack::{Draft, folder_of};

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
        let folder = folder_of(&self.target);
        let failed = || ContainerError::io("write", &self.target);
        let mut file = tempfile::Builder::new();
        let file = file.prefix(".xyn-capsule-").permissions(readable()).tempfile_in(folder);
        let mut file = file.map_err(failed())?;
        let size_bytes = self.write(file.as_file_mut(), manifest, attestations).map_err(failed())?;
        file.as_file().sync_all().map_err(failed())?;
        file.persist(&self.target).map_err(|error| failed()(error.error))?;
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(ContainerError::io("sync", folder))?;
        Ok(Sealed { size_bytes, chunks: self.chunks.len() as u64 })
    }

    fn write(&self, file: &mut File, manifest: &[u8], attestations: &[Vec<u8>]) -> io::Result<u64> {
        let mut index = Vec::new();
        self.chunks.iter().for_each(|chunk| chunk.row.encode(&mut index));
        let mut front = [format::MAGIC.as_slice(), &[format::VERSION]].concat();
        let attestations = attestations.iter().map(|bytes| (Kind::Attestation, bytes.as_slice()));
        let sections = [(Kind::Manifest, manifest)].into_iter().chain(attestations);
        for (kind, bytes) in sections.chain([(Kind::Tree, self.tree.as_slice()), (Kind::Index, &index)]) {
            front.extend_from_slice(&Head::of(kind, bytes).encode());
            front.extend_from_slice(bytes);
        }
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

/// What a file that travels may be read by, as far as the umask has it.
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
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
