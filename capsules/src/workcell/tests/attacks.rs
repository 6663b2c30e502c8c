//! Builds that do harm: each is ended, is told apart, and leaves nothing.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Instant;

use super::*;

fn exceeded(ended: Result<Ended, WorkcellError>) -> Exceeded {
    match ended {
        Err(WorkcellError::Exceeded(exceeded)) => exceeded,
        other => panic!("it was not ended: {other:?}"),
    }
}

#[test]
fn a_build_that_sleeps_for_ever_is_ended() {
    let wall = Duration::from_secs(1);
    let begun = Instant::now();
    let ended = run(Bounds { wall, ..small() }, "sleep 3600 # workcell-sleeper");
    assert_eq!(exceeded(ended), Exceeded::Wall(wall));
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert!(!is_alive("workcell-sleeper"));
}

#[test]
fn a_build_that_spins_for_ever_is_ended() {
    let bounds = Bounds { cpu: Duration::from_secs(1), ..small() };
    let ended = run(bounds, "while :; do :; done").expect("the kernel ends it");
    assert!([128 + 24, 128 + 9].contains(&ended.code), "{ended:?}");
}

#[test]
fn a_build_that_forks_for_ever_is_held_and_ended() {
    let bounds = Bounds { wall: Duration::from_secs(5), ..small() };
    let ended = run(bounds, "f() { f | f & }; f; sleep 1; sleep 3600 # workcell-forker");
    match ended {
        // It could not even start what it waits with.
        Ok(ended) => assert_ne!(ended.code, 0, "{ended:?}"),
        Err(error) => assert!(matches!(error, WorkcellError::Exceeded(Exceeded::Wall(_))), "{error}"),
    }
    assert!(!is_alive("workcell-forker"));
    let count = "i=0; while [ $i -lt 200 ]; do sleep 60 & i=$((i+1)); done; echo all of them";
    let ended = run(small(), count).expect("it runs");
    assert!(!ended.out.contains("all of them") && ended.code != 0, "{ended:?}");
}

#[test]
fn a_daemon_ends_with_its_build() {
    let left =
        "setsid nohup sh -c 'while :; do date > alive; sleep 1; done # workcell-daemon' > /dev/null 2>&1 &";
    let (ended, _) = run_and_look(small(), left, |room| {
        assert!(!is_alive("workcell-daemon"), "it ended before anybody was told");
        std::fs::remove_file(room.tree().join("alive")).ok()
    });
    assert_eq!(ended.expect("it runs").code, 0);
}

#[test]
fn a_build_that_fills_the_disk_is_ended() {
    let many = "i=0; while :; do head -c 1000000 /dev/zero > $i; i=$((i+1)); done";
    assert_eq!(exceeded(run(small(), many)), Exceeded::Disk(small().disk_bytes));
    let (ended, length) = run_and_look(small(), "head -c 900000000 /dev/zero > large", |room| {
        room.tree().join("large").metadata().expect("there").len()
    });
    assert_ne!(ended.expect("the kernel ends it").code, 0);
    assert_eq!(length, small().file_bytes);
}

#[test]
fn a_build_that_fills_its_tmp_gets_an_error() {
    for folder in ["/tmp", "/dev/shm"] {
        let parts = "for i in $(seq 100); do head -c 3000000 /dev/zero >";
        let ended = run(small(), &format!("{parts} {folder}/$i || exit 9; done")).expect("it runs");
        assert_eq!(ended.code, 9, "{ended:?}");
    }
}

#[test]
fn a_build_that_makes_a_million_files_is_ended() {
    let many = "i=0; while :; do : > $i; i=$((i+1)); done";
    assert_eq!(exceeded(run(small(), many)), Exceeded::Entries(small().entries));
}

#[test]
fn a_build_that_nests_folders_without_end_is_ended_and_cleared_away() {
    let deep = "i=0; while [ $i -lt 1500 ]; do mkdir d && cd -P d || break; i=$((i+1)); done; sleep 60";
    assert!(matches!(exceeded(run(small(), deep)), Exceeded::Depth(_)));
}

