//! Content of teammates' moments: it comes from whoever has it, whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

use crate::node::{Answer, Said, eventually};
use crate::team::{Mate, converge, team};

/// Bytes that cannot be compressed.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(4)).flat_map(|_| next().into_iter().take(4)).collect();
    bytes.truncate(length);
    bytes
}

/// What is at each path of a folder.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let (mut found, mut open) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).expect("a folder") {
            let path = entry.expect("an entry").path();
            let metadata = path.symlink_metadata().expect("is there");
            let what = if metadata.is_symlink() {
                format!("link to {}", fs::read_link(&path).expect("a link").display())
            } else if metadata.is_dir() {
                open.push(path.clone());
                "folder".to_owned()
            } else {
                let digest = xyn_store::Digest::of(&fs::read(&path).expect("a file"));
                format!("{digest} {}", metadata.permissions().mode() & 0o100 != 0)
            };
            found.insert(path.strip_prefix(folder).expect("below").to_owned(), what);
        }
    }
    found
}

/// A folder `shop` of a mate's, under its node's eye.
pub(crate) fn shop(mate: &Mate) -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().expect("a folder");
    let shop = place.path().join("shop");
    fs::create_dir(&shop).expect("made");
    mate.folder.xyn(["workspace", "add", shop.to_str().expect("text")]).ok();
    (place, shop)
}

/// Keeps the folder as it is; says the moment's id.
pub(crate) fn snapshot(mate: &Mate, title: &str) -> String {
    mate.folder.xyn(["workspace", "snapshot", "shop", "-m", title]).ok().trim().to_owned()
}

pub(crate) fn restore(mate: &Mate, moment: &str) -> Said {
    mate.folder.xyn(["workspace", "restore", "shop", moment])
}

#[tokio::test]
async fn a_teammates_moment_becomes_the_same_files_and_goes_on_from_there() {
    let ([ada, mut bob, eve], _) = team().await;
    let (_ada_place, of_ada) = shop(&ada);
    fs::create_dir_all(of_ada.join("src/deep/er")).expect("made");
    fs::create_dir(of_ada.join("empty")).expect("made");
    for number in 0..300 {
        fs::write(of_ada.join(format!("src/deep/{number}")), format!("file {number}\n")).expect("written");
    }
    fs::write(of_ada.join("src/nothing"), "").expect("written");
    fs::write(of_ada.join("run"), "#!/bin/sh\n").expect("written");
    fs::set_permissions(of_ada.join("run"), fs::Permissions::from_mode(0o755)).expect("set");
    fs::write(of_ada.join("big"), noise(3 << 20)).expect("written");
    fs::write(of_ada.join("src/middling"), noise(20_000)).expect("written");
    symlink("../run", of_ada.join("src/go")).expect("made");
    symlink("nowhere", of_ada.join("src/dangling")).expect("made");
    let first = snapshot(&ada, "the shop");
    converge(&[&ada, &bob, &eve], &["the shop"]).await;

    let (_bob_place, of_bob) = shop(&bob);
    let done = bob.folder.xyn(["workspace", "restore", "shop", &first, "--json"]).json();
    assert!(done["fetched"].as_u64() > Some(300) && done["fetched_bytes"].as_u64() > Some(3 << 20), "{done}");
    assert_eq!(files(&of_bob), files(&of_ada));
    assert_eq!(bob.folder.xyn(["workspace", "diff", "shop"]).ok(), "nothing differs\n");
    // What is here does not come again.
    let again = bob.folder.xyn(["workspace", "restore", "shop", &first, "--json"]).json();
    assert_eq!((again["fetched"].as_u64(), again["written"].as_u64()), (Some(0), Some(0)));

    // Bob edits one file. Ada has that one from him, and Eve has all of Bob's tree from Ada while he is away.
    fs::write(of_bob.join("src/deep/7"), "by bob\n").expect("written");
    let second = snapshot(&bob, "bob's turn");
    converge(&[&ada, &bob, &eve], &["bob's turn"]).await;
    let done = ada.folder.xyn(["workspace", "restore", "shop", &second, "--json"]).json();
    assert_eq!((done["written"].as_u64(), done["fetched"].as_u64()), (Some(1), Some(4)), "{done}");
    bob.stop().await;
    let (_eve_place, of_eve) = shop(&eve);
    restore(&eve, &second).ok();
    assert_eq!(files(&of_eve), files(&of_bob));
}

