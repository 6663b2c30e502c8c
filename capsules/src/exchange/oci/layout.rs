//! An image layout as it lies there: a folder, or a tar of one.
//!
//! Owns finding a blob by its digest. Of a folder no link is followed; a tar is indexed once and read in
//! place. Invariant: a blob that is read whole is the one that its digest names.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use xyn_store::Digest;

use super::WHAT;
use super::shape::Descriptor;
use crate::container::ContainerError;
use crate::exchange::error::{EntryFault, ExchangeError};
use crate::exchange::gather::At;
use crate::exchange::tar::{self, Kind, TarError};
use crate::tree::folder::Folder;

/// Entries that the tar of a layout may have: far more than a capsule has blobs.
const ENTRIES_MAX: u64 = 1_024;

/// A layout.
pub(super) enum Layout {
    Folder(Folder),
    /// Where each entry begins and how long it is.
    Archive(File, HashMap<String, (u64, u64)>),
}

/// A part of a file, and how long it is.
pub(super) struct Part {
    file: File,
    start: u64,
    pub(super) size_bytes: u64,
}

impl Part {
    /// All of `file`.
    pub(super) fn of(file: File, size_bytes: u64) -> Self {
        Self { file, start: 0, size_bytes }
    }

    pub(super) fn open(&self) -> At<'_> {
        At { file: &self.file, at: self.start, end: self.start.saturating_add(self.size_bytes) }
    }
}

impl Layout {
    pub(super) fn open(source: &Path) -> Result<Self, ExchangeError> {
        if source.is_dir() {
            return Ok(Self::Folder(Folder::open(source)?));
        }
        let file = File::open(source).map_err(ContainerError::io("read", source))?;
        let entries = entries(&file)?;
        Ok(Self::Archive(file, entries))
    }

    /// What stands at `path`.
    fn find(&self, path: &str) -> Result<Option<Part>, ExchangeError> {
        match self {
            Self::Archive(file, entries) => {
                let Some(&(start, size_bytes)) = entries.get(path) else { return Ok(None) };
                let file = file.try_clone().map_err(ContainerError::Read)?;
                Ok(Some(Part { file, start, size_bytes }))
            }
            Self::Folder(folder) => {
                let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
                let mut open = None;
                for name in folders.split('/').filter(|name| !name.is_empty()) {
                    match open.as_ref().unwrap_or(folder).folder(name.as_bytes())? {
                        Some(inner) => open = Some(inner),
                        None => return Ok(None),
                    }
                }
                let Some(file) = open.as_ref().unwrap_or(folder).file(name.as_bytes())? else {
                    return Ok(None);
                };
                let size_bytes = file.metadata().map_err(ContainerError::Read)?.len();
                Ok(Some(Part::of(file, size_bytes)))
            }
        }
    }

    /// The blob that `descriptor` names, of the length that it says. What is in it was not compared yet.
    pub(super) fn blob(
        &self,
        what: &'static str,
        descriptor: &Descriptor,
    ) -> Result<(Digest, Part), ExchangeError> {
        let digest = descriptor.digest()?;
        let path = format!("blobs/sha256/{digest}");
        let part = self.find(&path)?.ok_or(ExchangeError::Missing(what))?;
        match part.size_bytes == descriptor.size {
            true => Ok((digest, part)),
            false => {
                let fault = EntryFault::Length { said: descriptor.size, found: part.size_bytes };
                Err(ExchangeError::entry(path.as_bytes(), fault))
            }
        }
    }

    /// The bytes of that blob, which are at most `limit`.
    pub(super) fn bytes(
        &self,
        what: &'static str,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Vec<u8>, ExchangeError> {
        let (said, part) = self.blob(what, descriptor)?;
        let bytes = whole(what, &part, limit)?;
        match Digest::of(&bytes) {
            found if found == said => Ok(bytes),
            found => Err(ExchangeError::Digest { what, said, found }),
        }
    }

    /// The bytes of the file `path`, which no digest names.
    pub(super) fn file(&self, path: &'static str, limit: u64) -> Result<Vec<u8>, ExchangeError> {
        whole(path, &self.find(path)?.ok_or(ExchangeError::Missing(path))?, limit)
    }
}

fn whole(what: &'static str, part: &Part, limit: u64) -> Result<Vec<u8>, ExchangeError> {
    let said = part.size_bytes;
    if said > limit {
        return Err(ExchangeError::TooLarge { what: what.to_owned(), said, limit });
    }
    let mut bytes = Vec::new();
    part.open().read_to_end(&mut bytes).map_err(ContainerError::Read)?;
    Ok(bytes)
}

/// The files of the tar, by their names.
fn entries(file: &File) -> Result<HashMap<String, (u64, u64)>, ExchangeError> {
    let end = file.metadata().map_err(ContainerError::Read)?.len();
    let mut reader = tar::Reader::new(io::BufReader::new(At { file, at: 0, end }));
    let (mut found, mut count) = (HashMap::new(), 0);
    while let Some(entry) = reader.next().map_err(unsound)? {
        count += 1;
        if count > ENTRIES_MAX {
            return Err(ExchangeError::TooMany { what: "entries", found: count, limit: ENTRIES_MAX });
        }
        let fault = |fault| ExchangeError::entry(&entry.name, fault);
        match entry.kind {
            Kind::Directory => {}
            Kind::File => {
                let name = String::from_utf8_lossy(&entry.name).into_owned();
                if found.insert(name, (reader.at(), entry.size_bytes)).is_some() {
                    return Err(fault(EntryFault::Twice));
                }
            }
            Kind::Symlink => return Err(fault(EntryFault::Kind("a link"))),
            Kind::Other(what) => return Err(fault(EntryFault::Kind(what))),
        }
    }
    Ok(found)
}

/// What is wrong with a tar.
pub(super) fn unsound(error: TarError) -> ExchangeError {
    match error {
        TarError::Read(error) => match error.downcast::<ExchangeError>() {
            Ok(told) => told,
            Err(error) => ExchangeError::Unsound { what: WHAT, why: crate::json::shown(&error.to_string()) },
        },
        error => ExchangeError::Unsound { what: WHAT, why: error.to_string() },
    }
}
