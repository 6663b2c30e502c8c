//! What the exchange of blobs with peers needs: lists of chunks, and blobs put together from chunks.
//!
//! Owns the taking in of chunks that come from strangers, in any order, over many connections. They are
//! written without a sync for each: after a kill those that stand whole in a pack are found by their digests.
//! Invariant: a blob is known only after its own digest was proved, whatever the list of its chunks said.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::thread::{self, JoinHandle};

use super::batch::Batch;
use super::content::Source;
use super::index::{self, Entries, ObjectRow, Place};
use super::packer::{Fate, PACK_BYTES};
use super::parcel::{Chunk, Parcel};
use super::{BlobError, Blobs, Manifest, Pins};
use crate::digest::{Digest, Hasher};
use crate::tables::Table;

/// Bytes that are kept in memory of chunks that came before their turn: as many as a node asks for at a time.
const AHEAD_BYTES_MAX: usize = 32 << 20;
/// Chunks that are read again for each that comes, where those before it were here already.
const CATCH_UP_CHUNKS: usize = 4;

impl Blobs {
    /// The chunks of the blob `object`; none when it is not here.
    pub fn manifest(&self, object: &Digest) -> Result<Option<Manifest>, BlobError> {
        Ok(self.manifest_bytes(object)?.and_then(|(_, bytes)| Manifest::decode(&bytes).ok()))
    }

    /// The bytes of the list of them, as they are kept, behind the list's name; none when the blob is not here.
    pub fn manifest_bytes(&self, object: &Digest) -> Result<Option<(Digest, Vec<u8>)>, BlobError> {
        let reader = self.0.slot.read()?;
        let row: Option<ObjectRow> = index::find(&reader, Table::Objects, object)?;
        if let Some((name, _)) = row.and_then(|row| row.manifest) {
            let bytes = reader.get_raw(Table::Manifests, name.as_bytes())?;
            return Ok(bytes.map(|bytes| (name, bytes)));
        }
        let place: Option<Place> = index::find(&reader, Table::Chunks, object)?;
        let length = match place {
            Some(place) => Some(place.raw_bytes),
            None => reader.look_at(Table::Blobs, object.as_bytes(), |bytes| bytes.len() as u32)?,
        };
        let parts = |length: u32| (length > 0).then_some((*object, length));
        Ok(length.map(|length| {
            let bytes = Manifest::new(*object, parts(length).into_iter().collect()).encode();
            (Digest::of(&bytes), bytes)
        }))
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

    /// Begins to take in the blob of `manifest`, or goes on with it. What came stays as long as this is open, and
    /// afterwards, also through a crash, for the grace time at least.
    pub fn intake(&self, manifest: Manifest, limit_bytes: u64) -> Result<Intake, BlobError> {
        if manifest.size_bytes() > limit_bytes {
            return Err(BlobError::TooLarge { limit_bytes });
        }
        let bytes = manifest.encode();
        let name = Digest::of(&bytes);
        let mut pins = self.pins();
        pins.add(name);
        self.enter(&Entries { manifests: [(name, bytes)].into(), ..Entries::default() })?;
        let lengths: BTreeMap<_, _> = manifest.parts().iter().copied().collect();
        let gathering = self.gather(lengths.keys().copied());
        let (proof, source) = (Proof::default(), Source::new(self));
        Ok(Intake { gathering, manifest, lengths, proof, source, _pins: pins })
    }

    /// Begins to take in chunks that are whole blobs each. What came stays, also through a crash, for the grace
    /// time at least.
    pub fn gather(&self, wanted: impl IntoIterator<Item = Digest>) -> Gathering {
        let batch = Batch::new(self, Fate::Keep);
        Gathering { batch, sealing: None, wanted: wanted.into_iter().collect(), came: BTreeSet::new() }
    }
}

/// Chunks that come in.
pub struct Gathering {
    /// What came since the last sealing.
    batch: Batch,
    /// What came before, being made lasting.
    sealing: Option<JoinHandle<Result<(), BlobError>>>,
    wanted: BTreeSet<Digest>,
    came: BTreeSet<Digest>,
}

/// A blob that comes in chunk by chunk.
pub struct Intake {
    gathering: Gathering,
    manifest: Manifest,
    lengths: BTreeMap<Digest, u32>,
    proof: Proof,
    source: Source,
    /// Keeps the manifest, and what it leads to, from being swept.
    _pins: Pins,
}

/// The digest of the blob on its way.
#[derive(Default)]
struct Proof {
    /// Over the first `hashed` parts.
    hasher: Hasher,
    hashed: usize,
    /// Chunks of later parts, so that they need not be read again.
    ahead: BTreeMap<Digest, Vec<u8>>,
    ahead_bytes: usize,
}

impl Gathering {
    /// Takes one of the chunks; answers whether it is new. Others are refused.
    pub fn put(&mut self, chunk: &Chunk<'_>) -> Result<bool, BlobError> {
        let (digest, bytes) = (chunk.digest(), chunk.bytes());
        if !self.wanted.contains(&digest) {
            return Err(BlobError::Unasked { chunk: digest });
        }
        if self.came.contains(&digest) {
            return Ok(false);
        }
        self.batch.record(digest, chunk.record, bytes.len() as u32)?;
        self.came.insert(digest);
        if self.batch.packer.bytes() >= PACK_BYTES {
            self.seal()?;
        }
        Ok(true)
    }

