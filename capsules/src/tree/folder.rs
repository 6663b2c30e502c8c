//! An open folder, and what can be done in it by name.
//!
//! Owns every call to the file system that takes a name. A folder is opened once and gone down from by one
//! name at a time, and no link is followed: whoever swaps a folder for a link meanwhile gains nothing.
//! Invariant: nothing outside the folder that was opened first is read or written.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Dir, FileType, OFlags, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::error::TreeError;
use super::limit::TARGET_MAX_BYTES;
use super::name::PARTIAL;

const FILE_MODE: u16 = 0o666;
const EXECUTABLE_MODE: u16 = 0o777;
const OWNER_MAY_RUN: u32 = 0o100;

/// An open folder.
pub(crate) struct Folder {
    fd: std::os::fd::OwnedFd,
    /// For messages only.
    path: PathBuf,
}

/// What stands at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File {
        is_executable: bool,
    },
    Directory,
    Symlink,
    /// A device, a pipe or a socket.
    Other,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Stamp {
    inode: u64,
    pub(crate) size_bytes: u64,
    modified_ns: i64,
    changed_ns: i64,
}

impl Stamp {
    /// When it was written to or renamed last.
    pub(crate) fn newest_ns(&self) -> i64 {
        self.modified_ns.max(self.changed_ns)
    }
}

