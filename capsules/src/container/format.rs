//! The bytes of a capsule file but for its chunks: preface, heads of sections, rows of the index.
//!
//! A file is `preface | manifest | attestation* | tree | index | chunks`. Each section but the chunks has a
//! head with its kind, its length and the digest of its bytes; the chunks stand one behind the other, as long
//! as the index says, and the file ends with the last. Numbers are little-endian. Invariant: what decodes
//! encodes to the same bytes.

use xyn_store::Digest;

use super::error::Fault;

pub(super) const MAGIC: [u8; 7] = *b"xyncaps";
pub(super) const VERSION: u8 = 1;
pub(super) const PREFACE_BYTES: usize = MAGIC.len() + 1;
pub(super) const HEAD_BYTES: usize = 1 + 8 + Digest::BYTES;

/// Bytes that the envelope of a manifest may have.
pub(crate) const MANIFEST_MAX_BYTES: u64 = 4 << 20;
/// Bytes that one attestation may have: room for the parts list of a large application.
pub(crate) const ATTESTATION_MAX_BYTES: u64 = 16 << 20;
/// Bytes that all attestations may have.
pub(crate) const ATTESTATIONS_MAX_BYTES: u64 = 32 << 20;
/// Attestations that a capsule may have.
pub(crate) const ATTESTATIONS_MAX: usize = 64;
/// Bytes that the directories and links of a tree may have together: half a million long names.
pub(super) const OUTLINE_MAX_BYTES: u64 = 64 << 20;
/// Bytes that the section of the tree may have.
pub(super) const TREE_MAX_BYTES: u64 = OUTLINE_MAX_BYTES + 128;
/// Bytes that the index may have: two hundred thousand chunks.
pub(super) const INDEX_MAX_BYTES: u64 = 16 << 20;
/// Bytes that a chunk may have.
pub(super) const CHUNK_MAX_BYTES: usize = 4 << 20;
/// Bytes of a base that one chunk may refer to.
pub(super) const NEAR_MAX_BYTES: u64 = 4 << 20;

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Manifest = 1,
    Attestation = 2,
    Tree = 3,
    Index = 4,
}

/// What stands before a section.
pub(super) struct Head {
    pub(super) kind: u8,
    pub(super) bytes: u64,
    pub(super) digest: Digest,
}

impl Head {
    pub(super) fn of(kind: Kind, section: &[u8]) -> Self {
        Self { kind: kind as u8, bytes: section.len() as u64, digest: Digest::of(section) }
    }

    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0] = self.kind;
        bytes[1..9].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[9..].copy_from_slice(self.digest.as_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEAD_BYTES]) -> Self {
        let mut fields = Fields(bytes);
        let [kind] = fields.array().expect("a head begins with its kind");
        let length = fields.number().expect("its length is next");
        let digest = fields.digest().expect("its digest is last");
        Self { kind, bytes: length, digest }
    }
}

/// How the bytes of something are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Plain,
    /// As one frame of zstd.
    Zstd { bytes: u32, sum: Digest },
    /// As one frame of zstd behind `near` bytes from `at` on in the stream of the base.
    Patch { bytes: u32, sum: Digest, at: u64, near: u32 },
    /// Not at all: they are those from `at` on in the stream of the base.
    Held { at: u64 },
}

/// A chunk, as the index tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) raw_bytes: u32,
    pub(super) digest: Digest,
    pub(super) form: Form,
}

impl Row {
    /// Bytes that it takes behind the index.
    pub(super) fn stored_bytes(&self) -> u32 {
        match self.form {
            Form::Plain => self.raw_bytes,
            Form::Zstd { bytes, .. } | Form::Patch { bytes, .. } => bytes,
            Form::Held { .. } => 0,
        }
    }

    /// The digest of these bytes.
    pub(super) fn sum(&self) -> Option<Digest> {
        match self.form {
            Form::Plain => Some(self.digest),
            Form::Zstd { sum, .. } | Form::Patch { sum, .. } => Some(sum),
            Form::Held { .. } => None,
        }
    }

