//! Removing a folder, whatever a stranger made in it.
//!
//! Owns the way to the end of folders that are nested deeper than anybody can go, or may not be looked into.
//! Invariant: never more than two folders are open, and no link is followed.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD, Dir, Mode, OFlags};
use rustix::io::{Errno, Result};

/// Removes `dir`, if it is there, by way of the folder `heap` beside it, which is removed as well. What was not
/// done to its end is gone on with.
pub(super) fn sweep(dir: &Path, heap: &Path) -> Result<()> {
    match fs::mkdir(heap, Mode::RWXU) {
        Err(Errno::EXIST) => {}
        made => made?,
    }
    let pile = open(CWD, heap)?;
    let taken = names(&pile)?.into_iter().filter_map(|name| name.to_str().ok()?.parse::<u64>().ok());
    let mut count = taken.max().unwrap_or_default();
    let mut next = || {
        count += 1;
        count.to_string()
    };
    if dir.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        fs::chmod(dir, Mode::RWXU)?;
        fs::renameat(CWD, dir, &pile, next())?;
    }
    loop {
        let names = names(&pile)?;
        if names.is_empty() {
            return fs::rmdir(heap);
        }
        for name in names {
            let folder = open(&pile, &name)?;
            for inner in self::names(&folder)? {
                match fs::unlinkat(&folder, &inner, AtFlags::empty()) {
                    // A folder: it goes up to the others, so that there is no way down.
                    Err(Errno::ISDIR | Errno::PERM) => {
                        fs::chmodat(&folder, &inner, Mode::RWXU, AtFlags::empty())?;
                        fs::renameat(&folder, &inner, &pile, next())?;
                    }
                    removed => removed?,
                }
            }
            fs::unlinkat(&pile, &name, AtFlags::REMOVEDIR)?;
        }
    }
}

fn open(at: impl rustix::fd::AsFd, path: impl rustix::path::Arg) -> Result<OwnedFd> {
    fs::openat(
        at,
        path,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

fn names(folder: &OwnedFd) -> Result<Vec<std::ffi::CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn nothing_stays_of_a_folder_that_is_deep_locked_or_full_of_links() {
        let room = tempfile::tempdir().expect("a folder");
        let (dir, kept) = (room.path().join("tree"), room.path().join("kept"));
        std::fs::create_dir_all(dir.join("locked/inside")).expect("made");
        std::fs::write(&kept, "kept").expect("written");
        symlink(&kept, dir.join("link")).expect("linked");
        symlink(room.path(), dir.join("up")).expect("linked");
        std::fs::write(dir.join("locked/inside/1"), "").expect("written");
        for locked in ["locked/inside", "locked"] {
            std::fs::set_permissions(dir.join(locked), PermissionsExt::from_mode(0o000)).expect("locked");
        }
        let mut at = open(CWD, &dir).expect("open");
        for _ in 0..5_000 {
            fs::mkdirat(&at, "d", Mode::RWXU).expect("made");
            at = open(&at, "d").expect("open");
        }
        sweep(&dir, &room.path().join("heap")).expect("swept");
        let left: Vec<_> = std::fs::read_dir(room.path()).expect("there").collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(std::fs::read_to_string(kept).expect("there"), "kept");
    }
}
