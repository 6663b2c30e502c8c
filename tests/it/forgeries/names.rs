//! Moments in the name of somebody else: they are kept, and shown as the word of whoever wrote them.

use xyn_store::Clock;
use xyn_store::timeline::entry::{Kind, Refs};

use super::Author;
use crate::flood::{attacker, member};
use crate::team::{Mate, converge};

#[tokio::test]
async fn what_a_member_says_in_anothers_name_is_shown_as_its_own_word() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    let plan = ada.folder.xyn(["timeline", "note", "the plan"]).ok().trim().to_owned();
    ada.folder.xyn(["timeline", "review", &plan, "--open", "is it ready?"]).ok();
    ada.folder.xyn(["timeline", "review", &plan, "--reject", "no"]).ok();

    let (root, now) = (ada.env().root(), Clock::system().now());
    let mut author = Author::new(1, root);
    let about = Refs { parents: vec![plan.parse().expect("an id")], ..Refs::default() };
    let forged =
        [(Kind::Approve, "approved `the plan`", about), (Kind::Note, "all is well", Refs::default())];
    let frames = forged.map(|what| author.writes_as("operator@local", what, now));
    let news = (1..).zip(frames).map(|(seq, frame)| author.news(seq, frame)).collect();
    let (key, topic) = (member(&ada, 1).await, format!("xyn/{}", ada.env()));
    let attack = tokio::spawn(attacker::gossip(key, ada.node().mesh()[0].clone(), topic, news));
    converge(&[&ada, &bob], &["approved `the plan`", "all is well"]).await;
    attack.abort();

    for mate in [&ada, &bob] {
        let review = mate.node().get(&format!("/api/v1/timeline/{plan}/review")).await;
        let mut said: Vec<[&str; 2]> = Vec::new();
        for verdict in review["verdicts"].as_array().expect("a list") {
            said.push(["kind", "principal"].map(|key| verdict[key].as_str().expect("a text")));
        }
        said.sort_unstable();
        assert_eq!(said, [["approve", "mate@lab"], ["reject", "operator@local"]], "{}", mate.name);
        let told = mate.folder.xyn(["timeline", "review", &plan]).ok();
        let approval = told.lines().find(|line| line.contains("approved")).expect("it is told");
        assert!(approval.contains("mate@lab") && !approval.contains("operator@local"), "{told}");

        let log = mate.log();
        let named = log.iter().filter(|moment| !moment["by_node"].is_null());
        let named: Vec<_> =
            named.map(|moment| [&moment["title"], &moment["principal"], &moment["by_node"]]).collect();
        let forged =
            ["approved `the plan`", "all is well"].map(|title| [title, "operator@local", "mate@lab"]);
        assert_eq!(named, forged);
        let told = mate.folder.xyn(["timeline", "log"]).ok();
        let note = told.lines().find(|line| line.contains("all is well")).expect("it is told");
        assert!(note.contains("operator@local, by mate@lab's node"), "{told}");
    }
    let page = async |path: String| {
        let answer = ada.node().request("GET", &path).send().await.expect("it answers");
        answer.text().await.expect("text")
    };
    let review = page(format!("/ui/reviews/{plan}")).await;
    assert!(review.contains("mate@lab · "), "the approval is by whom the roster names: {review}");
    let log = ada.log();
    let note = log.iter().find(|moment| moment["title"] == "all is well").expect("it is told");
    let shown = page(format!("/ui/timeline?at={}", note["entry_id"].as_str().expect("an id"))).await;
    assert!(shown.contains("operator@local, by mate@lab&#39;s node"), "{shown}");
}
