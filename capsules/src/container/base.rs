//! What a delta is written against and read with: the stream of a tree that both sides have.
//!
//! Owns reading pieces of that stream from a capsule file or from the chunk store. Invariant: what is handed
//! out was verified, chunk by chunk or blob by blob.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use xyn_store::Digest;
use xyn_store::blobs::Blobs;

use super::blob::BlobSource;
use super::chunk::unpacked;
use super::codec::Decoder;
use super::error::ContainerError;
use super::index::Index;
use super::open::{Cover, Envelopes};
use super::outline::Outline;
use crate::tree::Limits;

/// Chunks that are kept decompressed: those around the place that is read.
const KEPT_CHUNKS: usize = 6;

/// A tree whose files can be read as one stream.
pub trait Base: Sync {
    /// The tree.
    fn outline(&self) -> &Outline;

    /// The bytes of a part of the stream.
    fn read(&self, range: Range<u64>) -> Result<Vec<u8>, ContainerError>;

    /// Where a chunk with this digest lies, as far as that is known.
    fn find(&self, _chunk: &Digest) -> Option<u64> {
        None
    }
}

/// Where the bytes of a capsule are.
enum Bytes {
    File(PathBuf, File),
    Blob(Blobs, Digest),
}

impl Bytes {
    fn read(&self, at: u64, count: usize) -> Result<Vec<u8>, ContainerError> {
        match self {
            Self::File(path, file) => {
                let mut bytes = vec![0; count];
                file.read_exact_at(&mut bytes, at).map_err(ContainerError::io("read", path))?;
                Ok(bytes)
            }
            Self::Blob(blobs, digest) => {
                let mut bytes = Vec::with_capacity(count);
                for piece in blobs.content(digest)?.pieces(at..at + count as u64) {
                    bytes.append(&mut piece?);
                }
                Ok(bytes)
            }
        }
    }
}

/// A whole capsule in a file, or in a blob.
pub struct CapsuleFile {
    bytes: Bytes,
    envelopes: Envelopes,
    outline: Outline,
    /// The number of each content in the stream.
    numbers: HashMap<Digest, usize>,
    index: Index,
    /// Where the stored bytes of each chunk begin in the file.
    stored_at: Vec<u64>,
    starts: HashMap<Digest, u64>,
    kept: Mutex<Vec<(usize, Vec<u8>)>>,
}

impl CapsuleFile {
    /// Opens the capsule at `path`, which is no delta.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, ContainerError> {
        let file = File::open(path).map_err(ContainerError::io("open", path))?;
        let end = file.metadata().map_err(ContainerError::io("read", path))?.len();
        let source = file.try_clone().map_err(ContainerError::io("read", path))?;
        let cover = Cover::read(BufReader::new(source))?;
        Self::of(cover, Bytes::File(path.to_owned(), file), end, limits)
    }

    /// Opens the capsule that is the blob `digest`, and no delta.
    pub fn stored(blobs: &Blobs, digest: &Digest, limits: Limits) -> Result<Self, ContainerError> {
        let content = blobs.content(digest)?;
        let end = content.size_bytes();
        let cover = Cover::read(BlobSource::from(content))?;
        Self::of(cover, Bytes::Blob(blobs.clone(), *digest), end, limits)
    }

    fn of<R: Read>(cover: Cover<R>, bytes: Bytes, end: u64, limits: Limits) -> Result<Self, ContainerError> {
        if cover.base().is_some() {
            return Err(ContainerError::Delta);
        }
        let capsule = cover.open(None, limits)?;
        let (mut at, envelopes, outline, index) = capsule.into_parts();
        let (mut stored_at, mut starts) = (Vec::with_capacity(index.rows.len()), HashMap::new());
        for (number, row) in index.rows.iter().enumerate() {
            stored_at.push(at);
            starts.entry(row.digest).or_insert(index.starts[number]);
            at += u64::from(row.stored_bytes());
        }
        match end.cmp(&at) {
            std::cmp::Ordering::Less => {
                let part = index.part(index.rows.len().saturating_sub(1), &outline);
                Err(ContainerError::Truncated { at: end, part })
            }
            std::cmp::Ordering::Greater => Err(ContainerError::Trailing { at }),
            std::cmp::Ordering::Equal => {
                let files = outline.layout.files.iter().enumerate();
                let numbers = files.map(|(number, file)| (file.digest, number)).collect();
                let kept = Mutex::default();
                Ok(Self { bytes, envelopes, outline, numbers, index, stored_at, starts, kept })
            }
        }
    }

    /// The envelope of its manifest.
    pub fn manifest(&self) -> &[u8] {
        &self.envelopes.manifest
    }

    /// The envelopes of its attestations.
    pub fn attestations(&self) -> &[Vec<u8>] {
        &self.envelopes.attestations
    }

    /// Where the file `digest` lies in the stream.
    pub(super) fn place(&self, digest: &Digest) -> Option<Range<u64>> {
        let file = &self.outline.layout.files[*self.numbers.get(digest)?];
        Some(file.start..file.end())
    }

    /// Appends the part of chunk `number` that lies in `range`.
    fn append(&self, number: usize, range: &Range<u64>, out: &mut Vec<u8>) -> Result<(), ContainerError> {
        let of = self.index.range(number);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(kept, _)| *kept == number);
        let entry = match at {
            Some(at) => kept.remove(at),
            None => (number, self.chunk(number)?),
        };
        let part = range.start.max(of.start) - of.start..range.end.min(of.end) - of.start;
        out.extend_from_slice(&entry.1[part.start as usize..part.end as usize]);
        if kept.len() == KEPT_CHUNKS {
            kept.remove(0);
        }
        kept.push(entry);
        Ok(())
    }

    fn chunk(&self, number: usize) -> Result<Vec<u8>, ContainerError> {
        let (row, at) = (&self.index.rows[number], self.stored_at[number]);
        let stored = self.bytes.read(at, row.stored_bytes() as usize)?;
        let raw = unpacked(row, stored, None, &mut Decoder::new());
        raw.map_err(|error| error.at(self.index.part(number, &self.outline), at))
    }
}

impl Base for CapsuleFile {
    fn outline(&self) -> &Outline {
        &self.outline
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<u8>, ContainerError> {
        let mut out = Vec::with_capacity((range.end - range.start) as usize);
        let first = self.index.starts.partition_point(|start| *start <= range.start).saturating_sub(1);
        for number in first..self.index.rows.len() {
            if self.index.starts[number] >= range.end {
                break;
            }
            self.append(number, &range, &mut out)?;
        }
        Ok(out)
    }

    fn find(&self, chunk: &Digest) -> Option<u64> {
        self.starts.get(chunk).copied()
    }
}

/// A tree in the chunk store.
pub struct StoredTree {
    blobs: Blobs,
    outline: Outline,
}

impl StoredTree {
    /// The tree `root` in `blobs`.
    pub fn new(blobs: &Blobs, root: Digest, limits: Limits) -> Result<Self, ContainerError> {
        Ok(Self { blobs: blobs.clone(), outline: Outline::of(blobs, root, limits)? })
    }
}

impl Base for StoredTree {
    fn outline(&self) -> &Outline {
        &self.outline
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<u8>, ContainerError> {
        let mut out = Vec::with_capacity((range.end - range.start) as usize);
        for (number, part) in self.outline.layout.within(range) {
            let file = &self.outline.layout.files[number];
            let content = self.blobs.content(&file.digest)?;
            for piece in content.pieces(part.start - file.start..part.end - file.start) {
                out.append(&mut piece?);
            }
        }
        Ok(out)
    }
}