    /// Makes all of it lasting and known.
    pub fn finish(mut self) -> Result<(), BlobError> {
        self.flush()
    }

    /// Makes what came lasting while more comes; waits as long as that is not done for what came before.
    fn seal(&mut self) -> Result<(), BlobError> {
        self.sealed()?;
        let next = Batch::new(&self.batch.blobs, Fate::Keep);
        let full = mem::replace(&mut self.batch, next);
        self.sealing = Some(thread::spawn(move || full.commit()));
        Ok(())
    }

    fn sealed(&mut self) -> Result<(), BlobError> {
        match self.sealing.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            Some(Ok(result)) => result,
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), BlobError> {
        self.sealed()?;
        self.batch.flush()
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::warn!(%error, "chunks that came wait in their pack until the node is started again");
        }
    }
}

impl Intake {
    /// The chunks that are still needed, in the blob's order.
    pub fn missing(&self) -> Result<Vec<Digest>, BlobError> {
        let mut missing = self.gathering.batch.blobs.missing(&self.manifest)?;
        missing.retain(|chunk| !self.gathering.came.contains(chunk));
        Ok(missing)
    }

    /// Takes the next chunk of `parcel`; answers which. Others than those of the blob are refused. When it is its
    /// turn, it is hashed for the blob as it is verified.
    pub fn take(&mut self, parcel: &mut Parcel<'_>) -> Option<Result<Digest, BlobError>> {
        let turn = self.manifest.parts().get(self.proof.hashed).map(|(next, _)| *next);
        // Not that of the blob before the chunk is verified and kept.
        let mut hasher = self.proof.hasher.clone();
        let chunk = parcel.next_by(|digest, bytes| match turn == Some(*digest) {
            true => hasher.update_and_digest(bytes),
            false => Digest::of(bytes),
        })?;
        Some(chunk.map_err(BlobError::from).and_then(|chunk| {
            let hashed = (turn == Some(chunk.digest())).then_some(hasher);
            self.put(&chunk, hashed).map(|()| chunk.digest())
        }))
    }

    fn put(&mut self, chunk: &Chunk<'_>, hashed: Option<Hasher>) -> Result<(), BlobError> {
        let (digest, bytes) = (chunk.digest(), chunk.bytes());
        if self.lengths.get(&digest).is_none_or(|length| *length as usize != bytes.len()) {
            return Err(BlobError::Unasked { chunk: digest });
        }
        match self.gathering.put(chunk)? {
            true => self.hash(digest, bytes, hashed),
            false => Ok(()),
        }
    }

    /// Hashes a chunk that came, if it is its turn and it was not, and those after it that are here.
    fn hash(&mut self, chunk: Digest, bytes: &[u8], hashed: Option<Hasher>) -> Result<(), BlobError> {
        let Self { proof, manifest, source, .. } = self;
        let (mut reads, mut is_early) = (CATCH_UP_CHUNKS, hashed.is_none());
        if let Some(hasher) = hashed {
            proof.hasher = hasher;
            proof.hashed += 1;
        }
        while let Some((next, _)) = manifest.parts().get(proof.hashed) {
            if *next == chunk {
                proof.hasher.update(bytes);
                is_early = false;
            } else if let Some(bytes) = proof.ahead.remove(next) {
                proof.ahead_bytes -= bytes.len();
                proof.hasher.update(&bytes);
            } else if reads > 0 {
                match source.chunk(next, next) {
                    Ok(bytes) => proof.hasher.update(&bytes),
                    Err(BlobError::NotFound(_)) => break,
                    Err(error) => return Err(error),
                }
                reads -= 1;
            } else {
                break;
            }
            proof.hashed += 1;
        }
        if is_early && proof.ahead_bytes + bytes.len() <= AHEAD_BYTES_MAX {
            proof.ahead_bytes += bytes.len();
            proof.ahead.insert(chunk, bytes.to_vec());
        }
        Ok(())
    }

    /// Puts the blob together and proves it. It is known from then on, and stays for the grace time.
    pub fn assemble(mut self) -> Result<Digest, BlobError> {
        let object = self.manifest.object();
        if self.manifest.parts().is_empty() {
            self.gathering.batch.put(&[])?;
        }
        self.gathering.flush()?;
        let mut hasher = self.proof.hasher.clone();
        for (chunk, _) in &self.manifest.parts()[self.proof.hashed..] {
            match self.proof.ahead.get(chunk) {
                Some(bytes) => hasher.update(bytes),
                None => hasher.update(&self.source.chunk(chunk, chunk)?),
            }
        }
        let is_proved = hasher.finish() == object;
        if is_proved && self.manifest.parts().len() > 1 {
            self.gathering.batch.entries.add_manifest(&self.manifest);
            self.gathering.batch.entries.reused.extend(self.lengths.keys());
        }
        self.gathering.flush()?;
        if is_proved { Ok(object) } else { Err(BlobError::Unproved { digest: object }) }
    }
}
