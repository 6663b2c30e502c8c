//! What is found out about content on its way into a capsule: secrets, packages, and what its checks say.
//!
//! Owns what is gathered while files are packed, and the second look at those that came in pieces or were not
//! looked at under their own name. Decides nothing about what is found but whether it stops the pack.
//! Invariant: every file of the tree is searched under every path that it has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use xyn_store::blobs::Blobs;

use crate::container::{BlobSource, Draft, workers};
use crate::lint::{self, Lint, Pack, check_file, check_pack, check_variables};
use crate::manifest::{AUTHORED, Authored};
use crate::sbom::{self, Lock, LockError};
use crate::secrets::{self, Allow};
use crate::tree::{Entry, Mode, RelPath, TreeError, target};

/// What is packed, to be looked at again.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A folder.
    Folder(PathBuf),
    /// A tree in the chunk store.
    Stored(Blobs),
}

/// What is found out while files are packed.
pub struct Inspection {
    allow: Allow,
    lints: Vec<Box<dyn Lint>>,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    /// How much of each file was seen, and what in it looks like a secret.
    files: BTreeMap<RelPath, (u64, Vec<secrets::Finding>)>,
    lints: Vec<lint::Finding>,
    locks: BTreeMap<RelPath, Vec<u8>>,
    /// The author's own file, which is packed as well.
    authored: Vec<u8>,
}

/// What was found out.
#[derive(Debug, Default)]
pub struct Findings {
    /// What looks like a secret and was not allowed, in the order of paths.
    pub secrets: Vec<secrets::Finding>,
    /// What the checks say.
    pub lints: Vec<lint::Finding>,
    /// The packages that its lock files name.
    pub locks: Vec<Lock>,
}

/// Why it is not known what is packed.
#[derive(Debug, thiserror::Error)]
pub enum NotInspected {
    /// A file cannot be looked at again.
    #[error("cannot read `{path}` again: {source}")]
    Read {
        /// Which.
        path: RelPath,
        /// What the system said.
        source: io::Error,
    },
    /// A lock file says what cannot be.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The tree is not sound.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl Inspection {
    /// Looks for everything but what `allow` allows.
    pub fn new(allow: Allow) -> Self {
        Self { allow, lints: lint::builtin(), found: Mutex::default() }
    }

    /// Looks at `bytes`, which stand at `at` in the file `path`. May be called from several threads.
    pub fn look(&self, path: &RelPath, at: u64, bytes: &[u8]) {
        // What comes in pieces is looked at again as a whole.
        let secrets =
            if at == 0 { secrets::scan(path, bytes, secrets::Limits::default()) } else { Vec::new() };
        let lints = if at == 0 { check_file(&self.lints, path, bytes) } else { Vec::new() };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, of_file) = found.files.entry(path.clone()).or_default();
        if at == 0 {
            *seen = bytes.len() as u64;
            *of_file = secrets;
        }
        found.lints.extend(lints);
        if at == 0 && sbom::is_lock(path) {
            found.locks.insert(path.clone(), bytes.to_vec());
        }
        if at == 0 && path.as_str() == AUTHORED {
            found.authored = bytes.to_vec();
        }
    }

    /// What was found out, when all of `draft` was packed from `origin`.
    pub fn finish(
        self,
        draft: &Draft,
        authored: &Authored,
        origin: &Origin,
    ) -> Result<Findings, NotInspected> {
        let Self { allow, lints, found } = self;
        let Found { mut files, lints: mut said, mut locks, authored: mut written } =
            found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let is_seen = |path: &RelPath, entry: &Entry| {
            files.get(path).is_some_and(|(seen, _)| *seen == entry.size_bytes)
        };
        let entries = draft.listing().entries.iter();
        let rest = entries.filter(|(path, entry)| entry.mode.is_file() && !is_seen(path, entry));
        let rest: Vec<&(RelPath, Entry)> = rest.collect();
        let mut searched = origin.searched(&rest);
        for (path, entry) in rest {
            let Some(found) = searched.remove(path) else { continue };
            let unread = |source| NotInspected::Read { path: path.clone(), source };
            // Only whether they were seen is asked of the lengths, and that is done.
            files.insert(path.clone(), (0, found.map_err(unread)?));
            if sbom::is_lock(path) {
                locks.insert(path.clone(), origin.read(path, entry).map_err(unread)?);
            }
            if path.as_str() == AUTHORED {
                written = origin.read(path, entry).map_err(unread)?;
            }
        }
        let secrets = files.into_values().flat_map(|(_, findings)| findings);
        let read = locks.iter().filter_map(|(path, bytes)| sbom::read(path, bytes));
        said.extend(check_pack(&lints, &pack(draft, authored, origin)?));
        said.extend(check_variables(&written, authored.slug()));
        said.sort();
        Ok(Findings {
            secrets: secrets.filter(|finding| !allow.allows(finding)).collect(),
            lints: said,
            locks: read.collect::<Result<_, _>>()?,
        })
    }
}

