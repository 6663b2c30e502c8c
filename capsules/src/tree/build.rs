//! Building a tree from entries that come one by one, from an archive that anyone may have made.
//!
//! Owns the same judgement that a folder or a capsule's outline meets: limits are counted before content is
//! read, every link is judged, no name stands twice and nothing lies within a file. Invariant: what is
//! finished is a sound tree.

use std::collections::{BTreeMap, HashMap};

use xyn_store::Digest;

use super::directory::{Directory, Entry, InvalidDirectory, Mode};
use super::error::TreeError;
use super::limit::{Budget, Limits};
use super::link::Target;
use super::name::Name;
use super::path::RelPath;

/// A tree that is being built. A directory that is only named by what is in it is there as well.
pub(crate) struct Builder {
    budget: Budget,
    /// Directories are filled in at the end.
    entries: BTreeMap<RelPath, Entry>,
    blobs: BTreeMap<Digest, Vec<u8>>,
}

const UNFILLED: Entry =
    Entry { mode: Mode::Directory, digest: Digest::from_bytes([0; Digest::BYTES]), size_bytes: 0 };

impl Builder {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { budget: Budget::new(limits), entries: BTreeMap::new(), blobs: BTreeMap::new() }
    }

    /// Adds a file of `size_bytes`, whose content is looked at by `digest` once it is known to fit.
    pub(crate) fn file<E: From<TreeError>>(
        &mut self,
        path: &RelPath,
        is_executable: bool,
        size_bytes: u64,
        digest: impl FnOnce() -> Result<Digest, E>,
    ) -> Result<(), E> {
        self.budget.file(size_bytes).map_err(|source| TreeError::Limit { path: path.clone(), source })?;
        self.place(path, UNFILLED)?;
        let mode = if is_executable { Mode::Executable } else { Mode::File };
        self.entries.insert(path.clone(), Entry { mode, digest: digest()?, size_bytes });
        Ok(())
    }

    /// Adds a link that leads to `target`.
    pub(crate) fn link(&mut self, path: &RelPath, target: &[u8]) -> Result<(), TreeError> {
        let sound = Target::read(target, path.depth().saturating_sub(1));
        sound.map_err(|source| TreeError::Link { path: path.clone(), source })?;
        let digest = Digest::of(target);
        self.place(path, Entry { mode: Mode::Symlink, digest, size_bytes: target.len() as u64 })?;
        self.blobs.insert(digest, target.to_vec());
        Ok(())
    }

    /// Adds a directory. One that is there already stays as it is.
    pub(crate) fn directory(&mut self, path: &RelPath) -> Result<(), TreeError> {
        match self.entries.get(path) {
            Some(entry) if entry.is_directory() => Ok(()),
            _ if path.is_root() => Ok(()),
            _ => self.place(path, UNFILLED),
        }
    }

    /// The tree, with the bytes of its directories and links.
    pub(crate) fn finish(self) -> Result<(Digest, BTreeMap<Digest, Vec<u8>>), TreeError> {
        let Self { entries, mut blobs, .. } = self;
        let mut open: HashMap<RelPath, BTreeMap<Name, Entry>> = HashMap::new();
        // Backwards, what is in a directory comes before it.
        for (path, entry) in entries.into_iter().rev() {
            let entry = match entry.is_directory() {
                true => filled(&path, open.remove(&path).unwrap_or_default(), &mut blobs)?,
                false => entry,
            };
            if let Some((parent, name)) = path.split() {
                let name = name.parse().expect("the names of a path are names");
                open.entry(parent).or_default().insert(name, entry);
            }
        }
        let root = RelPath::root();
        let entry = filled(&root, open.remove(&root).unwrap_or_default(), &mut blobs)?;
        Ok((entry.digest, blobs))
    }

    /// Puts `entry` where nothing stands, in directories that are there or come with it.
    fn place(&mut self, path: &RelPath, entry: Entry) -> Result<(), TreeError> {
        let limit = |source| TreeError::Limit { path: path.clone(), source };
        let mut missing = Vec::new();
        let mut parent = path.parent().ok_or_else(|| TreeError::InTheWay(path.clone()))?;
        while !parent.is_root() {
            match self.entries.get(&parent) {
                Some(found) if found.is_directory() => break,
                Some(_) => return Err(twice(&parent)),
                None => missing.push(parent.clone()),
            }
            parent = parent.parent().unwrap_or_default();
        }
        if self.entries.contains_key(path) {
            return Err(twice(path));
        }
        for (path, entry) in missing.into_iter().map(|path| (path, UNFILLED)).chain([(path.clone(), entry)]) {
            self.budget.entry(path.depth()).map_err(limit)?;
            self.budget.path(path.as_str().len()).map_err(limit)?;
            self.entries.insert(path, entry);
        }
        Ok(())
    }
}

