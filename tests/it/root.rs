//! The root key kept offline, and certificates that run out: real nodes, and the commands that people type.

mod liar;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use xyn_store::audit::key::NodeKey;

use crate::node::{Said, eventually};
use crate::rotation;
use crate::team::{Mate, converge};

/// The founder and one whom it let in, and the file that the founder's root key was moved to.
async fn pair() -> (Mate, Mate, String) {
    let [ada, bob] = rotation::pair().await;
    let file = ada.folder.data().with_file_name("lab.root");
    let file = file.to_str().expect("a path that is text").to_owned();
    let moved = ada.folder.xyn(["peer", "root", "export", &file, "--remove"]);
    moved.says(0, &["the root key of environment", "in two places"]);
    (ada, bob, file)
}

/// What `mate` sees of the member that `principal` is and that has its seat.
fn member(mate: &Mate, principal: &str) -> Value {
    let listed = mate.folder.xyn(["peer", "list", principal, "--json"]).json();
    let mut members = listed["items"].as_array().expect("a list").iter();
    members.find(|peer| peer["standing"] != "retired").expect("it is listed").clone()
}

#[tokio::test]
async fn the_root_key_leaves_the_folder_and_is_never_overwritten() {
    let (ada, bob, file) = pair().await;
    assert!(!ada.folder.data().join("root.key").exists());
    let mode = fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    ada.folder.xyn(["peer", "root", "export", &file]).says(3, &["there is no root key", "taken out"]);
    bob.folder.xyn(["peer", "root", "export", &file]).says(3, &["there is no root key"]);
    let mut other = Mate::new("other");
    other.up(None).await;
    other.folder.xyn(["peer", "root", "export", &file]).says(6, &["never overwritten", "name another file"]);
    let kept = format!("{file}.2");
    other.folder.xyn(["peer", "root", "export", &kept]).says(0, &["as well", "--remove"]);
    assert!(other.folder.data().join("root.key").exists());
    // Of another environment, open to others, and not there: nothing is signed with any of them.
    let revoke = |root: &str| {
        bob.folder.xyn(["peer", "revoke", "operator@local", "--reason", "stolen", "--root", root, "--yes"])
    };
    revoke(&kept).says(4, &["this is the root key of environment", "and the node is of"]);
    fs::set_permissions(&kept, Permissions::from_mode(0o644)).expect("own file");
    revoke(&kept).says(1, &["chmod 600"]);
    revoke("/nowhere/lab.root").says(3, &["there is no file", "xyn peer root export"]);
    assert_eq!(member(&bob, "operator@local")["standing"], "active");
}

#[tokio::test]
async fn the_laptop_of_the_founder_is_stolen_and_the_root_revokes_it_from_another_node() {
    let (mut ada, bob, file) = pair().await;
    ada.note("before").await;
    converge(&[&ada, &bob], &["before"]).await;
    ada.stop().await;
    ada.mesh = "off";
    ada.up(None).await;
    ada.note("by the thief").await;
    let revoke = |more: &[&str]| {
        let mut command = bob.folder.program();
        command.args(["peer", "revoke", "operator@local", "--reason", "stolen"]).args(more);
        Said::of(&mut command)
    };
    revoke(&[]).says(4, &["does not rank above", "somebody who does"]);
    revoke(&["--root", &file]).says(2, &["the root signs nothing unseen", "is revoked because", "--yes"]);
    assert_eq!(member(&bob, "operator@local")["standing"], "active", "nobody agreed to it");
    revoke(&["--root", &file, "--yes"])
        .says(0, &["The root is to sign that", "operator@local is revoked with"]);
    revoke(&["--root", &file, "--yes"]).says(6, &["revoked already"]);
    let revoked = member(&bob, "operator@local");
    assert_eq!((&revoked["standing"], &revoked["revoked_because"]), (&json!("revoked"), &json!("stolen")));

    // The thief comes back, and is refused.
    ada.stop().await;
    ada.mesh = "on";
    ada.up(None).await;
    let is_refused = async || (bob.refusals("revoked").await > 0).then_some(());
    eventually("the thief is turned away", is_refused).await;
    bob.note("without the thief").await;
    let titles = bob.titles();
    let is_there = |title: &str| titles.iter().any(|it| it == title);
    assert!(is_there("before") && is_there("without the thief") && !is_there("by the thief"), "{titles:?}");

    // Somebody else takes the founder's part, and invites.
    let bobs = bob.key().to_string();
    let renew = ["peer", "renew", &bobs[..12], "--role", "owner_admin"];
    bob.folder.xyn(renew).says(4, &["does not rank above"]);
    let rooted = ["peer", "renew", &bobs, "--role", "owner_admin", "--root", &file, "--yes"];
    bob.folder.xyn(rooted).says(2, &["the root signs what you say", "--valid-for"]);
    let mut rooted = rooted.to_vec();
    rooted.extend(["--valid-for", "ever"]);
    Said::of(bob.folder.program().args(rooted))
        .says(0, &["another certificate", "The root is to sign", "without end"]);
    assert_eq!(member(&bob, "mate@lab")["role"], "owner_admin");
    bob.folder
        .xyn(["peer", "invite", "ada@new-laptop", "--role", "owner_admin"])
        .says(0, &["ada@new-laptop"]);

    // The root's secret stayed in its file.
    let secret = fs::read_to_string(&file).expect("the key");
    let told = [
        bob.node().log(),
        bob.node().get("/api/v1/intents?limit=200").await.to_string(),
        bob.node().get("/api/v1/events?limit=200").await.to_string(),
    ];
    assert!(told[1].contains("peer.revoke") && told[2].contains("xyn.peer.renewed"), "{}", told[2]);
    assert!(!told.iter().any(|told| told.contains(secret.trim_end())));
    ada.stop().await;
    assert!(bob.node.expect("it runs").stop().await.success());
    bob.folder.xyn(["audit", "verify"]).says(0, &["sound"]);
}

