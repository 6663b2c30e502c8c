//! Folding recorded histories: 3-step runs (two transforms and an in-process action), and one run over 50,000
//! items. Prints one JSON line a figure, in events per second of one thread.
//!
//! - `fold`: reads the log, decodes it and folds runs into rows that nobody writes;
//! - `check`: reads the log, decodes it and has today's code decide each run again;
//! - `rebuild`: `xyn store rebuild`: `fold`, and the rows are written.
//!
//! `cargo bench -p xyn-actors --bench replay`

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use xyn_actors::actions::{self, Surroundings};
use xyn_actors::governance::Identity;
use xyn_actors::projector::Fold;
use xyn_actors::record::{self, Record};
use xyn_actors::run::{Event, Replay, World};
use xyn_actors::runtime::{Environment, Intent, Runtime};
use xyn_store::ids::{self, EventId, RunId, StreamId};
use xyn_store::projection::Changes;
use xyn_store::rebuild::Projector;
use xyn_store::scope::CorrelationId;
use xyn_store::{Clock, Digest, Options, Order, Store};

const SHORT: &str = r#"
id: bp.short
name: Short
trigger: { event_type: bench.never }
inputs: [{ name: n, schema: { type: integer } }]
plan:
  - { kind: transform, id: double, set: { n: "{{ inputs.n * 2 }}" } }
  - { kind: transform, id: text, set: { text: "n is {{ steps.double.output.n }}" } }
  - { kind: action_task, id: keep, action: artifacts.put, with: { name: n.txt, content: "{{ steps.text.output.text }}" } }
outputs: [{ name: text, from: "{{ steps.text.output.text }}" }]
"#;
const LONG: &str = r#"
id: bp.long
name: Long
trigger: { event_type: bench.never }
plan:
  - { kind: transform, id: many, foreach: "{{ range(50000) }}", set: { n: "{{ item * 2 }}" } }
"#;
const RUNS: usize = 30_000;
const IN_FLIGHT: usize = 256;
const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    for (name, blueprint, id, runs) in [("short", SHORT, "bp.short", RUNS), ("long", LONG, "bp.long", 1)] {
        let path = folder.path().join(name);
        record_runs(&path, blueprint, id, runs).await;
        let store = Store::open(&path, Options::default()).expect("the folder opens");
        let events = count(&store);
        report(&format!("replay.{name}.events"), events as f64);
        best(&format!("replay.{name}.fold_events_per_s"), events, || fold(&store));
        let runtime =
            Runtime::read_only(store.clone(), actions::builtin(), Clock::system(), Environment::default());
        let runtime = runtime.expect("the folder is whole");
        best(&format!("replay.{name}.check_events_per_s"), events, || check(&store, &runtime));
        best(&format!("replay.{name}.rebuild_events_per_s"), events, || {
            let mut fold = Fold::new(store.clone(), actions::builtin());
            store.rebuild(&mut fold, |_| {}).expect("rebuilds");
        });
    }
}

