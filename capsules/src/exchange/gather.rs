//! Files that were found in an archive, on their way into a capsule.
//!
//! Owns where each content stands, and the last judgement over an import. Invariant: a capsule is only made of
//! files that are the tree of its manifest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use xyn_store::Digest;
use xyn_store::blobs::BlobError;

use super::error::{EntryFault, ExchangeError};
use crate::container::{
    ATTESTATION_MAX_BYTES, ATTESTATIONS_MAX, ATTESTATIONS_MAX_BYTES, ContainerError, Files,
    MANIFEST_MAX_BYTES, Options, Sealed, pack_tree,
};
use crate::manifest::Manifest;
use crate::sign::{Envelope, NotVerified};
use crate::tree::{Builder, Limits, Name, RelPath, Shelf, TreeError};

/// Bits of a mode that run a file as somebody else.
const PRIVILEGED: u32 = 0o6000;
/// Bits of a mode of which one makes a file executable.
pub(super) const EXECUTABLE: u32 = 0o111;
const PIECE_BYTES: usize = 128 << 10;
/// Bytes that any archive may unpack to.
pub(super) const UNPACKED_FREE_BYTES: u64 = 1 << 30;
/// How many times its size a larger one may unpack to.
pub(super) const RATIO_MAX: u64 = 200;

/// A capsule that was imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The tree.
    pub root: Digest,
    /// Of the bytes of its manifest: the name of the capsule.
    pub digest: Digest,
    /// The file.
    pub sealed: Sealed,
}

/// The envelopes that came with the files.
#[derive(Default)]
pub(super) struct Envelopes {
    pub(super) manifest: Option<Vec<u8>>,
    pub(super) attestations: Vec<Vec<u8>>,
}

impl Envelopes {
    /// Adds one that is said to have `said` bytes, which `read` gives when there is room for them.
    pub(super) fn add(
        &mut self,
        is_manifest: bool,
        said: u64,
        read: impl FnOnce() -> Result<Vec<u8>, ExchangeError>,
    ) -> Result<(), ExchangeError> {
        let held: u64 = self.attestations.iter().map(|bytes| bytes.len() as u64).sum();
        let (what, limit) = match is_manifest {
            true => ("the envelope of the manifest", MANIFEST_MAX_BYTES),
            false => ("an attestation", ATTESTATION_MAX_BYTES.min(ATTESTATIONS_MAX_BYTES - held)),
        };
        if said > limit {
            return Err(ExchangeError::TooLarge { what: what.to_owned(), said, limit });
        }
        let count = if is_manifest { self.manifest.iter().len() } else { self.attestations.len() };
        let most = if is_manifest { 1 } else { ATTESTATIONS_MAX };
        if count == most {
            let what = if is_manifest { "manifests" } else { "attestations" };
            return Err(ExchangeError::TooMany { what, found: count as u64 + 1, limit: most as u64 });
        }
        match is_manifest {
            true => self.manifest = Some(read()?),
            false => self.attestations.push(read()?),
        }
        Ok(())
    }
}

/// Where the bytes of a content stand in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) start: u64,
    pub(super) stored_bytes: u64,
    pub(super) size_bytes: u64,
    pub(super) is_deflated: bool,
}

impl Place {
    /// The bytes, as they are unpacked. Where they are too few or too many, that shows as an error.
    pub(super) fn open<'a>(&self, file: &'a File) -> Box<dyn Read + 'a> {
        let stored = At { file, at: self.start, end: self.start.saturating_add(self.stored_bytes) };
        match self.is_deflated {
            false => Box::new(stored),
            true => Box::new(flate2::bufread::DeflateDecoder::new(BufReader::new(stored))),
        }
    }

    /// At most `most` of the bytes.
    pub(super) fn read(&self, file: &File, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(file).take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A part of a file as a source.
pub(super) struct At<'a> {
    pub(super) file: &'a File,
    pub(super) at: u64,
    pub(super) end: u64,
}

