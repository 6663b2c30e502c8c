//! Snapshots on a real folder: a long run gets one, it is used, and whatever is wrong with it changes
//! nothing.

use xyn_store::projection::SnapshotRow;

use super::*;
use crate::runtime::load::load;

/// Each item ends in an entry of its own; then the run waits for a person.
const LONG: &str = r#"
id: bp.long
name: Long
trigger: { event_type: test.long }
plan:
  - kind: action_task
    id: many
    foreach: "{{ range(264) }}"
    max_parallel: 1
    action: drafts.save
    with: { draft_type: blueprint, name: "draft {{ item }}", definition: "id: x" }
  - { kind: gate, id: ok, mode: manual, approvers: ["role:OwnerAdmin"] }
outputs: [{ name: count, from: "{{ steps.many.output.count }}" }]
"#;

impl Node {
    async fn gate_of(&self, run: RunId) {
        tokio::time::timeout(PATIENCE, async {
            let mut head = self.runtime.0.journal.head();
            while self.row(run).waiting_on.map(|wait| wait.kind) != Some(WaitKind::Gate) {
                head.changed().await.expect("the journal goes on");
            }
        })
        .await
        .unwrap_or_else(|_| panic!("the run does not come to its gate: {:?}", self.row(run)));
    }

    fn snapshot(&self, run: RunId) -> Option<SnapshotRow> {
        let reader = self.runtime.store().read().expect("reads");
        reader.get(&SnapshotRow::key_of(stream(run))).expect("reads")
    }

    /// Puts `snapshot` in place of what the run wrote.
    async fn put(&self, snapshot: &SnapshotRow) {
        let mut recording = Recording::default();
        recording.changes().put(snapshot);
        recording.commit(&self.runtime.0).await.expect("commits");
    }

    fn loaded(&self, run: RunId) -> String {
        let loaded = load(&self.runtime.0, run).expect("loads");
        format!("{} {:?}", loaded.seq, loaded.state)
    }
}

#[tokio::test]
async fn a_long_run_is_loaded_from_its_snapshot_and_leaves_none_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(LONG).await;
    let run = node.run("bp.long", json!({})).await;
    node.gate_of(run).await;
    let snapshot = node.snapshot(run).expect("a long run has a snapshot");
    let by_snapshot = node.loaded(run);

    let claim = SnapshotRow { seq: node.row(run).seq, ..snapshot.clone() };
    node.put(&claim).await;
    assert_ne!(node.loaded(run), by_snapshot, "what a snapshot says is believed");

    let unfit = |seq, state| SnapshotRow { seq, state, ..snapshot.clone() };
    let newer = [&[snapshot.state[0] + 1], &snapshot.state[1..]].concat();
    for (what, snapshot) in [
        ("ahead of its stream", unfit(snapshot.seq + 1_000, snapshot.state.clone())),
        ("of a newer program", unfit(snapshot.seq, newer)),
        ("cut short", unfit(snapshot.seq, snapshot.state[..snapshot.state.len() / 2].to_vec())),
        ("of an earlier entry than it says", unfit(snapshot.seq - 9, snapshot.state.clone())),
    ] {
        node.put(&snapshot).await;
        assert_eq!(node.loaded(run), by_snapshot, "{what}");
    }
    assert_eq!(node.runtime.runs_in_memory(), 0);
    node.stop().await;

    let node = start(folder.path()).await;
    node.submit("gates.answer", json!({ "run_id": run, "step_id": "ok", "approve": true }))
        .await
        .expect("answers");
    let row = node.end_of(run).await;
    assert_eq!(row.outputs.expect("outputs").to_value(), json!({ "count": 264 }));
    assert_eq!(node.snapshot(run), None, "not even one that did not fit");
    let replay = node.submit("runs.replay", json!({ "run_id": run })).await.expect("replays");
    assert_eq!(replay.output["deterministic"], true, "{}", replay.output);
    node.stop().await;
}

#[tokio::test]
async fn a_rebuild_deletes_snapshots_and_the_run_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(LONG).await;
    let run = node.run("bp.long", json!({})).await;
    node.gate_of(run).await;
    let before = node.loaded(run);
    node.stop().await;

    let store = store_in(folder.path());
    let derived = store.read().expect("reads").derived_digest().expect("reads");
    let mut fold = crate::projector::Fold::new(store.clone(), actions::builtin());
    store.rebuild(&mut fold, |_| {}).expect("rebuilds");
    assert_eq!(store.read().expect("reads").derived_digest().expect("reads"), derived);
    store.close();
    drop((fold, store));

    let node = start(folder.path()).await;
    assert_eq!(node.snapshot(run), None);
    assert_eq!(node.loaded(run), before);
    node.stop().await;
}

#[tokio::test]
async fn a_snapshot_stands_or_falls_with_the_append_that_carries_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(GATED).await;
    let run = node.run("bp.gated", json!({})).await;
    let [first, second] = [1, 2].map(|_| load(&node.runtime.0, run).expect("loads"));
    assert_eq!(format!("{:?}", first.state), format!("{:?}", second.state), "two loads at once");
    let late = SnapshotRow { stream: stream(run), seq: first.seq, state: vec![1] };
    let mut recording = Recording::default();
    recording.changes().put(&late);
    recording.entry(late.stream, first.seq - 1, node.runtime.clock().now(), &supervisor::by_node(run), &[]);
    recording.commit(&node.runtime.0).await.expect_err("somebody else was first");
    assert_eq!(node.snapshot(run), None);

    node.stop().await;
}