#[tokio::test]
async fn content_that_nobody_has_who_is_connected_is_named_and_leaves_nothing_half_done() {
    let ([mut ada, mut bob, eve], _) = team().await;
    let (_ada_place, of_ada) = shop(&ada);
    fs::write(of_ada.join("plan"), "secret until asked for\n").expect("written");
    let moment = snapshot(&ada, "the plan");
    converge(&[&ada, &bob, &eve], &["the plan"]).await;
    ada.stop().await;
    let (_bob_place, of_bob) = shop(&bob);
    fs::write(of_bob.join("mine"), "untouched\n").expect("written");
    let before = files(&of_bob);
    let refused = restore(&bob, &moment);
    assert_eq!(refused.code, 6, "{refused:?}");
    let key: String = ada.key().to_string().chars().take(12).collect();
    let told = ["is not here, and nobody who is connected has it", "operator@local", &key, "away"];
    assert!(told.iter().all(|word| refused.err.contains(word)), "{refused:?}");
    assert_eq!(files(&of_bob), before);
    bob.stop().await;
    ada.up(None).await;
    bob.up(None).await;
    ada.note("they meet again").await;
    converge(&[&ada, &bob], &["they meet again"]).await;
    // What Bob has not kept himself is in nobody's way, and what he would lose is.
    restore(&bob, &moment).ok();
    fs::write(of_bob.join("plan"), "changed by hand\n").expect("written");
    let unsaved = restore(&bob, &moment);
    assert_eq!(unsaved.code, 6, "{unsaved:?}");
    assert!(unsaved.err.contains("would be lost"), "{unsaved:?}");
    assert_eq!(fs::read_to_string(of_bob.join("mine")).expect("there"), "untouched\n");

    let note = ada.folder.xyn(["timeline", "note", "no files"]).ok();
    converge(&[&ada, &bob], &["no files"]).await;
    let nobody = "01a1fc90-60f8-7fec-9a7c-7419f45098b0";
    assert_eq!(restore(&bob, nobody).code, 3);
    // A moment that changed no files is the state that they were in.
    fs::remove_file(of_bob.join("plan")).expect("removed");
    restore(&bob, note.trim()).ok();
    assert_eq!(files(&of_bob)[Path::new("plan")], files(&of_ada)[Path::new("plan")]);
}

/// Bytes of the blobs of a mate's node.
fn kept_bytes(mate: &Mate) -> u64 {
    let entries = fs::read_dir(mate.folder.data().join("blobs")).expect("a folder").flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[tokio::test]
async fn a_node_killed_while_much_comes_goes_on_from_there() {
    let ([ada, mut bob, _eve], _) = team().await;
    let (_ada_place, of_ada) = shop(&ada);
    fs::write(of_ada.join("large"), noise(100 << 20)).expect("written");
    for number in 0..50 {
        fs::write(of_ada.join(format!("small {number}")), noise(1_000 + number)).expect("written");
    }
    let moment = snapshot(&ada, "much");
    converge(&[&ada, &bob], &["much"]).await;
    let (_bob_place, of_bob) = shop(&bob);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| restore(&bob, &moment));
        while kept_bytes(&bob) < 8 << 20 {
            assert!(!waiting.is_finished(), "it ended before the kill");
            thread::sleep(std::time::Duration::from_millis(1));
        }
        bob.node().kill_9();
        let told = waiting.join().expect("it does not panic");
        assert_eq!(told.code, 7, "the node is gone: {told:?}");
    });
    assert_eq!(files(&of_bob), BTreeMap::new(), "nothing is half done");
    bob.node = None;
    bob.up(None).await;
    ada.note("they meet again").await;
    converge(&[&ada, &bob], &["they meet again"]).await;
    let before = kept_bytes(&bob);
    assert!(before >= 8 << 20, "{before}");
    restore(&bob, &moment).ok();
    assert_eq!(files(&of_bob), files(&of_ada));
    let came = bob.counted("xyn_mesh_bytes_total{direction=\"in\"}").await;
    assert!(came > 0 && came + before <= 106 << 20, "{came} bytes came again, {before} were here");
}

/// Lets the blobs of a mate's node take so many bytes, from its next start on.
fn give_room(mate: &Mate, bytes: u64) {
    let data = mate.folder.data();
    fs::create_dir_all(&data).expect("made");
    let config = format!("[limits]\nartifact_store_bytes = {bytes}\n");
    fs::write(data.join("config.toml"), config).expect("written");
}

#[tokio::test]
async fn content_for_which_there_is_no_room_is_refused_by_name_and_comes_whole_when_there_is() {
    const ROOM_BYTES: u64 = 2 << 20;
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    give_room(&bob, ROOM_BYTES);
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    let (_ada_place, of_ada) = shop(&ada);
    fs::write(of_ada.join("large"), noise(8 << 20)).expect("written");
    fs::write(of_ada.join("small"), "it would fit\n").expect("written");
    let moment = snapshot(&ada, "more than fits");
    converge(&[&ada, &bob], &["more than fits"]).await;
    let (_bob_place, of_bob) = shop(&bob);
    fs::write(of_bob.join("mine"), "untouched\n").expect("written");
    let before = files(&of_bob);
    // A second time, too: what came of it before takes no more room.
    for _ in 0..2 {
        let full = ["the blob store is full", "raise `limits.artifact_store_bytes`"];
        restore(&bob, &moment).says(1, &full);
        assert_eq!(files(&of_bob), before);
        assert!(kept_bytes(&bob) <= ROOM_BYTES, "{} bytes are kept", kept_bytes(&bob));
    }
    assert!(!bob.node().log().contains("dropped a peer"), "nobody is to blame: {}", bob.node().log());
    bob.stop().await;
    give_room(&bob, 16 << 20);
    bob.up(None).await;
    ada.note("they meet again").await;
    converge(&[&ada, &bob], &["they meet again"]).await;
    restore(&bob, &moment).ok();
    for (path, what) in files(&of_ada) {
        assert_eq!(files(&of_bob).get(&path), Some(&what), "{}", path.display());
    }
}

