//! The door of a workcell: the last of our own code before that of a stranger.
//!
//! Owns what a process gives up before it runs a command: files outside, and what it may use up. It runs
//! inside, as the first process of the sandbox, so it is a program of its own: whoever uses workcells is
//! started again, and calls [`enter`]. Invariant: the command is only run when all was given up.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, WaitOptions, setrlimit, umask, wait};
use serde::{Deserialize, Serialize};

use super::bounds::Bounds;

/// Files that one process may have open.
const OPEN_FILES: u64 = 4_096;
/// What processes that a signal ended add to its number, as shells do.
pub(super) const SIGNALLED: i32 = 128;

/// How this program is started again to call [`enter`] with its last argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The file of the program.
    pub program: PathBuf,
    /// What stands before the last argument.
    pub arguments: Vec<OsString>,
}

/// What is to be done behind the door.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) step: String,
    /// All variables that the command gets.
    pub(super) env: BTreeMap<String, String>,
    pub(super) bounds: Bounds,
    /// Whether there are walls around.
    pub(super) walled: bool,
    /// Whether the files that are worked on may be changed.
    pub(super) writes: bool,
}

/// Why a command was not run.
#[derive(Debug, thiserror::Error)]
pub enum NotEntered {
    /// It was not called by a workcell.
    #[error("this is what a workcell calls, and nobody else: {0}")]
    Uncalled(#[from] serde_json::Error),
    /// Landlock does not hold.
    #[error("landlock is not there, or does not hold: {0}")]
    Landlock(String),
    /// Something was not given up, or not started.
    #[error("the door of the workcell: {0}")]
    Io(#[from] std::io::Error),
}

impl From<Errno> for NotEntered {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

impl Entry {
    pub(super) fn to_argument(&self) -> OsString {
        serde_json::to_string(self).expect("plain data has a text").into()
    }
}

/// Gives up what a command in a workcell may not do, runs the one that `entry` names, and answers its exit
/// code.
pub fn enter(entry: &str) -> Result<i32, NotEntered> {
    let entry: Entry = serde_json::from_str(entry)?;
    // What waits outside may end at any time, and nothing in here may go on then.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    umask(rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
    if entry.walled {
        restrict(entry.writes)?;
    }
    limit(&entry.bounds, entry.walled)?;
    let child = Command::new("/bin/sh").args(["-c", &entry.step]).env_clear().envs(&entry.env).spawn()?;
    loop {
        // The first process of a sandbox also inherits those whose parents ended.
        let Some((pid, status)) = wait(WaitOptions::empty())? else { continue };
        if pid == Pid::from_child(&child) {
            let signal = status.terminating_signal().map(|signal| SIGNALLED + signal);
            return Ok(status.exit_status().or(signal).unwrap_or(SIGNALLED));
        }
    }
}

fn limit(bounds: &Bounds, walled: bool) -> Result<(), Errno> {
    let mut limits = vec![
        (Resource::Core, 0, 0),
        (Resource::Cpu, bounds.cpu.as_secs(), bounds.cpu.as_secs() + 1),
        (Resource::Data, bounds.memory_bytes, bounds.memory_bytes),
        (Resource::Fsize, bounds.file_bytes, bounds.file_bytes),
        (Resource::Nofile, OPEN_FILES, OPEN_FILES),
    ];
    // Without walls, all processes of this user would count.
    if walled {
        limits.push((Resource::Nproc, bounds.processes, bounds.processes));
    }
    for (resource, current, maximum) in limits {
        // A limit that is lower already stays.
        let outside = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let rlimit = Rlimit { current: Some(current.min(outside)), maximum: Some(maximum.min(outside)) };
        setrlimit(resource, rlimit)?;
    }
    Ok(())
}

/// Lets this process, and all that it starts, write only where a command may: nothing is mounted any more,
/// either.
#[cfg(target_os = "linux")]
fn restrict(writes: bool) -> Result<(), NotEntered> {
    use landlock::{
        ABI, Access, AccessFs, PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
        RulesetStatus, path_beneath_rules,
    };
    const ALL: ABI = ABI::V5;
    const WRITABLE: [&str; 2] = ["/tmp", "/dev"];
    let work = if writes { &["/build"][..] } else { &[] };
    let restricted = || -> Result<RulesetStatus, RulesetError> {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        let said = AccessFs::from_file(ALL);
        let rules = Ruleset::default().handle_access(AccessFs::from_all(ALL))?.create()?;
        let rules = rules
            .add_rules(path_beneath_rules(["/"], AccessFs::from_read(ALL)))?
            .add_rules(path_beneath_rules(WRITABLE.iter().chain(work), AccessFs::from_all(ALL)))?
            // What it says goes into files that are outside, and `/dev/stderr` opens them once more.
            .add_rule(PathBeneath::new(&out, said))?
            .add_rule(PathBeneath::new(&err, said))?;
        Ok(rules.restrict_self()?.ruleset)
    };
    match restricted() {
        Ok(RulesetStatus::NotEnforced) => Err(NotEntered::Landlock("the kernel has none".to_owned())),
        Ok(_) => Ok(()),
        Err(error) => Err(NotEntered::Landlock(error.to_string())),
    }
}

#[cfg(not(target_os = "linux"))]
fn restrict(_writes: bool) -> Result<(), NotEntered> {
    Err(NotEntered::Landlock("only Linux has it".to_owned()))
}
