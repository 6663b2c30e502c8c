//! Where compressed chunks wait until the index before them is known.
//!
//! Owns a file without a name, beside the one that is to be: whatever happens, it leaves nothing behind.
//! Invariant: what two threads append does not overlap.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::ContainerError;

/// Bytes that wait.
pub(super) struct Spool {
    file: File,
    end: AtomicU64,
    /// The folder it is in, for messages.
    folder: PathBuf,
}

impl Spool {
    /// An empty one in `folder`.
    pub(super) fn new(folder: &Path) -> Result<Self, ContainerError> {
        let file = tempfile::tempfile_in(folder).map_err(ContainerError::io("write in", folder))?;
        Ok(Self { file, end: AtomicU64::new(0), folder: folder.to_owned() })
    }

    /// Appends `bytes`; answers where they begin.
    pub(super) fn append(&self, bytes: &[u8]) -> Result<u64, ContainerError> {
        let at = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let written = self.file.write_all_at(bytes, at);
        written.map_err(ContainerError::io("write in", &self.folder))?;
        Ok(at)
    }

    /// Copies `bytes` from `at` on to the end of `target`.
    pub(super) fn copy(&self, at: u64, bytes: u64, target: &mut impl Write) -> io::Result<()> {
        (&self.file).seek(SeekFrom::Start(at))?;
        // Between two files the system copies without showing us the bytes.
        match io::copy(&mut (&self.file).take(bytes), target)? {
            copied if copied == bytes => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
