//! Reading a capsule from its first byte to its first chunk.
//!
//! Owns the order of the sections and the limits of each. A [`Cover`] is what can be judged before anything
//! in the capsule is looked into: the envelopes, and the digests of the tree and of its base. Invariant: no
//! more is read into memory than the limit of a section, and nothing that was not there is allocated.

use std::io::{self, Read};

use xyn_store::Digest;

use super::base::Base;
use super::codec::{self, Decoder};
use super::error::{ContainerError, Fault, Part};
use super::format::{self, HEAD_BYTES, Head, Kind, PREFACE_BYTES, TreeHead};
use super::index::Index;
use super::outline::Outline;
use crate::age::FIRST_LINE;
use crate::tree::{Limits, Listing};

/// What was read of a capsule before its tree was looked into.
pub struct Cover<R> {
    source: Source<R>,
    manifest: Vec<u8>,
    attestations: Vec<Vec<u8>>,
    tree: TreeHead,
    stored: Vec<u8>,
    tree_at: u64,
    index: Section,
}

impl<R: Read> Cover<R> {
    /// Reads the cover of a capsule.
    pub fn read(source: R) -> Result<Self, ContainerError> {
        let mut source = Source { source, at: 0 };
        preface(&mut source)?;
        let mut section = source.section(Kind::Manifest, Part::Manifest, format::MANIFEST_MAX_BYTES)?;
        let manifest = std::mem::take(&mut section.bytes);
        let (mut attestations, mut left) = (Vec::new(), format::ATTESTATIONS_MAX_BYTES);
        let section = loop {
            let part = Part::Attestation(attestations.len() + 1);
            let head = source.head(&part)?;
            if head.kind != Kind::Attestation as u8 {
                break source.body(head, Kind::Tree, Part::Tree, format::TREE_MAX_BYTES)?;
            }
            if attestations.len() == format::ATTESTATIONS_MAX {
                return Err(ContainerError::TooMany { limit: format::ATTESTATIONS_MAX });
            }
            let limit = left.min(format::ATTESTATION_MAX_BYTES);
            let bytes = source.body(head, Kind::Attestation, part, limit)?.bytes;
            left -= bytes.len() as u64;
            attestations.push(bytes);
        };
        let tree_at = section.at;
        let unsound = |fault| ContainerError::Unsound { part: Part::Tree, at: tree_at, fault };
        let (tree, stored) = TreeHead::decode(&section.bytes).map_err(unsound)?;
        let stored = stored.to_vec();
        let index = source.section(Kind::Index, Part::Index, format::INDEX_MAX_BYTES)?;
        Ok(Self { source, manifest, attestations, tree, stored, tree_at, index })
    }

    /// The manifest's envelope.
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// The attestations' envelopes.
    pub fn attestations(&self) -> &[Vec<u8>] {
        &self.attestations
    }

    /// The tree that the capsule says it holds.
    pub fn root(&self) -> Digest {
        self.tree.root
    }

    /// The tree without which it cannot be read.
    pub fn base(&self) -> Option<Digest> {
        self.tree.base
    }

    /// Looks into the tree.
    pub fn open(self, base: Option<&dyn Base>, limits: Limits) -> Result<Capsule<'_, R>, ContainerError> {
        let base = match (self.tree.base, base) {
            (None, _) => None,
            (Some(needs), None) => return Err(ContainerError::NeedsBase(needs)),
            (Some(needs), Some(base)) => match base.outline().root() {
                given if given == needs => Some(base),
                given => return Err(ContainerError::WrongBase { needs, given }),
            },
        };
        let raw = self.outline(base)?;
        let outline = Outline::decode(self.tree.root, raw, limits, self.tree_at)?;
        let base_bytes = base.map_or(0, |base| base.outline().layout.stream_bytes);
        let index = Index::decode(&self.index.bytes, &outline.layout, base_bytes);
        let unsound = |fault| ContainerError::Unsound { part: Part::Index, at: self.index.at, fault };
        let index = index.map_err(unsound)?;
        let Self { source, manifest, attestations, .. } = self;
        Ok(Capsule { source, manifest, attestations, outline, index, base })
    }

    /// The sections of the tree and of the index, as they stand in the file.
    pub(super) fn sections(&self) -> (Vec<u8>, &[u8]) {
        ([self.tree.encode(), self.stored.clone()].concat(), &self.index.bytes)
    }

    /// What is behind the index.
    pub(super) fn rest(&mut self) -> &mut R {
        &mut self.source.source
    }

    fn outline(&self, base: Option<&dyn Base>) -> Result<Vec<u8>, ContainerError> {
        let (said, limit) = (self.tree.raw_bytes, format::OUTLINE_MAX_BYTES);
        if said > limit {
            return Err(ContainerError::TooLarge { part: Part::Tree, said, limit });
        }
        let stored = self.stored.len() as u64;
        let raw = match (self.tree.is_compressed, base) {
            (false, _) if stored == said => Ok(self.stored.clone()),
            (false, _) => Err(Fault::Lengths { raw: said, stored }),
            (true, None) => Decoder::new().decompress(&self.stored, said as usize),
            (true, Some(base)) => codec::unpatch(&self.stored, near(base.outline()), said as usize),
        };
        raw.map_err(|fault| ContainerError::Unsound { part: Part::Tree, at: self.tree_at, fault })
    }
}

