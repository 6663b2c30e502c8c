//! Workcells: throw-away places in which what a stranger wrote is built and tried.
//!
//! Owns the walls (bubblewrap for what can be seen, landlock for what can be written, seccomp for what can be
//! asked of the kernel, limits for what can be used up), what a command finds inside, and that nothing of it stays. Refuses to run anything on a machine
//! that cannot put up the walls, unless whoever calls says in so many words that there shall be none.
//! Invariant: when a command has ended, so has every process that it started.
//!
//! Inside there is the system's `/usr`, read only; the files that are worked on, in `/build`; a private
//! `/tmp`, `/dev` and `/proc`; no network; one locale, time zone, umask, user and environment, whoever calls.

mod bounds;
#[cfg(target_os = "linux")]
mod calls;
mod door;
mod room;
mod sweep;
#[cfg(test)]
pub(crate) mod tests;
mod walls;
mod watch;

use std::collections::BTreeMap;
use std::io;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Pid;

pub use bounds::{Bounds, Exceeded};
pub use door::{Door, NotEntered, enter};
pub use room::{Ended, Room};
use walls::Walls;
use watch::Watch;

/// How often is looked at a command that has just begun.
const FIRST_LOOK: Duration = Duration::from_millis(2);
/// How often is looked at one that goes on.
const LOOK: Duration = Duration::from_millis(50);

/// A place to build and to try things in.
#[derive(Clone, Debug)]
pub struct Workcell {
    door: Door,
    walls: Walls,
    bounds: Bounds,
    /// Set when nothing is to be run any more.
    stop: Arc<AtomicBool>,
}

/// Why something was not done in a workcell.
#[derive(Debug, thiserror::Error)]
pub enum WorkcellError {
    /// There are no walls on this machine.
    #[error("this machine cannot put up a sandbox: {0}")]
    NoWalls(String),
    /// Whoever asked for it stops.
    #[error("it was ended, because whoever runs it stops")]
    Stopped,
    /// It used up what it was given.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    /// The machine did not do what was asked.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl WorkcellError {
    fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}

impl Workcell {
    /// A workcell whose walls were tried.
    pub fn new(door: Door, bounds: Bounds) -> Result<Self, WorkcellError> {
        // However little a build may take, trying takes what it takes.
        let (walls, stop) = (Walls::find()?, Arc::default());
        let cell = Self { door, walls, bounds: Bounds::default(), stop };
        let room = cell.room()?;
        room.hand_over(0)?;
        let ended = cell.run(&room, "exit 0", &BTreeMap::new())?;
        match ended.code {
            0 => Ok(Self { bounds, ..cell }),
            _ => Err(WorkcellError::NoWalls(ended.err.trim().to_owned())),
        }
    }

    /// A workcell without walls: what runs in it sees, reaches and may do what its caller does. Only the
    /// environment and the limits are those of any workcell.
    pub fn without_walls(door: Door, bounds: Bounds) -> Self {
        Self { door, walls: Walls::None, bounds, stop: Arc::default() }
    }

    /// The same, in which what runs is ended as soon as `stop` is set.
    #[must_use]
    pub fn until(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..self }
    }

    /// What holds, for reports: `none`, where nothing does.
    pub fn sandbox(&self) -> String {
        self.walls.to_string()
    }

    /// Whether there are walls.
    pub fn is_walled(&self) -> bool {
        !matches!(self.walls, Walls::None)
    }

    /// An empty room, which is gone when it is dropped.
    pub fn room(&self) -> Result<Room, WorkcellError> {
        Room::new(self.walls.tenant())
    }

    /// Runs a command line of the shell in `room`, which was handed over, with `env` beside what is always
    /// set.
    pub fn run(
        &self,
        room: &Room,
        command: &str,
        env: &BTreeMap<String, String>,
    ) -> Result<Ended, WorkcellError> {
        self.enter(room, command, env, true)
    }

    /// The same, where the files in the room can be looked at and not changed: walls see to that, where there are any.
    pub fn look(
        &self,
        room: &Room,
        command: &str,
        env: &BTreeMap<String, String>,
    ) -> Result<Ended, WorkcellError> {
        self.enter(room, command, env, false)
    }

    fn enter(
        &self,
        room: &Room,
        command: &str,
        env: &BTreeMap<String, String>,
        writes: bool,
    ) -> Result<Ended, WorkcellError> {
        let (out, err) = room.records()?;
        let fixed = || fixed().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let entry = door::Entry {
            step: command.to_owned(),
            // Only what runs inside gets it: a variable such as `LD_PRELOAD` would reach out of the walls.
            env: env.clone().into_iter().chain(fixed()).collect(),
            bounds: self.bounds,
            walled: self.is_walled(),
            writes,
        };
        let mut command = self.walls.command(&self.door, &entry, room)?;
        let spawned = command.env_clear().envs(fixed()).stdout(out).stderr(err).spawn();
        let child = spawned.map_err(WorkcellError::io("start a workcell"))?;
        let running = Running { child, walls: &self.walls };
        let status = running.end(Watch::new(room, self.bounds), &self.stop)?;
        room.ended(status)
    }
}

/// What is the same in every workcell.
fn fixed() -> [(&'static str, &'static str); 7] {
    [
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", "/tmp"),
        ("TMPDIR", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
        ("USER", "workcell"),
    ]
}

/// A command that runs, and does not outlive this.
struct Running<'a> {
    child: Child,
    walls: &'a Walls,
}

impl Running<'_> {
    /// Waits for the end, which comes at the latest when something is used up, or `stop` is set.
    fn end(mut self, mut watch: Watch<'_>, stop: &AtomicBool) -> Result<ExitStatus, WorkcellError> {
        let mut pause = FIRST_LOOK;
        loop {
            let ended = self.child.try_wait().map_err(WorkcellError::io("wait for a workcell"))?;
            // Looked at once more when it has ended: what it left counts, too.
            watch.look(Pid::from_child(&self.child), ended.is_some())?;
            if let Some(status) = ended {
                return Ok(status);
            }
            if stop.load(Ordering::Relaxed) {
                return Err(WorkcellError::Stopped);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LOOK);
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        while matches!(self.child.try_wait(), Ok(None)) {
            self.walls.kill(&mut self.child);
            thread::sleep(FIRST_LOOK);
        }
    }
}