fn twice(path: &RelPath) -> TreeError {
    let (parent, name) = path.split().unwrap_or_default();
    match name.parse() {
        Ok(name) => TreeError::Folder { path: parent, source: InvalidDirectory::Order(name) },
        Err(_) => TreeError::InTheWay(path.clone()),
    }
}

fn filled(
    path: &RelPath,
    entries: BTreeMap<Name, Entry>,
    blobs: &mut BTreeMap<Digest, Vec<u8>>,
) -> Result<Entry, TreeError> {
    let directory =
        Directory::new(entries).map_err(|source| TreeError::Folder { path: path.clone(), source })?;
    let bytes = directory.encode();
    let (digest, size_bytes) = (Digest::of(&bytes), bytes.len() as u64);
    blobs.insert(digest, bytes);
    Ok(Entry { mode: Mode::Directory, digest, size_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        text.parse().expect(text)
    }

    fn file(builder: &mut Builder, at: &str) -> Result<(), TreeError> {
        builder.file(&path(at), false, 1, || Ok(Digest::of(b"x")))
    }

    #[test]
    fn the_order_in_which_entries_come_makes_no_difference() {
        let build = |order: &[&str]| {
            let mut builder = Builder::new(Limits::default());
            order.iter().for_each(|at| file(&mut builder, at).expect("added"));
            builder.link(&path("l"), b"a/b").expect("added");
            builder.directory(&path("empty")).expect("added");
            builder.directory(&path("a")).expect("it is there already");
            builder.finish().expect("sound")
        };
        let one = build(&["a/b/c", "a-", "d"]);
        assert_eq!(one, build(&["d", "a-", "a/b/c"]));
        let listing = super::super::list(&one.1, &one.0, Limits::default()).expect("sound");
        let paths: Vec<_> = listing.entries.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a", "a/b", "a/b/c", "a-", "d", "empty", "l"]);
        assert_eq!(Builder::new(Limits::default()).finish().expect("sound").0, Directory::empty());
    }

    #[test]
    fn a_name_stands_once_and_nothing_lies_within_a_file() {
        for (one, other) in [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b")] {
            let mut builder = Builder::new(Limits::default());
            file(&mut builder, one).expect("added");
            let error = file(&mut builder, other).expect_err("refused").to_string();
            assert!(error.contains("is there twice"), "{one} {other}: {error}");
        }
        let mut builder = Builder::new(Limits::default());
        file(&mut builder, "a").expect("added");
        assert!(builder.directory(&path("a")).is_err());
        file(&mut builder, "A").expect("told apart only at the end");
        assert!(builder.finish().expect_err("one name elsewhere").to_string().contains("are one name"));
    }

    #[test]
    fn limits_are_counted_before_content_is_read() {
        let limits = Limits { file_bytes: 4, entries: 3, depth: 2, ..Limits::default() };
        let mut builder = Builder::new(limits);
        let unread = || -> Result<Digest, TreeError> { unreachable!("it is not looked at") };
        assert!(builder.file(&path("large"), false, 5, unread).is_err());
        assert!(builder.file(&path("a/b/c"), false, 1, unread).is_err());
        let mut builder = Builder::new(limits);
        file(&mut builder, "a/b").expect("added");
        file(&mut builder, "c").expect("the third");
        assert!(file(&mut builder, "d").expect_err("the fourth").to_string().contains("more than 3 entries"));
        assert!(builder.link(&path("l"), b"../../etc").is_err());
    }
}
