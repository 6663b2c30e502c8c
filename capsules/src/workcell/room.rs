//! The room of a workcell: the folder that is worked in, and what was said meanwhile.
//!
//! Owns how files look from inside (owner, mode, time: the same wherever they came from) and that the folder
//! goes away, whatever was made in it. Invariant: nothing that was made in a room is followed out of it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, lchown};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FlockOperation, Timespec, Timestamps, flock};
use rustix::process::geteuid;
use tempfile::TempDir;
use xyn_store::Digest;

use super::WorkcellError;
use super::door::SIGNALLED;
use super::sweep::sweep;

/// Bytes of what was said that are kept: the end of it.
const TAIL_BYTES: usize = 64 << 10;

/// How the names of the folders of rooms begin.
const PREFIX: &str = "xyn-workcell-";

/// The folder in it that is worked in.
const TREE: &str = "tree";
/// Where that is taken apart in the end.
const HEAP: &str = "swept";

/// Who may do what in the folder of a room: only its maker.
const OWN_MODE: u32 = 0o700;
/// The same where another works in it: there is a way to the tree, for who knows it, and no more.
const TENANT_MODE: u32 = 0o711;

/// A folder for one job. Gone when it is dropped.
#[derive(Debug)]
pub struct Room {
    dir: TempDir,
    /// Who works in it, when it is not the caller.
    tenant: Option<u32>,
    begun: Instant,
    /// Held as long as somebody works in it.
    _lock: File,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; 128 and the number of the signal that ended it.
    pub code: i32,
    /// The end of what it answered.
    pub out: String,
    /// Of all that it answered.
    pub out_digest: Digest,
    /// The end of what it said about it.
    pub err: String,
}

impl Room {
    pub(super) fn new(tenant: Option<u32>) -> Result<Self, WorkcellError> {
        Self::within(&std::env::temp_dir(), tenant).map_err(WorkcellError::io("make a room"))
    }

