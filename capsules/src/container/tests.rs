//! Capsule files, whole.

mod delta;
mod forge;
mod golden;
mod hostile;
mod laws;
mod nodes;
mod round;
mod stream;
mod trees;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::tree::{Limits, Seen, look};

/// A folder for one test.
pub(super) struct Place(TempDir);

impl Place {
    pub(super) fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A folder with these files.
    pub(super) fn folder(&self, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let dir = self.path(name);
        fs::create_dir_all(&dir).expect("made");
        for (path, bytes) in files {
            put(&dir, path, bytes);
        }
        dir
    }

    /// The bytes of the capsule of a folder.
    pub(super) fn capsule(&self, dir: &Path, options: &Options<'_>) -> Vec<u8> {
        let target = self.path("made.caps");
        let draft = pack(dir, &target, options).expect("packed");
        let sealed = draft.seal(b"manifest", &[b"one".to_vec(), b"two".to_vec()]).expect("sealed");
        let bytes = fs::read(&target).expect("there");
        assert_eq!(sealed.size_bytes, bytes.len() as u64);
        bytes
    }

    /// What is in the folder of the test, but for `known`.
    pub(super) fn left(&self, known: &[&str]) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).expect("there");
        let names = names.map(|entry| entry.expect("there").file_name().to_string_lossy().into_owned());
        names.filter(|name| !known.contains(&name.as_str())).collect()
    }
}

pub(super) fn put(dir: &Path, path: &str, bytes: &[u8]) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().expect("within the folder")).expect("made");
    fs::write(path, bytes).expect("written");
}

/// The tree of a folder, as a snapshot of it has it.
pub(super) fn root_of(dir: &Path) -> xyn_store::Digest {
    look(dir, &Seen::default(), None, xyn_store::Timestamp::MAX, Limits::default()).expect("looked").root
}

pub(super) fn open<'a>(
    bytes: &'a [u8],
    base: Option<&'a dyn Base>,
) -> Result<Capsule<'a, &'a [u8]>, ContainerError> {
    Cover::read(bytes)?.open(base, Limits::default())
}

/// Bytes that do not compress, the same ones for the same seed.
pub(super) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}
