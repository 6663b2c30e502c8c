//! Reading blobs: whole, in part, in bounded memory.
//!
//! Owns the way from a digest to bytes. Every chunk is verified as it is read, and a range reads only the
//! chunks it lies in. Invariant: no byte is handed out that does not belong to the chunk its manifest names.

use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::{io, mem};

use super::index::{self, ObjectRow, Place};
use super::record::{self, Decoder};
use super::{BlobError, Blobs, CHUNK_MAX, Manifest, packer};
use crate::Digest;
use crate::error::StoreError;
use crate::tables::Table;

/// A blob that can be read.
pub struct Content {
    source: Source,
    digest: Digest,
    size_bytes: u64,
    parts: Parts,
}

enum Parts {
    /// In the database.
    Bytes(Vec<u8>),
    /// In packs.
    Chunks(Vec<(Digest, u32)>),
}

impl Content {
    /// Finds the blob `digest`, wherever it is kept.
    pub(super) fn find(blobs: &Blobs, digest: &Digest) -> Result<Option<Self>, BlobError> {
        let reader = blobs.0.slot.read()?;
        let object: Option<ObjectRow> = index::find(&reader, Table::Objects, digest)?;
        let parts = if let Some(bytes) = reader.get_raw(Table::Blobs, digest.as_bytes())? {
            Parts::Bytes(bytes)
        } else if let Some((name, _)) = object.and_then(|object| object.manifest) {
            let bytes = reader.get_raw(Table::Manifests, name.as_bytes())?;
            let manifest = bytes
                .filter(|bytes| Digest::of(bytes) == name)
                .and_then(|bytes| Manifest::decode(&bytes).ok())
                .filter(|manifest| manifest.object() == *digest);
            let broken = || StoreError::Inconsistent(format!("the list of chunks of blob {digest} is gone"));
            Parts::Chunks(manifest.ok_or_else(broken)?.into_parts())
        } else if let Some(place) = index::find::<Place>(&reader, Table::Chunks, digest)? {
            Parts::Chunks(vec![(*digest, place.raw_bytes)])
        } else if let Some(bytes) = reader.get_raw(Table::Manifests, digest.as_bytes())? {
            Parts::Bytes(bytes)
        } else {
            return Ok(None);
        };
        let size_bytes = match &parts {
            Parts::Bytes(bytes) => bytes.len() as u64,
            Parts::Chunks(chunks) => chunks.iter().map(|(_, bytes)| u64::from(*bytes)).sum(),
        };
        Ok(Some(Self { source: Source::new(blobs), digest: *digest, size_bytes, parts }))
    }

    /// The length of the blob `digest`, as the rows say that [`find`](Self::find) goes by: no list of chunks is read.
    pub(super) fn length_of(blobs: &Blobs, digest: &Digest) -> Result<Option<u64>, BlobError> {
        let reader = blobs.0.slot.read()?;
        let length = |table| reader.look_at(table, digest.as_bytes(), |bytes| bytes.len() as u64);
        if let Some(length) = length(Table::Blobs)? {
            return Ok(Some(length));
        }
        let object: Option<ObjectRow> = index::find(&reader, Table::Objects, digest)?;
        if let Some((_, length)) = object.and_then(|object| object.manifest) {
            return Ok(Some(length));
        }
        match index::find::<Place>(&reader, Table::Chunks, digest)? {
            Some(place) => Ok(Some(u64::from(place.raw_bytes))),
            None => Ok(length(Table::Manifests)?),
        }
    }

    /// Its length.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The bytes of `range`, as far as there are any, piece by piece.
    pub fn pieces(self, range: Range<u64>) -> Pieces {
        let range = range.start..range.end.min(self.size_bytes);
        Pieces { content: self, range, next: 0, at: 0 }
    }
}

/// Verified pieces of a blob, of at most [`CHUNK_MAX`] bytes each. After an error there are no more.
pub struct Pieces {
    content: Content,
    /// What is still to come.
    range: Range<u64>,
    /// The next part and where in the blob it begins.
    next: usize,
    at: u64,
}

impl Pieces {
    fn piece(&mut self) -> Result<Vec<u8>, BlobError> {
        let chunks = match &self.content.parts {
            Parts::Bytes(bytes) => {
                let end = self.range.end.min(self.range.start + CHUNK_MAX as u64);
                return Ok(bytes[self.range.start as usize..end as usize].to_vec());
            }
            Parts::Chunks(chunks) => chunks,
        };
        while let Some((_, bytes)) = chunks.get(self.next)
            && self.at + u64::from(*bytes) <= self.range.start
        {
            self.next += 1;
            self.at += u64::from(*bytes);
        }
        let (chunk, bytes) = chunks[self.next];
        let mut piece = self.content.source.chunk(&self.content.digest, &chunk)?;
        if piece.len() != bytes as usize {
            let fault = format!("chunk {chunk} of blob {} has another length", self.content.digest);
            return Err(StoreError::Inconsistent(fault).into());
        }
        piece.truncate((self.range.end - self.at).min(piece.len() as u64) as usize);
        piece.drain(..(self.range.start - self.at) as usize);
        Ok(piece)
    }
}