#[tokio::test]
async fn the_founder_takes_other_keys_by_the_word_of_the_root() {
    let (ada, bob, file) = pair().await;
    let goes_by_another = async |old| {
        eventually("the founder goes by another key", async || (ada.key() != old).then_some(())).await;
    };
    let old = ada.key();
    ada.folder.xyn(["peer", "rotate", "--root", &file, "--yes"]).says(0, &["this node goes by the key"]);
    goes_by_another(old).await;
    assert_eq!(member(&ada, "operator@local")["issuer"], json!(root_of(&file)));

    // Asked for on the founder's node, and confirmed by the root on another member's.
    let (old, own) = (ada.key(), ada.key().to_string());
    ada.folder.xyn(["peer", "rotate", "--no-wait"]).says(0, &["asks to go by the key"]);
    let confirmed = || bob.folder.xyn(["peer", "confirm", &own, "--root", &file, "--yes"]);
    eventually("the root confirms it", async || (confirmed().code == 0).then_some(())).await;
    goes_by_another(old).await;
    eventually("the founder writes again", async || {
        (ada.folder.xyn(["timeline", "note", "under the third key"]).code == 0).then_some(())
    })
    .await;
    converge(&[&ada, &bob], &["under the third key"]).await;
}

#[tokio::test]
async fn a_node_that_was_away_when_its_new_key_was_confirmed_hears_of_it_when_it_is_back() {
    let (mut ada, mut bob, file) = pair().await;
    let (old, own) = (ada.key(), ada.key().to_string());
    ada.folder.xyn(["peer", "rotate", "--no-wait"]).says(0, &["asks to go by the key"]);
    let shown = || bob.folder.xyn(["--json", "peer", "confirm", &own, "--root", &file]);
    eventually("the other has heard it", async || shown().err.contains("--yes").then_some(())).await;
    ada.kill();
    bob.folder.xyn(["peer", "confirm", &own, "--root", &file, "--yes"]).says(0, &[]);
    assert_eq!(ada.key(), old, "it could not hear that");
    // Nor does whoever confirmed it remember that it was here.
    bob.stop().await;
    bob.up(None).await;

    ada.up(None).await;
    eventually("it goes by the other key", async || (ada.key() != old).then_some(())).await;
    eventually("it writes again", async || {
        (ada.folder.xyn(["timeline", "note", "back"]).code == 0).then_some(())
    })
    .await;
    converge(&[&ada, &bob], &["back"]).await;
}

fn root_of(file: &str) -> String {
    NodeKey::load_from(file.as_ref()).expect("the root's key").public().to_string()
}

#[tokio::test]
async fn a_membership_that_ends_is_refused_by_name_until_it_is_renewed() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    let invited = ada.folder.xyn(["peer", "invite", "bob@lab", "--valid-for", "12s"]);
    bob.up(Some(invited.ok().trim_end())).await;
    let until = member(&ada, "bob@lab")["expires_at"].as_str().expect("it ends").replace('T', " ");
    ada.folder.xyn(["peer", "list"]).says(0, &["UNTIL", &until[..19]]);
    let is = |standing: &str| (member(&ada, "bob@lab")["standing"] == standing).then_some(());
    eventually("bob's certificate runs out", async || is("expired")).await;
    let is_refused = async || (ada.refusals("expired").await > 0).then_some(());
    eventually("bob is refused", is_refused).await;
    bob.note("written outside").await;

    let renew = |arguments: &[&str]| {
        let mut command = ada.folder.program();
        Said::of(command.args(["peer", "renew", "bob@lab"]).args(arguments))
    };
    renew(&[]).says(2, &["--valid-for", "--role"]);
    renew(&["--valid-for", "soon"]).says(2, &["such as `12h`"]);
    renew(&["--valid-for", "ever", "--role", "operator"]).says(0, &["another certificate", "xyn peer show"]);
    is("active").expect("it is renewed");
    // Nothing that it wrote meanwhile is lost.
    converge(&[&ada, &bob], &["written outside"]).await;
    let renewed = member(&bob, "bob@lab");
    assert_eq!((&renewed["role"], &renewed["expires_at"]), (&json!("operator"), &Value::Null));
    bob.folder.xyn(["peer", "renew", "bob@lab", "--role", "user"]).says(4, &["does not rank above"]);
    assert!(ada.node().get("/api/v1/events?limit=200").await.to_string().contains("xyn.peer.renewed"));
}