    /// The bytes of the base that it refers to.
    pub(super) fn near(&self) -> Option<(u64, u64)> {
        match self.form {
            Form::Patch { at, near, .. } => Some((at, near.into())),
            Form::Held { at } => Some((at, self.raw_bytes.into())),
            Form::Plain | Form::Zstd { .. } => None,
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let form = match self.form {
            Form::Plain => 0,
            Form::Zstd { .. } => 1,
            Form::Patch { .. } => 2,
            Form::Held { .. } => 3,
        };
        out.push(form);
        out.extend_from_slice(&self.raw_bytes.to_le_bytes());
        out.extend_from_slice(self.digest.as_bytes());
        if let Form::Zstd { bytes, sum } | Form::Patch { bytes, sum, .. } = self.form {
            out.extend_from_slice(&bytes.to_le_bytes());
            out.extend_from_slice(sum.as_bytes());
        }
        if let Form::Patch { at, .. } | Form::Held { at } = self.form {
            out.extend_from_slice(&at.to_le_bytes());
        }
        if let Form::Patch { near, .. } = self.form {
            out.extend_from_slice(&near.to_le_bytes());
        }
    }

    /// The row that comes next.
    pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        let [form] = fields.array()?;
        let (raw_bytes, digest) = (fields.short()?, fields.digest()?);
        let form = match form {
            0 => Form::Plain,
            1 => Form::Zstd { bytes: fields.short()?, sum: fields.digest()? },
            2 => {
                let (bytes, sum) = (fields.short()?, fields.digest()?);
                Form::Patch { bytes, sum, at: fields.number()?, near: fields.short()? }
            }
            3 => Form::Held { at: fields.number()? },
            other => return Err(Fault::Form(other)),
        };
        let row = Self { raw_bytes, digest, form };
        let (raw, stored) = (u64::from(raw_bytes), u64::from(row.stored_bytes()));
        // What compression does not make smaller is stored as it is.
        let is_sound = match form {
            Form::Plain | Form::Held { .. } => true,
            Form::Zstd { .. } | Form::Patch { .. } => (1..raw).contains(&stored),
        };
        match is_sound && (1..=CHUNK_MAX_BYTES as u64).contains(&raw) {
            true => Ok(row),
            false => Err(Fault::Lengths { raw, stored }),
        }
    }
}

/// What a section of the tree says before the bytes of its outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TreeHead {
    pub(super) root: Digest,
    /// The tree without which this one cannot be read.
    pub(super) base: Option<Digest>,
    pub(super) raw_bytes: u64,
    /// Whether the outline is compressed; against that of the base, if there is one.
    pub(super) is_compressed: bool,
}

impl TreeHead {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![u8::from(self.is_compressed) | u8::from(self.base.is_some()) << 1];
        out.extend_from_slice(self.root.as_bytes());
        out.extend_from_slice(&self.raw_bytes.to_le_bytes());
        out.extend(self.base.iter().flat_map(|base| *base.as_bytes()));
        out
    }

    /// The head, and the bytes behind it.
    pub(super) fn decode(section: &[u8]) -> Result<(Self, &[u8]), Fault> {
        let mut fields = Fields(section);
        let [flags] = fields.array()?;
        if flags > 3 {
            return Err(Fault::Form(flags));
        }
        let (root, raw_bytes) = (fields.digest()?, fields.number()?);
        let base = (flags & 2 != 0).then(|| fields.digest()).transpose()?;
        let head = Self { root, base, raw_bytes, is_compressed: flags & 1 != 0 };
        Ok((head, fields.0))
    }
}

/// Fields that are taken from bytes one by one.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Fault::Fields)?;
        self.0 = rest;
        Ok(*array)
    }

    fn short(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    fn number(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    fn digest(&mut self) -> Result<Digest, Fault> {
        self.array().map(Digest::from_bytes)
    }
}