impl Folder {
    /// Opens the folder at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, TreeError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match fs::open(path, flags, fs::Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path: path.to_owned() }),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(TreeError::NoFolder(path.to_owned())),
            Err(error) => Err(TreeError::Io { action: "open", path: path.to_owned(), source: error.into() }),
        }
    }

    /// The folder `name` in it; none when there is none by now.
    pub(crate) fn folder(&self, name: &[u8]) -> Result<Option<Self>, TreeError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = fs::openat(&self.fd, name, flags, fs::Mode::empty());
        let opened = self.unless_gone("open", name, opened)?;
        Ok(opened.map(|fd| Self { fd, path: self.path_of(name) }))
    }

    /// Its names, sorted.
    pub(crate) fn names(&self) -> Result<Vec<Vec<u8>>, TreeError> {
        let read = || -> rustix::io::Result<Vec<Vec<u8>>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(&self.fd)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if !matches!(name, b"." | b"..") {
                    names.push(name.to_vec());
                }
            }
            Ok(names)
        };
        let mut names = read().map_err(|error| self.error("read", b"", error))?;
        names.sort_unstable();
        Ok(names)
    }

    /// What stands at `name`; none when there is nothing.
    pub(crate) fn stat(&self, name: &[u8]) -> Result<Option<(Kind, Stamp)>, TreeError> {
        let found = fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        Ok(self.unless_gone("look at", name, found)?.map(|stat| (kind(&stat), stamp(&stat))))
    }

    /// The file `name`, opened to be read, and what it is now; none when there is no file by now.
    pub(crate) fn file(&self, name: &[u8]) -> Result<Option<File>, TreeError> {
        // A pipe that took the file's place must not keep us waiting.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = fs::openat(&self.fd, name, flags, fs::Mode::empty());
        let Some(fd) = self.unless_gone("open", name, opened)? else { return Ok(None) };
        let stat = fs::fstat(&fd).map_err(|error| self.error("look at", name, error))?;
        Ok(matches!(kind(&stat), Kind::File { .. }).then(|| File::from(fd)))
    }

    /// What `file`, which is `name` here, is now.
    pub(crate) fn stamp(&self, name: &[u8], file: &File) -> Result<(Kind, Stamp), TreeError> {
        let stat = fs::fstat(file).map_err(|error| self.error("look at", name, error))?;
        Ok((kind(&stat), stamp(&stat)))
    }

    /// Where the link `name` leads; none when there is no link by now.
    pub(crate) fn target(&self, name: &[u8]) -> Result<Option<Vec<u8>>, TreeError> {
        match fs::readlinkat(&self.fd, name, Vec::with_capacity(TARGET_MAX_BYTES as usize)) {
            Err(Errno::INVAL) => Ok(None),
            read => Ok(self.unless_gone("read", name, read)?.map(std::ffi::CString::into_bytes)),
        }
    }

    /// Makes the folder `name`.
    pub(crate) fn make(&self, name: &[u8]) -> Result<(), TreeError> {
        let made = fs::mkdirat(&self.fd, name, fs::Mode::from_raw_mode(EXECUTABLE_MODE.into()));
        made.map_err(|error| self.error("create", name, error))
    }

    /// Puts a new file in place of `name` in one go, with what `write` writes into it.
    pub(crate) fn put_file(
        &self,
        name: &[u8],
        is_executable: bool,
        write: impl FnOnce(&mut File) -> Result<(), TreeError>,
    ) -> Result<(), TreeError> {
        self.put(name, || {
            let made = self.create(PARTIAL.as_bytes(), is_executable);
            write(&mut made.map_err(|error| self.error("create", name, error))?)
        })
    }

    /// Makes the file `name`, where there was nothing.
    pub(crate) fn new_file(&self, name: &[u8], is_executable: bool) -> Result<File, TreeError> {
        let made = self.create(name, is_executable);
        made.map_err(|error| self.error("create", name, error))
    }

    fn create(&self, name: &[u8], is_executable: bool) -> rustix::io::Result<File> {
        let mode = if is_executable { EXECUTABLE_MODE } else { FILE_MODE };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(&self.fd, name, flags, fs::Mode::from_raw_mode(mode.into())).map(File::from)
    }

    /// Makes the link `name`, where there was nothing.
    pub(crate) fn new_link(&self, name: &[u8], target: &str) -> Result<(), TreeError> {
        let made = fs::symlinkat(target, &self.fd, name);
        made.map_err(|error| self.error("create", name, error))
    }

    /// Puts a new link in place of `name` in one go.
    pub(crate) fn put_link(&self, name: &[u8], target: &str) -> Result<(), TreeError> {
        self.put(name, || {
            let made = fs::symlinkat(target, &self.fd, PARTIAL);
            made.map_err(|error| self.error("create", name, error))
        })
    }

    fn put(&self, name: &[u8], make: impl FnOnce() -> Result<(), TreeError>) -> Result<(), TreeError> {
        let clear = || match fs::unlinkat(&self.fd, PARTIAL, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.error("remove", PARTIAL.as_bytes(), error)),
        };
        // What a crash left there.
        clear()?;
        let put = make().and_then(|()| {
            let renamed = fs::renameat(&self.fd, PARTIAL, &self.fd, name);
            renamed.map_err(|error| self.error("create", name, error))
        });
        if put.is_err() {
            // The first error is the one to tell; the next writer clears again.
            let _cleared = clear();
        }
        put
    }

    /// Removes what is no folder at `name`, if there is something.
    pub(crate) fn remove_file(&self, name: &[u8]) -> Result<(), TreeError> {
        let removed = fs::unlinkat(&self.fd, name, AtFlags::empty());
        self.unless_gone("remove", name, removed).map(drop)
    }

    /// Removes the folder at `name` if nothing is in it; answers whether it is gone.
    pub(crate) fn remove_folder(&self, name: &[u8]) -> Result<bool, TreeError> {
        match fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            removed => self.unless_gone("remove", name, removed).map(|_| true),
        }
    }

    /// Makes all that was written here and below lasting.
    pub(crate) fn sync(&self) -> Result<(), TreeError> {
        #[cfg(target_os = "linux")]
        let synced = fs::syncfs(&self.fd);
        #[cfg(not(target_os = "linux"))]
        let synced = {
            fs::sync();
            Ok(())
        };
        synced.map_err(|error: Errno| self.error("sync", b"", error))
    }

    /// An error about `name` here.
    pub(crate) fn error(&self, action: &'static str, name: &[u8], error: impl Into<io::Error>) -> TreeError {
        TreeError::Io { action, path: self.path_of(name), source: error.into() }
    }

    fn path_of(&self, name: &[u8]) -> PathBuf {
        match name {
            b"" => self.path.clone(),
            name => self.path.join(std::ffi::OsStr::from_bytes(name)),
        }
    }

    /// Takes for nothing what is not there any more, or is something else by now.
    fn unless_gone<T>(
        &self,
        action: &'static str,
        name: &[u8],
        done: rustix::io::Result<T>,
    ) -> Result<Option<T>, TreeError> {
        match done {
            Ok(value) => Ok(Some(value)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(self.error(action, name, error)),
        }
    }
}

fn kind(stat: &Stat) -> Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File { is_executable: stat.st_mode & OWNER_MAY_RUN != 0 },
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    }
}

fn stamp(stat: &Stat) -> Stamp {
    #[expect(clippy::unnecessary_cast, reason = "the types of the fields differ between platforms")]
    let ns = |seconds, ns| (seconds as i64).saturating_mul(1_000_000_000).saturating_add(ns as i64);
    Stamp {
        inode: stat.st_ino,
        size_bytes: u64::try_from(stat.st_size).unwrap_or_default(),
        modified_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
        changed_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
    }
}
