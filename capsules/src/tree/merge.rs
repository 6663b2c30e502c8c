//! Merging two trees that began as one.
//!
//! Owns what follows from base, ours and theirs, entry by entry, and names every place where people have to
//! say. Keeps nothing and asks nobody: what it makes is handed out as bytes. Invariant: what only one side
//! changed is taken from that side, and no change of either is dropped without a conflict that says so.

use std::collections::BTreeMap;

use xyn_store::Digest;
use xyn_store::blobs::{BlobError, Blobs};

use super::clash::{Clash, Conflict, Favour, Side};
use super::diff::{inside, joined};
use super::directory::{Directory, Entry, InvalidDirectory, Mode, collisions};
use super::error::TreeError;
use super::limit::{Budget, Exceeded, Limits};
use super::name::Name;
use super::path::RelPath;
use super::shelf::Shelf;

/// Bytes of a content that both sides changed and that is looked at to bring them together.
const JOINED_MAX_BYTES: u64 = 16 << 20;
/// Bytes of all contents that one merge makes.
const MADE_MAX_BYTES: u64 = 256 << 20;

/// Two trees in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The tree; at every conflict it has what the favoured side has.
    pub root: Digest,
    /// Where people have to say, in the order of the paths; none when all changes went together.
    pub conflicts: Vec<Conflict>,
    /// What of the tree is new.
    made: BTreeMap<Digest, Made>,
}

/// A blob that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Made {
    Content(Vec<u8>),
    Directory(Directory),
}

impl Merged {
    /// Keeps what is new in `blobs`; lasting when this returns.
    pub fn keep(&self, blobs: &Blobs) -> Result<Digest, BlobError> {
        let mut batch = blobs.batch();
        for (digest, made) in &self.made {
            match made {
                Made::Content(bytes) => drop(batch.put(bytes)?),
                Made::Directory(directory) => {
                    batch.put(&directory.encode())?;
                    batch.link(*digest, directory.entries().values().map(|entry| entry.digest));
                }
            }
        }
        batch.commit()?;
        Ok(self.root)
    }

    /// What is new, for an [`Overlay`](super::Overlay).
    pub fn blobs(&self) -> BTreeMap<Digest, Vec<u8>> {
        let bytes = |made: &Made| match made {
            Made::Content(bytes) => bytes.clone(),
            Made::Directory(directory) => directory.encode(),
        };
        self.made.iter().map(|(digest, made)| (*digest, bytes(made))).collect()
    }
}

/// Merges `ours` and `theirs`, which began as `base`; where they clash, the result has what `favour` has.
pub fn merge(
    shelf: &dyn Shelf,
    base: &Digest,
    ours: &Digest,
    theirs: &Digest,
    favour: impl Favour,
    limits: Limits,
) -> Result<Merged, TreeError> {
    let made = BTreeMap::new();
    let budget = Budget::new(limits);
    let favour = &favour;
    let mut merger = Merger { shelf, favour, budget, conflicts: Vec::new(), made, made_bytes: 0 };
    let three =
        [base, ours, theirs].map(|root| Some(Entry { mode: Mode::Directory, digest: *root, size_bytes: 0 }));
    let root = match settled(three) {
        Some(root) => root,
        None => merger.directory(&RelPath::root(), three)?,
    };
    let root = root.map_or_else(Directory::empty, |entry| entry.digest);
    let Merger { mut conflicts, made, .. } = merger;
    conflicts.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(Merged { root, conflicts, made })
}

/// What stands at a place in base, ours and theirs.
type Three = [Option<Entry>; 3];

/// What follows where one side left things as they were, or both did the same.
fn settled([base, ours, theirs]: Three) -> Option<Option<Entry>> {
    if ours == theirs || base == theirs {
        Some(ours)
    } else if base == ours {
        Some(theirs)
    } else {
        None
    }
}

/// What comes of a file that both sides changed.
enum Content {
    /// Both changes in one.
    Joined(Vec<u8>),
    /// Both changes, for people to choose from.
    Marked(Vec<u8>),
    /// What the favoured side has.
    Favoured,
}

struct Merger<'a> {
    shelf: &'a dyn Shelf,
    favour: &'a dyn Favour,
    budget: Budget,
    conflicts: Vec<Conflict>,
    made: BTreeMap<Digest, Made>,
    made_bytes: u64,
}

