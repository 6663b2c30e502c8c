//! Taking in a tree whose blobs are elsewhere.
//!
//! Owns what is to be fetched next: a tree comes level by level, so that only what a sound directory names is
//! ever asked for, and within the limits. Fetches nothing itself. What came is kept from being swept until the
//! tree is whole. Invariant: a directory leads to its entries in the store only when all that is below it is
//! here, so that whatever leads somewhere is whole.

use std::collections::HashSet;

use xyn_store::Digest;
use xyn_store::blobs::{BlobError, Blobs, Pins};

use super::directory::{Directory, Entry, Mode};
use super::error::TreeError;
use super::limit::{Budget, DIRECTORY_MAX_BYTES, Exceeded, Limits, TARGET_MAX_BYTES};
use super::path::RelPath;
use super::shelf::Shelf;

/// Directories that are tied to their entries in one transaction.
const PORTION_DIRECTORIES: usize = 4_096;

/// A tree on its way here.
pub struct Arrival {
    blobs: Blobs,
    pins: Pins,
    budget: Budget,
    /// What the directories above name, each blob once.
    level: Vec<Awaited>,
    depth: usize,
    known: HashSet<Digest>,
    /// Directories and what they name, parents before children.
    links: Vec<(Digest, Vec<Digest>)>,
}

/// A blob of the present level.
struct Awaited {
    path: RelPath,
    digest: Digest,
    mode: Mode,
    /// What its directory says of its length. Nothing does of the root's.
    size_bytes: Option<u64>,
}

/// A blob of a tree that is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where in the tree it stands, or one like it.
    pub path: RelPath,
    /// The blob.
    pub digest: Digest,
    /// What its directory says of its length, if there is one.
    pub size_bytes: Option<u64>,
}

impl Missing {
    /// The most bytes it can have and still be of the tree.
    pub fn limit_bytes(&self) -> u64 {
        self.size_bytes.unwrap_or(DIRECTORY_MAX_BYTES)
    }
}

impl Arrival {
    /// Begins with the tree `root`, or goes on with it.
    pub fn of(blobs: &Blobs, root: Digest, limits: Limits) -> Self {
        let awaited =
            Awaited { path: RelPath::root(), digest: root, mode: Mode::Directory, size_bytes: None };
        Self {
            blobs: blobs.clone(),
            pins: blobs.pins(),
            budget: Budget::new(limits),
            level: vec![awaited],
            depth: 0,
            known: HashSet::from([root]),
            links: Vec::new(),
        }
    }

    /// What of the present level is not here.
    pub fn missing(&mut self) -> Result<Vec<Missing>, TreeError> {
        let mut missing = Vec::new();
        for awaited in &self.level {
            let Awaited { path, digest, size_bytes, .. } = awaited;
            // First pinned and then looked for: what is found stays.
            self.pins.add(*digest);
            match (self.blobs.size_bytes(digest)?, *size_bytes) {
                (Some(found), Some(said)) if found != said => {
                    return Err(TreeError::Length { path: path.clone(), said, found });
                }
                (Some(_), _) => {}
                (None, _) if is_everywhere(&self.blobs, digest)? => {}
                (None, size_bytes) => {
                    missing.push(Missing { path: path.clone(), digest: *digest, size_bytes });
                }
            }
        }
        Ok(missing)
    }

    /// Goes on to what the directories of this level name, of which nothing is missing; answers whether there is
    /// anything.
    pub fn descend(&mut self) -> Result<bool, TreeError> {
        self.depth += 1;
        for above in std::mem::take(&mut self.level) {
            if above.mode != Mode::Directory {
                continue;
            }
            let directory = self.blobs.directory(&above.digest)?;
            let entries: Vec<Digest> = directory.entries().values().map(|entry| entry.digest).collect();
            let linked = self.blobs.links(&above.digest)?;
            if entries.iter().all(|entry| linked.contains(entry)) {
                continue;
            }
            self.links.push((above.digest, entries));
            for (name, entry) in directory.entries() {
                self.expect(above.path.join(name), entry)?;
            }
        }
        Ok(!self.level.is_empty())
    }

    fn expect(&mut self, path: RelPath, entry: &Entry) -> Result<(), TreeError> {
        let fits = self.budget.entry(self.depth).and_then(|()| match entry.mode {
            Mode::File | Mode::Executable => self.budget.file(entry.size_bytes),
            Mode::Directory => within(entry.size_bytes, DIRECTORY_MAX_BYTES),
            Mode::Symlink => within(entry.size_bytes, TARGET_MAX_BYTES),
        });
        fits.map_err(|source| TreeError::Limit { path: path.clone(), source })?;
        if self.known.insert(entry.digest) {
            let (digest, mode, size_bytes) = (entry.digest, entry.mode, Some(entry.size_bytes));
            self.level.push(Awaited { path, digest, mode, size_bytes });
        }
        Ok(())
    }

    /// Ties the tree together, of which all is here, and keeps it for `holder`. A tree that was whole
    /// before is somebody else's to keep.
    pub fn finish(self, holder: &'static str) -> Result<(), TreeError> {
        let upwards: Vec<_> = self.links.iter().rev().collect();
        let mut portions = upwards.chunks(PORTION_DIRECTORIES).peekable();
        while let Some(portion) = portions.next() {
            let mut batch = self.blobs.batch();
            for (directory, entries) in portion {
                batch.link(*directory, entries.iter().copied());
            }
            if let (None, Some((root, _))) = (portions.peek(), self.links.first()) {
                batch.hold(*root, holder);
            }
            batch.commit()?;
        }
        Ok(())
    }
}

fn within(size_bytes: u64, limit_bytes: u64) -> Result<(), Exceeded> {
    if size_bytes <= limit_bytes { Ok(()) } else { Err(Exceeded::File(limit_bytes)) }
}

/// Whether it is one of the blobs that need no fetching; keeps it then.
fn is_everywhere(blobs: &Blobs, digest: &Digest) -> Result<bool, BlobError> {
    let lone = [Vec::new(), Directory::default().encode()];
    match lone.iter().find(|bytes| Digest::of(bytes) == *digest) {
        Some(bytes) => blobs.put(bytes).map(|_| true),
        None => Ok(false),
    }
}
