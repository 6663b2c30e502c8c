//! What must not be swept while someone works with it, and no row says so yet.
//!
//! Owns a count per digest, in memory only: after a crash nobody works. Invariant: what is pinned first and
//! then found in the index stays there until the pin is gone.

use std::collections::BTreeSet;

use super::Blobs;
use crate::Digest;

/// Pins that end when this is dropped.
pub struct Pins {
    blobs: Blobs,
    digests: BTreeSet<Digest>,
}

impl Pins {
    pub(super) fn new(blobs: &Blobs) -> Self {
        Self { blobs: blobs.clone(), digests: BTreeSet::new() }
    }

    /// Keeps `digest`, and all it leads to, from being swept.
    pub fn add(&mut self, digest: Digest) {
        if self.digests.insert(digest) {
            *self.blobs.pinned().entry(digest).or_default() += 1;
        }
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut pinned = self.blobs.pinned();
        for digest in &self.digests {
            if let Some(count) = pinned.get_mut(digest) {
                *count -= 1;
                if *count == 0 {
                    pinned.remove(digest);
                }
            }
        }
    }
}
