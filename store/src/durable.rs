//! What a file needs to become lasting, and what it means when it cannot.
//!
//! Owns private files, the syncing of folders and the wording of I/O errors. Whoever keeps a file writes it
//! beside its place, syncs it, renames it and syncs the folder, in this order. Knows nothing of the contents.
//! Invariant: what is made here is readable by its owner only.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A new file only the owner can read, at a path where nothing is yet.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes the names in a folder lasting: until then a power cut may undo a rename.
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
        assert_eq!(told(io::ErrorKind::TimedOut), io::Error::from(io::ErrorKind::TimedOut).to_string());
    }
}
