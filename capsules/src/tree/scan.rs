//! Walking through a folder to make a tree of it.
//!
//! Owns what of a folder belongs to its tree and how it is read without being torn. What becomes of the bytes
//! is the keeper's. Invariant: one folder's names are held at a time, for each level that is open.

use std::collections::BTreeMap;
use std::fs::File;

use xyn_store::{Digest, Timestamp};

use super::directory::{Directory, Entry, InvalidDirectory, Mode};
use super::error::TreeError;
use super::folder::{Folder, Kind, Stamp};
use super::ignored::Rules;
use super::limit::{Budget, Limits};
use super::link::Target;
use super::name::{Name, PARTIAL, is_repository};
use super::path::RelPath;
use super::seen::Seen;
use super::shelf::Shelf;

/// How often a file is read that changes meanwhile.
const TRIES: usize = 3;

/// Takes what is found.
pub(crate) trait Keeper {
    /// A file of about `size_bytes` and `limit_bytes` at most; answers digest and length.
    fn file(
        &mut self,
        path: &RelPath,
        file: &File,
        size_bytes: u64,
        limit_bytes: u64,
    ) -> Result<(Digest, u64), KeepError>;

    /// The file that came last did not change while it was read. One that did comes again.
    fn taken(&mut self) -> Result<(), KeepError> {
        Ok(())
    }

    /// The target of a link.
    fn target(&mut self, target: &Target) -> Result<Digest, KeepError>;

    /// A directory whose entries were taken before, which may be known to be kept.
    fn directory(
        &mut self,
        directory: &Directory,
        bytes: Vec<u8>,
        is_kept: bool,
    ) -> Result<Digest, KeepError>;
}

/// Why something was not taken.
pub(crate) enum KeepError {
    Read(std::io::Error),
    Kept(xyn_store::blobs::BlobError),
}

impl From<xyn_store::blobs::BlobError> for KeepError {
    fn from(error: xyn_store::blobs::BlobError) -> Self {
        match error {
            xyn_store::blobs::BlobError::Source(error) => Self::Read(error),
            error => Self::Kept(error),
        }
    }
}

/// What came of a walk.
pub(crate) struct Scanned {
    pub(crate) root: Digest,
    pub(crate) files: u64,
    pub(crate) size_bytes: u64,
    /// Files that were not read again.
    pub(crate) reused: u64,
    /// Devices, pipes and sockets.
    pub(crate) skipped: u64,
    pub(crate) seen: Seen,
}

/// What a walk goes by.
pub(crate) struct Walk<'a, K> {
    keeper: K,
    /// What was there before.
    before: &'a Seen,
    now: Timestamp,
    /// A tree whose entries are looked at whatever the rules say.
    known: Option<&'a dyn Shelf>,
    /// What is left out. None where nothing is.
    rules: Option<Rules>,
    budget: Budget,
    found: Scanned,
}

impl<'a, K: Keeper> Walk<'a, K> {
    pub(crate) fn new(keeper: K, before: &'a Seen, now: Timestamp, limits: Limits) -> Self {
        let found = Scanned {
            root: Directory::empty(),
            files: 0,
            size_bytes: 0,
            reused: 0,
            skipped: 0,
            seen: Seen::default(),
        };
        let rules = Some(Rules::default());
        Self { keeper, before, now, known: None, rules, budget: Budget::new(limits), found }
    }

    /// Leaves nothing out: what no tree can hold is an error.
    pub(crate) fn without_rules(mut self) -> Self {
        self.rules = None;
        self
    }

