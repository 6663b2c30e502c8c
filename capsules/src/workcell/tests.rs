//! Workcells on this machine's own bubblewrap, and what a hostile build finds in them.

mod attacks;
mod views;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;

/// What a workcell starts: this test program again. In an ordinary run of the tests nobody asked for it.
#[test]
fn door() {
    let entry = std::env::args().next_back().filter(|last| last.starts_with('{'));
    if let Some(entry) = entry {
        std::process::exit(enter(&entry).expect("everything was given up"));
    }
}

/// The way to [`door`].
pub(crate) fn to_door() -> Door {
    let arguments = ["workcell::tests::door", "--exact", "--nocapture"].map(Into::into).to_vec();
    Door { program: std::env::current_exe().expect("a running program has a file"), arguments }
}

/// Small bounds, and time enough for a slow machine.
pub(crate) fn small() -> Bounds {
    Bounds {
        wall: Duration::from_secs(120),
        memory_bytes: 64 << 20,
        processes: 64,
        output_bytes: 1 << 20,
        file_bytes: 4 << 20,
        disk_bytes: 16 << 20,
        entries: 2_000,
        ..Bounds::default()
    }
}

pub(crate) fn cell(bounds: Bounds) -> Workcell {
    Workcell::new(to_door(), bounds).expect("this machine has bubblewrap, user namespaces and landlock")
}

/// What came of a command line in an empty room, whose folder is looked at before it goes.
fn run_and_look<T>(
    bounds: Bounds,
    command: &str,
    look: impl FnOnce(&Room) -> T,
) -> (Result<Ended, WorkcellError>, T) {
    let cell = cell(bounds);
    let room = cell.room().expect("a room");
    room.hand_over(0).expect("handed over");
    let ended = cell.run(&room, command, &BTreeMap::new());
    let looked = look(&room);
    let tree = room.tree();
    drop(room);
    let folder = tree.parent().expect("it is in the folder of the room");
    assert!(!folder.exists(), "nothing is left behind of {command}");
    (ended, looked)
}

fn run(bounds: Bounds, command: &str) -> Result<Ended, WorkcellError> {
    run_and_look(bounds, command, |_| ()).0
}

/// What a command line that ends well in a workcell says.
fn said(command: &str) -> String {
    let ended = run(small(), command).expect("it runs");
    assert_eq!(ended.code, 0, "{command}: {ended:?}");
    // The test program says how many tests it runs.
    let (_, said) = ended.out.split_once("running 1 test\n").expect("it was let in by this program");
    said.to_owned()
}

/// Whether a process anywhere on this machine has `mark` on its command line.
fn is_alive(mark: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("there").filter_map(Result::ok);
    let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(mark))
}
