//! Nodes that change their keys, with real processes on loopback: who they were, and what they wrote, stays theirs.

use serde_json::json;
use xyn_store::audit::signature::PublicKey;

use crate::node::{Answer, eventually};
use crate::team::{Mate, converge};

/// The founder and one whom it let in, each where the other finds it again after a start.
pub(crate) async fn pair() -> [Mate; 2] {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    ada.stop().await;
    ada.up(None).await;
    let ticket = ada.invite().await;
    bob.up(Some(&ticket)).await;
    bob.stop().await;
    bob.up(None).await;
    [ada, bob]
}

/// The members that `mate` knows with this standing, by key.
fn members(mate: &Mate, standing: &str) -> Vec<String> {
    let listed = mate.folder.xyn(["peer", "list", "--json"]).json();
    let members = listed["items"].as_array().expect("a list").iter();
    let fit = members.filter(|peer| peer["standing"] == standing);
    fit.map(|peer| peer["node"].as_str().expect("a key").to_owned()).collect()
}

/// Waits until the node of `mate` answers by another key than `old`.
async fn changed(mate: &Mate, old: PublicKey) {
    eventually("the node goes by another key", async || {
        let mesh = Answer::of(mate.node().request("GET", "/api/v1/mesh")).await.ok()?.ok();
        let key = mate.key();
        (key != old && mesh["node"] == json!(key)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_member_and_then_the_founder_take_other_keys_and_go_on_as_who_they_were() {
    let [mut ada, mut bob] = pair().await;
    bob.note("bob's old key").await;
    converge(&[&ada, &bob], &["bob's old key"]).await;
    let old = bob.key();
    bob.folder.xyn(["peer", "rotate"]).says(0, &["goes by the key"]);
    changed(&bob, old).await;
    assert!(!bob.folder.data().join("next.key").exists(), "there is one key");
    bob.note("bob's new key").await;
    converge(&[&ada, &bob], &["bob's old key", "bob's new key"]).await;
    assert_eq!(members(&ada, "retired"), [old.to_string()]);
    assert_eq!(members(&ada, "active").len(), 2);
    // Its last word under the old key stands behind all that counts, which alarms nobody.
    let page = ada.node().request("GET", "/ui/mesh").send().await.expect("it answers");
    let page = page.text().await.expect("a page");
    assert!(page.contains("mesh-status") && !page.contains("mesh-excluded"), "{page}");

    // Nobody is above the founder but the root, whose key is in its folder.
    let (founder, late) = (ada.key(), json!({ "title": "ada's new key" }));
    ada.folder.xyn(["peer", "rotate"]).says(0, &["goes by the key"]);
    changed(&ada, founder).await;
    ada.intent("timeline.note", late).await;
    bob.note("bob hears ada").await;
    converge(&[&ada, &bob], &["bob's new key", "ada's new key", "bob hears ada"]).await;
    assert_eq!(members(&bob, "retired").len(), 2);

    // Under its new key the founder still ranks above whom it let in under the old one.
    ada.folder.xyn(["peer", "revoke", "mate@lab", "--reason", "left"]).says(0, &["is revoked with"]);
    eventually("bob's line is out", async || (members(&ada, "revoked").len() == 1).then_some(())).await;
    ada.stop().await;
    bob.stop().await;
    for mate in [&ada, &bob] {
        mate.folder.xyn(["audit", "verify"]).says(0, &["sound"]);
    }
}

#[tokio::test]
async fn a_new_key_that_nobody_confirmed_yet_survives_a_kill_and_comes_into_force_later() {
    let [mut ada, mut bob] = pair().await;
    bob.note("before").await;
    converge(&[&ada, &bob], &["before"]).await;
    ada.stop().await;
    let (old, asked) = (bob.key(), bob.folder.xyn(["peer", "rotate", "--no-wait"]));
    asked.says(0, &["asks to go by the key", "xyn peer confirm"]);
    bob.folder.xyn(["peer", "rotate", "--no-wait"]).says(6, &["handed its seat to another key"]);
    bob.folder.xyn(["timeline", "note", "too late"]).says(6, &["handed its seat", "xyn peer confirm"]);
    bob.kill();
    bob.up(None).await;
    assert_eq!(bob.key(), old, "nobody confirmed it");
    ada.up(None).await;
    changed(&bob, old).await;
    bob.note("after").await;
    converge(&[&ada, &bob], &["before", "after"]).await;
    ada.stop().await;
    bob.stop().await;
}
