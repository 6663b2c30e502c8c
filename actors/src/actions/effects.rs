//! Effects of inside actions against what is there: whether they can be recorded at all.
//!
//! Owns the reasons why not. A step is told of them before the append, because an append that fails tells nobody:
//! its run would be loaded and decide the same again. Invariant: what was found fit fails in the append only because
//! somebody else was faster, and is then found unfit.

use std::collections::BTreeSet;

use xyn_store::Digest;
use xyn_store::blobs::is_inline;
use xyn_store::ids::EventId;

use super::{Content, Effects, Failure};
use crate::blueprint::FailureKind;

/// What an append of effects would meet.
pub trait Surroundings {
    /// The length of a blob; none when it is not here.
    fn blob_length(&self, digest: &Digest) -> Option<u64>;
    /// Whether something has this id already.
    fn is_taken(&self, id: EventId) -> bool;
    /// Bytes of large blobs that may still be kept.
    fn room_bytes(&self) -> u64;
}

/// What effects that are not recorded yet will take.
#[derive(Debug, Default)]
pub(crate) struct Pledged {
    events: BTreeSet<EventId>,
    blobs: BTreeSet<Digest>,
    bytes: u64,
}

/// Why effects cannot be recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EffectFault {
    /// An artifact of a blob that is not here.
    #[error("there is no blob `{0}`; upload it first")]
    MissingBlob(Digest),
    /// An artifact of a blob that has another length.
    #[error("blob `{sha256}` has {found} bytes, not {said}")]
    BlobLength {
        /// The blob.
        sha256: Digest,
        /// What the input says.
        said: u64,
        /// What it has.
        found: u64,
    },
    /// An event whose id belongs to another one, or to something else.
    #[error("`{0}` is the id of something else; choose another")]
    IdTaken(EventId),
    /// An artifact that the node has no room for.
    #[error(
        "the blob store has room for {room} more bytes, not for {wanted}; raise its quota or remove artifacts"
    )]
    NoRoom {
        /// Bytes of the artifact.
        wanted: u64,
        /// Bytes that may still be kept.
        room: u64,
    },
}

impl Effects {
    /// Refuses artifacts of blobs that are not here.
    pub(crate) fn check_blobs(&self, around: &dyn Surroundings) -> Result<(), EffectFault> {
        self.artifacts.iter().try_for_each(|artifact| match artifact.content {
            Content::Bytes(_) => Ok(()),
            Content::Stored { sha256, byte_length: said } => match around.blob_length(&sha256) {
                None => Err(EffectFault::MissingBlob(sha256)),
                Some(found) if found != said => Err(EffectFault::BlobLength { sha256, said, found }),
                Some(_) => Ok(()),
            },
        })
    }
}

impl Pledged {
    /// Nothing yet, beside an append to the stream that `id` names.
    pub(crate) fn beside(id: EventId) -> Self {
        Self { events: BTreeSet::from([id]), ..Self::default() }
    }

    /// Takes what `effects` need; refuses those that cannot be recorded behind the ones that were taken before.
    pub(crate) fn take(&mut self, effects: &Effects, around: &dyn Surroundings) -> Result<(), EffectFault> {
        effects.check_blobs(around)?;
        for event in &effects.events {
            if self.events.contains(&event.id) || around.is_taken(event.id) {
                return Err(EffectFault::IdTaken(event.id));
            }
        }
        for artifact in &effects.artifacts {
            let Content::Bytes(bytes) = &artifact.content else { continue };
            let wanted = bytes.len() as u64;
            if is_inline(wanted) {
                continue;
            }
            let sha256 = Digest::of(bytes);
            if self.blobs.contains(&sha256) || around.blob_length(&sha256).is_some() {
                continue;
            }
            let room = around.room_bytes().saturating_sub(self.bytes);
            if wanted > room {
                return Err(EffectFault::NoRoom { wanted, room });
            }
            self.blobs.insert(sha256);
            self.bytes += wanted;
        }
        self.events.extend(effects.events.iter().map(|event| event.id));
        Ok(())
    }
}

impl From<EffectFault> for Failure {
    fn from(fault: EffectFault) -> Self {
        let (kind, code) = match fault {
            EffectFault::MissingBlob(_) => (FailureKind::Client, "unknown_blob"),
            EffectFault::BlobLength { .. } => (FailureKind::Client, "invalid_input"),
            EffectFault::IdTaken(_) => (FailureKind::Client, "id_taken"),
            // Room may be made before the next attempt.
            EffectFault::NoRoom { .. } => (FailureKind::Server, "quota_reached"),
        };
        Self::certain(kind, code, fault.to_string())
    }
}
