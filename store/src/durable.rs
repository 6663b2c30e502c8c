//! How a file comes to be whole and lasting: written beside its place, synced, renamed, its folder synced.
//!
//! Owns that order and what an I/O error means to whoever runs the node. Knows nothing of the contents. Invariant:
//! a name outside `*.tmp` never shows part of a file, and after [`publish`] not even a power cut takes it away.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A new file only the owner can read, at a path where nothing is yet.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Moves a synced file to its place, replacing what is there. Lasting only after [`sync_folder`].
pub(crate) fn publish(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(from, to)
}

/// Makes the names in a folder lasting.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// What an I/O error means, with the way out where there is a usual one.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full; free some space and try again".to_owned(),
        io::ErrorKind::QuotaExceeded => "the disk quota of this user is used up; free some space".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only; remount it for writing".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied; the data folder must belong to the user who runs the node".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_troubles_are_named_with_a_way_out() {
        let told = |kind: io::ErrorKind| reason(&io::Error::from(kind));
        assert!(told(io::ErrorKind::StorageFull).contains("disk is full"));
        assert!(told(io::ErrorKind::ReadOnlyFilesystem).contains("read-only"));
        assert!(told(io::ErrorKind::PermissionDenied).contains("belong to the user"));
        assert_eq!(
            told(io::ErrorKind::TimedOut),
            io::Error::from(io::ErrorKind::TimedOut).to_string()
        );
    }
}
