//! Processes that a node left behind when it was killed.
//!
//! A file beside the app names its process and when that was started, so that a number that was given to somebody else
//! since is left alone. Invariant: only what a node of this folder started is ended.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process_group};

use super::super::release::entries;

/// The end of the names of these files.
const END: &str = "pid";
/// The place of the start among the fields behind the name, proc(5): field 22, and the name is the second.
const START_FIELD: usize = 19;

/// A note that a process runs, which is gone with this.
pub(super) struct Noted(PathBuf);

impl Noted {
    /// Notes the process `pid` beside the folder `app`.
    pub(super) fn beside(app: &Path, pid: u32) -> io::Result<Self> {
        let path = app.with_extension(format!("{pid}.{END}"));
        let start = started(pid).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        fs::write(&path, format!("{pid} {start}"))?;
        Ok(Self(path))
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        // A note of a process that is gone misleads nobody: it names when that was started.
        let _ = fs::remove_file(&self.0);
    }
}

/// Ends what a node left behind that was killed, as the files in `folder` name it.
pub(in super::super) fn end_orphans(folder: &Path) {
    for path in entries(folder) {
        if path.extension().is_some_and(|end| end == END)
            && let Err(error) = end(&path)
        {
            tracing::warn!(%error, path = %path.display(), "a process that was left behind is not ended");
        }
    }
}

/// Ends the process of the note at `path`, if it is still that one, and then removes the note.
fn end(path: &Path) -> io::Result<()> {
    if let Some(pid) = living(&fs::read_to_string(path)?) {
        kill_process_group(pid, Signal::KILL)?;
    }
    fs::remove_file(path)
}

/// The process that is noted, if it is still that one.
fn living(noted: &str) -> Option<Pid> {
    let (pid, start) = noted.split_once(' ')?;
    let pid: u32 = pid.parse().ok()?;
    let is_same = !start.is_empty() && started(pid).as_deref() == Some(start);
    Pid::from_raw(i32::try_from(pid).ok()?).filter(|_| is_same)
}

/// When the process was started, as the system counts it; none when it is gone.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, also spaces and brackets.
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_whitespace().nth(START_FIELD).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn what_was_left_behind_is_ended_and_who_took_its_number_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let start =
            || Command::new("sleep").arg("60").process_group(0).stdin(Stdio::null()).spawn().expect("starts");
        let (mut left, mut stranger) = (start(), start());
        std::mem::forget(Noted::beside(&folder.path().join("left"), left.id()).expect("noted"));
        fs::write(folder.path().join("stranger.pid"), format!("{} 1", stranger.id())).expect("written");
        fs::write(folder.path().join("nonsense.pid"), "x y z").expect("written");
        end_orphans(folder.path());
        assert!(!left.wait().expect("ended").success());
        assert!(stranger.try_wait().expect("looked").is_none(), "it is another process");
        stranger.kill().expect("ours");
        stranger.wait().expect("ours");
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 0);
    }
}