#[test]
fn a_build_that_prints_without_end_is_ended() {
    assert_eq!(exceeded(run(small(), "yes")), Exceeded::Output(small().output_bytes));
    assert_eq!(exceeded(run(small(), "yes >&2")), Exceeded::Output(small().output_bytes));
}

#[test]
fn a_build_that_takes_all_memory_is_ended() {
    // Its own limit ends it, or that of all together, whichever is noticed first.
    match run(small(), "head -c 900000000 /dev/zero | tail -c 900000000 > /dev/null") {
        Ok(alone) => assert_ne!(alone.code, 0, "{alone:?}"),
        ended => assert_eq!(exceeded(ended), Exceeded::Memory(small().memory_bytes)),
    }
    let together =
        "for i in 1 2 3 4 5 6; do head -c 40000000 /dev/zero | tail -c 40000000 | sleep 600 & done; wait";
    assert_eq!(exceeded(run(small(), together)), Exceeded::Memory(small().memory_bytes));
}

#[test]
fn a_build_does_not_become_anybody_else() {
    let (ended, mode) =
        run_and_look(small(), "cp /bin/sh s && chmod 6755 s && ./s -c 'id -u; id -g'", |room| {
            let found = room.tree().join("s").metadata().expect("there");
            assert_ne!(found.uid(), 0, "not even outside");
            found.mode()
        });
    let ended = ended.expect("it runs");
    assert!(ended.out.ends_with("1000\n1000\n"), "{ended:?}");
    assert_eq!(mode & 0o111, 0o111);
    let held = said("grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status").replace('\t', "");
    assert_eq!(held, "CapEff:0000000000000000\nCapBnd:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n");
}

#[test]
fn variables_reach_only_what_runs_inside() {
    let cell = cell(small());
    let outside = tempfile::tempdir().expect("a folder");
    let trace = outside.path().join("trace");
    std::fs::set_permissions(outside.path(), PermissionsExt::from_mode(0o777)).expect("set");
    let room = cell.room().expect("a room");
    room.hand_over(0).expect("handed over");
    let given = [("LD_DEBUG", "files"), ("LD_DEBUG_OUTPUT", trace.to_str().expect("text"))];
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(cell.run(&room, "echo $LD_DEBUG", &given).expect("it runs").code, 0);
    let written = std::fs::read_dir(outside.path()).expect("there").count();
    assert_eq!(written, 0, "the loader of bubblewrap obeyed a stranger");
}

#[test]
fn a_build_makes_no_sandbox_and_mounts_nothing() {
    for command in ["unshare -U true", "unshare -Ur mount -t tmpfs x /tmp", "mount -o remount,rw /usr", "su"]
    {
        let ended = run(small(), command).expect("it runs");
        assert_ne!(ended.code, 0, "{command}: {ended:?}");
    }
    let refused = run(small(), "unshare -U true").expect("it runs");
    assert!(refused.err.contains("Operation not permitted"), "the filter answers first: {refused:?}");
}

#[test]
fn without_walls_limits_and_variables_still_hold() {
    let cell = Workcell::without_walls(to_door(), small());
    assert_eq!((cell.sandbox().as_str(), cell.is_walled()), ("none", false));
    let room = cell.room().expect("a room");
    room.hand_over(0).expect("handed over");
    let ended = cell.run(&room, "env | grep -c CARGO; umask; pwd", &BTreeMap::new()).expect("it runs");
    let place = room.tree().canonicalize().expect("there");
    assert!(ended.out.ends_with(&format!("test\n0\n0022\n{}\n", place.display())), "{ended:?}");
    let cell = Workcell::without_walls(to_door(), Bounds { wall: Duration::from_secs(1), ..small() });
    let room = cell.room().expect("a room");
    room.hand_over(0).expect("handed over");
    let ended = cell.run(&room, "sleep 3600 & sleep 3600 # workcell-open", &BTreeMap::new());
    assert!(matches!(exceeded(ended), Exceeded::Wall(_)));
    // It was told to end, and nobody waits until it has.
    let begun = Instant::now();
    while is_alive("workcell-open") {
        assert!(begun.elapsed() < Duration::from_secs(60), "it goes on");
        thread::yield_now();
    }
}
