//! The store, as the exchange of blobs uses it.
//!
//! Owns the blobs that are coming in, and who may have what: only what a named blob leads to that the store
//! says is shared. Every call blocks: it is a job. What came is verified before anything waits for the disk, by
//! as many threads as there are. Invariant: an intake is in one hand at a time, and one that is closed makes
//! lasting what came.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use xyn_store::Digest;
use xyn_store::blobs::{BlobError, Blobs, Gathering, Intake, Manifest, Parcel};

use super::families::Families;
use super::spare::Spare;
use crate::proto::blobs::{self as proto, Goods, NotKept};
use crate::wire;
use crate::wire::blobs::{Answer, Ask, HEAD_BYTES, PARCEL_BYTES_MAX};

pub(super) struct Depot {
    blobs: Blobs,
    /// For parcels, which come and go as messages.
    spare: Spare,
    families: Families,
    intakes: Mutex<BTreeMap<Digest, Open>>,
}

/// A blob of which nothing more comes for now.
pub(super) struct Closing(Open);

impl Closing {
    /// Makes lasting what came.
    pub(super) fn end(self) {
        drop(in_hand(&self.0).take());
    }
}

/// What comes in; none when it was put together or closed.
type Open = Arc<Mutex<Option<Incoming>>>;

/// What comes in chunk by chunk.
enum Incoming {
    Blob(Box<Intake>),
    Bundle(Box<Gathering>),
}

impl Incoming {
    /// Verifies and keeps the next chunk.
    fn take(&mut self, parcel: &mut Parcel<'_>) -> Option<Result<Digest, BlobError>> {
        match self {
            Self::Blob(intake) => intake.take(parcel),
            Self::Bundle(gathering) => Some(parcel.next()?.map_err(BlobError::from).and_then(|chunk| {
                gathering.put(&chunk)?;
                Ok(chunk.digest())
            })),
        }
    }

    fn finish(self) -> Result<(), BlobError> {
        match self {
            Self::Blob(intake) => intake.assemble().map(drop),
            Self::Bundle(gathering) => gathering.finish(),
        }
    }
}

impl Depot {
    pub(super) fn new(blobs: Blobs) -> Self {
        let families = Families::new(blobs.clone());
        Self { blobs, spare: Spare::default(), families, intakes: Mutex::default() }
    }

    /// The memory of parcels.
    pub(super) fn spare(&self) -> &Spare {
        &self.spare
    }

    /// The length of a blob that is here. What is missing of a bundle is looked up when somebody has it.
    pub(super) fn size_bytes(&self, goods: &Goods) -> Option<u64> {
        let Goods::Blob { object, .. } = goods else {
            return None;
        };
        let found = self.blobs.size_bytes(object);
        found.inspect_err(|error| tracing::warn!(%error, "a blob cannot be looked up")).ok().flatten()
    }

    /// The bytes of the answer to what a peer asks.
    pub(super) fn answer(&self, ask: &Ask) -> Vec<u8> {
        let answer = match ask {
            Ask::Manifest { root, object, from, credit } => match self.families.has(root, [object]) {
                Ok(true) => {
                    self.page(object, *from, *credit).map(|page| page.map(|page| wire::encode(&page)))
                }
                refused => refused.map(|_| None),
            },
            Ask::Chunks { root, chunks } => match self.families.has(root, chunks.iter()) {
                Ok(true) => {
                    let limit_bytes = HEAD_BYTES + PARCEL_BYTES_MAX;
                    let mut parcel = self.spare.take(limit_bytes);
                    parcel.truncate(HEAD_BYTES);
                    let parcel = self.blobs.parcel(chunks, parcel, limit_bytes);
                    parcel.map(|parcel| Some(Answer::around(parcel)))
                }
                refused => refused.map(|_| None),
            },
        };
        let answer =
            answer.inspect_err(|error| tracing::warn!(%error, "what a peer asks for cannot be read"));
        answer.ok().flatten().unwrap_or_else(|| wire::encode(&Answer::Absent))
    }

    fn page(&self, object: &Digest, from: u32, credit: u32) -> Result<Option<Answer>, BlobError> {
        let manifest = self.blobs.manifest_bytes(object)?;
        Ok(manifest.and_then(|(name, bytes)| Answer::page_of(name, &bytes, from, credit)))
    }