    fn within(place: &Path, tenant: Option<u32>) -> io::Result<Self> {
        clear_abandoned(place)?;
        loop {
            let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place)?;
            let lock = File::open(dir.path())?;
            flock(&lock, FlockOperation::LockExclusive)?;
            // Somebody who took it for abandoned may have been faster.
            if dir.path().exists() {
                let mode = if tenant.is_some() { TENANT_MODE } else { OWN_MODE };
                fs::set_permissions(dir.path(), Permissions::from_mode(mode))?;
                return Ok(Self { dir, tenant, begun: Instant::now(), _lock: lock });
            }
        }
    }

    /// The folder that is worked in. It is made by whoever lays out files in it, or when it is handed over.
    pub fn tree(&self) -> PathBuf {
        self.dir.path().join(TREE)
    }

    /// Gives the files to who works in the room, all of one time: seconds since the Unix epoch.
    pub fn hand_over(&self, epoch: u64) -> Result<(), WorkcellError> {
        let given = || -> io::Result<()> {
            let tree = self.tree();
            if !tree.exists() {
                fs::create_dir(&tree)?;
            }
            self.give(&tree, i64::try_from(epoch).unwrap_or(i64::MAX))
        };
        given().map_err(WorkcellError::io("hand over a room"))
    }

    /// Gives what stands at `path`, and what is in it. Nothing ran yet, so nothing is swapped meanwhile.
    fn give(&self, path: &Path, epoch: i64) -> io::Result<()> {
        let found = path.symlink_metadata()?;
        if found.is_dir() {
            for entry in fs::read_dir(path)? {
                self.give(&entry?.path(), epoch)?;
            }
        }
        if let Some(tenant) = self.tenant {
            lchown(path, Some(tenant), Some(tenant))?;
        }
        if !found.is_symlink() {
            let mode = if found.is_dir() || found.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        let at = Timespec { tv_sec: epoch, tv_nsec: 0 };
        let times = Timestamps { last_access: at, last_modification: at };
        Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Where `program` can be seen by who works in the room: who is not the caller may not reach its folder.
    pub(super) fn door(&self, program: &Path) -> Result<PathBuf, WorkcellError> {
        if self.tenant.is_none() {
            return Ok(program.to_owned());
        }
        let shown = self.dir.path().join("door");
        let placed = match fs::hard_link(program, &shown) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(_) => fs::copy(program, &shown).map(drop),
            linked => linked,
        };
        placed.map_err(WorkcellError::io("show the program to a workcell"))?;
        Ok(shown)
    }

    /// The filter of system calls as a file to be read.
    pub(super) fn filter(&self, filter: &[u8]) -> Result<File, WorkcellError> {
        let path = self.dir.path().join("filter");
        let placed = fs::write(&path, filter).and_then(|()| File::open(&path));
        placed.map_err(WorkcellError::io("write the filter of a workcell"))
    }

    /// Fresh files for what a command says.
    pub(super) fn records(&self) -> Result<(File, File), WorkcellError> {
        let make = |name: &str| -> io::Result<File> {
            let path = self.dir.path().join(name);
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
            file.set_len(0)?;
            if let Some(tenant) = self.tenant {
                chown(&path, Some(tenant), Some(tenant))?;
            }
            Ok(file)
        };
        let made = || Ok((make("out")?, make("err")?));
        made().map_err(WorkcellError::io("keep what a workcell says"))
    }

    /// How long it has been there.
    pub(super) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How many bytes were said.
    pub(super) fn said_bytes(&self) -> io::Result<u64> {
        let record = |name: &str| self.dir.path().join(name).metadata();
        Ok(record("out")?.len() + record("err")?.len())
    }

    /// What was said up to the end, which was found to be within bounds.
    pub(super) fn ended(&self, status: ExitStatus) -> Result<Ended, WorkcellError> {
        let read = |name: &str| fs::read(self.dir.path().join(name));
        let tail = |said: &[u8]| {
            String::from_utf8_lossy(&said[said.len().saturating_sub(TAIL_BYTES)..]).into_owned()
        };
        let signal = || status.signal().map(|signal| SIGNALLED + signal);
        let code = status.code().or_else(signal).unwrap_or(SIGNALLED);
        let both = read("out").and_then(|out| Ok((out, read("err")?)));
        let (out, err) = both.map_err(WorkcellError::io("read what a workcell said"))?;
        Ok(Ended { code, out: tail(&out), out_digest: Digest::of(&out), err: tail(&err) })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever makes a room next.
        let _swept = sweep(&self.tree(), &self.dir.path().join(HEAP));
    }
}

/// Clears away the rooms in `dir` whose makers were ended before they could.
fn clear_abandoned(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)?.filter_map(Result::ok) {
        let is_room = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let is_ours = |found: &fs::Metadata| found.is_dir() && found.uid() == geteuid().as_raw();
        if is_room && entry.metadata().is_ok_and(|found| is_ours(&found)) {
            let Ok(lock) = File::open(entry.path()) else { continue };
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                let room = entry.path();
                let swept = sweep(&room.join(TREE), &room.join(HEAP)).map_err(io::Error::from);
                // What cannot be removed now is left to the next.
                let _cleared = swept.and_then(|()| fs::remove_dir_all(room));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_whose_maker_was_ended_is_cleared_away_by_the_next_and_others_stay() {
        let dir = tempfile::tempdir().expect("a folder");
        let kept = Room::within(dir.path(), None).expect("a room");
        let abandoned = ["1/tree/a/b", "2/swept/7/c", "3"].map(|what| {
            let room = dir.path().join(format!("{PREFIX}{what}"));
            fs::create_dir_all(&room).expect("made");
            room
        });
        fs::create_dir(dir.path().join("other")).expect("made");
        let next = Room::within(dir.path(), None).expect("a room");
        assert!(abandoned.iter().all(|room| !room.exists()) && kept.dir.path().exists());
        drop(kept);
        drop(next);
        assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 1, "what is no room is left alone");
    }
}
