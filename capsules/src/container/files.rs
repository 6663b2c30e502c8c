//! Where the files of a whole tree are read from, one by one: the chunk store, a capsule file, or what is made
//! of several.
//!
//! Invariant: what comes from a capsule file or the chunk store was verified, chunk by chunk; whoever relies on
//! a file as a whole compares its digest.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::ops::Range;

use xyn_store::Digest;
use xyn_store::blobs::{BlobError, Blobs};

use super::base::{Base, CapsuleFile};
use super::blob::BlobSource;
use super::error::ContainerError;
use crate::tree::{Shelf, TreeError};

/// How much of a capsule's stream is read at once.
const PIECE_BYTES: u64 = 1 << 20;

/// Something that holds whole trees: their directories, links and files.
pub trait Files: Shelf {
    /// A file: how many bytes it has, and these.
    fn file(&self, digest: &Digest) -> Result<(u64, Box<dyn Read + '_>), ContainerError>;
}

impl Files for Blobs {
    fn file(&self, digest: &Digest) -> Result<(u64, Box<dyn Read + '_>), ContainerError> {
        let content = self.content(digest)?;
        Ok((content.size_bytes(), Box::new(BlobSource::from(content))))
    }
}

impl Files for CapsuleFile {
    fn file(&self, digest: &Digest) -> Result<(u64, Box<dyn Read + '_>), ContainerError> {
        let range = self.place(digest).ok_or(BlobError::NotFound(*digest))?;
        Ok((range.end - range.start, Box::new(Span { of: self, range, piece: Cursor::default() })))
    }
}

impl Shelf for CapsuleFile {
    fn read(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, TreeError> {
        let Some(range) = self.place(digest) else { return self.outline().read(digest, limit_bytes) };
        if range.end - range.start > limit_bytes {
            return Err(BlobError::TooLarge { limit_bytes }.into());
        }
        let unread = |error| BlobError::Source(io::Error::other(error));
        let bytes = Base::read(self, range).map_err(unread)?;
        match Digest::of(&bytes) == *digest {
            true => Ok(bytes),
            false => Err(BlobError::Unproved { digest: *digest }.into()),
        }
    }
}

/// A part of the stream of a capsule as a source.
struct Span<'a> {
    of: &'a CapsuleFile,
    range: Range<u64>,
    piece: Cursor<Vec<u8>>,
}

impl Read for Span<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.piece.read(out)?;
        if read > 0 || out.is_empty() || self.range.is_empty() {
            return Ok(read);
        }
        let end = self.range.end.min(self.range.start + PIECE_BYTES);
        self.piece = Cursor::new(Base::read(self.of, self.range.start..end).map_err(io::Error::other)?);
        self.range.start = end;
        self.piece.read(out)
    }
}

/// Several that hold trees, asked one after the other, behind blobs in memory.
pub struct Several<'a> {
    /// Asked first: directories and links, and files that are small.
    pub made: &'a BTreeMap<Digest, Vec<u8>>,
    /// Asked in this order.
    pub rest: &'a [&'a dyn Files],
}

impl Shelf for Several<'_> {
    fn read(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, TreeError> {
        let mut found = self.made.read(digest, limit_bytes);
        for files in self.rest {
            match found {
                Err(TreeError::Blob(BlobError::NotFound(_))) => found = files.read(digest, limit_bytes),
                found => return found,
            }
        }
        found
    }
}

impl Files for Several<'_> {
    fn file(&self, digest: &Digest) -> Result<(u64, Box<dyn Read + '_>), ContainerError> {
        if let Some(bytes) = self.made.get(digest) {
            return Ok((bytes.len() as u64, Box::new(bytes.as_slice())));
        }
        for files in self.rest {
            match files.file(digest) {
                Err(ContainerError::Tree(TreeError::Blob(BlobError::NotFound(_)))) => {}
                found => return found,
            }
        }
        Err(BlobError::NotFound(*digest).into())
    }
}
