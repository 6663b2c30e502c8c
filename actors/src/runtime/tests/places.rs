//! Runs at once: no more than the limits say, in order, across cancels and stops, and all of them in the end.

use std::collections::BTreeSet;

use super::*;

/// A run of it is under way until somebody answers its gate.
const TWO_AT_ONCE: &str = r#"
id: bp.two
name: Two at once
trigger: { event_type: test.two }
limits: { concurrency: 2 }
plan:
  - { kind: gate, id: ok, mode: manual, approvers: ["role:OwnerAdmin"] }
"#;

impl Node {
    async fn approve_run(&self, run: RunId) {
        let answer = json!({ "run_id": run, "step_id": "ok", "approve": true });
        self.submit("gates.answer", answer).await.expect("answers");
    }
}

fn ids(rows: &[RunRow]) -> BTreeSet<RunId> {
    rows.iter().map(|row| row.run_id).collect()
}

#[tokio::test]
async fn runs_over_the_limit_of_their_blueprint_wait_without_memory_and_begin_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = start(folder.path()).await;
    node.promote(TWO_AT_ONCE).await;
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(node.run("bp.two", json!({})).await);
    }
    let under_way = BTreeSet::from([runs[0], runs[1]]);
    node.until(|node| ids(&node.with_status(RunStatus::Running)) == under_way).await;
    while node.runtime.runs_in_memory() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.runtime.runs_in_line(), 4);
    let waiting = node.row(runs[2]).waiting_on.expect("says why");
    assert_eq!((waiting.kind, waiting.since), (WaitKind::Worker, node.row(runs[2]).created_at));

    // One in line is cancelled, one with a place ends: the next one comes, and not the cancelled one.
    node.submit("runs.cancel", json!({ "run_id": runs[2] })).await.expect("cancels");
    assert_eq!(node.row(runs[2]).status, RunStatus::Cancelled);
    node.approve_run(runs[0]).await;
    let under_way = BTreeSet::from([runs[1], runs[3]]);
    node.until(|node| ids(&node.with_status(RunStatus::Running)) == under_way).await;

    // A stop changes neither who is under way nor who is next.
    node.stop().await;
    node = start(folder.path()).await;
    let late = node.run("bp.two", json!({})).await;
    node.submit("runs.cancel", json!({ "run_id": runs[1] })).await.expect("cancels");
    let under_way = BTreeSet::from([runs[3], runs[4]]);
    node.until(|node| ids(&node.with_status(RunStatus::Running)) == under_way).await;
    for run in [runs[3], runs[4], runs[5], late] {
        node.until(|node| node.row(run).status == RunStatus::Running).await;
        node.approve_run(run).await;
        assert_eq!(node.end_of(run).await.status, RunStatus::Completed);
    }
    let replay = node.submit("runs.replay", json!({ "run_id": late })).await.expect("replays");
    assert_eq!(replay.output["deterministic"], true, "{}", replay.output);
    node.stop().await;
}

#[tokio::test]
async fn a_run_whose_inputs_do_not_fit_takes_no_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(
        &TWO_AT_ONCE
            .replace("plan:", "inputs: [{ name: n, schema: { type: integer }, required: true }]\nplan:"),
    )
    .await;
    for _ in 0..3 {
        node.submit("events.emit", json!({ "event_name": "test.two", "data": {} })).await.expect("emits");
    }
    node.until(|node| node.with_status(RunStatus::Failed).len() == 3).await;
    let run = node.run("bp.two", json!({ "n": 1 })).await;
    node.until(|node| node.row(run).status == RunStatus::Running).await;
    node.stop().await;
}

#[tokio::test]
async fn a_node_with_one_place_does_everything_one_after_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = || NodeLimits { concurrency: 1, ..NodeLimits::default() };
    let node = start_within(folder.path(), limits()).await;
    node.promote(CHAIN).await;
    node.promote(GATED).await;
    let gated = node.run("bp.gated", json!({})).await;
    let mut runs = Vec::new();
    for n in 0..50 {
        runs.push(node.run("bp.chain", json!({ "n": n })).await);
        node.submit("events.emit", json!({ "event_name": "test.chain", "data": { "n": n } }))
            .await
            .expect("emits");
    }
    node.approve_run(gated).await;
    for run in runs {
        assert_eq!(node.end_of(run).await.status, RunStatus::Completed);
    }
    node.until(|node| node.with_status(RunStatus::Completed).len() == 100).await;
    node.until(|node| node.row(gated).waiting_on.map(|wait| wait.kind) == Some(WaitKind::Event)).await;
    node.submit("events.emit", json!({ "event_name": "test.told", "data": { "x": 1 } }))
        .await
        .expect("emits");
    assert_eq!(node.end_of(gated).await.status, RunStatus::Completed);
    assert_eq!(node.runtime.runs_in_line(), 0);
    node.stop().await;
}

#[tokio::test]
async fn a_node_whose_limit_was_lowered_starts_and_lets_those_under_way_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(&TWO_AT_ONCE.replace("concurrency: 2", "concurrency: 5")).await;
    let mut runs = Vec::new();
    for _ in 0..7 {
        runs.push(node.run("bp.two", json!({})).await);
    }
    node.stop().await;
    let node = start_within(folder.path(), NodeLimits { concurrency: 1, ..NodeLimits::default() }).await;
    for run in runs {
        node.until(|node| node.row(run).status == RunStatus::Running).await;
        node.approve_run(run).await;
        assert_eq!(node.end_of(run).await.status, RunStatus::Completed);
    }
    node.stop().await;
}

#[tokio::test]
async fn what_would_stand_behind_a_full_line_is_refused_until_it_is_shorter() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start_within(folder.path(), NodeLimits { run_line: 1, ..NodeLimits::default() }).await;
    node.promote(TWO_AT_ONCE).await;
    node.promote(CHAIN).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(node.run("bp.two", json!({})).await);
    }
    let event = json!({ "event_name": "test.two" });
    let again = json!({ "run_id": runs[0], "from_step": "ok" });
    for (action, input) in [
        ("events.emit", event.clone()),
        ("runs.start", json!({ "blueprint": "bp.two" })),
        ("runs.fork", again),
    ] {
        let refusal = node.submit(action, input).await.expect_err("the line is full");
        assert!(matches!(refusal, Refusal::Overloaded { .. }), "{action}: {refusal:?}");
        assert!(refusal.to_string().contains("`limits.run_line`"), "{refusal}");
    }
    assert_eq!(node.end_of(node.run("bp.chain", json!({ "n": 1 })).await).await.status, RunStatus::Completed);
    node.submit("events.emit", json!({ "event_name": "test.other" })).await.expect("starts nothing");

    node.approve_run(runs[0]).await;
    node.until(|node| node.row(runs[2]).status == RunStatus::Running).await;
    node.submit("events.emit", event).await.expect("there is room in the line");
    node.until(|node| node.with_status(RunStatus::Created).len() == 1).await;
    node.stop().await;
}
