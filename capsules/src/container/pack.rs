//! Packing: from a folder, or from a tree in the chunk store, to a draft that waits for what is said of it.
//!
//! Owns the pipeline: one thread reads and hashes files in the order of their paths, others compress. A
//! manifest tells the tree's digest, which is only known when all was read: so the draft comes first, and the
//! envelopes when it is sealed. Invariant: equal trees make equal drafts, byte for byte, wherever they were
//! packed.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use xyn_store::{Digest, Timestamp};

use super::base::Base;
use super::codec::{self, Encoder};
use super::error::{ContainerError, Part};
use super::files::Files;
use super::format::{OUTLINE_MAX_BYTES, TreeHead};
use super::open::near;
use super::outline::Outline;
use super::place::folder_of;
use super::press::{Press, Pressed, workers};
use super::spool::Spool;
use super::stream::{Ended, Stream};
use crate::age::Recipient;
use crate::tree::folder::Folder;
use crate::tree::scan::Walk;
use crate::tree::{Limits, Listing, Seen, TreeError};

/// Looks at the files that are packed: path, where in the file the bytes begin, bytes. Each content comes
/// once, at its first path, large ones in pieces; from several threads and in no order.
pub type Inspect<'a> = dyn Fn(&crate::tree::RelPath, u64, &[u8]) + Sync + 'a;

/// How to pack.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// How large the tree may be.
    pub limits: Limits,
    /// What the receiver has: only what differs from it is written.
    pub base: Option<&'a dyn Base>,
    /// Who looks at the files on their way.
    pub inspect: Option<&'a Inspect<'a>>,
}

/// A tree that was packed. Nothing of it can be seen until it is [sealed](Draft::seal).
pub struct Draft {
    pub(super) target: PathBuf,
    pub(super) spool: Spool,
    pub(super) chunks: Vec<Pressed>,
    /// The section of the tree.
    pub(super) tree: Vec<u8>,
    outline: Outline,
    skipped: u64,
    /// Whom the file is encrypted to, if to anybody.
    pub(super) recipients: BTreeSet<Recipient>,
}

impl Draft {
    /// The same, for a file that only `recipients` can read; everybody where there are none.
    pub fn encrypted_to(self, recipients: BTreeSet<Recipient>) -> Self {
        Self { recipients, ..self }
    }

    /// The tree's digest, which is what a manifest names.
    pub fn root(&self) -> Digest {
        self.outline.root
    }

    /// Every entry of the tree.
    pub fn listing(&self) -> &Listing {
        &self.outline.listing
    }

    /// The tree without its files, for what reads directories.
    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Devices, pipes and sockets, which no tree holds.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

/// Packs the folder `dir`, for a capsule at `target`. What its ignore files name is left out.
pub fn pack(dir: &Path, target: &Path, options: &Options<'_>) -> Result<Draft, ContainerError> {
    let folder = Folder::open(dir)?;
    draft(target, options, |stream| {
        let nothing = Seen::default();
        let walk = Walk::new(stream, &nothing, Timestamp::EPOCH, options.limits);
        let (scanned, stream) = walk.run(&folder, None)?;
        Ok((scanned.root, scanned.skipped, stream))
    })
}

/// Packs the tree `root` of what `files` holds, for a capsule at `target`.
pub fn pack_tree(
    files: &dyn Files,
    root: Digest,
    target: &Path,
    options: &Options<'_>,
) -> Result<Draft, ContainerError> {
    let outline = Outline::of(files, root, options.limits)?;
    draft(target, options, |mut stream| {
        for file in &outline.layout.files {
            let path = &outline.listing.entries[file.entry].0;
            let (found, mut content) = files.file(&file.digest)?;
            if found != file.size_bytes {
                let said = file.size_bytes;
                return Err(TreeError::Length { path: path.clone(), said, found }.into());
            }
            let read = stream.read(path, &mut content, file.size_bytes, file.size_bytes);
            let (found, _) = read.map_err(ContainerError::Read)?;
            if found != file.digest {
                return Err(ContainerError::Content { path: path.clone(), said: file.digest, found });
            }
            stream.take().map_err(ContainerError::Read)?;
        }
        for bytes in outline.blobs() {
            stream.keep(bytes.to_vec());
        }
        Ok((root, 0, stream))
    })
}

/// A draft of the files that `read` gives to a stream, with the root and the count of what was skipped.
fn draft(
    target: &Path,
    options: &Options<'_>,
    read: impl FnOnce(Stream<'_>) -> Result<(Digest, u64, Stream<'_>), ContainerError>,
) -> Result<Draft, ContainerError> {
    let spool = Spool::new(folder_of(target))?;
    let press = Press {
        spool: &spool,
        base: options.base,
        inspect: options.inspect,
        pressed: Mutex::default(),
        fault: Mutex::default(),
    };
    let count = workers();
    let (send, jobs) = mpsc::sync_channel(count);
    let jobs = Mutex::new(jobs);
    let done: Result<(_, _, Ended), ContainerError> = thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| press.run(&jobs));
        }
        let (root, skipped, stream) = read(Stream::new(&press, send))?;
        let ended = stream.end().map_err(ContainerError::Read)?;
        Ok((root, skipped, ended))
    });
    let Press { pressed, fault, .. } = press;
    // A fault of a worker is why reading stopped.
    if let Some(fault) = fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(fault);
    }
    let (root, skipped, (order, blobs)) = done?;
    let pressed: HashMap<_, _> = pressed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let chunks = order.iter().map(|id| pressed[id]).collect();
    let outline = Outline::of(&blobs, root, options.limits)?;
    let tree = section(&outline, options.base)?;
    Ok(Draft {
        target: target.to_owned(),
        spool,
        chunks,
        tree,
        outline,
        skipped,
        recipients: BTreeSet::new(),
    })
}

/// The section of the tree.
fn section(outline: &Outline, base: Option<&dyn Base>) -> Result<Vec<u8>, ContainerError> {
    let (raw, raw_bytes) = (&outline.raw, outline.raw.len() as u64);
    if raw_bytes > OUTLINE_MAX_BYTES {
        return Err(ContainerError::TooLarge { part: Part::Tree, said: raw_bytes, limit: OUTLINE_MAX_BYTES });
    }
    let stored = match base {
        Some(base) => codec::patch(raw, near(base.outline()))?,
        None => Encoder::new()?.compress(raw)?.map(<[u8]>::to_vec),
    };
    let base = base.map(|base| base.outline().root);
    let head = TreeHead { root: outline.root, base, raw_bytes, is_compressed: stored.is_some() };
    let mut section = head.encode();
    section.extend_from_slice(stored.as_ref().unwrap_or(raw));
    Ok(section)
}
