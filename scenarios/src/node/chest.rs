//! The content of a node: chunks as they stand in packs, the blobs they make, and what its people wait for.
//!
//! Owns what the blob store owns in production, without files: chunks are written without a sync for each, and what
//! a power cut tore is found by its digest. Keeps nothing that does not verify. Invariant: what is shared is here
//! whole, and all it holds is within [`ROOM_BYTES`], beside the room that is kept free for a capsule on trial.

mod berth;
mod intake;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use xyn_net::proto::blobs::{NotKept, Want};
use xyn_net::wire::Payload;
use xyn_net::wire::blobs::{Answer, Ask, PARCEL_BYTES_MAX};
use xyn_store::Digest;
use xyn_store::blobs::{Manifest, PARCEL_OVERHEAD_BYTES, Parcel};
use xyn_store::simulation::{Dice, Failure, Survival};

use berth::Berth;
pub(crate) use berth::Step;
use intake::Intake;

/// What a node's content may take.
pub(crate) const ROOM_BYTES: usize = 16 << 20;
/// How long chunks are. Where content is cut decides nothing: cuts of even length are the cheapest.
const CUT_BYTES: usize = 8 << 10;
/// A line of a tree: a digest and a length.
const LINE_BYTES: usize = Digest::BYTES + 4;

/// Something that a moment names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Piece {
    /// The blob that is named.
    pub(crate) root: Digest,
    /// Whether that is a list of other blobs.
    pub(crate) is_tree: bool,
    /// Its length.
    pub(crate) size_bytes: u64,
}

/// A chunk as it stands in a pack.
#[derive(Clone)]
struct Kept {
    record: Arc<[u8]>,
    is_synced: bool,
}

/// The content of one node.
#[derive(Clone, Default)]
pub(crate) struct Chest {
    chunks: BTreeMap<Digest, Kept>,
    /// Blobs that are here whole, proved by their own digest.
    blobs: BTreeMap<Digest, Arc<Manifest>>,
    /// What others may have: named blobs, and what each leads to.
    shared: BTreeMap<Digest, BTreeSet<Digest>>,
    /// What people here asked for and is not here whole.
    wanted: BTreeSet<Piece>,
    open: BTreeMap<Digest, Intake>,
    used_bytes: usize,
    failure: Option<Failure>,
    /// The capsule on trial, where there is one.
    berth: Option<Berth>,
    #[cfg(test)]
    pub(crate) flaw: Option<Flaw>,
}

/// How a chest is broken on purpose.
#[cfg(test)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It takes whatever comes for what was asked for.
    Gullible,
    /// It does not look what is here already.
    Forgetful,
    /// It takes more than there is room for.
    Boundless,
}

impl Chest {
    /// Keeps an artifact.
    pub(crate) fn put_artifact(&mut self, bytes: &[u8]) -> Result<Piece, NotKept> {
        Ok(Piece { root: self.put(bytes)?, is_tree: false, size_bytes: bytes.len() as u64 })
    }

    /// Keeps a tree of small files.
    pub(crate) fn put_tree(&mut self, files: &[Vec<u8>]) -> Result<Piece, NotKept> {
        let mut lines = Vec::with_capacity(files.len() * LINE_BYTES);
        for file in files {
            lines.extend_from_slice(self.put(file)?.as_bytes());
            lines.extend_from_slice(&(file.len() as u32).to_be_bytes());
        }
        Ok(Piece { root: self.put(&lines)?, is_tree: true, size_bytes: lines.len() as u64 })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<Digest, NotKept> {
        let cut = bytes.chunks(CUT_BYTES).map(|chunk| (Digest::of(chunk), chunk));
        let parts: Vec<_> = cut.clone().map(|(digest, chunk)| (digest, chunk.len() as u32)).collect();
        let object = Digest::of(bytes);
        let manifest = Manifest::new(object, parts);
        self.works(self.taken_bytes(manifest.parts()))?;
        cut.for_each(|(digest, chunk)| self.insert(digest, &Parcel::of(chunk)));
        self.blobs.insert(object, Arc::new(manifest));
        self.sync();
        Ok(object)
    }

    /// What is here whole and was named is others' too from now on.
    pub(crate) fn share(&mut self, piece: Piece) {
        let children = self.children(piece).into_iter().map(|(digest, _)| digest).collect();
        self.wanted.remove(&piece);
        self.shared.insert(piece.root, children);
    }

    /// Somebody here wants what may not be here.
    pub(crate) fn want(&mut self, piece: Piece) {
        if !self.is_shared(&piece.root) {
            self.wanted.insert(piece);
        }
    }

    /// What people here wait for.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = Piece> + use<'_> {
        self.wanted.iter().copied()
    }

