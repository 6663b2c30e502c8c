//! What a folder looked like when it was taken last, so that only what changed is read again.
//!
//! Owns its bytes. It is a hint: whoever loses it reads everything once more. Invariant: a file is remembered
//! only when it was left alone for a while before it was read, so that a change after that shows.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use xyn_store::{Digest, Timestamp};

use super::directory::{Entry, Mode};
use super::folder::Stamp;
use super::path::RelPath;

const MAGIC: &[u8; 8] = b"xynseen1";
/// How old a file's last change must be: clocks of file systems go in steps.
const SETTLED_US: i64 = 2_000_000;

/// What a folder looked like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    files: HashMap<RelPath, Sight>,
    /// Directories that are in the store.
    directories: BTreeSet<Digest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sight {
    stamp: Stamp,
    digest: Digest,
}

impl Seen {
    /// What `bytes` say; nothing, when they are damaged or of another version.
    pub fn decode(bytes: &[u8]) -> Self {
        let sound = bytes.strip_prefix(MAGIC).and_then(|rest| {
            let (sum, rest) = rest.split_first_chunk()?;
            (Digest::of(rest) == Digest::from_bytes(*sum)).then_some(rest)
        });
        sound.and_then(|rest| postcard::from_bytes(rest).ok()).unwrap_or_default()
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let rest = postcard::to_stdvec(self).expect("plain data always encodes into a growing buffer");
        [MAGIC.as_slice(), Digest::of(&rest).as_bytes(), &rest].concat()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The content of the file at `path`, when it is still the one that was seen.
    pub(super) fn entry(&self, path: &RelPath, stamp: &Stamp, mode: Mode) -> Option<Entry> {
        let sight = self.files.get(path).filter(|sight| sight.stamp == *stamp)?;
        Some(Entry { mode, digest: sight.digest, size_bytes: stamp.size_bytes })
    }

    /// Whether the directory `digest` is in the store.
    pub(super) fn holds(&self, digest: &Digest) -> bool {
        self.directories.contains(digest)
    }

    /// Remembers the file at `path`, unless it changed just before `now`.
    pub(super) fn note_file(&mut self, path: &RelPath, stamp: Stamp, digest: Digest, now: Timestamp) {
        let settled_ns = now.as_micros().saturating_sub(SETTLED_US).saturating_mul(1_000);
        if stamp.newest_ns() < settled_ns {
            self.files.insert(path.clone(), Sight { stamp, digest });
        }
    }

    /// Remembers a directory that will be in the store.
    pub(super) fn note_directory(&mut self, digest: Digest) {
        self.directories.insert(digest);
    }
}
