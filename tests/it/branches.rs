//! Branches that people begin apart, and what comes of them when all are together again.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::content::{files, restore, shop, snapshot, until_branch};
use crate::node::eventually;
use crate::team::{Mate, converge, team};

#[tokio::test]
async fn a_branch_begun_on_a_train_is_merged_when_all_are_back_and_all_show_the_same() {
    let ([ada, bob, mut cy], _) = team().await;
    let (_ada_place, of_ada) = shop(&ada);
    fs::write(of_ada.join("plan"), "one\n").expect("written");
    let base = snapshot(&ada, "the base");
    converge(&[&ada, &bob, &cy], &["the base"]).await;
    let (_cy_place, of_cy) = shop(&cy);
    restore(&cy, &base).ok();

    cy.stop().await;
    cy.mesh = "off";
    cy.up(None).await;
    cy.folder.xyn(["timeline", "branch", "try-out", "--at", &base]).ok();
    cy.folder.xyn(["timeline", "note", "works on the train", "--branch", "try-out"]).ok();
    fs::write(of_cy.join("by cy"), "from the train\n").expect("written");
    cy.folder.xyn(["workspace", "snapshot", "shop", "-m", "on the train", "--branch", "try-out"]).ok();
    bob.folder.xyn(["event", "emit", "demo.hello", "--data", r#"{"name":"bob"}"#]).ok();
    fs::write(of_ada.join("plan"), "two\n").expect("written");
    snapshot(&ada, "goes on");
    converge(&[&ada, &bob], &["Say hello: started, completed", "goes on"]).await;
    let has = |titles: Vec<String>, title: &str| titles.iter().any(|shown| shown == title);
    assert!(!has(cy.titles(), "goes on") && !has(ada.titles(), "works on the train"), "they are apart");

    cy.stop().await;
    cy.mesh = "on";
    cy.up(None).await;
    let told = ["works on the train", "on the train", "Say hello: started, completed", "goes on"];
    converge(&[&ada, &bob, &cy], &told).await;
    until_branch(&[&ada, &bob], "try-out").await;
    let merged = cy.folder.xyn(["timeline", "merge", "try-out"]).ok();
    let merged = merged.trim();
    converge(&[&ada, &bob, &cy], &["merged `try-out` into `main`"]).await;
    let logs = [&ada, &bob, &cy].map(|mate| mate.folder.xyn(["timeline", "log", "--json"]).ok());
    assert!(logs[0] == logs[1] && logs[1] == logs[2], "to the same bytes: {logs:?}");

    // The moment, the branches and the files are the same for everybody, and nobody can merge it once more.
    let shown = |mate: &Mate| -> [Value; 2] {
        let branches = mate.folder.xyn(["timeline", "branch", "--json"]).json();
        [mate.folder.xyn(["timeline", "show", merged, "--json"]).json(), branches]
    };
    eventually("all show the same moment and branches", async || {
        let shown = [&ada, &bob, &cy].map(shown);
        (shown[0] == shown[1] && shown[1] == shown[2]).then_some(())
    })
    .await;
    for mate in [&ada, &bob, &cy] {
        let again = mate.folder.xyn(["timeline", "merge", "try-out"]);
        assert_eq!(again.code, 6, "{}: {again:?}", mate.name);
    }
    let (_bob_place, of_bob) = shop(&bob);
    restore(&bob, merged).ok();
    restore(&cy, merged).ok();
    assert_eq!(fs::read_to_string(of_bob.join("plan")).expect("there"), "two\n");
    assert_eq!(fs::read_to_string(of_bob.join("by cy")).expect("there"), "from the train\n");
    assert_eq!(files(&of_cy), files(&of_bob));
}

/// Starts both anew, in the mesh or off it.
pub(crate) async fn restart(mates: [&mut Mate; 2], mesh: &'static str) {
    for mate in mates {
        mate.stop().await;
        mate.mesh = mesh;
        mate.up(None).await;
    }
}

#[tokio::test]
async fn a_name_that_two_took_apart_begins_at_one_moment_for_both_and_the_other_is_listed_until_it_is_settled()
 {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    let bases =
        ["one", "two"].map(|title| ada.folder.xyn(["timeline", "note", title]).ok().trim().to_owned());
    converge(&[&ada, &bob], &["one", "two"]).await;
    restart([&mut ada, &mut bob], "off").await;
    for (mate, base) in [&ada, &bob].into_iter().zip(&bases) {
        mate.folder.xyn(["timeline", "branch", "idea", "--at", base]).ok();
        mate.folder.xyn(["timeline", "note", mate.name, "--branch", "idea"]).ok();
    }
    restart([&mut ada, &mut bob], "on").await;
    converge(&[&ada, &bob], &["ada", "bob"]).await;

    let shown = |mate: &Mate| mate.folder.xyn(["timeline", "branch", "--json"]).json()["items"][1].take();
    let same = async |what: &str, is_so: &dyn Fn(&Value) -> bool| {
        eventually(what, async || {
            let [first, second] = [&ada, &bob].map(shown);
            (first == second && is_so(&first)).then_some(first)
        })
        .await
    };
    let branch =
        same("both know of both", &|it| it["contenders"].as_array().is_some_and(|it| it.len() == 1)).await;
    let base = branch["base"].as_str().expect("it begins somewhere").to_owned();
    let other = branch["contenders"][0].as_str().expect("and elsewhere").to_owned();
    assert_eq!(BTreeSet::from([&base, &other]), bases.iter().collect());
    let listed = bob.folder.xyn(["timeline", "branch"]);
    assert!(listed.out.contains(&format!("{base} or {other}")), "{listed:?}");

    let refused = bob.folder.xyn(["timeline", "branch", "idea", "--at", &other]);
    assert_eq!(refused.code, 6, "{refused:?}");
    bob.folder.xyn(["timeline", "branch", "idea", "--at", &base]).ok();
    let settled = same("it is settled", &|it| it["contenders"] == json!([])).await;
    assert_eq!(settled["base"], json!(base));
}
