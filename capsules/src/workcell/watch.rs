//! Watching what runs in a workcell: how long, how much memory, how much it says and writes.
//!
//! Owns what the kernel does not bound for all processes of a workcell together. Looks from outside, through
//! `/proc` and at the room. Invariant: looking takes a small part of the time, however much there is to see.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::WorkcellError;
use super::bounds::{Bounds, Exceeded};
use super::room::Room;
use crate::tree::folder::{Folder, Kind};
use crate::tree::{Limits, TreeError};

/// The least time between two counts.
const COUNT_EVERY: Duration = Duration::from_millis(100);
/// How many times as long as a count takes there is none.
const REST: u32 = 8;

/// Sees to it that what runs in a room stays within its bounds.
pub(super) struct Watch<'a> {
    room: &'a Room,
    bounds: Bounds,
    next: Instant,
}

impl<'a> Watch<'a> {
    pub(super) fn new(room: &'a Room, bounds: Bounds) -> Self {
        Self { room, bounds, next: Instant::now() }
    }

    /// Looks at what `pid` started. When that has ended, at what it left.
    pub(super) fn look(&mut self, pid: Pid, has_ended: bool) -> Result<(), WorkcellError> {
        let Bounds { wall, output_bytes, memory_bytes, .. } = self.bounds;
        if !has_ended && self.room.age() > wall {
            return Err(Exceeded::Wall(wall).into());
        }
        let said = self.room.said_bytes().map_err(WorkcellError::io("look at what a workcell says"))?;
        if said > output_bytes {
            return Err(Exceeded::Output(output_bytes).into());
        }
        let begun = Instant::now();
        if begun < self.next && !has_ended {
            return Ok(());
        }
        if !has_ended && memory(pid).map_err(WorkcellError::io("look at processes"))? > memory_bytes {
            return Err(Exceeded::Memory(memory_bytes).into());
        }
        self.disk()?;
        self.next = Instant::now() + COUNT_EVERY.max(begun.elapsed() * REST);
        Ok(())
    }

    fn disk(&self) -> Result<(), Exceeded> {
        let mut count = Count { bounds: self.bounds, size_bytes: 0, entries: 0 };
        let counted = Folder::open(&self.room.tree()).map_err(Count::hidden);
        counted.and_then(|folder| count.folder(&folder, 0))
    }
}

/// What there is in a room.
struct Count {
    bounds: Bounds,
    size_bytes: u64,
    entries: u64,
}

impl Count {
    fn folder(&mut self, folder: &Folder, depth: usize) -> Result<(), Exceeded> {
        let depth_max = Limits::default().depth;
        if depth > depth_max {
            return Err(Exceeded::Depth(depth_max));
        }
        for name in folder.names().map_err(Self::hidden)? {
            let Some((kind, stamp)) = folder.stat(&name).map_err(Self::hidden)? else { continue };
            self.entries += 1;
            self.size_bytes = self.size_bytes.saturating_add(stamp.size_bytes);
            let Bounds { entries, disk_bytes, .. } = self.bounds;
            match kind {
                _ if self.entries > entries => return Err(Exceeded::Entries(entries)),
                _ if self.size_bytes > disk_bytes => return Err(Exceeded::Disk(disk_bytes)),
                Kind::Directory => {
                    if let Some(inner) = folder.folder(&name).map_err(Self::hidden)? {
                        self.folder(&inner, depth + 1)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn hidden(error: TreeError) -> Exceeded {
        Exceeded::Hidden(error.to_string())
    }
}

/// Bytes of memory that `root` and all that it started have for themselves.
fn memory(root: Pid) -> io::Result<u64> {
    let processes = processes()?;
    let mut bytes = 0;
    let mut open = vec![root.as_raw_nonzero().get()];
    while let Some(pid) = open.pop() {
        bytes += processes.get(&pid).map_or(0, |process| process.own_bytes);
        open.extend(processes.iter().filter(|(_, process)| process.parent == pid).map(|(pid, _)| *pid));
    }
    Ok(bytes)
}

/// What `parent` started itself.
pub(super) fn children(parent: Pid) -> io::Result<Vec<Pid>> {
    let parent = parent.as_raw_nonzero().get();
    let processes = processes()?;
    let children = processes.into_iter().filter(|(_, process)| process.parent == parent);
    Ok(children.filter_map(|(pid, _)| Pid::from_raw(pid)).collect())
}

struct Process {
    parent: i32,
    own_bytes: u64,
}

/// All processes there are. One that ends meanwhile may be missing.
fn processes() -> io::Result<BTreeMap<i32, Process>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(pid) = pid else { continue };
        if let Ok(status) = fs::read_to_string(entry.path().join("status")) {
            found.extend(process(&status).map(|process| (pid, process)));
        }
    }
    Ok(found)
}

fn process(status: &str) -> Option<Process> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line?.split_whitespace().next()?.parse::<u64>().ok()
    };
    // Threads of the kernel have no memory of their own.
    let own = field("RssAnon").unwrap_or_default() + field("VmSwap").unwrap_or_default();
    Some(Process { parent: field("PPid")?.try_into().ok()?, own_bytes: own << 10 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_parent_and_memory() {
        let status = "Name:\tsh (x) y\nPPid:\t41\nVmRSS:\t 900 kB\nRssAnon:\t     132 kB\nVmSwap:\t  4 kB\n";
        let process = process(status).expect("it says all");
        assert_eq!((process.parent, process.own_bytes), (41, 136 << 10));
        assert!(super::process("Name:\tx\n").is_none());
    }
}
