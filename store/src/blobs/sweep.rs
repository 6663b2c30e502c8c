//! Removing what nothing leads to.
//!
//! Owns the walk from what is to stay and the orphans it leaves over. An orphan waits for the grace time, and
//! goes only when nobody has come to rely on it up to the transaction that removes it. Invariant: whatever is
//! here, all that it leads to is here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::PoisonError;
use std::time::Duration;

use super::index::{self, ObjectRow};
use super::{BlobError, Blobs, Manifest};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::projection::Changes;
use crate::reader::{Order, Reader};
use crate::tables::Table;

/// Chunks removed in one transaction: appends wait meanwhile.
const BATCH: usize = 2_000;

/// What a sweep came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs, lists of chunks and chunks that nothing leads to and that are still there, for the grace time.
    pub waiting: u64,
    /// Those that were removed.
    pub removed: u64,
    /// Bytes that were given back.
    pub freed_bytes: u64,
}

impl Blobs {
    /// Removes what neither a pin nor one of `roots` leads to, and did not when `grace` began, which ends
    /// `now`.
    pub fn sweep(
        &self,
        roots: impl IntoIterator<Item = Digest>,
        now: Timestamp,
        grace: Duration,
    ) -> Result<Swept, BlobError> {
        let _alone = self.0.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.used_bytes();
        let survey = Survey::of(&self.0.slot.read()?, roots, now.before(grace))?;
        self.reached("orphans are found");
        self.change(|_| Ok((survey.marks(now), ())))?;
        let removed = self.remove(survey.doomed)?;
        self.clean()?;
        let freed_bytes = before.saturating_sub(self.used_bytes());
        Ok(Swept { waiting: survey.waiting, removed, freed_bytes })
    }

    /// Removes `doomed`, but for what somebody relies on by now. Blobs and lists of chunks go before the
    /// chunks, and all at once: from then on nobody can come to rely on one of them and find its chunks gone.
    fn remove(&self, mut doomed: Doomed) -> Result<u64, BlobError> {
        // The pins are locked until after the commit: whoever pins later finds in the index what is left.
        drop(self.change(|transaction| {
            let pinned = self.pinned();
            let mut relied = Vec::new();
            for digest in doomed.parents.keys() {
                if pinned.contains_key(digest) || !index::is_orphan(transaction, digest)? {
                    relied.push(*digest);
                }
            }
            doomed.spare(relied);
            let mut changes = Changes::new();
            for digest in doomed.parents.keys() {
                changes.unmark(Table::Objects, index::key(digest));
                changes.unmark(Table::Manifests, index::key(digest));
                // The mark of what is a chunk too goes with the chunk.
                if !doomed.chunks.contains(digest) {
                    changes.unmark(Table::Orphans, index::key(digest));
                }
            }
            Ok((changes, pinned))
        })?);
        self.reached("blobs are removed");
        let lone = |digest: &&Digest| !doomed.chunks.contains(digest);
        let mut removed = doomed.parents.keys().filter(lone).count() as u64;
        let chunks: Vec<_> = doomed.chunks.into_iter().collect();
        for batch in chunks.chunks(BATCH) {
            let (count, _pinned) = self.change(|transaction| {
                let pinned = self.pinned();
                let (mut changes, mut count) = (Changes::new(), 0);
                for digest in batch {
                    if !pinned.contains_key(digest) && index::is_orphan(transaction, digest)? {
                        changes.unmark(Table::Chunks, index::key(digest));
                        changes.unmark(Table::Orphans, index::key(digest));
                        count += 1;
                    }
                }
                Ok((changes, (count, pinned)))
            })?;
            removed += count;
        }
        self.reached("chunks are removed");
        Ok(removed)
    }
}

/// What was found of orphans.
struct Survey {
    /// Those nobody knew of.
    fresh: Vec<Digest>,
    /// What is none any more.
    found_again: Vec<Digest>,
    waiting: u64,
    doomed: Doomed,
}

/// Orphans whose time has come.
#[derive(Default)]
struct Doomed {
    /// Blobs and lists of chunks, with what they lead to.
    parents: BTreeMap<Digest, Vec<Digest>>,
    chunks: BTreeSet<Digest>,
}

