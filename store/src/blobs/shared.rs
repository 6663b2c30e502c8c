//! What members may be given: what a moment of the timeline names, and all that leads on from there.
//!
//! Content stays for four reasons: a row names it, for good unless it is the row of a capsule that is let go of; a
//! moment of this node's own names it, for good with the same exception ([`TIMELINE`]); it was fetched and a moment of
//! anybody's names it ([`FETCHED`]); or somebody is at work with it ([`Pins`](super::Pins), in memory). All else goes
//! when the sweep's grace is over.
//!
//! Owns the two holders whose pins make it others' too, and the look from a blob at its descendants. Whoever asks for
//! something says by which named blob it came to want it, and is answered when that one is pinned by one of
//! the holders and leads there. A digest alone opens nothing: artifacts and documents that no moment names are
//! nobody else's, even for who has learnt their digest. Invariant: a pin of these holders stands on what is here
//! whole.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashSet};
use std::hash::BuildHasher;

use super::index::{self, ObjectRow};
use super::sweep::children;
use super::{BlobError, Blobs};
use crate::digest::Digest;
use crate::projection::Changes;
use crate::reader::Order;
use crate::tables::Table;

/// Holds what this node's own moments name, for good: it may be the only one that has it.
pub const TIMELINE: &str = "timeline";
/// Holds what moments name and was fetched from other nodes, until none names it any more.
pub const FETCHED: &str = "fetched";

/// The most blobs and chunks of one family: those of the largest tree.
const FAMILY_MAX: usize = 2_000_000;

/// A named blob and all that it leads to.
pub struct Family {
    /// Eight bytes for each, of a hash that nobody can aim at: the chance that a stranger passes for a member
    /// is one in 10¹², and in memory they are a quarter of the digests.
    members: HashSet<u64>,
    hasher: RandomState,
}

impl Family {
    /// Whether `digest` is one of them.
    pub fn has(&self, digest: &Digest) -> bool {
        self.members.contains(&self.hasher.hash_one(digest))
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.members.len()
    }
}

impl Blobs {
    /// Whether a moment of the timeline names the blob `root` and it is here whole, so that members may have it.
    pub fn is_shared(&self, root: &Digest) -> Result<bool, BlobError> {
        Ok(self.is_pinned(root, TIMELINE)? || self.is_pinned(root, FETCHED)?)
    }

    /// Whether `holder` keeps the blob `digest`.
    pub fn is_pinned(&self, digest: &Digest, holder: &str) -> Result<bool, BlobError> {
        let key = index::pin_key(digest, holder);
        Ok(self.0.slot.read()?.get_raw(Table::Pins, key.as_bytes())?.is_some())
    }

    /// All that `holder` keeps.
    pub fn held(&self, holder: &str) -> Result<Vec<Digest>, BlobError> {
        let mut held = Vec::new();
        self.0.slot.read()?.scan(Table::Pins, &[], None, Order::Ascending, |key, _| {
            let digest = index::digest_of(key)?;
            if key == index::pin_key(&digest, holder).as_bytes() {
                held.push(digest);
            }
            Ok(true)
        })?;
        Ok(held)
    }

    /// Keeps the blob `digest`, which is here whole, for `holder` until it is released.
    pub fn hold(&self, digest: &Digest, holder: &str) -> Result<(), BlobError> {
        self.change(|transaction| {
            if !index::is_here(transaction, digest)? {
                return Err(BlobError::NotFound(*digest).into());
            }
            let mut changes = Changes::new();
            changes.pin(holder, digest);
            changes.unmark(Table::Orphans, index::key(digest));
            Ok((changes, ()))
        })
    }

    /// `holder` no longer needs the blob `digest`: it goes in time, unless somebody else does.
    pub fn release(&self, digest: &Digest, holder: &str) -> Result<(), BlobError> {
        self.change(|_| {
            let mut changes = Changes::new();
            changes.unpin(holder, digest);
            Ok((changes, ()))
        })
    }

    /// All that members may have because `root` is named; none when it is not, or has too many descendants.
    pub fn family(&self, root: &Digest) -> Result<Option<Family>, BlobError> {
        if !self.is_shared(root)? {
            return Ok(None);
        }
        let reader = self.0.slot.read()?;
        let mut family = Family { members: HashSet::new(), hasher: RandomState::new() };
        let mut from = vec![*root];
        while let Some(digest) = from.pop() {
            if family.members.insert(family.hasher.hash_one(digest)) {
                from.extend(children(&reader, &digest)?.unwrap_or_default());
            }
            if family.members.len() > FAMILY_MAX {
                tracing::warn!(%root, "a tree is too large to be given to members");
                return Ok(None);
            }
        }
        Ok(Some(family))
    }

    /// What the blob `digest` was said to lead to.
    pub fn links(&self, digest: &Digest) -> Result<BTreeSet<Digest>, BlobError> {
        let row: Option<ObjectRow> = index::find(&self.0.slot.read()?, Table::Objects, digest)?;
        Ok(row.map(|row| row.children).unwrap_or_default())
    }
}
