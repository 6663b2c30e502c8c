//! The Runtime on a real folder: what was recorded is carried out, also across a stop.

mod approvals;
mod audit;
mod crash;
mod intents;
mod keys;
mod sessions;
mod snapshots;

use std::path::Path;

use serde_json::{Value, json};
use xyn_store::ids::StreamId;
use xyn_store::projection::{ArtifactRow, RunFilter, RunStatus, WaitKind};
use xyn_store::scope::CorrelationId;
use xyn_store::{Options, ids};

use std::time::Instant;

use super::*;
use crate::actions;

mod backlog;
mod capsules;
mod content;
mod ends;
pub(crate) mod fuse;
mod limits;
mod merges;
mod mesh;
mod milestones;
mod places;
mod time;
mod timeline;
mod words;
mod workspaces;

const PATIENCE: Duration = Duration::from_secs(60);
/// How often a test looks again while no append comes.
const GLANCE: Duration = Duration::from_millis(20);

struct Node {
    runtime: Runtime,
    background: Background,
}

async fn start(folder: &Path) -> Node {
    start_with(folder, actions::builtin()).await
}

async fn start_with(folder: &Path, registry: Registry) -> Node {
    start_in(folder, registry, Clock::system(), Environment::default()).await
}

async fn start_within(folder: &Path, limits: NodeLimits) -> Node {
    let env = Environment { limits, ..Environment::default() };
    start_in(folder, actions::builtin(), Clock::system(), env).await
}

/// Opens the folder as soon as nothing of the node before reads it any more: a look at the rows that was under way
/// when it stopped ends by itself, on a thread of its own.
fn store_in(folder: &Path) -> Store {
    let began = Instant::now();
    loop {
        match Store::open(folder, Options::default()) {
            Err(StoreError::InUse { .. }) if began.elapsed() < PATIENCE => std::thread::yield_now(),
            opened => return opened.expect("the folder opens"),
        }
    }
}

async fn start_in(folder: &Path, registry: Registry, clock: Clock, env: Environment) -> Node {
    let store = store_in(folder);
    let started = Runtime::start(store, registry, clock, env).await;
    let (runtime, background) = started.expect("the Runtime starts");
    Node { runtime, background }
}

impl Node {
    async fn submit(&self, action: &str, input: Value) -> Result<Outcome, Refusal> {
        self.submit_with_key(action, input, None).await
    }

    async fn submit_with_key(
        &self,
        action: &str,
        input: Value,
        key: Option<&str>,
    ) -> Result<Outcome, Refusal> {
        let intent = self.intent(action, input);
        self.runtime.submit(Intent { idempotency_key: key.map(str::to_owned), ..intent }).await
    }

    fn intent(&self, action: &str, input: Value) -> Intent {
        Intent {
            intent_id: ids::fresh(self.runtime.clock().now()),
            action: action.to_owned(),
            input,
            stage: None,
            identity: Identity::local_operator(),
            session: self.runtime.session(),
            correlation_id: CorrelationId::parse("test").expect("fits"),
            causation_id: None,
            depth: 0,
            idempotency_key: None,
        }
    }

    async fn promote(&self, source: &str) {
        let input = json!({ "draft_type": "blueprint", "name": "test", "definition": source });
        let draft = self.submit("drafts.save", input).await.expect("saves").output["draft_id"].clone();
        let valid =
            self.submit("blueprints.validate", json!({ "draft_id": draft })).await.expect("validates");
        assert_eq!(valid.output, json!({ "is_valid": true, "issues": [] }));
        self.submit("blueprints.promote", json!({ "draft_id": draft })).await.expect("promotes");
    }

    async fn run(&self, blueprint: &str, inputs: Value) -> RunId {
        let input = json!({ "blueprint": blueprint, "inputs": inputs });
        let outcome = self.submit("runs.start", input).await.expect("starts");
        outcome.output["run_id"].as_str().expect("an id").parse().expect("an id")
    }

    async fn end_of(&self, run: RunId) -> RunRow {
        self.runtime.ended(run, PATIENCE).await.expect("reads").expect("ends in time")
    }

    fn row(&self, run: RunId) -> RunRow {
        let reader = self.runtime.store().read().expect("reads");
        reader.get(&RunRow::key_of(run)).expect("reads").expect("is there")
    }

    fn with_status(&self, status: RunStatus) -> Vec<RunRow> {
        let filter = RunFilter { status: Some(status), ..RunFilter::default() };
        self.runtime.store().read().expect("reads").runs(&filter, None, 10_000).expect("reads").items
    }

