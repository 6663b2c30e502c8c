//! Looking at a folder without keeping anything: what it would be as a tree.
//!
//! Invariant: nothing of the files themselves stays in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use xyn_store::{Digest, Timestamp};

use super::directory::Directory;
use super::error::TreeError;
use super::folder::Folder;
use super::limit::Limits;
use super::link::Target;
use super::path::RelPath;
use super::scan::{KeepError, Keeper, Walk};
use super::seen::Seen;
use super::shelf::Shelf;

/// How much of a file is read at once.
const PIECE_BYTES: usize = 256 << 10;

/// A folder as it is, not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The tree.
    pub root: Digest,
    /// Its directories and the targets of its links, for an [`Overlay`](super::Overlay); not its files.
    pub blobs: BTreeMap<Digest, Vec<u8>>,
}

/// Looks at the folder `dir`. What stands in the tree `known` is looked at even where the folder's rules leave
/// it out.
pub fn look(
    dir: &Path,
    seen: &Seen,
    known: Option<(&dyn Shelf, &Digest)>,
    now: Timestamp,
    limits: Limits,
) -> Result<Looked, TreeError> {
    look_at(&Folder::open(dir)?, seen, known, now, limits)
}

/// Whether all that is in the folder `dir` is the tree `root`, and nothing is there beside it, whatever rules are in it.
/// One that cannot be looked at whole is an error.
pub fn is_exactly(dir: &Path, root: &Digest, limits: Limits) -> Result<bool, TreeError> {
    let (looked, skipped) = look_whole(&Folder::open(dir)?, limits)?;
    // What no tree can hold is not of this one.
    Ok(looked.root == *root && skipped == 0)
}

/// Looks at `folder`, and at all that is in it: no rules leave anything out. Answers also how many devices,
/// pipes and sockets there are.
pub(crate) fn look_whole(folder: &Folder, limits: Limits) -> Result<(Looked, u64), TreeError> {
    let (keeper, nothing) = (Hashing::new(), Seen::default());
    let walk = Walk::new(keeper, &nothing, Timestamp::EPOCH, limits).without_rules();
    let (scanned, keeper) = walk.run(folder, None)?;
    Ok((Looked { root: scanned.root, blobs: keeper.blobs }, scanned.skipped))
}

pub(super) fn look_at(
    folder: &Folder,
    seen: &Seen,
    known: Option<(&dyn Shelf, &Digest)>,
    now: Timestamp,
    limits: Limits,
) -> Result<Looked, TreeError> {
    let keeper = Hashing::new();
    let known = match known {
        Some((shelf, root)) => Some((shelf, shelf.directory(root)?)),
        None => None,
    };
    let (scanned, keeper) = Walk::new(keeper, seen, now, limits).run(folder, known)?;
    Ok(Looked { root: scanned.root, blobs: keeper.blobs })
}

struct Hashing {
    blobs: BTreeMap<Digest, Vec<u8>>,
    piece: Vec<u8>,
}

impl Hashing {
    fn new() -> Self {
        Self { blobs: BTreeMap::new(), piece: vec![0; PIECE_BYTES] }
    }

    fn keep(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        self.blobs.insert(digest, bytes);
        digest
    }
}

impl Keeper for Hashing {
    fn file(
        &mut self,
        _: &RelPath,
        mut file: &File,
        _: u64,
        limit_bytes: u64,
    ) -> Result<(Digest, u64), KeepError> {
        let (mut hasher, mut size_bytes) = (Sha256::new(), 0);
        while size_bytes <= limit_bytes {
            let count = file.read(&mut self.piece).map_err(KeepError::Read)?;
            if count == 0 {
                break;
            }
            hasher.update(&self.piece[..count]);
            size_bytes += count as u64;
        }
        Ok((Digest::from_bytes(hasher.finalize().into()), size_bytes))
    }

    fn target(&mut self, target: &Target) -> Result<Digest, KeepError> {
        Ok(self.keep(target.as_str().as_bytes().to_vec()))
    }

    fn directory(&mut self, _: &Directory, bytes: Vec<u8>, _: bool) -> Result<Digest, KeepError> {
        Ok(self.keep(bytes))
    }
}
