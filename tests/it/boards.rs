//! What people attach to a moment apart, on nodes of their own: when they meet, all of it is there, and the same.

use serde_json::{Value, json};

use crate::branches::restart;
use crate::node::{Answer, eventually};
use crate::team::{Mate, converge};

/// What `mate`'s node shows of `moment`: itself with its names and pins, what was said of it, and its review.
async fn shown(mate: &Mate, moment: &str) -> [Value; 3] {
    let part = async |part: &str| {
        let request = mate.node().request("GET", &format!("/api/v1/timeline/{moment}{part}"));
        Answer::of(request).await.expect("the node answers").body
    };
    [part("").await, part("/comments").await, part("/review").await]
}

/// The texts of a list, or of `key` in each of its rows; in their order of letters.
fn sorted<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    let rows = list.as_array().expect("a list").iter();
    let mut texts: Vec<&str> = rows.filter_map(|row| row.as_str().or(row[key].as_str())).collect();
    texts.sort_unstable();
    texts
}

#[tokio::test]
async fn names_pins_words_and_reviews_that_two_made_apart_are_all_there_and_the_same_when_they_meet() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    let plan = ada.folder.xyn(["timeline", "note", "the plan"]).ok().trim().to_owned();
    let other = ada.folder.xyn(["timeline", "note", "another plan"]).ok().trim().to_owned();
    let comment = ada.folder.xyn(["timeline", "comment", &plan, "we open at nine"]).ok().trim().to_owned();
    ada.folder.xyn(["timeline", "review", &plan, "--open", "is it ready?"]).ok();
    converge(&[&ada, &bob], &["the plan", "another plan"]).await;
    eventually("both have the comment and the review", async || {
        let [first, second] = [shown(&ada, &plan).await, shown(&bob, &plan).await];
        (first == second && first[1]["comments"][0].is_object() && first[2]["status"] == "open").then_some(())
    })
    .await;

    restart([&mut ada, &mut bob], "off").await;
    for (mate, words, about) in
        [(&ada, "we open early at nine", &plan), (&bob, "we open at nine on Sundays", &other)]
    {
        let said = |verb: &str, body: Value| {
            let path = format!("/api/v1/timeline/{verb}");
            async move { mate.node().post(&path, &body).await.ok() }
        };
        said("label", json!({ "name": format!("by {}", mate.name), "entry_id": plan })).await;
        said("label", json!({ "name": "the one", "entry_id": about })).await;
        said("pin", json!({ "entry_id": plan })).await;
        said("comment", json!({ "entry_id": plan, "text": words, "comment_id": comment })).await;
        said("comment", json!({ "entry_id": plan, "text": format!("{} was here", mate.name) })).await;
        said("comment", json!({ "entry_id": plan, "text": format!("{} looked", mate.name), "on": "review" }))
            .await;
        said("approve", json!({ "entry_id": plan, "approve": mate.name == "ada", "note": mate.name })).await;
    }
    ada.folder.xyn(["timeline", "review", &plan, "--resolve"]).ok();
    bob.folder.xyn(["timeline", "pin", &other]).ok();
    assert_ne!(shown(&ada, &plan).await, shown(&bob, &plan).await, "they are apart");

    restart([&mut ada, &mut bob], "on").await;
    converge(&[&ada, &bob], &["approved `the plan`: ada", "rejected `the plan`: bob"]).await;
    let (mine, elsewhere) = eventually("both show the same of both", async || {
        let [first, second] = [shown(&ada, &plan).await, shown(&bob, &plan).await];
        let [[there, ..], [too, ..]] = [shown(&ada, &other).await, shown(&bob, &other).await];
        let count = |part: &Value| part["comments"].as_array().map_or(0, Vec::len);
        let is_whole = count(&first[1]) == 3 && count(&first[2]) == 3 && there["is_pinned"] == true;
        (is_whole && first == second && there == too).then_some((first, there))
    })
    .await;
    let [moment, talk, review] = mine;
    assert_eq!([&moment, &elsewhere].map(|moment| &moment["is_pinned"]), [&json!(true); 2]);
    // A name belongs to one moment: both say to which.
    let names = [&moment, &elsewhere].map(|moment| sorted(&moment["labels"], ""));
    let one = names.iter().filter(|names| names.contains(&"the one")).count();
    assert!(one == 1 && names[0].starts_with(&["by ada", "by bob"]), "{names:?}");
    // The words of both stand in the one comment that both went on with.
    assert_eq!(talk["comments"][0]["text"], "we open early at nine on Sundays");
    assert_eq!(sorted(&talk["comments"], "text")[..2], ["ada was here", "bob was here"]);
    assert_eq!(sorted(&review["comments"], "text"), ["ada looked", "bob looked", "is it ready?"]);
    assert_eq!(sorted(&review["verdicts"], "kind"), ["approve", "reject"]);
    assert_eq!(review["status"], "resolved");
}
