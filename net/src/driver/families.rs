//! What peers may have, remembered: a tree is asked for in many questions, and looked through once.
//!
//! Owns the families of the roots that were asked about last. Every question looks anew whether its root is still
//! shared. Invariant: all that is remembered together is bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use xyn_store::Digest;
use xyn_store::blobs::{BlobError, Blobs, Family};

/// Blobs and chunks of all families that are remembered, with one more family than that.
const REMEMBERED_MAX: usize = 1_000_000;
/// Families that are remembered.
const FAMILIES_MAX: usize = 64;

pub(super) struct Families {
    blobs: Blobs,
    /// The one that was asked about last in front. Held while a family is looked through: two who ask for the
    /// same tree wait for one look.
    recent: Mutex<VecDeque<(Digest, Arc<Family>)>>,
}

impl Families {
    pub(super) fn new(blobs: Blobs) -> Self {
        Self { blobs, recent: Mutex::default() }
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
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let known = recent.iter().position(|(known, _)| known == root).and_then(|at| recent.remove(at));
        let family = match known {
            Some((_, family)) => family,
            None => match self.blobs.family(root)? {
                Some(family) => Arc::new(family),
                None => return Ok(None),
            },
        };
        recent.push_front((*root, Arc::clone(&family)));
        let others = |recent: &VecDeque<(Digest, Arc<Family>)>| -> usize {
            recent.iter().skip(1).map(|(_, family)| family.count()).sum()
        };
        while recent.len() > FAMILIES_MAX || others(&recent) > REMEMBERED_MAX {
            recent.pop_back();
        }
        Ok(Some(family))
    }
}
