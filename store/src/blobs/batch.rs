//! Blobs that become lasting together: one sync and one transaction for all of them.
//!
//! Owns the way of content into chunks, packs and rows. A chunk that is here already is looked at, not
//! written: if it is damaged, these bytes heal it. Invariant: a batch that does not commit leaves nothing
//! behind, neither a file nor a count.

use std::io::{self, Read};

use super::content::Source;
use super::cutter::Cutter;
use super::index::Entries;
use super::manifest::Manifest;
use super::packer::{Fate, Packer};
use super::pins::Pins;
use super::record::Encoder;
use super::{BlobError, Blobs};
use crate::Digest;

/// How much of a stream is read at once.
const READ_BYTES: usize = 256 << 10;

/// Blobs being written. Dropped before [`Batch::commit`] it leaves nothing. Takes some hundred bytes of
/// memory for each chunk.
pub struct Batch {
    pub(super) blobs: Blobs,
    pub(super) packer: Packer,
    pub(super) entries: Entries,
    encoder: Encoder,
    source: Source,
    /// Keeps what is here and used again from being swept meanwhile.
    pins: Pins,
}

impl Batch {
    pub(super) fn new(blobs: &Blobs, fate: Fate) -> Self {
        Self {
            blobs: blobs.clone(),
            packer: Packer::new(blobs, fate),
            entries: Entries::default(),
            encoder: Encoder::default(),
            source: Source::new(blobs),
            pins: Pins::new(blobs),
        }
    }

    /// Adds `bytes`, whatever their length.
    pub fn put(&mut self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let mut object = Object::default();
        object.write(self, bytes)?;
        Ok(object.finish(self)?.0)
    }

    /// Adds what `content` gives, in bounded memory; answers digest and length. More than `limit_bytes` is an
    /// error.
    pub fn read_from(
        &mut self,
        mut content: impl Read,
        limit_bytes: u64,
    ) -> Result<(Digest, u64), BlobError> {
        let mut object = Object::default();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => return object.finish(self),
                Ok(count) => {
                    if object.size_bytes() + count as u64 > limit_bytes {
                        return Err(BlobError::TooLarge { limit_bytes });
                    }
                    object.write(self, &buffer[..count])?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BlobError::Source(error)),
            }
        }
    }

    /// Notes that the blob `parent` leads to `children`: they stay as long as it does. Each of them is in this
    /// batch or here already.
    pub fn link(&mut self, parent: Digest, children: impl IntoIterator<Item = Digest>) {
        self.entries.object(parent).children.extend(children);
    }

    /// Keeps the blob `digest` for `holder` from then on, until it is released.
    pub fn hold(&mut self, digest: Digest, holder: &'static str) {
        self.entries.pins.push((digest, holder));
    }

    /// Makes all of it lasting and known.
    pub fn commit(mut self) -> Result<(), BlobError> {
        self.flush()
    }

    /// Seals the packs and enters what they hold into the index.
    pub(super) fn flush(&mut self) -> Result<(), BlobError> {
        self.entries.packs = self.packer.seal()?;
        self.blobs.enter(&std::mem::take(&mut self.entries))
    }

    /// Sees to it that `chunk` is here when this is committed.
    pub(super) fn chunk(&mut self, digest: Digest, chunk: &[u8]) -> Result<(), BlobError> {
        if self.lacks(digest)? {
            let record = self.encoder.encode(&digest, chunk);
            let place = self.packer.append(record, chunk.len() as u32)?;
            self.entries.chunks.insert(digest, place);
        }
        Ok(())
    }

    /// The same with a record that another node made, and that was verified.
    pub(super) fn record(&mut self, digest: Digest, record: &[u8], raw_bytes: u32) -> Result<(), BlobError> {
        if self.lacks(digest)? {
            let place = self.packer.append(record, raw_bytes)?;
            self.entries.chunks.insert(digest, place);
        }
        Ok(())
    }

    /// Whether a chunk must be written. One that is here stays from now on.
    fn lacks(&mut self, digest: Digest) -> Result<bool, BlobError> {
        if self.entries.chunks.contains_key(&digest) || self.entries.reused.contains(&digest) {
            return Ok(false);
        }
        self.pins.add(digest);
        match self.source.chunk(&digest, &digest) {
            Ok(_) => {
                self.entries.reused.insert(digest);
                return Ok(false);
            }
            Err(BlobError::NotFound(_)) => {}
            Err(BlobError::Damaged { .. }) => drop(self.entries.healed.insert(digest)),
            Err(error) => return Err(error),
        }
        Ok(true)
    }
}

/// One blob on its way into a batch.
#[derive(Default)]
pub(super) struct Object {
    cutter: Cutter,
    parts: Vec<(Digest, u32)>,
}

impl Object {
    pub(super) fn write(&mut self, batch: &mut Batch, bytes: &[u8]) -> Result<(), BlobError> {
        let Self { cutter, parts } = self;
        cutter.write(bytes, |chunk| batch.part(parts, chunk))
    }

    /// Ends the blob; answers digest and length.
    pub(super) fn finish(self, batch: &mut Batch) -> Result<(Digest, u64), BlobError> {
        let Self { cutter, mut parts } = self;
        let (digest, size_bytes) = cutter.finish(|chunk| batch.part(&mut parts, chunk))?;
        if parts.len() > 1 {
            batch.entries.add_manifest(&Manifest::new(digest, parts));
        }
        Ok((digest, size_bytes))
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.cutter.size_bytes()
    }

    /// All of it, while it is so little that no chunk was made.
    pub(super) fn uncut(self) -> Option<(Digest, Vec<u8>)> {
        self.cutter.uncut()
    }
}

impl Batch {
    fn part(&mut self, parts: &mut Vec<(Digest, u32)>, chunk: &[u8]) -> Result<(), BlobError> {
        let digest = Digest::of(chunk);
        parts.push((digest, chunk.len() as u32));
        self.chunk(digest, chunk)
    }
}