/// Waits until each of `mates` knows the branch.
pub(crate) async fn until_branch(mates: &[&Mate], name: &str) {
    for mate in mates {
        eventually("the branch is there", async || {
            let branches = mate.node().all("/api/v1/timeline/branches").await;
            branches.iter().any(|branch| branch["name"] == name).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn branches_of_teammates_are_compared_and_merged_by_who_has_none_of_their_files() {
    let ([ada, bob, eve], _) = team().await;
    let (_ada_place, of_ada) = shop(&ada);
    fs::write(of_ada.join("by ada"), "one\n").expect("written");
    let base = snapshot(&ada, "the base");
    ada.folder.xyn(["timeline", "branch", "try-out"]).ok();
    converge(&[&ada, &bob, &eve], &["the base"]).await;
    until_branch(&[&bob, &eve], "try-out").await;
    let (_bob_place, of_bob) = shop(&bob);
    restore(&bob, &base).ok();
    fs::write(of_bob.join("by bob"), noise(70_000)).expect("written");
    let aside = bob.folder.xyn(["workspace", "snapshot", "shop", "-m", "aside", "--branch", "try-out"]).ok();
    fs::write(of_ada.join("by ada"), "two\n").expect("written");
    snapshot(&ada, "goes on");
    converge(&[&ada, &bob, &eve], &["aside", "goes on"]).await;

    let (_eve_place, of_eve) = shop(&eve);
    let told = eve.folder.xyn(["workspace", "diff", "shop", &base, aside.trim()]).ok();
    assert_eq!(told, "added    by bob\n");
    let merged = eve.folder.xyn(["timeline", "merge", "try-out"]).ok();
    restore(&eve, merged.trim()).ok();
    assert_eq!(fs::read(of_eve.join("by bob")).expect("there"), noise(70_000));
    assert_eq!(fs::read_to_string(of_eve.join("by ada")).expect("there"), "two\n");
    // And what Eve put together comes to the others.
    converge(&[&ada, &bob, &eve], &["merged `try-out` into `main`"]).await;
    restore(&ada, merged.trim()).ok();
    assert_eq!(files(&of_ada), files(&of_eve));
}

/// A run that makes one artifact of what it is told.
pub(crate) const KEEP: &str = r#"
id: bp.keep
name: Keep
trigger: { event_type: test.keep }
inputs:
  - { name: name, schema: { type: string }, required: true }
  - { name: text, schema: { type: string }, required: true }
plan:
  - { kind: action_task, id: keep, action: artifacts.put,
      with: { name: "{{ inputs.name }}", content: "{{ inputs.text }}", kind: report } }
"#;

#[tokio::test]
async fn what_a_teammates_run_made_comes_from_whoever_has_it_and_what_no_run_made_does_not() {
    let ([ada, mut bob, eve], _) = team().await;
    bob.node().promote(&bob.folder, KEEP).await;
    let hex: String = noise(150_000).iter().map(|byte| format!("{byte:02x}")).collect();
    for (name, text) in [("small.txt", "by bob"), ("large.txt", &hex), ("empty.txt", "")] {
        let run = bob.node().run("bp.keep", serde_json::json!({ "name": name, "text": text })).await;
        bob.node().ended(&run).await;
        let made = bob.node().all(&format!("/api/v1/artifacts?run_id={run}")).await;
        let id = made[0]["artifact_id"].as_str().expect("an id").to_owned();
        let path = format!("/api/v1/artifacts/{id}");
        for mate in [&ada, &eve] {
            let known = eventually("its moment comes", async || {
                let answer = Answer::of(mate.node().request("GET", &path)).await.expect("the node answers");
                (answer.status == 200).then_some(answer.body)
            })
            .await;
            for field in ["artifact_id", "name", "kind", "content_type", "byte_length", "sha256", "run_id"] {
                assert_eq!(known[field], made[0][field], "{field} of {name}");
            }
        }
        assert!(ada.folder.xyn(["artifact", "get", &id]).ok() == text, "{name}");
        // From Ada, while Bob is away.
        bob.stop().await;
        assert!(eve.folder.xyn(["artifact", "get", &id]).ok() == text, "{name}");
        bob.up(None).await;
    }
    let file = bob.folder.file("private.txt", "nobody else's");
    let private = bob.folder.xyn(["artifact", "put", &file]).ok();
    bob.note("after it").await;
    converge(&[&ada, &bob], &["after it"]).await;
    assert_eq!(ada.folder.xyn(["artifact", "get", private.trim()]).code, 3);
}
