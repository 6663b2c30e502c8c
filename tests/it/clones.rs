//! Folders that live twice: a copy that is started elsewhere beside its original, and a backup that is put back.
//!
//! Invariant: each goes on as a life of its own, so that nobody writes two records under one number, and what any
//! of them wrote comes to all.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::node::eventually;
use crate::team::{Mate, converge, team};

/// Copies a data folder with all that a copy can keep.
fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").args([from, to]).status().expect("cp starts");
    assert!(done.success());
}

/// Which life of its folder the node of `mate` is.
async fn life(mate: &Mate) -> String {
    let audit = mate.node().get("/api/v1/audit").await;
    audit["incarnation"].as_str().expect("a life of the folder").to_owned()
}

/// How long the log of a stopped mate is.
fn size(mate: &Mate) -> u64 {
    let verified = mate.folder.xyn(["audit", "verify", "--json"]).json();
    verified["entries"].as_u64().expect("a number")
}

/// Waits until a teammate vouches for more of the log of `mate` than was there: who shows it less is remembered.
async fn witnessed(mate: &Mate, was: u64) {
    eventually("the log is witnessed as it goes on", async || {
        let trace = mate.node().all("/api/v1/peers/trace").await;
        let sizes = trace.iter().filter(|line| line["what"] == "witnessed").filter_map(|line| {
            line["message"].as_str()?.split(' ').find_map(|word| word.parse::<u64>().ok())
        });
        sizes.max().filter(|size| *size > was)
    })
    .await;
}

/// How often the node of `mate` heard of another one that goes by its key.
async fn same_key(mate: &Mate) -> u64 {
    mate.counted("xyn_mesh_said_refused_total{reason=\"same_key\"}").await
}

/// Nobody among `mates` took another for one who lies, forks its feed or rewrites its log.
async fn trust_each_other(mates: &[&Mate]) {
    for mate in mates {
        assert_eq!(mate.refusals("lie").await, 0, "{}: {}", mate.name, mate.node().log());
        for reason in ["equivocation", "forked", "false_proof", "bad_signature", "forged_actor", "past_cut"] {
            let counter = format!("xyn_mesh_said_refused_total{{reason=\"{reason}\"}}");
            assert_eq!(mate.counted(&counter).await, 0, "{} {reason}: {}", mate.name, mate.node().log());
        }
        let alarms = mate.node().all("/api/v1/events?event_name=xyn.peer.contradicted").await;
        assert!(alarms.is_empty(), "{}: {alarms:?}", mate.name);
        let excluded = mate.folder.xyn(["timeline", "log", "--excluded", "--json"]).ok();
        assert_eq!(excluded, "", "{} hides nothing", mate.name);
        let members = mate.node().all("/api/v1/peers").await;
        assert!(members.iter().all(|member| member["standing"] == "active"), "{}: {members:?}", mate.name);
    }
}

#[tokio::test]
async fn a_copied_folder_that_is_started_elsewhere_lives_on_beside_its_original() {
    let ([ada, mut bob, eve], _) = team().await;
    bob.note("before the copy").await;
    converge(&[&ada, &bob, &eve], &["before the copy"]).await;
    let first = life(&bob).await;
    bob.stop().await;
    let copied = size(&bob);
    let mut twin = Mate::new("twin");
    copy(&bob.folder.data(), &twin.folder.data());
    bob.up(None).await;
    bob.note("the original goes on").await;
    converge(&[&ada, &bob, &eve], &["the original goes on"]).await;
    assert_eq!(life(&bob).await, first);
    witnessed(&bob, copied).await;

    twin.up(None).await;
    twin.note("the copy goes on").await;
    bob.note("and so does the original").await;
    ada.note("beside both").await;
    let wanted = ["the original goes on", "the copy goes on", "and so does the original", "beside both"];
    converge(&[&ada, &bob, &eve, &twin], &wanted).await;
    assert_eq!(twin.key(), bob.key());
    assert_ne!(life(&twin).await, first);
    trust_each_other(&[&ada, &bob, &eve, &twin]).await;
    // That there are two is what both of them say, and nobody else.
    for mate in [&bob, &twin] {
        eventually("each hears of the other", async || (same_key(mate).await > 0).then_some(())).await;
        assert!(mate.node().log().contains("goes by the key of this one"), "{}", mate.name);
    }
    assert_eq!([same_key(&ada).await, same_key(&eve).await], [0, 0]);

    // Each keeps its life over the next start.
    let second = life(&twin).await;
    bob.stop().await;
    twin.stop().await;
    bob.up(None).await;
    twin.up(None).await;
    bob.note("the original is back").await;
    twin.note("the copy is back").await;
    converge(&[&ada, &bob, &eve, &twin], &["the original is back", "the copy is back"]).await;
    assert_eq!([life(&bob).await, life(&twin).await], [first, second]);
    trust_each_other(&[&ada, &bob, &eve, &twin]).await;
}

#[tokio::test]
async fn a_backup_that_is_put_back_goes_on_as_another_life_and_gets_back_what_it_had_said_since() {
    let ([ada, mut bob, eve], _) = team().await;
    bob.note("before the backup").await;
    converge(&[&ada, &bob, &eve], &["before the backup"]).await;
    let first = life(&bob).await;
    bob.stop().await;
    let copied = size(&bob);
    let place = tempfile::tempdir().expect("a folder");
    let backup = place.path().join("backup");
    copy(&bob.folder.data(), &backup);
    bob.up(None).await;
    bob.note("since the backup").await;
    converge(&[&ada, &bob, &eve], &["since the backup"]).await;
    witnessed(&bob, copied).await;
    bob.kill();

    fs::remove_dir_all(bob.folder.data()).expect("his disk is gone");
    copy(&backup, &bob.folder.data());
    bob.up(None).await;
    bob.note("since it was put back").await;
    ada.note("beside it").await;
    converge(&[&ada, &bob, &eve], &["since the backup", "since it was put back", "beside it"]).await;
    assert_ne!(life(&bob).await, first);
    trust_each_other(&[&ada, &bob, &eve]).await;
    assert_eq!(same_key(&bob).await, 0, "what he wrote himself is no other's");
    bob.stop().await;
    bob.folder.xyn(["audit", "verify"]).says(0, &["sound"]);
}