impl Merger<'_> {
    fn entry(&mut self, path: &RelPath, three: Three) -> Result<Option<Entry>, TreeError> {
        if let Some(settled) = settled(three) {
            return Ok(settled);
        }
        let [base, ours, theirs] = three;
        let is_open = |side: Option<Entry>| side.is_none_or(|entry| entry.is_directory());
        match (ours, theirs) {
            _ if is_open(ours) && is_open(theirs) => self.directory(path, three),
            (Some(ours), Some(theirs)) if ours.mode.is_file() && theirs.mode.is_file() => {
                self.file(path, base.filter(|base| base.mode.is_file()), ours, theirs)
            }
            (Some(one), Some(other)) if one.mode == other.mode => Ok(self.clash(path, Clash::Content, three)),
            (Some(_), Some(_)) => Ok(self.clash(path, Clash::Shape, three)),
            _ => Ok(self.clash(path, Clash::Removed, three)),
        }
    }

    fn file(
        &mut self,
        path: &RelPath,
        base: Option<Entry>,
        ours: Entry,
        theirs: Entry,
    ) -> Result<Option<Entry>, TreeError> {
        let three = [base, Some(ours), Some(theirs)];
        let mode = match base {
            _ if ours.mode == theirs.mode => ours.mode,
            Some(base) if base.mode == ours.mode => theirs.mode,
            Some(_) => ours.mode,
            None if ours.digest != theirs.digest => return Ok(self.clash(path, Clash::Content, three)),
            None => return Ok(self.clash(path, Clash::Mode, three)),
        };
        let unmoded = |entry: Entry| Entry { mode: Mode::File, ..entry };
        if let Some(Some(content)) = settled(three.map(|side| side.map(unmoded))) {
            return Ok(Some(Entry { mode, ..content }));
        }
        let content = match self.content(path, base, ours, theirs)? {
            Content::Joined(content) => content,
            Content::Marked(content) => {
                self.clash(path, Clash::Content, three);
                content
            }
            Content::Favoured => return Ok(self.clash(path, Clash::Content, three)),
        };
        let (digest, size_bytes) = (Digest::of(&content), content.len() as u64);
        self.made_bytes += size_bytes;
        if self.made_bytes > MADE_MAX_BYTES {
            let source = Exceeded::Total(MADE_MAX_BYTES);
            return Err(TreeError::Limit { path: path.clone(), source });
        }
        self.made.insert(digest, Made::Content(content));
        Ok(Some(Entry { mode, digest, size_bytes }))
    }

    fn content(
        &self,
        path: &RelPath,
        base: Option<Entry>,
        ours: Entry,
        theirs: Entry,
    ) -> Result<Content, TreeError> {
        if base.iter().chain([&ours, &theirs]).any(|entry| entry.size_bytes > JOINED_MAX_BYTES) {
            return Ok(Content::Favoured);
        }
        let read = |entry: Entry| self.shelf.read(&entry.digest, JOINED_MAX_BYTES);
        let (base, ours, theirs) = (base.map(read).transpose()?, read(ours)?, read(theirs)?);
        if let Some(joined) = self.favour.join(path, base.as_deref(), &ours, &theirs) {
            return Ok(Content::Joined(joined));
        }
        let marked = self.favour.mark(path, base.as_deref().unwrap_or_default(), &ours, &theirs);
        Ok(marked.map_or(Content::Favoured, Content::Marked))
    }

    fn directory(&mut self, path: &RelPath, three: Three) -> Result<Option<Entry>, TreeError> {
        let [base, ours, theirs] = three;
        let sides = [inside(self.shelf, base)?, inside(self.shelf, ours)?, inside(self.shelf, theirs)?];
        let (depth, joined) = (path.depth() + 1, joined(sides));
        let mut entries = BTreeMap::new();
        for (name, three) in &joined {
            let path = path.join(name);
            self.budget.entry(depth).map_err(|source| TreeError::Limit { path: path.clone(), source })?;
            if let Some(entry) = self.entry(&path, *three)? {
                entries.insert(name.clone(), entry);
            }
        }
        self.tell_apart(path, &joined, &mut entries);
        // A directory of which nothing is left stays when nobody removed it.
        if entries.is_empty() && (ours.is_none() || theirs.is_none()) {
            return Ok(None);
        }
        let fault = |source: InvalidDirectory| TreeError::Folder { path: path.clone(), source };
        let directory = Directory::new(entries).map_err(fault)?;
        let bytes = directory.encode();
        let (digest, size_bytes) = (Digest::of(&bytes), bytes.len() as u64);
        let is_new = |side: &Option<Entry>| side.is_none_or(|entry| entry.digest != digest);
        if three.iter().all(is_new) {
            self.made.insert(digest, Made::Directory(directory));
        }
        Ok(Some(Entry { mode: Mode::Directory, digest, size_bytes }))
    }

    /// Takes out of `entries` what no directory can hold beside what the favoured side has.
    fn tell_apart(
        &mut self,
        path: &RelPath,
        joined: &BTreeMap<Name, Three>,
        entries: &mut BTreeMap<Name, Entry>,
    ) {
        for (one, other) in collisions(entries.keys()) {
            // A side is sound: it has one of the two names.
            let side = |name: &Name, index: usize| joined.get(name).and_then(|three| three[index]);
            let (ours, theirs) = if side(&one, 1).is_some() { (one, other) } else { (other, one) };
            let (kept, dropped) = match self.favour.side(&path.join(&ours)) {
                Side::Ours => (&ours, &theirs),
                Side::Theirs => (&theirs, &ours),
            };
            entries.remove(dropped);
            self.conflicts.push(Conflict {
                path: path.join(kept),
                clash: Clash::Names,
                base: None,
                ours: side(&ours, 1),
                theirs: side(&theirs, 2),
            });
        }
    }

    /// Notes a conflict; answers what the favoured side has.
    fn clash(&mut self, path: &RelPath, clash: Clash, [base, ours, theirs]: Three) -> Option<Entry> {
        self.conflicts.push(Conflict { path: path.clone(), clash, base, ours, theirs });
        match self.favour.side(path) {
            Side::Ours => ours,
            Side::Theirs => theirs,
        }
    }
}
