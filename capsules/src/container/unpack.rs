//! Unpacking a capsule into a folder that is not there yet.
//!
//! Owns the way of the files to their places: into a folder of our own beside the target; links come last,
//! when nothing is written any more; then all is made lasting, and the folder takes its name in one go.
//! Invariant: a folder that has its name has the whole tree, and what fails leaves nothing.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::error::ContainerError;
use super::files::Files;
use super::open::{Capsule, Cover};
use super::outline::Outline;
use super::pack::{Options, pack_tree};
use super::place::folder_of;
use super::replay::{Replay, Sink, Verified};
use xyn_store::Digest;

use crate::tree::folder::Folder;
use crate::tree::{Descent, Limits, Mode, RelPath, TreeError, target};

impl<R: Read> Capsule<'_, R> {
    /// Lays out the tree in the folder `dir`, which must not be there; lasting when this returns.
    pub fn unpack(self, dir: &Path) -> Result<Verified, ContainerError> {
        if dir.symlink_metadata().is_ok() {
            return Err(ContainerError::Exists(dir.to_owned()));
        }
        let parent = folder_of(dir);
        let scratch = tempfile::Builder::new().prefix(".xyn-unpack-").tempdir_in(parent);
        let scratch = scratch.map_err(ContainerError::io("create a folder in", parent))?;
        let made = scratch.path().join("tree");
        std::fs::create_dir(&made).map_err(ContainerError::io("create", &made))?;
        let Self { source, outline, index, base, .. } = self;
        folders(&outline, &made)?;
        let sink = Laying { outline: &outline, dir: &made, idle: Mutex::default(), open: Mutex::default() };
        let verified = Replay { outline: &outline, index: &index, base, sink: &sink }.run(source)?;
        links(&outline, &made)?;
        Folder::open(&made)?.sync()?;
        match std::fs::rename(&made, dir) {
            // Somebody was faster.
            Err(error) if is_taken(&error) => return Err(ContainerError::Exists(dir.to_owned())),
            renamed => renamed.map_err(ContainerError::io("create", dir))?,
        }
        File::open(parent)
            .and_then(|parent| parent.sync_all())
            .map_err(ContainerError::io("sync", parent))?;
        Ok(verified)
    }
}

/// Lays out the tree `root` of what `files` holds in the folder `dir`, which must not be there.
pub fn lay_out(files: &dyn Files, root: Digest, dir: &Path) -> Result<(), ContainerError> {
    let parent = folder_of(dir);
    let scratch = tempfile::Builder::new().prefix(".xyn-unpack-").tempdir_in(parent);
    let scratch = scratch.map_err(ContainerError::io("create a folder in", parent))?;
    let path = scratch.path().join("tree.caps");
    pack_tree(files, root, &path, &Options::default())?.seal(b"", &[])?;
    let file = File::open(&path).map_err(ContainerError::io("open", &path))?;
    Cover::read(BufReader::new(file))?.open(None, Limits::default())?.unpack(dir).map(drop)
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory)
}

fn folders(outline: &Outline, dir: &Path) -> Result<(), ContainerError> {
    let mut descent = Descent::new(Folder::open(dir)?);
    for (path, entry) in &outline.listing.entries {
        if entry.is_directory()
            && let Some((parent, name)) = path.split()
        {
            descent.folder(&parent)?.make(name.as_bytes())?;
        }
    }
    Ok(())
}

fn links(outline: &Outline, dir: &Path) -> Result<(), ContainerError> {
    let mut descent = Descent::new(Folder::open(dir)?);
    for (path, entry) in &outline.listing.entries {
        if entry.mode == Mode::Symlink
            && let Some((parent, name)) = path.split()
        {
            let target = target(outline, path, entry)?;
            descent.folder(&parent)?.new_link(name.as_bytes(), target.as_str())?;
        }
    }
    Ok(())
}

/// Writes files into a folder of our own.
struct Laying<'a> {
    outline: &'a Outline,
    dir: &'a Path,
    /// Ways into the folder, one for each thread that once needed one.
    idle: Mutex<Vec<Descent>>,
    /// The file whose pieces come.
    open: Mutex<Option<File>>,
}

impl Laying<'_> {
    /// Does something with a way into the folder.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Descent) -> Result<T, ContainerError>,
    ) -> Result<T, ContainerError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let free = idle().pop();
        let mut descent = match free {
            Some(descent) => descent,
            None => Descent::new(Folder::open(self.dir)?),
        };
        let done = work(&mut descent);
        idle().push(descent);
        done
    }

    /// Makes a file at the entry `place` and does something with it.
    fn file<T>(
        &self,
        descent: &mut Descent,
        place: usize,
        work: impl FnOnce(File) -> io::Result<T>,
    ) -> Result<T, ContainerError> {
        let (path, entry) = &self.outline.listing.entries[place];
        let (parent, name) = path.split().ok_or_else(|| TreeError::InTheWay(RelPath::root()))?;
        let folder = descent.folder(&parent)?;
        let file = folder.new_file(name.as_bytes(), entry.mode == Mode::Executable)?;
        let done = work(file);
        done.map_err(|error| folder.error("write", name.as_bytes(), error).into())
    }
}

impl Sink for Laying<'_> {
    fn whole(&self, files: &[(usize, &[u8])]) -> Result<(), ContainerError> {
        self.with(|descent| {
            for (number, bytes) in files {
                for place in self.outline.layout.places(*number) {
                    self.file(descent, place, |mut file| file.write_all(bytes))?;
                }
            }
            Ok(())
        })
    }

    fn piece(&self, number: usize, bytes: &[u8]) -> Result<(), ContainerError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let place = self.outline.layout.files[number].entry;
        if open.is_none() {
            *open = Some(self.with(|descent| self.file(descent, place, Ok))?);
        }
        let written = open.as_mut().map_or(Ok(()), |file| file.write_all(bytes));
        let path = || self.dir.join(self.outline.listing.entries[place].0.as_str());
        written.map_err(|error| ContainerError::io("write", &path())(error))
    }

    fn proved(&self, number: usize) -> Result<(), ContainerError> {
        let Some(mut first) = self.open.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(());
        };
        self.with(|descent| {
            for place in self.outline.layout.places(number).skip(1) {
                self.file(descent, place, |mut file| {
                    first.rewind()?;
                    io::copy(&mut first, &mut file).map(drop)
                })?;
            }
            Ok(())
        })
    }
}
