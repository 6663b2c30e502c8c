//! The chunks of a blob that are not here yet.
//!
//! Owns which of them was asked of how many. Invariant: a chunk is left to ask for, under way, or here.

use std::collections::{BTreeMap, BTreeSet};

use xyn_store::Digest;
use xyn_store::blobs::{Manifest, PARCEL_OVERHEAD_BYTES};

use super::Progress;
use crate::wire::blobs::CHUNKS_MAX;

#[derive(Clone, Debug)]
pub(super) struct Chunks {
    size_bytes: u64,
    here_bytes: u64,
    parts: Vec<Part>,
    /// The first that nobody was asked for yet.
    next: usize,
    /// Those before it that nobody is asked for any more.
    again: BTreeSet<usize>,
    /// How many are not here.
    left: usize,
}

#[derive(Clone, Debug)]
struct Part {
    digest: Digest,
    bytes: u32,
    /// How much of the blob it makes, wherever it comes in it.
    of_blob_bytes: u64,
    /// How many peers are asked for it.
    askers: u8,
    is_here: bool,
}

impl Chunks {
    /// Those of `manifest` that are missing.
    pub(super) fn new(manifest: &Manifest, missing: Vec<Digest>) -> Self {
        let mut lengths = BTreeMap::<Digest, (u32, u64)>::new();
        for (digest, bytes) in manifest.parts() {
            let (length, all) = lengths.entry(*digest).or_default();
            *length = *bytes;
            *all += u64::from(*bytes);
        }
        let part = |digest: Digest| {
            let (bytes, of_blob_bytes) = lengths.get(&digest).copied().unwrap_or_default();
            Part { digest, bytes, of_blob_bytes, askers: 0, is_here: false }
        };
        let parts: Vec<Part> = missing.into_iter().map(part).collect();
        let size_bytes = manifest.size_bytes();
        let missing_bytes: u64 = parts.iter().map(|part| part.of_blob_bytes).sum();
        let (here_bytes, left) = (size_bytes.saturating_sub(missing_bytes), parts.len());
        Self { size_bytes, here_bytes, parts, next: 0, again: BTreeSet::new(), left }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(super) fn is_complete(&self) -> bool {
        self.left == 0
    }

    pub(super) fn progress(&self, sources: usize) -> Progress {
        Progress::Fetching { size_bytes: self.size_bytes, here_bytes: self.here_bytes, sources }
    }

    pub(super) fn digests(&self, which: &[usize]) -> Vec<Digest> {
        which.iter().map(|at| self.parts[*at].digest).collect()
    }

    /// The next to ask for, in the blob's order, of about so many bytes as they travel; and how many these
    /// are.
    pub(super) fn take(&mut self, limit_bytes: u64) -> (Vec<usize>, u64) {
        let left = self.again.iter().copied().chain(self.next..self.parts.len());
        let (which, bytes) = self.fitting(left, limit_bytes);
        for at in &which {
            self.again.remove(at);
            self.next = self.next.max(at + 1);
            self.parts[*at].askers += 1;
        }
        (which, bytes)
    }

    /// Those of `which` that only one peer is asked for, to ask another.
    pub(super) fn share(&mut self, which: &[usize], limit_bytes: u64) -> (Vec<usize>, u64) {
        let lone = which.iter().copied().filter(|at| {
            let part = &self.parts[*at];
            part.askers == 1 && !part.is_here
        });
        let (which, bytes) = self.fitting(lone, limit_bytes);
        which.iter().for_each(|at| self.parts[*at].askers += 1);
        (which, bytes)
    }

    /// As many from the front as fit, one at least.
    fn fitting(&self, from: impl Iterator<Item = usize>, limit_bytes: u64) -> (Vec<usize>, u64) {
        let (mut which, mut bytes) = (Vec::new(), 0);
        for at in from.take(CHUNKS_MAX) {
            let more = u64::from(self.parts[at].bytes) + PARCEL_OVERHEAD_BYTES as u64;
            if !which.is_empty() && bytes + more > limit_bytes {
                break;
            }
            bytes += more;
            which.push(at);
        }
        (which, bytes)
    }

    /// A peer is not asked for these any more.
    pub(super) fn release(&mut self, which: &[usize]) {
        for at in which {
            let part = &mut self.parts[*at];
            part.askers = part.askers.saturating_sub(1);
            if part.askers == 0 && !part.is_here {
                self.again.insert(*at);
            }
        }
    }

    /// Of `which` these are here now, in the same order.
    pub(super) fn keep(&mut self, which: &[usize], kept: &[Digest]) {
        let mut kept = kept.iter().peekable();
        for at in which {
            let part = &mut self.parts[*at];
            if kept.next_if(|digest| **digest == part.digest).is_some() && !part.is_here {
                part.is_here = true;
                self.again.remove(at);
                self.left -= 1;
                self.here_bytes += part.of_blob_bytes;
            }
        }
    }
}