impl Iterator for Pieces {
    type Item = Result<Vec<u8>, BlobError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.range.is_empty() {
            return None;
        }
        let piece = self.piece();
        match &piece {
            Ok(bytes) => self.range.start += bytes.len() as u64,
            Err(_) => self.range.end = self.range.start,
        }
        Some(piece)
    }
}

/// Reads chunks; keeps the pack of the last one open, for the next is likely in it.
pub(super) struct Source {
    blobs: Blobs,
    open: Option<(u64, File)>,
    decoder: Decoder,
    record: Vec<u8>,
}

impl Source {
    pub(super) fn new(blobs: &Blobs) -> Self {
        Self { blobs: blobs.clone(), open: None, decoder: Decoder::default(), record: Vec::new() }
    }

    /// A chunk of the blob `digest`, verified.
    pub(super) fn chunk(&mut self, digest: &Digest, chunk: &Digest) -> Result<Vec<u8>, BlobError> {
        self.find(digest, chunk, |source, place, path| {
            Ok(source.fetch(place, path, chunk)?.map(Cow::into_owned))
        })
    }

    /// Appends the record of a chunk to `bytes`, as it stands in its pack and as it was written, unless that
    /// would make them more than `limit_bytes`; answers whether it did.
    pub(super) fn copy(
        &mut self,
        chunk: &Digest,
        bytes: &mut Vec<u8>,
        limit_bytes: usize,
    ) -> Result<bool, BlobError> {
        let before = bytes.len();
        let copied = self.find(chunk, chunk, |source, place, path| {
            let length = place.record_bytes as usize;
            if before + length > limit_bytes {
                return Ok(Some(false));
            }
            bytes.resize(before + length, 0);
            let is_read = source.read_at(place, path, &mut bytes[before..])?;
            let is_sound = is_read && record::intact(&bytes[before..], chunk).is_some();
            Ok(is_sound.then_some(true))
        });
        if !matches!(copied, Ok(true)) {
            bytes.truncate(before);
        }
        copied
    }

    /// What `take` makes of the place of a chunk of the blob `digest`: none when what stands there is damaged.
    fn find<T>(
        &mut self,
        digest: &Digest,
        chunk: &Digest,
        mut take: impl FnMut(&mut Self, Place, &Path) -> Result<Option<T>, BlobError>,
    ) -> Result<T, BlobError> {
        let mut tried = None;
        loop {
            let found = index::find(&self.blobs.0.slot.read()?, Table::Chunks, chunk)?;
            let damaged = |path| BlobError::Damaged { digest: *digest, chunk: *chunk, path };
            let place: Place = match found {
                Some(place) => place,
                None if digest == chunk => return Err(BlobError::NotFound(*chunk)),
                None => return Err(damaged(self.blobs.0.folder.clone())),
            };
            let path = packer::path(&self.blobs.0.folder, place.pack);
            // The pack may have been cleaned since the look into the index: then the chunk stands elsewhere.
            if tried == Some(place) {
                return Err(damaged(path));
            }
            if let Some(taken) = take(self, place, &path)? {
                return Ok(taken);
            }
            tried = Some(place);
        }
    }

    /// The record of a chunk as it stands in its pack, verified.
    pub(super) fn record(&mut self, chunk: &Digest, place: Place) -> Result<Option<&[u8]>, BlobError> {
        let path = packer::path(&self.blobs.0.folder, place.pack);
        let is_sound = self.fetch(place, &path, chunk)?.is_some();
        Ok(is_sound.then_some(&self.record))
    }

    /// The chunk whose record stands at `place`; none when there is none, or another.
    fn fetch(
        &mut self,
        place: Place,
        path: &Path,
        chunk: &Digest,
    ) -> Result<Option<Cow<'_, [u8]>>, BlobError> {
        let mut record = mem::take(&mut self.record);
        record.resize(place.record_bytes as usize, 0);
        let is_read = self.read_at(place, path, &mut record);
        self.record = record;
        Ok(if is_read? { self.decoder.decode(&self.record, chunk) } else { None })
    }

    /// Reads what stands at `place`; answers whether so much does.
    fn read_at(&mut self, place: Place, path: &Path, record: &mut [u8]) -> Result<bool, BlobError> {
        let mut read = || {
            let (_, file) = match &mut self.open {
                Some(open) if open.0 == place.pack => open,
                other => other.insert((place.pack, File::open(path)?)),
            };
            file.read_exact_at(record, place.offset)
        };
        match read() {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
                Ok(false)
            }
            Err(error) => Err(BlobError::io("read", path)(error)),
        }
    }
}