    /// What to fetch next for `piece`; none when all of it is here.
    pub(crate) fn next(&self, piece: Piece) -> Option<Want> {
        if !self.blobs.contains_key(&piece.root) {
            return Some(Want::named(piece.root, piece.size_bytes.max(ROOM_BYTES as u64)));
        }
        let children = self.children(piece).into_iter();
        let missing: Vec<_> = children.filter(|(digest, _)| !self.blobs.contains_key(digest)).collect();
        (!missing.is_empty()).then(|| Want::bundle(piece.root, missing))
    }

    /// The blobs that a tree lists.
    fn children(&self, piece: Piece) -> Vec<(Digest, u32)> {
        let bytes = if piece.is_tree { self.read(&piece.root) } else { None }.unwrap_or_default();
        let (lines, _) = bytes.as_chunks::<LINE_BYTES>();
        let line = |line: &[u8; LINE_BYTES]| {
            let digest = Digest::from_bytes(*line.first_chunk()?);
            Some((digest, u32::from_be_bytes(*line.last_chunk()?)))
        };
        lines.iter().filter_map(line).collect()
    }

    /// Whether others may have the named blob `root`.
    pub(crate) fn is_shared(&self, root: &Digest) -> bool {
        self.shared.contains_key(root)
    }

    /// Whether a chunk is here.
    pub(crate) fn holds(&self, chunk: &Digest) -> bool {
        self.chunks.contains_key(chunk)
    }

    /// What of `chunks` has to come.
    fn is_missing(&self, chunk: &Digest) -> bool {
        #[cfg(test)]
        if self.flaw == Some(Flaw::Forgetful) {
            return true;
        }
        !self.holds(chunk)
    }

    /// Whether there is room for the named blob `root`, and what it leads to, as `other` has it.
    pub(crate) fn has_room_for(&self, other: &Self, root: &Digest) -> bool {
        let family = other.shared.get(root).into_iter().flatten().chain([root]);
        let blobs = family.filter_map(|it| other.blobs.get(it));
        let needed: usize = blobs.map(|manifest| self.taken_bytes(manifest.parts())).sum();
        self.used_bytes + needed <= ROOM_BYTES
    }

    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// The first blob that it says it has and whose bytes are something else.
    pub(crate) fn counterfeit(&self) -> Option<Digest> {
        let is_false = |object: &Digest| self.read(object).is_none_or(|bytes| Digest::of(&bytes) != *object);
        self.blobs.keys().copied().find(is_false)
    }

    /// Changes a byte of the first chunk.
    #[cfg(test)]
    pub(crate) fn spoil(&mut self) {
        let kept = self.chunks.values_mut().next().expect("something is here");
        let mut record = kept.record.to_vec();
        *record.last_mut().expect("a record is not empty") ^= 1;
        kept.record = record.into();
    }

