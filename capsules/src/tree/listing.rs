//! A whole tree, path by path.
//!
//! Owns the one walk over a tree of which nothing is known: everything is counted against the limits before it
//! is looked into, and every link is judged. Invariant: a tree that was listed whole can be laid out without
//! leaving its folder.

use xyn_store::Digest;

use super::directory::{Directory, Entry, Mode};
use super::error::TreeError;
use super::limit::{Budget, Limits, TARGET_MAX_BYTES};
use super::link::Target;
use super::path::RelPath;
use super::shelf::Shelf;

/// Every entry of a tree, in the order of their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Path and entry.
    pub entries: Vec<(RelPath, Entry)>,
    /// How many of them are files.
    pub files: u64,
    /// Bytes of all files.
    pub size_bytes: u64,
}

/// Lists the tree `root`.
pub fn list(shelf: &dyn Shelf, root: &Digest, limits: Limits) -> Result<Listing, TreeError> {
    let mut walk = Walk { shelf, budget: Budget::new(limits), listing: Listing::default() };
    walk.directory(&RelPath::root(), shelf.directory(root)?)?;
    Ok(walk.listing)
}

/// What stands at `path` in the tree `root`; the tree itself at its own path.
pub fn find(shelf: &dyn Shelf, root: &Digest, path: &RelPath) -> Result<Option<Entry>, TreeError> {
    let mut found = Entry { mode: Mode::Directory, digest: *root, size_bytes: 0 };
    for name in path.names() {
        if !found.is_directory() {
            return Ok(None);
        }
        match shelf.directory(&found.digest)?.get(name) {
            Some(entry) => found = *entry,
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

struct Walk<'a> {
    shelf: &'a dyn Shelf,
    budget: Budget,
    listing: Listing,
}

impl Walk<'_> {
    fn directory(&mut self, path: &RelPath, directory: Directory) -> Result<(), TreeError> {
        let depth = path.depth();
        for (name, entry) in directory.entries() {
            let path = path.join(name);
            let limit = |source| TreeError::Limit { path: path.clone(), source };
            self.budget.entry(depth + 1).map_err(limit)?;
            self.budget.path(path.as_str().len()).map_err(limit)?;
            self.listing.entries.push((path.clone(), *entry));
            match entry.mode {
                Mode::File | Mode::Executable => {
                    self.budget.file(entry.size_bytes).map_err(limit)?;
                    self.listing.files += 1;
                    self.listing.size_bytes += entry.size_bytes;
                }
                Mode::Directory => self.directory(&path, self.shelf.directory(&entry.digest)?)?,
                Mode::Symlink => drop(target(self.shelf, &path, entry)?),
            }
        }
        Ok(())
    }
}

/// Where the link `entry` at `path` leads.
pub(crate) fn target(shelf: &dyn Shelf, path: &RelPath, entry: &Entry) -> Result<Target, TreeError> {
    let bytes = shelf.read(&entry.digest, TARGET_MAX_BYTES)?;
    let found = bytes.len() as u64;
    if found != entry.size_bytes {
        return Err(TreeError::Length { path: path.clone(), said: entry.size_bytes, found });
    }
    let depth = path.depth().saturating_sub(1);
    Target::read(&bytes, depth).map_err(|source| TreeError::Link { path: path.clone(), source })
}
