//! Laying out a tree in a folder.
//!
//! Owns what may be overwritten: what the tree has already, and what is the same as in the tree that the
//! folder was last known to be. All that is to be done is known before anything is done. Invariant: without
//! force, nothing is lost that no tree holds; and a file is replaced in one go or not at all.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use xyn_store::blobs::Blobs;
use xyn_store::{Digest, Timestamp};

use super::descent::Descent;
use super::diff::compare;
use super::directory::{Directory, Entry, Mode};
use super::error::TreeError;
use super::folder::Folder;
use super::limit::Limits;
use super::listing::{list, target};
use super::look::look_at;
use super::path::RelPath;
use super::seen::Seen;
use super::shelf::{Overlay, Shelf};

/// What is to be laid out, and what may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The tree.
    pub root: Digest,
    /// The tree that the folder was last known to be: what still is as it was there may go.
    pub base: Option<Digest>,
    /// Whether to overwrite and remove what no tree holds.
    pub force: bool,
    /// Whether to remove what the tree has not.
    pub remove: bool,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files and links that were written.
    pub written: u64,
    /// Files, links and folders that were removed.
    pub removed: u64,
    /// Bytes that were written.
    pub size_bytes: u64,
}

/// Lays out a tree in the folder `dir`, which is made if need be; lasting when this returns.
///
/// What differs already is found out with `seen`, which comes from a snapshot of the same folder.
pub fn restore(
    blobs: &Blobs,
    dir: &Path,
    wish: &Wish,
    seen: &Seen,
    now: Timestamp,
    limits: Limits,
) -> Result<Restored, TreeError> {
    list(blobs, &wish.root, limits)?;
    let made = std::fs::create_dir_all(dir);
    made.map_err(|source| TreeError::Io { action: "create", path: dir.to_owned(), source })?;
    let folder = Folder::open(dir)?;
    let looked = look_at(&folder, seen, Some((blobs, &wish.root)), now, limits)?;
    let shelf = Overlay { above: &looked.blobs, below: blobs };
    let plan = plan(&shelf, &looked.root, wish, limits)?;
    let mut work = Work { blobs, place: Descent::new(folder), done: Restored::default() };
    // What is in a folder goes before the folder.
    for (path, mode) in plan.removals.iter().rev() {
        work.remove(path, *mode)?;
    }
    for creation in &plan.creations {
        work.create(creation)?;
    }
    work.place.folder(&RelPath::root())?.sync()?;
    Ok(work.done)
}

/// What is to be done, in the order of the paths.
#[derive(Default)]
struct Plan {
    removals: Vec<(RelPath, Mode)>,
    creations: Vec<Creation>,
}

struct Creation {
    path: RelPath,
    entry: Entry,
    /// Whether a file or link was seen there, which may be replaced.
    replaces: bool,
}

fn plan(shelf: &dyn Shelf, current: &Digest, wish: &Wish, limits: Limits) -> Result<Plan, TreeError> {
    let base = wish.base.unwrap_or_else(Directory::empty);
    let mut unsaved = BTreeSet::new();
    compare(shelf, &base, current, limits, &mut |path, _, current| {
        if current.is_some_and(|entry| !entry.is_directory()) {
            unsaved.insert(path);
        }
        Ok(())
    })?;
    let (mut plan, mut lost) = (Plan::default(), Vec::new());
    // A folder in whose place something else comes: all in it has to go.
    let mut cleared: Option<RelPath> = None;
    compare(shelf, current, &wish.root, limits, &mut |path, current, wanted| {
        let is_cleared = cleared.as_ref().is_some_and(|folder| path.is_within(folder));
        let is_folder = |entry: Option<Entry>| entry.is_some_and(|entry| entry.is_directory());
        if wanted.is_none() && !wish.remove && !is_cleared || is_folder(current) && is_folder(wanted) {
            return Ok(());
        }
        if unsaved.contains(&path) {
            lost.push(path.clone());
        }
        if let Some(entry) = current
            && (wanted.is_none() || entry.is_directory() || is_folder(wanted))
        {
            plan.removals.push((path.clone(), entry.mode));
        }
        if is_folder(current) && wanted.is_some() {
            cleared = Some(path.clone());
        }
        if let Some(entry) = wanted {
            plan.creations.push(Creation {
                path,
                entry,
                replaces: current.is_some_and(|entry| !entry.is_directory()),
            });
        }
        Ok(())
    })?;
    if lost.is_empty() || wish.force { Ok(plan) } else { Err(TreeError::Unsaved(lost)) }
}

/// Doing what was planned.
struct Work<'a> {
    blobs: &'a Blobs,
    place: Descent,
    done: Restored,
}

impl Work<'_> {
    fn remove(&mut self, path: &RelPath, mode: Mode) -> Result<(), TreeError> {
        let Some((parent, name)) = path.split() else { return Ok(()) };
        let folder = self.place.folder(&parent)?;
        let is_gone = match mode {
            // What is left out of trees may be in it: then it stays.
            Mode::Directory => folder.remove_folder(name.as_bytes())?,
            _ => folder.remove_file(name.as_bytes()).map(|()| true)?,
        };
        self.done.removed += u64::from(is_gone);
        Ok(())
    }

    fn create(&mut self, creation: &Creation) -> Result<(), TreeError> {
        let Creation { path, entry, replaces } = creation;
        let Some((parent, name)) = path.split() else { return Ok(()) };
        let (blobs, name) = (self.blobs, name.as_bytes());
        let folder = self.place.folder(&parent)?;
        // What no tree holds, as a pipe, was not seen; so was not what came meanwhile.
        let is_removed = !replaces || entry.is_directory();
        if is_removed && folder.stat(name)?.is_some() {
            return Err(TreeError::InTheWay(path.clone()));
        }
        match entry.mode {
            Mode::Directory => return folder.make(name),
            Mode::Symlink => folder.put_link(name, target(blobs, path, entry)?.as_str())?,
            Mode::File | Mode::Executable => {
                folder.put_file(name, entry.mode == Mode::Executable, |file| {
                    let content = blobs.content(&entry.digest)?;
                    let found = content.size_bytes();
                    if found != entry.size_bytes {
                        return Err(TreeError::Length { path: path.clone(), said: entry.size_bytes, found });
                    }
                    for piece in content.pieces(0..found) {
                        file.write_all(&piece?).map_err(|error| folder.error("write", name, error))?;
                    }
                    Ok(())
                })?;
                self.done.size_bytes += entry.size_bytes;
            }
        }
        self.done.written += 1;
        Ok(())
    }
}