/// What an outline is written against: that of the base, as far as a patch reaches.
pub(super) fn near(base: &Outline) -> &[u8] {
    &base.raw[..base.raw.len().min(format::NEAR_MAX_BYTES as usize)]
}

fn preface<R: Read>(source: &mut Source<R>) -> Result<(), ContainerError> {
    let bytes: [u8; PREFACE_BYTES] = source.array(&Part::Preface).map_err(|error| match error {
        ContainerError::Truncated { .. } => ContainerError::NotCapsule,
        error => error,
    })?;
    match bytes.split_at(format::MAGIC.len()) {
        (magic, [format::VERSION]) if magic == format::MAGIC => Ok(()),
        _ if FIRST_LINE.starts_with(&bytes) => Err(ContainerError::Encrypted),
        (magic, [version]) if magic == format::MAGIC && *version > format::VERSION => {
            Err(ContainerError::Newer(*version))
        }
        _ => Err(ContainerError::NotCapsule),
    }
}

/// A capsule whose tree is known and whose files are still to come.
pub struct Capsule<'a, R> {
    pub(super) source: Source<R>,
    manifest: Vec<u8>,
    attestations: Vec<Vec<u8>>,
    pub(super) outline: Outline,
    pub(super) index: Index,
    pub(super) base: Option<&'a dyn Base>,
}

impl<R> Capsule<'_, R> {
    /// The manifest's envelope.
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// The attestations' envelopes.
    pub fn attestations(&self) -> &[Vec<u8>] {
        &self.attestations
    }

    /// The tree.
    pub fn root(&self) -> Digest {
        self.outline.root
    }

    /// Every entry of the tree.
    pub fn listing(&self) -> &Listing {
        &self.outline.listing
    }

    /// The tree without its files, for what compares trees.
    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Where the chunks begin, the envelopes, the tree, and the chunks.
    pub(super) fn into_parts(self) -> (u64, Envelopes, Outline, Index) {
        let Self { source, manifest, attestations, outline, index, .. } = self;
        (source.at, Envelopes { manifest, attestations }, outline, index)
    }
}

/// The envelopes before a tree.
pub(super) struct Envelopes {
    pub(super) manifest: Vec<u8>,
    pub(super) attestations: Vec<Vec<u8>>,
}

/// A section that was read.
struct Section {
    at: u64,
    bytes: Vec<u8>,
}

/// Bytes that come one behind the other, counted.
pub(super) struct Source<R> {
    source: R,
    pub(super) at: u64,
}

impl<R: Read> Source<R> {
    fn section(&mut self, kind: Kind, part: Part, limit: u64) -> Result<Section, ContainerError> {
        let head = self.head(&part)?;
        self.body(head, kind, part, limit)
    }

    fn head(&mut self, part: &Part) -> Result<Head, ContainerError> {
        self.array::<HEAD_BYTES>(part).map(|bytes| Head::decode(&bytes))
    }

    fn body(&mut self, head: Head, kind: Kind, part: Part, limit: u64) -> Result<Section, ContainerError> {
        let at = self.at;
        if head.kind != kind as u8 {
            let fault = Fault::Order { found: head.kind };
            return Err(ContainerError::Unsound { part, at: at - HEAD_BYTES as u64, fault });
        }
        if head.bytes > limit {
            return Err(ContainerError::TooLarge { part, said: head.bytes, limit });
        }
        let bytes = self.take(head.bytes, || part.clone())?;
        match Digest::of(&bytes) == head.digest {
            true => Ok(Section { at, bytes }),
            false => Err(ContainerError::Altered { part, at }),
        }
    }

    fn array<const N: usize>(&mut self, part: &Part) -> Result<[u8; N], ContainerError> {
        let bytes = self.take(N as u64, || part.clone())?;
        Ok(bytes.try_into().expect("as many bytes were taken"))
    }

    /// The next `count` bytes, of `part`.
    pub(super) fn take(
        &mut self,
        count: u64,
        part: impl FnOnce() -> Part,
    ) -> Result<Vec<u8>, ContainerError> {
        // Room is made as bytes come, whatever was said.
        let mut bytes = Vec::with_capacity(count.min(format::CHUNK_MAX_BYTES as u64) as usize);
        let read = self.source.by_ref().take(count).read_to_end(&mut bytes);
        self.at += bytes.len() as u64;
        read.map_err(ContainerError::Read)?;
        match bytes.len() as u64 == count {
            true => Ok(bytes),
            false => Err(ContainerError::Truncated { at: self.at, part: part() }),
        }
    }

    /// Sees to it that nothing is behind.
    pub(super) fn end(&mut self) -> Result<(), ContainerError> {
        let mut byte = [0];
        loop {
            match self.source.read(&mut byte) {
                Ok(0) => return Ok(()),
                Ok(_) => return Err(ContainerError::Trailing { at: self.at }),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ContainerError::Read(error)),
            }
        }
    }
}