impl Doomed {
    /// Takes out `relied` and all that they lead to.
    fn spare(&mut self, mut relied: Vec<Digest>) {
        while let Some(digest) = relied.pop() {
            self.chunks.remove(&digest);
            relied.extend(self.parents.remove(&digest).into_iter().flatten());
        }
    }
}

impl Survey {
    fn of(
        reader: &Reader,
        roots: impl IntoIterator<Item = Digest>,
        limit: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut roots: Vec<_> = roots.into_iter().collect();
        keys(reader, Table::Pins, |digest| roots.push(digest))?;
        let mut reached = HashSet::new();
        walk(reader, roots, &mut reached)?;

        let mut since = BTreeMap::new();
        reader.scan(Table::Orphans, &[], None, Order::Ascending, |key, value| {
            since.insert(index::digest_of(key)?, index::decode::<Timestamp>(Table::Orphans, value)?);
            Ok(true)
        })?;
        let mut orphans = BTreeSet::new();
        for table in [Table::Objects, Table::Manifests, Table::Chunks] {
            keys(reader, table, |digest| orphans.extend(Some(digest).filter(|it| !reached.contains(it))))?;
        }
        let found_again = since.keys().filter(|digest| !orphans.contains(digest)).copied().collect();
        let is_due = |digest: &Digest| since.get(digest).is_some_and(|since| *since <= limit);
        let fresh = orphans.iter().filter(|digest| !since.contains_key(digest)).copied().collect();
        // Whoever still waits may be found again, and then needs all that it leads to.
        let waiting = orphans.iter().filter(|digest| !is_due(digest)).copied().collect();
        walk(reader, waiting, &mut reached)?;
        let mut doomed = Doomed::default();
        for digest in orphans.iter().filter(|digest| is_due(digest) && !reached.contains(digest)) {
            if let Some(children) = children(reader, digest)? {
                doomed.parents.insert(*digest, children);
            }
            if reader.get_raw(Table::Chunks, digest.as_bytes())?.is_some() {
                doomed.chunks.insert(*digest);
            }
        }
        let going: BTreeSet<_> = doomed.parents.keys().chain(&doomed.chunks).collect();
        let waiting = (orphans.len() - going.len()) as u64;
        Ok(Self { fresh, found_again, waiting, doomed })
    }

    /// Notes since when an orphan is one, and forgets it of what is none any more.
    fn marks(&self, now: Timestamp) -> Changes {
        let mut changes = Changes::new();
        self.fresh.iter().for_each(|digest| index::mark_orphan(&mut changes, digest, now));
        self.found_again.iter().for_each(|digest| changes.unmark(Table::Orphans, index::key(digest)));
        changes
    }
}

/// Adds to `reached` all that `from` leads to, with themselves.
fn walk(reader: &Reader, mut from: Vec<Digest>, reached: &mut HashSet<Digest>) -> Result<(), StoreError> {
    while let Some(digest) = from.pop() {
        if reached.insert(digest) {
            from.extend(children(reader, &digest)?.unwrap_or_default());
        }
    }
    Ok(())
}

/// What a blob or a list of chunks leads to; none for what is a chunk and nothing else.
pub(super) fn children(reader: &Reader, digest: &Digest) -> Result<Option<Vec<Digest>>, StoreError> {
    let object: Option<ObjectRow> = index::find(reader, Table::Objects, digest)?;
    let manifest = reader.get_raw(Table::Manifests, digest.as_bytes())?;
    if object.is_none() && manifest.is_none() {
        return Ok(None);
    }
    let mut children = Vec::new();
    if let Some(object) = object {
        children.extend(object.manifest.map(|(name, _)| name));
        children.extend(object.children);
    }
    if let Some(bytes) = manifest {
        let broken = |error| StoreError::Inconsistent(format!("manifest {digest}: {error}"));
        let manifest = Manifest::decode(&bytes).map_err(broken)?;
        children.extend(manifest.parts().iter().map(|(chunk, _)| *chunk));
    }
    Ok(Some(children))
}

fn keys(reader: &Reader, table: Table, mut visit: impl FnMut(Digest)) -> Result<(), StoreError> {
    reader.scan(table, &[], None, Order::Ascending, |key, _| {
        visit(index::digest_of(key)?);
        Ok(true)
    })
}
