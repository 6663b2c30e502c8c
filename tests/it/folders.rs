//! Data folders that a disk, a person or another program got at: each refusal names the file and what helps, and
//! what was kept is there again once the damage is undone.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::node::{COUNT, Folder, Node, Said, eventually};

const DATABASE: &str = "xyn.redb";

/// A folder of a stopped node that carried out a run.
async fn used() -> (Folder, String) {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    node.promote(&folder, COUNT).await;
    let run_id = node.run("bp.count", json!({ "key": "kept" })).await;
    assert_eq!(node.ended(&run_id).await["status"], "completed");
    assert!(node.stop().await.success());
    (folder, run_id)
}

/// Everything below a folder but what says who has it. Of the database only the length: the engine marks it as open
/// before it looks what it holds.
fn listing(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("can be listed") {
        let path = entry.expect("can be listed").path();
        match path.is_dir() {
            true => found.extend(listing(&path)),
            false if path.ends_with("node.lock") => {}
            false if path.ends_with(DATABASE) => {
                let length = fs::metadata(&path).expect("is there").len();
                found.push((path, length.to_le_bytes().to_vec()));
            }
            false => found.push((path.clone(), fs::read(&path).expect("can be read"))),
        }
    }
    found.sort();
    found
}

/// CRC-32 as zlib has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// The row that says which format a folder has.
fn format_row(format: u32) -> Vec<u8> {
    let key = b"format";
    let value = format.to_le_bytes();
    let sum = crc32(&[b"meta\0".as_slice(), &(key.len() as u64).to_le_bytes(), key, &value].concat());
    [value, sum.to_le_bytes()].concat()
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<_> = (0..bytes.len() - old.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
    assert!(!places.is_empty(), "there is nothing to replace");
    places.into_iter().for_each(|at| bytes[at..at + old.len()].copy_from_slice(new));
    bytes
}

/// A file that is damaged, how, and what the refusal of a start must say.
type Damage = (&'static str, fn(Vec<u8>) -> Vec<u8>, &'static [&'static str]);

const DAMAGES: &[Damage] = &[
    (DATABASE, |bytes| bytes[..bytes.len() / 2].to_vec(), &["damaged", DATABASE, "xyn doctor"]),
    (DATABASE, |bytes| bytes[..100].to_vec(), &["damaged", DATABASE]),
    (DATABASE, |_| vec![], &["is empty", DATABASE]),
    (DATABASE, |_| b"SQLite format 3\0 and more".to_vec(), &["damaged", DATABASE]),
    (DATABASE, |bytes| replaced(&bytes, &format_row(1), &format_row(2)), &["format 2", "upgrade"]),
    ("node.key", |_| vec![], &["node.key", "64 hex digits"]),
    ("node.key", |bytes| bytes[..40].to_vec(), &["node.key", "64 hex digits"]),
    ("node.key", |_| vec![0xff; 65], &["node.key", "64 hex digits"]),
    ("config.toml", |_| b"listen = [\"127.0.0.1:".to_vec(), &["config.toml", "line 1"]),
    ("config.toml", |_| b"[limits\n".to_vec(), &["config.toml", "line 1"]),
    ("config.toml", |_| b"env_id = \"\xff\"".to_vec(), &["config.toml", "UTF-8"]),
    ("config.toml", |_| b"colour = 1".to_vec(), &["config.toml", "colour"]),
    ("config.toml", |_| b"limits.max_steps = \"many\"".to_vec(), &["config.toml", "limits.max_steps"]),
    ("config.toml", |_| b"limits.wall_clock = \"nan\"".to_vec(), &["limits.wall_clock", "nan"]),
    ("config.toml", |_| b"stage = \"nowhere\"".to_vec(), &["config.toml", "stage"]),
];

#[tokio::test]
async fn damaged_files_are_named_left_alone_and_their_return_brings_everything_back() {
    let (folder, run_id) = used().await;
    let kept = folder.xyn(["run", "show", &run_id, "--json"]).ok();
    for (number, (name, damage, words)) in DAMAGES.iter().enumerate() {
        let file = folder.data().join(name);
        let whole = fs::read(&file).expect("is there");
        fs::write(&file, damage(whole.clone())).expect("writes");
        let before = listing(&folder.data());
        let said = folder.refused_start();
        assert_eq!(said.code, 1, "{number}: {said:?}");
        assert!(words.iter().all(|word| said.err.contains(word)), "{number} wants {words:?}: {said:?}");
        assert!(said.err.contains("hint:"), "{number}: {said:?}");
        assert!(listing(&folder.data()) == before, "{number}: a refused start changes nothing");
        folder.xyn(["doctor"]);
        folder.xyn(["run", "list"]);
        folder.xyn(["store", "verify"]);
        assert!(listing(&folder.data()) == before, "{number}: neither do questions");
        fs::write(&file, whole).expect("writes");
    }
    assert_eq!(folder.xyn(["run", "show", &run_id, "--json"]).ok(), kept);
    let node = Node::start(&folder).await;
    assert_eq!(node.ended(&run_id).await["outputs"], json!({ "key": "kept" }));
    assert!(node.stop().await.success());
    assert_eq!(folder.xyn(["audit", "verify", "--json"]).json()["is_sound"], true);
}

#[tokio::test]
async fn a_key_that_is_gone_or_open_to_others_stops_the_start() {
    let (folder, _) = used().await;
    let (key, away) = (folder.data().join("node.key"), folder.data().join("away"));
    fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("own file");
    let said = folder.refused_start();
    assert!(said.code == 1 && said.err.contains("chmod 600"), "{said:?}");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("own file");
    fs::rename(&key, &away).expect("moves");
    let said = folder.refused_start();
    assert!(said.code == 1 && said.err.contains("node.key` is missing"), "{said:?}");
    assert!(!key.exists(), "no second identity is made");
    fs::rename(&away, &key).expect("moves");
    assert!(Node::start(&folder).await.stop().await.success());
}

/// A small machine, or a container, may have no list of certificates that it trusts.
#[tokio::test]
async fn a_machine_that_trusts_no_certificates_still_finds_its_own_node() {
    let (folder, run_id) = used().await;
    let xyn = |arguments: &[&str]| {
        let mut program = folder.program();
        program.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
        Said::of(program.args(arguments))
    };
    let node = Node::start(&folder).await;
    assert!(xyn(&["run", "list"]).ok().contains(&run_id));
    assert!(node.stop().await.success());
    let said = xyn(&["run", "list", "--url", "https://localhost:1"]);
    assert!(said.code == 1 && said.err.contains("ca-certificates"), "{said:?}");
}

/// What another program left in the place of files that are nobody's but the node's.
#[tokio::test]
async fn what_says_who_runs_is_only_a_courtesy() {
    let (folder, _) = used().await;
    let here = fs::metadata(folder.data()).expect("is there");
    let listens = json!({
        "pid": 1, "listen": ["127.0.0.1:9"], "started_at": "2026-01-01T00:00:00Z", "folder": [here.dev(), here.ino()],
    });
    for garbage in ["", "{", &listens.to_string()] {
        fs::write(folder.data().join("node.json"), garbage).expect("writes");
        fs::write(folder.data().join("node.lock"), garbage).expect("writes");
        folder.xyn(["run", "list"]).ok();
        assert!(Node::start(&folder).await.stop().await.success(), "{garbage}");
    }
}

#[tokio::test]
async fn a_copy_of_a_folder_is_not_taken_for_the_node_that_has_the_original() {
    let (folder, copy) = (Folder::new(), Folder::new());
    let node = Node::start(&folder).await;
    fs::create_dir_all(copy.data()).expect("own folder");
    fs::copy(folder.data().join("node.json"), copy.data().join("node.json")).expect("copies");
    copy.xyn(["timeline", "note", "meant for the copy"]).says(7, &["no node runs on", "xyn up --data"]);
    assert_eq!(node.all("/api/v1/timeline?kind=note").await, Vec::<Value>::new());
}

/// Flips bits all over a database; whatever is asked of it answers or says what is wrong, and checks find it.
#[tokio::test]
async fn flipped_bits_are_found_by_the_check_and_nothing_panics() {
    let (folder, _) = used().await;
    assert_eq!(folder.xyn(["store", "verify", "--json"]).json()["is_sound"], true);
    let file = folder.data().join(DATABASE);
    let whole = fs::read(&file).expect("is there");
    let places: Vec<_> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let samples = if std::env::var_os("XYN_FULL").is_some() { 300 } else { 12 };
    let (mut tried, mut found, mut mendable) = (0, 0, 0);
    // Where rows lie differs from folder to folder: it goes on until one was hit that a rebuild mends.
    while tried < samples || (mendable == 0 && tried < 100 * samples) {
        let mut image = whole.clone();
        image[places[(tried * 100_003) % places.len()]] ^= 1 << (tried % 8);
        tried += 1;
        fs::write(&file, &image).expect("writes");
        let said = folder.xyn(["store", "verify", "--json"]);
        let report: Value = serde_json::from_str(&said.out).expect("the answer is JSON");
        assert_eq!(said.code == 0, report["is_sound"] == true, "{said:?}");
        assert!(fs::read(&file).expect("is there") == image, "a check changes nothing");
        found += usize::from(said.code == 1);
        for question in [["run", "list"], ["audit", "show"], ["artifact", "list"]] {
            folder.xyn(question);
        }
        let mend = report["mend"].as_str().unwrap_or_default();
        if mend.starts_with("xyn store rebuild") {
            mendable += 1;
            folder.xyn(["store", "rebuild"]).ok();
            assert_eq!(folder.xyn(["store", "verify", "--json"]).json()["is_sound"], true, "{report}");
        }
    }
    assert!(found > 0 && mendable > 0, "{found} of {tried} found, {mendable} mendable");
}

#[tokio::test]
async fn a_killed_node_leaves_a_sound_store() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    node.promote(&folder, COUNT).await;
    for key in ["a", "b", "c"] {
        node.run("bp.count", json!({ "key": key })).await;
    }
    let busy = folder.xyn(["store", "verify"]);
    assert_eq!(busy.code, 6, "{busy:?}");
    node.kill_9();
    let database = || fs::read(folder.data().join(DATABASE)).expect("is there");
    let before = database();
    let report = folder.xyn(["store", "verify", "--json"]).json();
    assert_eq!(report["faults"], json!([]));
    assert!(database() == before, "a check changes nothing");
    // Whatever else it finds: its port may be another program's.
    let doctor = folder.xyn(["doctor", "--json"]);
    let doctor: Value = serde_json::from_str(&doctor.out).expect("the answer is JSON");
    let stores = doctor["findings"].as_array().expect("a list").iter();
    let state: Vec<_> = stores.filter(|it| it["check"] == "store").map(|it| &it["state"]).collect();
    assert_eq!(state, ["warning"], "{doctor}");
}

/// Runs the program without the right to write where it may not, which root otherwise has.
fn without_privilege(folder: &Folder, arguments: &[&str]) -> Said {
    let is_root = rustix::process::geteuid().is_root();
    let less = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"];
    let mut command = if is_root { folder.program_by(less) } else { folder.program() };
    Said::of(command.args(arguments))
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let (folder, _) = used().await;
    let data = folder.data();
    let lock = data.join("node.lock");
    fs::set_permissions(&data, Permissions::from_mode(0o500)).expect("own folder");
    fs::set_permissions(&lock, Permissions::from_mode(0o400)).expect("own file");
    let before = listing(&data);
    for arguments in [&["up", "--listen", "127.0.0.1:0"][..], &["store", "rebuild"], &["run", "list"]] {
        let said = without_privilege(&folder, arguments);
        assert!([1, 7].contains(&said.code), "{said:?}");
        assert!(said.err.contains(&lock.display().to_string()), "{said:?}");
        assert!(said.err.contains("ermission denied") && said.err.contains("hint:"), "{said:?}");
    }
    let doctor = without_privilege(&folder, &["doctor"]);
    assert!(doctor.code == 1 && doctor.out.contains("cannot be written"), "{doctor:?}");
    assert!(listing(&data) == before);
    fs::set_permissions(&lock, Permissions::from_mode(0o600)).expect("own file");
    fs::set_permissions(&data, Permissions::from_mode(0o700)).expect("own folder");
    assert!(Node::start(&folder).await.stop().await.success());
}

/// How far a file of this process may grow from now on.
fn allow(node: &Node, bytes: Option<u64>) {
    let pid = rustix::process::Pid::from_raw(node.pid() as i32).expect("a process");
    let limit = rustix::process::Rlimit { current: bytes, maximum: None };
    rustix::process::prlimit(Some(pid), rustix::process::Resource::Fsize, limit)
        .expect("the process is ours");
}

#[tokio::test]
async fn a_full_disk_refuses_clearly_loses_nothing_and_ends_when_there_is_room() {
    let folder = Folder::new();
    // A file that reaches its limit is the nearest to a full disk that needs no rights; the signal is not wanted.
    let command = folder.program_by(["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    let node = Node::start_by(&folder, command).await;
    node.promote(&folder, COUNT).await;
    allow(&node, Some(0));
    let mut refused = 0;
    let mut kept = Vec::new();
    for number in 0..40 {
        let key = format!("0190f5fe-0000-7000-8000-{number:012x}");
        let data = "x".repeat(20_000);
        let body =
            json!({ "event_id": key, "event_name": "test.count", "data": { "key": key, "data": data } });
        let answer = node.post("/api/v1/events", &body).await;
        match answer.status {
            201 => kept.push(key),
            503 | 507 => {
                refused += 1;
                assert!(answer.body["error"]["message"].is_string(), "{answer:?}");
            }
            _ => panic!("{answer:?}"),
        }
        if refused == 5 {
            break;
        }
    }
    assert_eq!(refused, 5, "the disk was never full");
    let large = json!({ "name": "large", "content": "x".repeat(200_000) });
    let upload = node.post("/api/v1/artifacts", &large).await;
    assert!([503, 507].contains(&upload.status), "{upload:?}");
    allow(&node, None);
    eventually("the node takes events again", async || {
        let body = json!({ "event_name": "test.count", "data": { "key": "after" } });
        (node.post("/api/v1/events", &body).await.status == 201).then_some(())
    })
    .await;
    node.kill_9();

    let node = Node::start(&folder).await;
    let there = node.all("/api/v1/events?event_name=test.count").await;
    for key in kept {
        assert_eq!(there.iter().filter(|event| event["event_id"] == key.as_str()).count(), 1, "{key}");
    }
    eventually("every run ends", async || {
        let runs = node.all("/api/v1/runs?blueprint=bp.count").await;
        (runs.len() == there.len() && runs.iter().all(|run| run["status"] == "completed")).then_some(())
    })
    .await;
    assert!(node.stop().await.success());
    assert_eq!(folder.xyn(["store", "verify", "--json"]).json()["faults"], json!([]));
}