    /// Walks through `folder`; of the tree `known`, everything is looked at.
    pub(crate) fn run(
        mut self,
        folder: &Folder,
        known: Option<(&'a dyn Shelf, Directory)>,
    ) -> Result<(Scanned, K), TreeError> {
        let (shelf, known) = known.map_or((None, Directory::default()), |(shelf, root)| (Some(shelf), root));
        self.known = shelf;
        let root = self.folder(folder, &RelPath::root(), &known)?;
        self.found.root = root.digest;
        Ok((self.found, self.keeper))
    }

    fn folder(&mut self, folder: &Folder, path: &RelPath, known: &Directory) -> Result<Entry, TreeError> {
        let level = self.rules.as_mut().map(|rules| rules.enter(folder, path)).transpose()?;
        let depth = path.depth() + 1;
        let mut entries = BTreeMap::new();
        for raw in folder.names()? {
            let Some((kind, stamp)) = folder.stat(&raw)? else { continue };
            let known = str::from_utf8(&raw).ok().and_then(|name| known.get(name));
            if self.is_left_out(path, &raw, kind) && known.is_none() {
                continue;
            }
            let fault =
                |fault| TreeError::Folder { path: path.clone(), source: InvalidDirectory::Name(fault) };
            let name = Name::read(&raw).map_err(fault)?;
            let path = path.join(&name);
            self.budget.entry(depth).map_err(|source| TreeError::Limit { path: path.clone(), source })?;
            let entry = match kind {
                Kind::File { .. } => self.file(folder, &name, &path, kind, stamp)?,
                Kind::Directory => self.subfolder(folder, &name, &path, known)?,
                Kind::Symlink => self.link(folder, &name, &path)?,
                Kind::Other => {
                    self.found.skipped += 1;
                    None
                }
            };
            entries.extend(entry.map(|entry| (name, entry)));
        }
        if let (Some(rules), Some(level)) = (&mut self.rules, level) {
            rules.leave(level);
        }
        let directory =
            Directory::new(entries).map_err(|source| TreeError::Folder { path: path.clone(), source })?;
        let bytes = directory.encode();
        let (digest, size_bytes) = (Digest::of(&bytes), bytes.len() as u64);
        let kept = self.keeper.directory(&directory, bytes, self.before.holds(&digest));
        kept.map_err(|error| told(folder, b"", error))?;
        self.found.seen.note_directory(digest);
        Ok(Entry { mode: Mode::Directory, digest, size_bytes })
    }

    /// Whether a name belongs to no tree.
    fn is_left_out(&self, path: &RelPath, raw: &[u8], kind: Kind) -> bool {
        let Some(rules) = &self.rules else { return false };
        let name = String::from_utf8_lossy(raw);
        let path = if path.is_root() { name.to_string() } else { format!("{path}/{name}") };
        is_repository(&name) || name == PARTIAL || rules.is_ignored(&path, kind == Kind::Directory)
    }

    fn subfolder(
        &mut self,
        folder: &Folder,
        name: &Name,
        path: &RelPath,
        known: Option<&Entry>,
    ) -> Result<Option<Entry>, TreeError> {
        let Some(inner) = folder.folder(name.as_str().as_bytes())? else { return Ok(None) };
        let known = match (self.known, known.filter(|entry| entry.is_directory())) {
            (Some(shelf), Some(entry)) => shelf.directory(&entry.digest)?,
            _ => Directory::default(),
        };
        self.folder(&inner, path, &known).map(Some)
    }

    fn link(&mut self, folder: &Folder, name: &Name, path: &RelPath) -> Result<Option<Entry>, TreeError> {
        let raw = name.as_str().as_bytes();
        let Some(target) = folder.target(raw)? else { return Ok(None) };
        let target = Target::read(&target, path.depth() - 1)
            .map_err(|source| TreeError::Link { path: path.clone(), source })?;
        let digest = self.keeper.target(&target).map_err(|error| told(folder, raw, error))?;
        let size_bytes = target.as_str().len() as u64;
        Ok(Some(Entry { mode: Mode::Symlink, digest, size_bytes }))
    }

    fn file(
        &mut self,
        folder: &Folder,
        name: &Name,
        path: &RelPath,
        mut kind: Kind,
        mut stamp: Stamp,
    ) -> Result<Option<Entry>, TreeError> {
        let raw = name.as_str().as_bytes();
        for _ in 0..TRIES {
            let limit = |source| TreeError::Limit { path: path.clone(), source };
            let mut budget = self.budget;
            budget.file(stamp.size_bytes).map_err(limit)?;
            let mode = mode(kind);
            let known = self.before.entry(path, &stamp, mode);
            let entry = match known {
                Some(entry) => entry,
                None => {
                    let Some(file) = folder.file(raw)? else { return Ok(None) };
                    let kept = self.keeper.file(path, &file, stamp.size_bytes, budget.file_bytes());
                    let (digest, size_bytes) = kept.map_err(|error| told(folder, raw, error))?;
                    let now = folder.stamp(raw, &file)?;
                    if now != (kind, stamp) || size_bytes != stamp.size_bytes {
                        (kind, stamp) = now;
                        continue;
                    }
                    self.keeper.taken().map_err(|error| told(folder, raw, error))?;
                    Entry { mode, digest, size_bytes }
                }
            };
            self.budget = budget;
            self.found.reused += u64::from(known.is_some());
            self.found.files += 1;
            self.found.size_bytes += entry.size_bytes;
            self.found.seen.note_file(path, stamp, entry.digest, self.now);
            return Ok(Some(entry));
        }
        Err(TreeError::Changing(path.clone()))
    }
}

fn mode(kind: Kind) -> Mode {
    match kind {
        Kind::File { is_executable: true } => Mode::Executable,
        _ => Mode::File,
    }
}

fn told(folder: &Folder, name: &[u8], error: KeepError) -> TreeError {
    match error {
        KeepError::Read(error) => folder.error("read", name, error),
        KeepError::Kept(error) => error.into(),
    }
}
