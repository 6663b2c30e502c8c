//! What differs between two trees.
//!
//! Owns the walk over both at once, which passes by whatever has the same digest, and what a person calls a
//! change: a file that is elsewhere with the same content was moved. Invariant: two trees have no differences
//! exactly when they have one digest.

use std::collections::{BTreeMap, BTreeSet};

use xyn_store::Digest;

use super::directory::{Directory, Entry, Mode};
use super::error::TreeError;
use super::limit::{Budget, Limits};
use super::name::Name;
use super::path::RelPath;
use super::shelf::Shelf;

/// A path at which two trees differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where; of what was removed, where it was.
    pub path: RelPath,
    /// Where it was before, when it was moved.
    pub from: Option<RelPath>,
    /// What was there.
    pub before: Option<Entry>,
    /// What is there.
    pub after: Option<Entry>,
}

/// What happened at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has other content, or became something else.
    Changed,
    /// It can be run now, or no longer.
    Mode,
    /// It was elsewhere.
    Renamed,
}

impl Change {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Mode => "mode",
            Self::Renamed => "renamed",
        }
    }
}

impl Difference {
    /// What happened.
    pub fn change(&self) -> Change {
        match (&self.from, &self.before, &self.after) {
            (Some(_), ..) => Change::Renamed,
            (None, None, _) => Change::Added,
            (None, _, None) => Change::Removed,
            (None, Some(before), Some(after)) => {
                let is_same = before.digest == after.digest && before.mode.is_file() && after.mode.is_file();
                if is_same { Change::Mode } else { Change::Changed }
            }
        }
    }
}

/// What is told of each path at which two trees differ: what is there in the one and in the other.
type Visit<'a> = dyn FnMut(RelPath, Option<Entry>, Option<Entry>) -> Result<(), TreeError> + 'a;

/// Tells `visit` of every path at which `before` and `after` differ, a directory before what is in it.
pub fn compare(
    shelf: &dyn Shelf,
    before: &Digest,
    after: &Digest,
    limits: Limits,
    visit: &mut Visit<'_>,
) -> Result<(), TreeError> {
    if before == after {
        return Ok(());
    }
    let mut walk = Walk { shelf, budget: Budget::new(limits), visit };
    walk.level(&RelPath::root(), shelf.directory(before)?, shelf.directory(after)?)
}

/// The differences between two trees, in the order of their paths. A directory is named only where nothing is
/// in it.
pub fn diff(
    shelf: &dyn Shelf,
    before: &Digest,
    after: &Digest,
    limits: Limits,
) -> Result<Vec<Difference>, TreeError> {
    let empty = Directory::empty();
    let is_named = |entry: &Entry| !entry.is_directory() || entry.digest == empty;
    let mut found = Vec::new();
    compare(shelf, before, after, limits, &mut |path, before, after| {
        // A directory that became something else is told by what was in it.
        let (before, after) = (before.filter(is_named), after.filter(is_named));
        if before.is_some() || after.is_some() {
            found.push(Difference { path, from: None, before, after });
        }
        Ok(())
    })?;
    Ok(renamed(found))
}

/// Joins what was removed here and added there.
fn renamed(mut found: Vec<Difference>) -> Vec<Difference> {
    let is_movable = |entry: &Entry| !entry.is_directory() && entry.size_bytes > 0;
    let key = |entry: &Entry| (entry.digest, entry.mode);
    let mut gone: BTreeMap<(Digest, Mode), Vec<RelPath>> = BTreeMap::new();
    for difference in &found {
        if let (Some(before), None) = (&difference.before, &difference.after)
            && is_movable(before)
        {
            gone.entry(key(before)).or_default().push(difference.path.clone());
        }
    }
    let mut moved = BTreeSet::new();
    for difference in &mut found {
        if let (None, Some(after)) = (&difference.before, &difference.after)
            && let Some(paths) = gone.get_mut(&key(after)).filter(|paths| !paths.is_empty())
        {
            // Of several that are equal, the one that kept its name.
            let kept = paths.iter().position(|path| path.name() == difference.path.name());
            let from = paths.remove(kept.unwrap_or_default());
            moved.insert(from.clone());
            (difference.from, difference.before) = (Some(from), difference.after);
        }
    }
    found.retain(|difference| difference.after.is_some() || !moved.contains(&difference.path));
    found
}

struct Walk<'a, 'b> {
    shelf: &'a dyn Shelf,
    budget: Budget,
    visit: &'a mut Visit<'b>,
}

impl Walk<'_, '_> {
    fn level(&mut self, path: &RelPath, before: Directory, after: Directory) -> Result<(), TreeError> {
        let depth = path.depth() + 1;
        for (name, [before, after]) in joined([before, after]) {
            if before == after {
                continue;
            }
            let path = path.join(&name);
            self.budget.entry(depth).map_err(|source| TreeError::Limit { path: path.clone(), source })?;
            (self.visit)(path.clone(), before, after)?;
            if [before, after].iter().flatten().any(Entry::is_directory) {
                self.level(&path, inside(self.shelf, before)?, inside(self.shelf, after)?)?;
            }
        }
        Ok(())
    }
}

/// The names of several directories, each with what it stands for in every one.
pub(super) fn joined<const N: usize>(directories: [Directory; N]) -> BTreeMap<Name, [Option<Entry>; N]> {
    let mut joined: BTreeMap<Name, [Option<Entry>; N]> = BTreeMap::new();
    for (index, directory) in directories.into_iter().enumerate() {
        for (name, entry) in directory.into_entries() {
            joined.entry(name).or_insert([None; N])[index] = Some(entry);
        }
    }
    joined
}

/// What is in `entry`: nothing, where it is no directory.
pub(super) fn inside(shelf: &dyn Shelf, entry: Option<Entry>) -> Result<Directory, TreeError> {
    match entry.filter(Entry::is_directory) {
        Some(entry) => shelf.directory(&entry.digest),
        None => Ok(Directory::default()),
    }
}
