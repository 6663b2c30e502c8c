//! What is seen from inside: the same on every machine, and nothing of this one.

use super::*;

#[test]
fn everybody_finds_the_same_user_place_time_zone_and_variables() {
    let variables = said("env | sort");
    let expected = "HOME=/tmp\nLANG=C.UTF-8\nLC_ALL=C.UTF-8\n\
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
        PWD=/build\nTMPDIR=/tmp\nTZ=UTC\nUSER=workcell\n";
    assert_eq!(variables, expected);
    assert_eq!(
        said("id -u; id -g; umask; pwd; hostname; date +%Z"),
        "1000\n1000\n0022\n/build\nworkcell\nUTC\n"
    );
}

#[test]
fn what_is_handed_over_has_one_owner_one_time_and_two_modes() {
    let cell = cell(small());
    let room = cell.room().expect("a room");
    std::fs::create_dir_all(room.tree().join("bin")).expect("made");
    for (path, mode) in [("bin/run", 0o700), ("text", 0o640)] {
        std::fs::write(room.tree().join(path), "x").expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(room.tree().join(path), mode).expect("set");
    }
    std::os::unix::fs::symlink("nowhere", room.tree().join("link")).expect("linked");
    room.hand_over(1_700_000_000).expect("handed over");
    let seen = cell.run(&room, "stat -c '%n %A %u %Y' bin bin/run link text", &BTreeMap::new());
    let seen = seen.expect("it runs").out;
    let expected = "bin drwxr-xr-x 1000 1700000000\nbin/run -rwxr-xr-x 1000 1700000000\n\
        link lrwxrwxrwx 1000 1700000000\ntext -rw-r--r-- 1000 1700000000\n";
    assert!(seen.ends_with(expected), "{seen}");
}

#[test]
fn variables_that_are_fixed_stay_and_others_are_added() {
    let cell = cell(small());
    let room = cell.room().expect("a room");
    room.hand_over(0).expect("handed over");
    let given = [("TZ", "Asia/Tokyo"), ("GREETING", "a b\nc")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let ended = cell.run(&room, "echo \"$TZ $GREETING\"; echo oh > /dev/stderr", &given.into());
    let ended = ended.expect("it runs");
    assert!(ended.out.ends_with("UTC a b\nc\n"), "{ended:?}");
    assert_eq!(ended.err, "oh\n");
}

#[test]
fn there_is_nothing_to_be_read_from_standard_input() {
    assert_eq!(said("cat && read line || echo nothing"), "nothing\n");
}

#[test]
fn an_exit_code_is_told_and_so_is_a_signal() {
    assert_eq!(run(small(), "exit 7").expect("it runs").code, 7);
    assert_eq!(run(small(), "kill -9 $$").expect("it runs").code, 137);
}

#[test]
fn each_command_has_a_tmp_of_its_own_and_what_is_in_the_room_stays() {
    let cell = cell(small());
    let room = cell.room().expect("a room");
    room.hand_over(0).expect("handed over");
    let run = |command| cell.run(&room, command, &BTreeMap::new()).expect("it runs");
    assert_eq!(run("echo kept > kept; echo gone > /tmp/gone").code, 0);
    let second = run("cat kept; ls -A /tmp");
    assert!(second.out.ends_with("test\nkept\n"), "{second:?}");
}

#[test]
fn nothing_of_this_machine_can_be_read() {
    for path in ["/etc/shadow", "/etc/passwd", "/etc/hostname", "/root", "/home", "/var", "/sys", "/mnt"] {
        let ended = run(small(), &format!("ls -d {path}")).expect("it runs");
        assert_ne!(ended.code, 0, "{path}: {ended:?}");
    }
    let secret = tempfile::NamedTempFile::new().expect("a file");
    let ended = run(small(), &format!("cat {}", secret.path().display())).expect("it runs");
    assert_ne!(ended.code, 0, "the host's /tmp is not the one inside: {ended:?}");
    // Only itself: the door, a shell, and what it starts.
    let processes: usize = said("ls /proc | grep -c '^[0-9]'").trim().parse().expect("a number");
    assert!(processes < 8, "{processes}");
}

#[test]
fn nothing_of_this_machine_can_be_written() {
    // The last one is not behind a wall: landlock alone keeps it.
    let places = ["/x", "/usr/x", "/etc/x", "/run/x", "/dev/x", "/proc/sys/kernel/hostname", "/run/door"];
    for path in places.into_iter().chain(["/proc/self/comm"]) {
        let ended = run(small(), &format!("echo x > {path}")).expect("it runs");
        assert_ne!(ended.code, 0, "{path}: {ended:?}");
    }
    said("for path in /build/x /tmp/x /dev/shm/x /dev/null; do echo x > $path || exit 1; done");
}

#[test]
fn nobody_is_reached_from_inside() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    for there in [format!("127.0.0.1/{port}"), "192.0.2.1/80".to_owned()] {
        let ended = run(small(), &format!("exec bash -c 'echo hi > /dev/tcp/{there}'")).expect("it runs");
        assert_ne!(ended.code, 0, "{there}: {ended:?}");
    }
    listener.set_nonblocking(true).expect("set");
    assert!(listener.accept().is_err(), "nobody came");
    let host = std::process::id();
    assert_ne!(run(small(), &format!("kill -0 {host}")).expect("it runs").code, 0);
}
