//! What the exchange of blobs with peers needs: lists of chunks, single chunks, and blobs put together from
//! them.
//!
//! Owns the taking in of chunks that come from strangers, in any order, over many connections. They are
//! written without a sync for each: after a kill those that stand whole in a pack are found by their digests.
//! Invariant: a blob is known only after its own digest was proved, whatever the list of its chunks said.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::batch::Batch;
use super::content::Source;
use super::index::{self, Entries, ObjectRow, Place};
use super::packer::{Fate, PACK_BYTES};
use super::{BlobError, Blobs, Manifest};
use crate::Digest;
use crate::tables::Table;

/// Who pins the list of chunks of a blob that is not whole yet.
const HOLDER: &str = "intake";

impl Blobs {
    /// The chunks of the blob `object`; none when it is not in a pack.
    pub fn manifest(&self, object: &Digest) -> Result<Option<Manifest>, BlobError> {
        let reader = self.0.slot.read()?;
        let row: Option<ObjectRow> = index::find(&reader, Table::Objects, object)?;
        if let Some((name, _)) = row.and_then(|row| row.manifest) {
            let bytes = reader.get_raw(Table::Manifests, name.as_bytes())?;
            return Ok(bytes.and_then(|bytes| Manifest::decode(&bytes).ok()));
        }
        let place: Option<Place> = index::find(&reader, Table::Chunks, object)?;
        let parts = |place: Place| (place.raw_bytes > 0).then_some((*object, place.raw_bytes));
        Ok(place.map(|place| Manifest::new(*object, parts(place).into_iter().collect())))
    }

    /// A chunk, verified.
    pub fn get_chunk(&self, chunk: &Digest) -> Result<Vec<u8>, BlobError> {
        Source::new(self).chunk(chunk, chunk)
    }

    /// The chunks of `manifest` that are not here, in its order, each once.
    pub fn missing(&self, manifest: &Manifest) -> Result<Vec<Digest>, BlobError> {
        let reader = self.0.slot.read()?;
        let (mut seen, mut missing) = (BTreeSet::new(), Vec::new());
        for (chunk, _) in manifest.parts() {
            if seen.insert(*chunk) && reader.get_raw(Table::Chunks, chunk.as_bytes())?.is_none() {
                missing.push(*chunk);
            }
        }
        Ok(missing)
    }

    /// Begins to take in the blob of `manifest`, or goes on with it. What came stays, also through a crash,
    /// until [`Intake::assemble`] or [`Intake::abandon`].
    pub fn intake(&self, manifest: Manifest, limit_bytes: u64) -> Result<Intake, BlobError> {
        if manifest.size_bytes() > limit_bytes {
            return Err(BlobError::TooLarge { limit_bytes });
        }
        let bytes = manifest.encode();
        let name = Digest::of(&bytes);
        let (manifests, pins) = ([(name, bytes)].into(), vec![(name, HOLDER)]);
        self.enter(&Entries { manifests, pins, ..Entries::default() })?;
        let wanted = manifest.parts().iter().copied().collect();
        let batch = Batch::new(self, Fate::Keep);
        Ok(Intake { batch, manifest, name, wanted, hasher: Sha256::new(), hashed: 0 })
    }
}

/// A blob that comes in chunk by chunk.
pub struct Intake {
    batch: Batch,
    manifest: Manifest,
    /// The digest of the manifest.
    name: Digest,
    wanted: BTreeMap<Digest, u32>,
    /// Over the first `hashed` chunks: those that came in order need not be read again.
    hasher: Sha256,
    hashed: usize,
}

impl Intake {
    /// The chunks that are still needed, in the blob's order.
    pub fn missing(&self) -> Result<Vec<Digest>, BlobError> {
        let mut missing = self.batch.blobs.missing(&self.manifest)?;
        missing.retain(|chunk| !self.batch.entries.chunks.contains_key(chunk));
        Ok(missing)
    }

    /// Takes one of the chunks; answers which. Other bytes are refused.
    pub fn put_chunk(&mut self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let chunk = Digest::of(bytes);
        if self.wanted.get(&chunk).is_none_or(|length| *length as usize != bytes.len()) {
            return Err(BlobError::Unasked { chunk });
        }
        self.batch.chunk(chunk, bytes)?;
        while self.manifest.parts().get(self.hashed).is_some_and(|(next, _)| *next == chunk) {
            self.hasher.update(bytes);
            self.hashed += 1;
        }
        if self.batch.packer.bytes() >= PACK_BYTES {
            self.batch.flush()?;
        }
        Ok(chunk)
    }

    /// Puts the blob together and proves it. It is known from then on, and stays for the grace time.
    pub fn assemble(mut self) -> Result<Digest, BlobError> {
        let parts = self.manifest.parts();
        if parts.is_empty() {
            self.batch.put(&[])?;
        }
        self.batch.flush()?;
        let object = self.manifest.object();
        let mut source = Source::new(&self.batch.blobs);
        for (chunk, _) in &parts[self.hashed..] {
            self.hasher.update(source.chunk(chunk, chunk)?);
        }
        let is_proved = Digest::from_bytes(self.hasher.clone().finalize().into()) == object;
        if is_proved && parts.len() > 1 {
            self.batch.entries.add_manifest(&self.manifest);
            self.batch.entries.reused.extend(self.wanted.keys());
        }
        self.batch.entries.unpins.push((self.name, HOLDER));
        self.batch.flush()?;
        if is_proved { Ok(object) } else { Err(BlobError::Unproved { digest: object }) }
    }

    /// Gives the blob up: what came of it goes when the grace time is over.
    pub fn abandon(mut self) -> Result<(), BlobError> {
        self.batch.entries.unpins.push((self.name, HOLDER));
        self.batch.flush()
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        if let Err(error) = self.batch.flush() {
            tracing::warn!(%error, "chunks that came wait in their pack until the node is started again");
        }
    }
}