impl Read for At<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = out.len().min(left);
        let read = self.file.read_at(&mut out[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// A tree whose contents stand in one file.
pub(super) struct Gathered {
    pub(super) file: File,
    pub(super) places: HashMap<Digest, Place>,
    pub(super) blobs: BTreeMap<Digest, Vec<u8>>,
}

impl Shelf for Gathered {
    fn read(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, TreeError> {
        self.blobs.read(digest, limit_bytes)
    }
}

impl Files for Gathered {
    fn file(&self, digest: &Digest) -> Result<(u64, Box<dyn Read + '_>), ContainerError> {
        let place = self.places.get(digest).ok_or(BlobError::NotFound(*digest))?;
        Ok((place.size_bytes, place.open(&self.file)))
    }
}

/// The path `at` of the entry `name`.
pub(super) fn path(name: &[u8], at: &[u8]) -> Result<RelPath, ExchangeError> {
    let path = match str::from_utf8(at) {
        Ok(text) => text.parse(),
        Err(_) => Name::read(at).map(|name| RelPath::root().join(&name)),
    };
    match path {
        Ok(path) if !path.is_root() => Ok(path),
        Ok(_) => Err(ExchangeError::entry(name, EntryFault::Unknown)),
        Err(fault) => Err(ExchangeError::entry(name, fault.into())),
    }
}

/// Refuses the bits of a mode that no tree has.
pub(super) fn unprivileged(name: &[u8], mode: u32) -> Result<(), ExchangeError> {
    match mode & PRIVILEGED {
        0 => Ok(()),
        _ => Err(ExchangeError::entry(name, EntryFault::Privileged)),
    }
}

/// Hands the `size_bytes` bytes of the entry `name` to `each`; answers their digest. That there are fewer or
/// more is an error, and no more than that is read.
pub(super) fn exactly(
    name: &[u8],
    size_bytes: u64,
    mut source: impl Read,
    mut each: impl FnMut(&[u8]) -> Result<(), ExchangeError>,
) -> Result<Digest, ExchangeError> {
    let (mut hasher, mut found) = (Sha256::new(), 0_u64);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match source.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                found += count as u64;
                if found > size_bytes {
                    break;
                }
                hasher.update(&piece[..count]);
                each(&piece[..count])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => match error.downcast::<ExchangeError>() {
                Ok(told) => return Err(told),
                Err(_) => return Err(ExchangeError::entry(name, EntryFault::Broken)),
            },
        }
    }
    match found == size_bytes {
        true => Ok(Digest::from_bytes(hasher.finalize().into())),
        false => Err(ExchangeError::entry(name, EntryFault::Length { said: size_bytes, found })),
    }
}

/// Makes the capsule at `target` of what was found.
pub(super) fn assemble(
    builder: Builder,
    (file, places): (File, HashMap<Digest, Place>),
    envelopes: Envelopes,
    target: &Path,
    limits: Limits,
) -> Result<Imported, ExchangeError> {
    let bytes = envelopes.manifest.ok_or(ExchangeError::Missing("the signed manifest"))?;
    let envelope = Envelope::read(&bytes).map_err(|error| ExchangeError::Manifest(error.into()))?;
    let manifest = Manifest::read(envelope.unverified()).map_err(NotVerified::from);
    let manifest = manifest.map_err(ExchangeError::Manifest)?;
    let (root, blobs) = builder.finish()?;
    if manifest.tree != root {
        return Err(ExchangeError::Tree { said: manifest.tree, held: root });
    }
    let digests: BTreeSet<_> = envelopes.attestations.iter().map(|bytes| Digest::of(bytes)).collect();
    if let Some(lost) = manifest.lacks(&digests).next() {
        return Err(ExchangeError::Attestation(lost.sha256));
    }
    let files = Gathered { file, places, blobs };
    let draft = pack_tree(&files, root, target, &Options { limits, ..Options::default() })?;
    let sealed = draft.seal(&bytes, &envelopes.attestations)?;
    Ok(Imported { root, digest: envelope.digest(), sealed })
}