    /// Waits until the rows are as wanted.
    async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        let mut head = self.runtime.0.journal.head();
        let seen = async {
            while !wanted(self) {
                // Not everything that is waited for comes with an append: the backlog shrinks without one.
                if let Ok(changed) = tokio::time::timeout(GLANCE, head.changed()).await {
                    changed.expect("the journal goes on");
                }
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.expect("it comes to that in time");
    }

    async fn only_run(&self) -> RunId {
        let mut head = self.runtime.0.journal.head();
        tokio::time::timeout(PATIENCE, async {
            loop {
                let reader = self.runtime.store().read().expect("reads");
                let runs = reader.runs(&RunFilter::default(), None, 10).expect("reads").items;
                if let [run] = runs.as_slice() {
                    return run.run_id;
                }
                head.changed().await.expect("the journal goes on");
            }
        })
        .await
        .expect("a run is started in time")
    }

    async fn stop(self) {
        let store = self.runtime.store().clone();
        self.runtime.stop(self.background).await;
        drop(self.runtime);
        store.close();
    }
}

const CHAIN: &str = r#"
id: bp.chain
name: Chain
trigger: { event_type: test.chain }
inputs: [{ name: n, schema: { type: integer } }]
plan:
  - { kind: transform, id: double, set: { n: "{{ inputs.n * 2 }}" } }
  - { kind: transform, id: more, set: { n: "{{ steps.double.output.n + 1 }}" } }
  - { kind: action_task, id: keep, action: artifacts.put, with: { name: n.txt, content: "{{ steps.more.output.n }}!" } }
outputs: [{ name: n, from: "{{ steps.more.output.n }}" }]
"#;

#[tokio::test]
async fn a_run_of_inside_steps_ends_in_one_append_and_keeps_its_artifact() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(CHAIN).await;
    let run = node.run("bp.chain", json!({ "n": 20 })).await;
    let row = node.end_of(run).await;
    assert_eq!(
        (row.status, row.outputs.map(|o| o.to_value())),
        (RunStatus::Completed, Some(json!({ "n": 41 })))
    );
    let reader = node.runtime.store().read().expect("reads");
    let stream = StreamId::from(uuid::Uuid::from(run));
    assert_eq!(reader.stream_offsets(stream, 10).expect("reads").len(), 1, "one append");
    let artifacts = reader.artifacts(Some(run), xyn_store::Order::Ascending, None, 10).expect("reads").items;
    let [artifact] = artifacts.as_slice() else { panic!("one artifact") };
    let ArtifactRow { sha256, .. } = artifact;
    assert_eq!(node.runtime.store().blob(sha256).expect("reads").expect("is there"), b"41!");
}

#[tokio::test]
async fn an_event_starts_its_blueprint_once_and_the_same_key_answers_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(CHAIN).await;
    let event = json!({ "event_name": "test.chain", "data": { "n": 1 } });
    let first = node.submit_with_key("events.emit", event.clone(), Some("k")).await.expect("emits");
    let again = node.submit_with_key("events.emit", event, Some("k")).await.expect("answers");
    assert_eq!((again.subject, again.repeated), (first.subject, true));
    let run = node.only_run().await;
    assert_eq!(node.end_of(run).await.status, RunStatus::Completed);
    let other = json!({ "event_name": "test.other" });
    let reused = node.submit_with_key("events.emit", other, Some("k")).await;
    assert!(matches!(reused, Err(Refusal::KeyReused { .. })), "{reused:?}");
}

const GATED: &str = r#"
id: bp.gated
name: Gated
trigger: { event_type: test.gated }
plan:
  - { kind: gate, id: ok, mode: manual, approvers: ["role:OwnerAdmin"], timeout: 1h }
  - { kind: gate, id: pause, mode: timer, delay: 50ms }
  - { kind: gate, id: told, mode: event, event_type: test.told, match: "{{ event.data.x == 1 }}" }
  - { kind: transform, id: done, set: { by: "{{ steps.ok.output.approvals[0].principal }}" } }
outputs: [{ name: by }]
"#;

#[tokio::test]
async fn a_waiting_run_holds_no_memory_and_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(GATED).await;
    let run = node.run("bp.gated", json!({})).await;
    let waiting = node.row(run).waiting_on.expect("waits");
    assert_eq!(waiting.kind, WaitKind::Gate);
    assert_eq!(node.runtime.runs_in_memory(), 0);
    node.stop().await;

    let node = start(folder.path()).await;
    let answer = json!({ "run_id": run, "step_id": "ok", "approve": true });
    let outcome = node.submit("gates.answer", answer.clone()).await.expect("answers");
    assert_eq!(outcome.output, json!({ "status": "approved", "remaining": 0 }));
    let again = node.submit("gates.answer", answer).await;
    assert!(matches!(again, Err(Refusal::Conflict { code: "no_open_gate", .. })), "{again:?}");
    tokio::time::timeout(PATIENCE, async {
        let mut head = node.runtime.0.journal.head();
        while node.row(run).waiting_on.map(|wait| wait.kind) != Some(WaitKind::Event) {
            head.changed().await.expect("the journal goes on");
        }
    })
    .await
    .expect("the timer fires");
    for x in [0, 1] {
        let told = json!({ "event_name": "test.told", "data": { "x": x } });
        node.submit("events.emit", told).await.expect("emits");
    }
    let row = node.end_of(run).await;
    assert_eq!(row.status, RunStatus::Completed, "{:?}", row.error);
    assert_eq!(row.outputs.expect("outputs").to_value(), json!({ "by": "operator@local" }));
    let replay = node.submit("runs.replay", json!({ "run_id": run })).await.expect("replays");
    assert_eq!(replay.output["deterministic"], true, "{}", replay.output);
    node.stop().await;
}

#[tokio::test]
async fn rebuilding_comes_to_the_same_rows_and_the_audit_finds_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(CHAIN).await;
    node.promote(GATED).await;
    for n in 0..5 {
        node.run("bp.chain", json!({ "n": n })).await;
        node.run("bp.gated", json!({})).await;
    }
    let event = json!({ "event_name": "test.chain", "data": { "n": "not a number" } });
    node.submit_with_key("events.emit", event, Some("key")).await.expect("emits");
    node.stop().await;

    rebuilds_to_the_same(folder.path(), actions::builtin());
    let store = store_in(folder.path());
    let report = xyn_store::audit::log::verify(&store, |_| {}).expect("verifies");
    assert!(report.is_sound(), "{report:?}");
}

fn rebuilds_to_the_same(folder: &Path, registry: Registry) {
    let store = store_in(folder);
    let before = store.read().expect("reads").derived_digest().expect("reads");
    let mut fold = crate::projector::Fold::new(store.clone(), registry);
    store.rebuild(&mut fold, |_| {}).expect("rebuilds");
    let after = store.read().expect("reads").derived_digest().expect("reads");
    assert_eq!(before, after);
    store.close();
}