    /// Begins to take in a blob, or goes on with it: the chunks that are missing.
    pub(super) fn open(&self, manifest: &Manifest) -> Result<Vec<Digest>, NotKept> {
        // Before it is looked what is here: from then on nothing of that is swept.
        let intake = self.blobs.intake(manifest.clone(), u64::MAX).map_err(not_kept)?;
        let missing = self.if_it_fits(manifest, intake.missing())?;
        self.take_in(manifest.object(), Incoming::Blob(Box::new(intake)));
        Ok(missing)
    }

    /// Begins to take in a bundle: what of it is missing.
    pub(super) fn gather(&self, bundle: &Manifest) -> Result<Vec<Digest>, NotKept> {
        let missing = self.if_it_fits(bundle, self.blobs.missing(bundle))?;
        let gathering = self.blobs.gather(missing.iter().copied());
        self.take_in(bundle.object(), Incoming::Bundle(Box::new(gathering)));
        Ok(missing)
    }

    /// The chunks of `manifest` that are missing, if there is room for them.
    fn if_it_fits(
        &self,
        manifest: &Manifest,
        missing: Result<Vec<Digest>, BlobError>,
    ) -> Result<Vec<Digest>, NotKept> {
        let missing = missing.map_err(not_kept)?;
        let lengths: BTreeMap<_, _> = manifest.parts().iter().copied().collect();
        let needed: u64 = missing.iter().filter_map(|chunk| lengths.get(chunk)).copied().map(u64::from).sum();
        let left_bytes = self.blobs.room_bytes();
        if needed > left_bytes {
            return Err(NotKept::Full { left_bytes });
        }
        Ok(missing)
    }

    fn take_in(&self, object: Digest, incoming: Incoming) {
        let before = self.intakes().insert(object, Arc::new(Mutex::new(Some(incoming))));
        drop(before);
    }

    /// Verifies and keeps chunks, which are some of `asked` in this order; answers which, and what was wrong
    /// with another one. Those beside one that is false are as good as ever.
    pub(super) fn keep(
        &self,
        object: &Digest,
        asked: &[Digest],
        parcel: proto::Parcel,
    ) -> (Vec<Digest>, Option<NotKept>) {
        let kept = self.take(object, asked, &parcel);
        parcel.into_bytes().into_iter().for_each(|bytes| self.spare.give(bytes));
        kept
    }

    fn take(&self, object: &Digest, asked: &[Digest], parcel: &[u8]) -> (Vec<Digest>, Option<NotKept>) {
        let (mut asked, mut kept, mut fault) = (asked.iter(), Vec::with_capacity(asked.len()), None);
        let Some(open) = self.intakes().get(object).cloned() else {
            return (kept, fault);
        };
        let mut parcel = Parcel::new(parcel);
        while let Some(took) = in_hand(&open).as_mut().and_then(|incoming| incoming.take(&mut parcel)) {
            // Whoever reads the sockets goes first. One of QUIC is full in half a millisecond and drops what comes, and
            // where no processor is free a thread that hashes keeps its own for several.
            thread::yield_now();
            match took {
                Ok(chunk) if asked.any(|asked| *asked == chunk) => kept.push(chunk),
                Ok(_) => return (kept, Some(NotKept::False)),
                Err(BlobError::Parcel(_)) => fault = Some(NotKept::False),
                Err(error) => return (kept, Some(not_kept(error))),
            }
        }
        (kept, fault)
    }

    /// Puts a blob together and proves it, or makes a bundle lasting.
    pub(super) fn assemble(&self, object: &Digest) -> Result<(), NotKept> {
        match self.close(object).and_then(|closing| in_hand(&closing.0).take()) {
            Some(incoming) => incoming.finish().map_err(not_kept),
            None => Err(NotKept::Failed),
        }
    }

    /// Takes a blob out of the hands of those who keep chunks. Does not block; ending the intake does.
    pub(super) fn close(&self, object: &Digest) -> Option<Closing> {
        self.intakes().remove(object).map(Closing)
    }

    fn intakes(&self) -> MutexGuard<'_, BTreeMap<Digest, Open>> {
        self.intakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_hand(open: &Open) -> MutexGuard<'_, Option<Incoming>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an error of the store means to the exchange.
fn not_kept(error: BlobError) -> NotKept {
    match error {
        BlobError::Unasked { .. } | BlobError::Unproved { .. } => NotKept::False,
        BlobError::Quota { left_bytes, .. } => NotKept::Full { left_bytes },
        error => {
            tracing::warn!(%error, "a blob that comes from peers cannot be kept");
            NotKept::Failed
        }
    }
}
