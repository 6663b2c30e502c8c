//! What a file needs to become lasting, and what it means when it cannot.
//!
//! Owns private files, files put whole, the syncing of folders and the wording of I/O errors. Whoever keeps a file
//! writes it beside its place, syncs it, renames it and syncs the folder, in this order. Knows nothing of the contents.
//! Invariant: what is made here is readable by its owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A new file only the owner can read, at a path where nothing is yet.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Puts a file of these bytes at `path`, whole or not at all, and lasting when this is done. Its folder is made where
/// there is none. One at a time may do so at a path.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let made = folder.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.exists()).count();
    fs::create_dir_all(folder)?;
    let partial = path.with_added_extension("partial");
    // What another try left there, or somebody put there to be followed.
    remove(&partial)?;
    let written = create_private(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    });
    if written.is_err() {
        // It is as if nothing had been tried; a left-over would be removed the next time.
        let _ = remove(&partial);
    }
    written?;
    // The names of the folders that were made, and of one that the caller may have made just now.
    let mut named = folder.ancestors().take(made + 2).filter(|it| !it.as_os_str().is_empty());
    named.try_for_each(sync_folder)
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
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
    fn a_file_is_put_whole_into_a_folder_that_is_made_and_over_what_was_left_of_another_try() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("new/notes.json");
        put(&path, b"first").expect("there is room");
        let deep = home.path().join("one/two/three");
        put(&deep, b"deep").expect("there is room");
        assert_eq!(fs::read(&deep).expect("it is there"), b"deep");
        fs::write(home.path().join("new/notes.json.partial"), "half, and longer than the whole")
            .expect("there is room");
        put(&path, b"second").expect("there is room");
        assert_eq!(fs::read(&path).expect("it is there"), b"second");
        let elsewhere = home.path().join("elsewhere");
        fs::write(&elsewhere, "of others").expect("there is room");
        std::os::unix::fs::symlink(&elsewhere, home.path().join("new/notes.json.partial")).expect("a link");
        put(&path, b"third").expect("there is room");
        assert_eq!(fs::read(&elsewhere).expect("it is there"), b"of others", "no link is followed");
        assert_eq!(fs::read_dir(home.path().join("new")).expect("it is there").count(), 1);
    }

    #[test]
    fn the_usual_troubles_are_named_with_a_way_out() {
        let told = |kind: io::ErrorKind| reason(&io::Error::from(kind));
        assert!(told(io::ErrorKind::StorageFull).contains("disk is full"));
        assert!(told(io::ErrorKind::ReadOnlyFilesystem).contains("read-only"));
        assert!(told(io::ErrorKind::PermissionDenied).contains("belong to the user"));
        assert_eq!(told(io::ErrorKind::TimedOut), io::Error::from(io::ErrorKind::TimedOut).to_string());
    }
}
