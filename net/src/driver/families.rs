//! What peers may have, remembered: a tree is asked for in many questions, and looked through once.
//!
//! Owns the families of the roots that were asked about last. Every question looks anew whether its root is still
//! shared. Invariant: all that is remembered together is bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use xyn_store::Digest;
use xyn_store::blobs::{BlobError, Blobs, Family};

/// Blobs and chunks of all families that are remembered, with one more family than that.
const REMEMBERED_MAX: usize = 1_000_000;
/// Families that are remembered.
const FAMILIES_MAX: usize = 64;

pub(super) struct Families {
    blobs: Blobs,
    /// The one that was asked about last in front.
    recent: Mutex<VecDeque<(Digest, Arc<Family>)>>,
    /// Held while a family is looked through: two who ask for the same tree wait for one look, there is one at most
    /// that is not counted yet, and whoever asks for one that is remembered waits for nobody.
    looking: Mutex<()>,
}

impl Families {
    pub(super) fn new(blobs: Blobs) -> Self {
        Self { blobs, recent: Mutex::default(), looking: Mutex::default() }
    }

    /// Whether the shared blob `root` leads to each of `wanted`.
    pub(super) fn has<'a>(
        &self,
        root: &Digest,
        wanted: impl IntoIterator<Item = &'a Digest>,
    ) -> Result<bool, BlobError> {
        if !self.blobs.is_shared(root)? {
            return Ok(false);
        }
        let family = self.family(root)?;
        Ok(family.is_some_and(|family| wanted.into_iter().all(|digest| family.has(digest))))
    }

    fn family(&self, root: &Digest) -> Result<Option<Arc<Family>>, BlobError> {
        if let Some(family) = self.remembered(root) {
            return Ok(Some(family));
        }
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = self.remembered(root) {
            return Ok(Some(family));
        }
        let family = self.blobs.family(root)?.map(Arc::new);
        if let Some(family) = &family {
            self.remember(*root, Arc::clone(family));
        }
        Ok(family)
    }

    fn remembered(&self, root: &Digest) -> Option<Arc<Family>> {
        let mut recent = self.recent();
        let at = recent.iter().position(|(known, _)| known == root)?;
        let (root, family) = recent.remove(at)?;
        recent.push_front((root, Arc::clone(&family)));
        Some(family)
    }

    fn remember(&self, root: Digest, family: Arc<Family>) {
        let mut recent = self.recent();
        recent.push_front((root, family));
        let others = |recent: &VecDeque<(Digest, Arc<Family>)>| -> usize {
            recent.iter().skip(1).map(|(_, family)| family.count()).sum()
        };
        while recent.len() > FAMILIES_MAX || others(&recent) > REMEMBERED_MAX {
            recent.pop_back();
        }
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<(Digest, Arc<Family>)>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