/// A folder with the histories of so many runs.
async fn record_runs(path: &std::path::Path, blueprint: &str, id: &str, runs: usize) {
    let store = Store::open(path, Options::default()).expect("the folder opens");
    let started =
        Runtime::start(store.clone(), actions::builtin(), Clock::system(), Environment::default()).await;
    let (runtime, background) = started.expect("the Runtime starts");
    let submit = |action: &str, input: Value| {
        let intent = Intent {
            intent_id: ids::fresh(runtime.clock().now()),
            action: action.to_owned(),
            input,
            stage: None,
            identity: Identity::local_operator(),
            session: runtime.session(),
            correlation_id: CorrelationId::parse("bench").expect("fits"),
            causation_id: None,
            depth: 0,
            idempotency_key: None,
        };
        let runtime = runtime.clone();
        async move { runtime.submit(intent).await.expect("it is accepted").output }
    };
    let draft = json!({ "draft_type": "blueprint", "name": "bench", "definition": blueprint });
    let draft = submit("drafts.save", draft).await["draft_id"].clone();
    submit("blueprints.validate", json!({ "draft_id": draft })).await;
    submit("blueprints.promote", json!({ "draft_id": draft })).await;
    let starts = stream::iter(0..runs).map(|n| {
        let inputs = if id == "bp.short" { json!({ "n": n }) } else { json!({}) };
        let started = submit("runs.start", json!({ "blueprint": id, "inputs": inputs }));
        async {
            let run: RunId = started.await["run_id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
            let row = runtime.ended(run, PATIENCE).await.expect("reads").expect("ends in time");
            assert_eq!(row.status, xyn_store::projection::RunStatus::Completed, "{:?}", row.error);
        }
    });
    starts.buffer_unordered(IN_FLIGHT).for_each(|()| async {}).await;
    runtime.stop(background).await;
    drop(runtime);
    store.close();
}

fn count(store: &Store) -> u64 {
    let mut events = 0;
    let reader = store.read().expect("reads");
    let counted = reader.log(0, Order::Ascending, |offset, envelope| {
        events += record::decode(offset, &envelope)?.len() as u64;
        Ok(true)
    });
    counted.expect("reads");
    events
}

fn fold(store: &Store) {
    let mut fold = Fold::new(store.clone(), actions::builtin());
    let reader = store.read().expect("reads");
    let folded = reader.log(0, Order::Ascending, |offset, envelope| {
        let mut changes = Changes::new();
        fold.project(offset, &envelope, &mut changes)?;
        std::hint::black_box(changes);
        Ok(true)
    });
    folded.expect("the log folds");
}

fn check(store: &Store, runtime: &Runtime) {
    let catalog = runtime.catalog();
    let mut replays: HashMap<StreamId, Replay> = HashMap::new();
    let reader = store.read().expect("reads");
    let checked = reader.log(0, Order::Ascending, |offset, envelope| {
        let records = record::decode(offset, &envelope)?.into_iter();
        let events: Vec<Event> = records
            .filter_map(|record| match record {
                Record::Run(event) => Some(event),
                _ => None,
            })
            .collect();
        if let Some(Event::Created(created)) = events.first() {
            let plan = &catalog.blueprint(&created.blueprint_id).expect("it is active").plan;
            let run = RunId::from(uuid::Uuid::from(envelope.stream));
            replays.insert(envelope.stream, Replay::new(run, Arc::clone(plan)));
        }
        let Some(replay) = replays.get_mut(&envelope.stream) else { return Ok(true) };
        let world = World {
            registry: runtime.registry(),
            policies: catalog.policies(),
            env: &runtime.env().env_id,
            now: envelope.at,
            around: &Nowhere,
            has_place: true,
            performs: &|_, _| false,
        };
        replay.fold(&events, &world, &envelope.attribution).expect("the history folds");
        assert!(replay.differences.is_empty(), "{:?}", replay.differences);
        if matches!(events.last(), Some(Event::Completed { .. })) {
            replays.remove(&envelope.stream);
        }
        Ok(true)
    });
    checked.expect("reads");
    assert!(replays.is_empty(), "every run has ended");
}

/// The best of some rounds: what the work costs when nobody else is served.
fn best(figure: &str, events: u64, mut work: impl FnMut()) {
    let time = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        work();
        begun.elapsed()
    });
    let time = time.min().expect("at least one round");
    report(figure, events as f64 / time.as_secs_f64());
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn report(figure: &str, value: f64) {
    println!("{{\"figure\":\"{figure}\",\"value\":{value:.0}}}");
}

/// The histories keep nothing outside the journal.
struct Nowhere;

impl Surroundings for Nowhere {
    fn blob_length(&self, _: &Digest) -> Option<u64> {
        None
    }

    fn is_taken(&self, _: EventId) -> bool {
        false
    }

    fn room_bytes(&self) -> u64 {
        u64::MAX
    }
}
