//! The walls of a workcell: what of the machine can be seen from inside.
//!
//! Owns the command line of bubblewrap, and as whom it is started: never as root, whose processes the kernel
//! does not count. Invariant: what is not named here is not there.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::WorkcellError;
use super::door::{Door, Entry};
use super::room::Room;
use super::watch;

/// Where the files that are worked on stand inside.
const BUILD: &str = "/build";
/// Where our own program stands inside.
const DOOR: &str = "/run/door";
/// Folders of the system that are links into `/usr` on most machines.
const SYSTEM: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// What else of the system compilers and interpreters need; no settings, accounts or keys of anybody.
const SETTINGS: [&str; 3] = ["/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl/certs"];
/// Who runs commands in the place of root: nobody.
const NOBODY: u32 = 65_534;

/// What stands around a command.
#[derive(Clone, Debug)]
pub(super) enum Walls {
    /// Nothing.
    None,
    /// Bubblewrap, and landlock and seccomp inside.
    Bubblewrap {
        program: PathBuf,
        /// What it says of itself.
        version: String,
        /// The system calls that are refused, as the kernel reads it.
        filter: Option<Vec<u8>>,
    },
}

impl Walls {
    /// Bubblewrap, where the caller's PATH has it.
    pub(super) fn find() -> Result<Self, WorkcellError> {
        let missing = || {
            let what = "bubblewrap is not installed; Debian has it in the package `bubblewrap`";
            WorkcellError::NoWalls(what.to_owned())
        };
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let mut programs = std::env::split_paths(&folders).map(|folder| folder.join("bwrap"));
        let program = programs.find(|program| program.is_file()).ok_or_else(missing)?;
        let asked = Command::new(&program).arg("--version").output();
        let said = asked.map_err(WorkcellError::io("start bubblewrap"))?;
        let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        #[cfg(target_os = "linux")]
        let filter = super::calls::filter();
        #[cfg(not(target_os = "linux"))]
        let filter = None;
        Ok(Self::Bubblewrap { program, version, filter })
    }

    /// Who the files in a room must belong to, when it is not the caller.
    pub(super) fn tenant(&self) -> Option<u32> {
        let is_root = rustix::process::geteuid().is_root();
        matches!(self, Self::Bubblewrap { .. } if is_root).then_some(NOBODY)
    }

    /// The command that goes through `door` and does there what `entry` says.
    pub(super) fn command(&self, door: &Door, entry: &Entry, room: &Room) -> Result<Command, WorkcellError> {
        let mut command = match self {
            Self::None => {
                let mut command = Command::new(&door.program);
                command.current_dir(room.tree()).process_group(0).stdin(Stdio::null());
                command
            }
            Self::Bubblewrap { program, filter, .. } => {
                let mut command = Command::new(program);
                match filter {
                    // It is read to its end and closed: there is no standard input inside.
                    Some(filter) => command.args(["--seccomp", "0"]).stdin(room.filter(filter)?),
                    None => command.stdin(Stdio::null()),
                };
                let shown = room.door(&door.program)?;
                command.args(arguments(&room.tree(), &shown, entry)).current_dir("/");
                if let Some(tenant) = self.tenant() {
                    command.uid(tenant).gid(tenant);
                }
                command
            }
        };
        command.args(&door.arguments).arg(entry.to_argument());
        Ok(command)
    }

    /// Ends what `child` is and all that it started.
    pub(super) fn kill(&self, child: &mut Child) {
        let pid = Pid::from_child(child);
        // Who has ended meanwhile needs no killing.
        let _ended = match self {
            Self::None => kill_process_group(pid, Signal::KILL),
            // The first process inside takes all others with it, and bubblewrap waits until it has.
            Self::Bubblewrap { .. } => match watch::children(pid) {
                Ok(inside) if !inside.is_empty() => {
                    inside.into_iter().try_for_each(|pid| kill_process(pid, Signal::KILL))
                }
                _ => kill_process(pid, Signal::KILL),
            },
        };
    }
}

impl fmt::Display for Walls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Bubblewrap { version, filter: Some(_), .. } => write!(f, "{version}, seccomp, landlock"),
            Self::Bubblewrap { version, .. } => write!(f, "{version}, landlock"),
        }
    }
}

/// What bubblewrap is told: the walls, then the program at the door.
fn arguments(tree: &Path, door: &Path, entry: &Entry) -> Vec<OsString> {
    let mut told: Vec<OsString> = Vec::new();
    let mut tell = |words: &[&dyn AsRef<std::ffi::OsStr>]| {
        told.extend(words.iter().map(|word| word.as_ref().to_owned()));
    };
    for apart in ["user", "ipc", "pid", "net", "uts", "cgroup"] {
        tell(&[&format!("--unshare-{apart}")]);
    }
    tell(&[&"--disable-userns", &"--uid", &"1000", &"--gid", &"1000", &"--hostname", &"workcell"]);
    // The door is the first process: when it ends, the kernel ends all others before anybody is told.
    tell(&[&"--die-with-parent", &"--new-session", &"--as-pid-1"]);
    tell(&[&"--ro-bind", &"/usr", &"/usr"]);
    for folder in SYSTEM {
        match fs::read_link(folder) {
            Ok(target) => tell(&[&"--symlink", &target, &folder]),
            Err(_) => tell(&[&"--ro-bind-try", &folder, &folder]),
        }
    }
    for path in SETTINGS {
        tell(&[&"--ro-bind-try", &path, &path]);
    }
    let memory = entry.bounds.memory_bytes.to_string();
    tell(&[&"--proc", &"/proc", &"--dev", &"/dev"]);
    for (mode, folder) in [("1777", "/dev/shm"), ("1777", "/tmp")] {
        tell(&[&"--perms", &mode, &"--size", &memory, &"--tmpfs", &folder]);
    }
    let bind = if entry.writes { "--bind" } else { "--ro-bind" };
    tell(&[&"--ro-bind", &door, &DOOR, &bind, &tree, &BUILD, &"--chdir", &BUILD]);
    tell(&[&"--remount-ro", &"/dev", &"--remount-ro", &"/", &"--", &DOOR]);
    told
}
