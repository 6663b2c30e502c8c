//! Kills between the commits that a word goes through: taken in, counted, passed by.

use super::*;

/// A stopped node's folder, as it is changed between two lives.
async fn changed(folder: &Path, change: impl FnOnce(&Store, &mut xyn_store::projection::Changes)) {
    let store = store_in(folder);
    let mut changes = xyn_store::projection::Changes::new();
    change(&store, &mut changes);
    let append = xyn_store::journal::Append { changes, ..Default::default() };
    store.journal().expect("open").append(append).await.expect("commits");
    store.close();
}

#[tokio::test]
async fn a_word_taken_in_before_a_kill_counts_though_its_deadline_passed_before_the_restart() {
    let home = tempfile::tempdir().expect("a folder");
    let founder = Founder::start(home.path()).await;
    let (run, question) = founder.node.asks(Stage::Dev).await;
    let mut authors = Vec::new();
    for (seed, name) in [(1, "eve@lab"), (2, "bob@lab")] {
        let mut author = founder.author(seed, name, Role::OwnerAdmin).await;
        author.approves(noon(), name, &question);
        authors.push(author);
    }
    let (own, env) = (founder.node.timeline().own(), founder.node.timeline().env());
    founder.node.kill().await;
    changed(home.path(), |store, changes| {
        let reader = store.read().expect("reads");
        let mut timeline = timeline::Timeline::open(&reader, env.root(), own).expect("opens");
        let roster = reader.roster(env).expect("reads");
        let frames: Vec<_> = authors.iter().flat_map(|author| author.frames.clone()).collect();
        let admitted = timeline.admit(&reader, &frames, noon(), |feed| roster.cut(*feed)).expect("judges");
        changes.extend(admitted.changes);
    })
    .await;
    let founder = Founder::start_at(home.path(), noon().after(2 * HOUR)).await;
    assert_eq!(founder.node.end_of(run).await.status, RunStatus::Completed);
    let mut approvers = founder.node.approvers(run);
    approvers.sort();
    assert_eq!(approvers, ["bob@lab", "eve@lab"]);
    founder.node.stop().await;
}

#[tokio::test]
async fn a_word_that_is_met_again_behind_a_kill_is_neither_counted_nor_refused_twice() {
    let home = tempfile::tempdir().expect("a folder");
    let founder = Founder::start(home.path()).await;
    let (run, question) = founder.node.asks(Stage::Dev).await;
    let mut eve = founder.author(1, "eve@lab", Role::OwnerAdmin).await;
    eve.approves(noon(), "eve@lab", &question);
    let mut uwe = founder.author(2, "uwe@lab", Role::User).await;
    uwe.approves(noon(), "uwe@lab", &question);
    for author in [&eve, &uwe] {
        founder.hears(author).await;
    }
    let mut node = founder.node;
    for is_remembered in [true, false] {
        assert_eq!(node.approvers(run), ["eve@lab"]);
        assert_eq!(node.refused().len(), 1);
        node.kill().await;
        // The kill came before the positions, and later even the keys are forgotten.
        changed(home.path(), |store, changes| {
            changes.put_position(&position_name(&eve.feed), 0);
            changes.put_position(&position_name(&uwe.feed), 0);
            if !is_remembered {
                let reader = store.read().expect("reads");
                let claims = reader.page(&Key::new(), Order::Ascending, None, 100, |_| true).expect("reads");
                claims.items.iter().for_each(|row: &xyn_store::projection::ClaimRow| changes.remove_row(row));
            }
        })
        .await;
        node = Founder::start(home.path()).await.node;
        node.has_heard(eve.feed).await;
        node.has_heard(uwe.feed).await;
    }
    assert_eq!(node.approvers(run), ["eve@lab"]);
    let codes = node.refusal_codes();
    assert!(codes.iter().all(|code| code == "approval_refused"), "{codes:?}");
    assert_eq!(node.events("xyn.gate.answered").len(), 1);
    node.stop().await;
}
