//! Trees, whole: from a folder into the store and back, compared and merged.

mod arrivals;
mod folders;
pub(crate) mod hostile;
mod laws;
mod merges;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::rc::Rc;

use tempfile::TempDir;
use xyn_store::{Digest, Options, Store, Timestamp};

use super::*;

/// A tree in memory, by what is at its paths.
pub(super) type Sketch = BTreeMap<String, Thing>;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    File(Vec<u8>),
    Program(Vec<u8>),
    Link(String),
    Folder,
}

/// Blobs in memory.
pub(super) type Memory = BTreeMap<Digest, Vec<u8>>;

/// Files with these contents.
pub(super) fn sketch(files: &[(&str, &str)]) -> Sketch {
    files.iter().map(|(path, text)| ((*path).to_owned(), Thing::File(text.as_bytes().to_vec()))).collect()
}

/// The tree of `sketch`, its blobs put into `memory`.
pub(super) fn build(memory: &mut Memory, sketch: &Sketch) -> Digest {
    let mut keep = |bytes: &[u8]| {
        memory.insert(Digest::of(bytes), bytes.to_vec());
        Digest::of(bytes)
    };
    let (mut here, mut below) = (BTreeMap::new(), BTreeMap::<&str, Sketch>::new());
    for (path, thing) in sketch {
        let (name, rest) =
            path.split_once('/').map_or((path.as_str(), None), |(name, rest)| (name, Some(rest)));
        let (mode, bytes) = match (rest, thing) {
            (Some(rest), thing) => {
                below.entry(name).or_default().insert(rest.to_owned(), thing.clone());
                continue;
            }
            (None, Thing::Folder) => {
                below.entry(name).or_default();
                continue;
            }
            (None, Thing::File(bytes)) => (Mode::File, bytes.as_slice()),
            (None, Thing::Program(bytes)) => (Mode::Executable, bytes.as_slice()),
            (None, Thing::Link(to)) => (Mode::Symlink, to.as_bytes()),
        };
        here.insert(name, (mode, keep(bytes), bytes.len()));
    }
    for (name, inner) in below {
        let digest = build(memory, &inner);
        here.insert(name, (Mode::Directory, digest, memory[&digest].len()));
    }
    let entry = |(name, (mode, digest, length)): (&str, (Mode, Digest, usize))| {
        (name.parse().expect("a name"), Entry { mode, digest, size_bytes: length as u64 })
    };
    let directory = Directory::new(here.into_iter().map(entry).collect()).expect("a sound directory");
    let bytes = directory.encode();
    let digest = Digest::of(&bytes);
    memory.insert(digest, bytes);
    digest
}

/// What the tree `root` looks like; of folders only the empty ones.
pub(super) fn sketch_of(shelf: &dyn Shelf, root: &Digest) -> Sketch {
    let listing = list(shelf, root, Limits::default()).expect("a sound tree");
    let mut sketch = Sketch::new();
    for (path, entry) in listing.entries {
        let bytes = || shelf.read(&entry.digest, 1 << 30).expect("is there");
        let thing = match entry.mode {
            Mode::File => Thing::File(bytes()),
            Mode::Executable => Thing::Program(bytes()),
            Mode::Symlink => Thing::Link(String::from_utf8(bytes()).expect("a target")),
            Mode::Directory if entry.digest == Directory::empty() => Thing::Folder,
            Mode::Directory => continue,
        };
        sketch.insert(path.to_string(), thing);
    }
    sketch
}

/// Writes `sketch` into the folder `dir`.
pub(super) fn write(dir: &Path, sketch: &Sketch) {
    for (path, thing) in sketch {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().expect("within the folder")).expect("made");
        match thing {
            Thing::File(bytes) => fs::write(path, bytes).expect("written"),
            Thing::Program(bytes) => {
                fs::write(&path, bytes).expect("written");
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("set");
            }
            Thing::Link(to) => symlink(to, path).expect("made"),
            Thing::Folder => fs::create_dir_all(path).expect("made"),
        }
    }
}

/// A store, and a folder beside it.
pub(super) struct Place {
    pub(super) store: Store,
    pub(super) dir: std::path::PathBuf,
    _folder: Rc<TempDir>,
}

impl Place {
    pub(super) fn new() -> Self {
        let folder = Rc::new(TempDir::new().expect("a folder"));
        let store = Store::open(&folder.path().join("store"), Options::default()).expect("opens");
        let dir = folder.path().join("work");
        fs::create_dir(&dir).expect("made");
        Self { store, dir, _folder: folder }
    }

    pub(super) fn with(sketch: &Sketch) -> Self {
        let place = Self::new();
        write(&place.dir, sketch);
        place
    }

    /// Another folder beside the same store, not there yet.
    pub(super) fn beside(&self) -> Self {
        Self { store: self.store.clone(), dir: self.dir.join("../beside"), _folder: self._folder.clone() }
    }

    pub(super) fn take(&self) -> Result<Taken, TreeError> {
        self.take_again(&Seen::default())
    }

    pub(super) fn take_again(&self, seen: &Seen) -> Result<Taken, TreeError> {
        snapshot(self.store.blobs(), &self.dir, seen, later(), Limits::default())
    }

    pub(super) fn restore(&self, wish: &Wish) -> Result<Restored, TreeError> {
        restore(self.store.blobs(), &self.dir, wish, &Seen::default(), later(), Limits::default())
    }

    pub(super) fn sketch(&self) -> Sketch {
        sketch_of(self.store.blobs(), &self.take().expect("taken").root)
    }

    /// Puts a tree into the store that no folder could hold, or that is told as a sketch.
    pub(super) fn put(&self, memory: &Memory) {
        for bytes in memory.values() {
            self.store.blobs().put(bytes).expect("kept");
        }
    }
}

/// A time long after anything was written.
pub(super) fn later() -> Timestamp {
    Timestamp::MAX
}

/// The wish to have `root`, with nothing known of the folder.
pub(super) fn wish(root: Digest) -> Wish {
    Wish { root, base: None, force: false, remove: false }
}