impl Findings {
    /// Whether nothing of it stops the pack.
    pub fn may_be_packed(&self) -> bool {
        self.secrets.is_empty() && !lint::is_vetoed(&self.lints)
    }
}

impl Origin {
    /// Searches files from their beginning to their end, several beside each other.
    fn searched<'p>(
        &self,
        files: &[&'p (RelPath, Entry)],
    ) -> BTreeMap<&'p RelPath, io::Result<Vec<secrets::Finding>>> {
        let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        let search = || {
            while let Some((path, entry)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                let file = self.open(path, entry);
                let secrets =
                    file.and_then(|file| secrets::scan_stream(path, file, secrets::Limits::default()));
                found.lock().unwrap_or_else(PoisonError::into_inner).insert(path, secrets);
            }
        };
        thread::scope(|scope| {
            (0..workers().min(files.len())).for_each(|_| drop(scope.spawn(search)));
        });
        found.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, path: &RelPath, entry: &Entry) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::Folder(dir) => Box::new(File::open(dir.join(path.as_str()))?),
            Self::Stored(blobs) => {
                Box::new(BlobSource::from(blobs.content(&entry.digest).map_err(io::Error::other)?))
            }
        })
    }

    fn read(&self, path: &RelPath, entry: &Entry) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(path, entry)?.take(sbom::LOCK_MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// What may be done with a file; a tree of the store does not say it.
    fn permissions(&self, path: &RelPath) -> Option<u32> {
        let Self::Folder(dir) = self else { return None };
        let found = dir.join(path.as_str()).symlink_metadata().ok()?;
        Some(found.permissions().mode() & 0o777)
    }
}

/// What the checks look at.
fn pack(draft: &Draft, authored: &Authored, origin: &Origin) -> Result<Pack, TreeError> {
    let entry = |path: &RelPath, entry: &Entry| {
        Ok::<_, TreeError>(match entry.mode {
            Mode::Directory => lint::Entry::Directory,
            Mode::Symlink => lint::Entry::Link(target(draft.outline(), path, entry)?.as_str().to_owned()),
            Mode::File | Mode::Executable => {
                lint::Entry::File { bytes: entry.size_bytes, permissions: origin.permissions(path) }
            }
        })
    };
    let entries: Result<BTreeMap<_, _>, TreeError> =
        draft.listing().entries.iter().map(|(path, at)| Ok((path.clone(), entry(path, at)?))).collect();
    Ok(Pack {
        entries: entries?,
        seeds: authored
            .seeds
            .iter()
            .map(|seed| seed.path.clone())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        out_dir: authored.build.out_dir.clone(),
        is_built: !authored.build.steps.is_empty(),
        license: authored.rights.license.as_str().to_owned(),
    })
}

#[cfg(test)]
mod tests;
