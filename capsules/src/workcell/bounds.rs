//! How much a command in a workcell may use up.
//!
//! Owns the figures and what is said when one is reached. What is bounded for each process is kept by the
//! kernel; what is bounded for all of them together is looked at while they run, so it can be passed for a
//! moment.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Limits of one command; of the time, those of all that is done in one room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Time from start to end.
    pub wall: Duration,
    /// Time on a processor, of each process.
    pub cpu: Duration,
    /// Memory of all processes together, and of each; each `/tmp` and `/dev/shm` may hold as much in
    /// addition.
    pub memory_bytes: u64,
    /// Processes and threads at a time, where there are walls.
    pub processes: u64,
    /// Bytes of what it says.
    pub output_bytes: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files in the room.
    pub disk_bytes: u64,
    /// Files and folders in the room.
    pub entries: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(30 * 60),
            cpu: Duration::from_secs(30 * 60),
            memory_bytes: 4 << 30,
            processes: 512,
            output_bytes: 16 << 20,
            file_bytes: 4 << 30,
            disk_bytes: 16 << 30,
            entries: 500_000,
        }
    }
}

/// A limit that was reached, for which all that ran was ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// It takes too long.
    #[error("it was not done after {} s, the limit of a workcell", .0.as_secs_f64())]
    Wall(Duration),
    /// All processes together.
    #[error("it used more than {0} bytes of memory, the limit of a workcell")]
    Memory(u64),
    /// What it says.
    #[error("it printed more than {0} bytes, the limit of a workcell")]
    Output(u64),
    /// All files.
    #[error("it wrote more than {0} bytes, the limit of a workcell")]
    Disk(u64),
    /// Files and folders.
    #[error("it made more than {0} files, the limit of a workcell")]
    Entries(u64),
    /// Folders in one another.
    #[error("it made more than {0} folders in one another, the limit of a tree")]
    Depth(usize),
    /// Something that cannot be counted.
    #[error("it made a folder that cannot be looked into: {0}")]
    Hidden(String),
}
