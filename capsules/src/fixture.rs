//! A folder for one test, and capsules that are made in it.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::compare::Edition;
use crate::container::{CapsuleFile, Options, pack};
use crate::make::{Maker, Why, make};
use crate::manifest::Authored;
use crate::sbom::{self, Lock};
use crate::sign::SecretKey;
use crate::tree::{Limits, RelPath};

/// What the author says of most of them.
pub(crate) const SHOP: &str = r#"{"id": "shop", "name": "The shop", "version": "1.4.2"}"#;

/// A folder for one test.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("within the folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }

    /// What is in the folder.
    pub(crate) fn names(&self) -> Vec<PathBuf> {
        let names = fs::read_dir(self.0.path()).expect("there");
        let mut names: Vec<_> = names.map(|entry| entry.expect("there").path()).collect();
        names.sort();
        names
    }

    /// The capsule of what was put into the folder `app`.
    pub(crate) fn capsule(&self, name: &str) -> PathBuf {
        self.sealed("app", name, SHOP, None)
    }

    /// The capsule of the folder `dir`, with its packages, signed by [`key`] 1.
    pub(crate) fn sealed(
        &self,
        dir: &str,
        name: &str,
        authored: &str,
        parent: Option<&Edition<'_>>,
    ) -> PathBuf {
        let (dir, target) = (self.path(dir), self.path(name));
        let draft = pack(&dir, &target, &Options::default()).expect("packed");
        let lock = |path: &RelPath| -> Option<Lock> {
            let bytes = fs::read(dir.join(path.as_str())).ok()?;
            Some(sbom::read(path, &bytes)?.expect("a lock file"))
        };
        let locks: Vec<_> = draft.listing().entries.iter().filter_map(|(path, _)| lock(path)).collect();
        let maker = Maker {
            key: &key(1),
            name: &"ada@lab".parse().expect("a line"),
            generation: parent.map_or(1, |parent| parent.manifest.generation + 1),
            now: "2026-11-21T12:00:00Z".parse().expect("an instant"),
            version: "0.1.0",
            built: &[],
            checked: None,
            parent,
            why: &Why::default(),
        };
        make(draft, Authored::read(authored.as_bytes()).expect("sound"), &locks, &maker).expect("made");
        target
    }
}

pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32])
}

pub(crate) fn open(path: &Path) -> CapsuleFile {
    CapsuleFile::open(path, Limits::default()).expect("a capsule")
}