    /// The bytes of a blob, if each of its chunks can be read.
    fn read(&self, object: &Digest) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for (chunk, _) in self.blobs.get(object)?.parts() {
            let record = &self.chunks.get(chunk)?.record;
            bytes.extend_from_slice(Parcel::new(record).next()?.ok()?.bytes());
        }
        Some(bytes)
    }

    /// What a peer is answered.
    pub(crate) fn answer(&self, ask: &Ask) -> Answer {
        let answer = match ask {
            _ if self.failure == Some(Failure::Unreadable) => None,
            Ask::Manifest { root, object, from, credit } => self.page(root, object, *from, *credit),
            Ask::Chunks { root, chunks } => self.parcel(root, chunks),
        };
        answer.unwrap_or(Answer::Absent)
    }

    fn page(&self, root: &Digest, object: &Digest, from: u32, credit: u32) -> Option<Answer> {
        let children = self.shared.get(root)?;
        let manifest = self.blobs.get(object).filter(|_| root == object || children.contains(object))?;
        Answer::page(&manifest.encode(), from, credit)
    }

    fn parcel(&self, root: &Digest, chunks: &[Digest]) -> Option<Answer> {
        let family = self.shared.get(root)?.iter().chain([root]).filter_map(|blob| self.blobs.get(blob));
        let family: BTreeSet<Digest> = family.flat_map(|it| it.parts()).map(|(chunk, _)| *chunk).collect();
        let mut parcel = Vec::new();
        for chunk in chunks {
            let kept = self.chunks.get(chunk).filter(|_| family.contains(chunk))?;
            if parcel.len() + kept.record.len() > PARCEL_BYTES_MAX {
                break;
            }
            parcel.extend_from_slice(&kept.record);
        }
        Payload::new(&parcel).map(Answer::Chunks)
    }

    /// The power went: of what was not synced `survival` says what is left, and what is not sound is thrown away.
    pub(crate) fn lose_power(&mut self, survival: Survival, dice: &mut Dice) {
        self.open.clear();
        self.failure = None;
        for kept in self.chunks.values_mut().filter(|kept| !kept.is_synced) {
            let is_torn = match survival {
                Survival::All => false,
                Survival::None => true,
                Survival::Prefix | Survival::Some | Survival::Torn => dice.coin(),
            };
            if is_torn {
                let left = dice.below(kept.record.len() as u64) as usize;
                kept.record = kept.record[..left].into();
            }
        }
        self.chunks.retain(|digest, kept| kept.is_synced || is_sound(digest, &kept.record));
        let counted = self.chunks.iter().filter(|(digest, _)| !self.has_berth(digest));
        self.used_bytes = counted.map(|(_, kept)| kept.record.len()).sum();
        self.sync();
    }

    /// What the disk answers from now on; none when it works.
    pub(crate) fn fail(&mut self, failure: Option<Failure>) {
        self.failure = failure;
    }

    fn insert(&mut self, digest: Digest, record: &[u8]) {
        let (size_bytes, record) = match self.pooled(&digest, record) {
            Some(record) => (0, record),
            None => (record.len(), record.into()),
        };
        if let Entry::Vacant(place) = self.chunks.entry(digest) {
            self.used_bytes += size_bytes;
            place.insert(Kept { record, is_synced: false });
        }
    }

    fn sync(&mut self) {
        self.chunks.values_mut().for_each(|kept| kept.is_synced = true);
    }

    /// What chunks take of the room at most.
    fn taken_bytes(&self, parts: &[(Digest, u32)]) -> usize {
        let counted = parts.iter().filter(|(chunk, _)| !self.has_berth(chunk));
        counted.map(|(_, bytes)| *bytes as usize + PARCEL_OVERHEAD_BYTES).sum()
    }

    /// Whether so many bytes more can be written.
    fn works(&self, bytes: usize) -> Result<(), NotKept> {
        #[cfg(test)]
        if self.flaw == Some(Flaw::Boundless) {
            return Ok(());
        }
        let left_bytes = ROOM_BYTES.saturating_sub(self.used_bytes) as u64;
        match self.failure {
            Some(Failure::Broken | Failure::Unreadable | Failure::Panics) => Err(NotKept::Failed),
            Some(Failure::NoRoom | Failure::NoBlocks | Failure::NoSync) => {
                Err(NotKept::Full { left_bytes: 0 })
            }
            None if bytes as u64 > left_bytes => Err(NotKept::Full { left_bytes }),
            None => Ok(()),
        }
    }
}

/// Whether `record` is, whole, that of the chunk `digest`.
fn is_sound(digest: &Digest, record: &[u8]) -> bool {
    let chunk = Parcel::new(record).next();
    chunk.is_some_and(|chunk| chunk.is_ok_and(|chunk| chunk.digest() == *digest))
}
