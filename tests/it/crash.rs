//! `kill -9` rounds under load: whatever was acknowledged is there exactly once, and every run ends.
//!
//! 20 rounds, or 200 with `XYN_FULL=1`. A failure names its seed; `XYN_CRASH_SEED` repeats its instants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::node::{Answer, COUNT, Folder, Node, eventually};

/// Clients at once.
const CLIENTS: u32 = 6;
/// Requests of a client in a round, at most.
const REQUESTS: u32 = 2_000;
/// The latest instant of a kill, from the beginning of the load.
const LATEST: Duration = Duration::from_millis(500);

/// What the node promised: by key, the answer to the request that had it; none when there was no answer.
#[derive(Default)]
struct Promises {
    events: BTreeMap<String, Option<Value>>,
    runs: BTreeMap<String, Option<Value>>,
}

type Ledger = Arc<Mutex<Promises>>;

/// Numbers that a seed determines (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn instant(&mut self) -> Duration {
        Duration::from_micros(self.roll() % LATEST.as_micros() as u64)
    }
}

#[tokio::test]
async fn whatever_was_acknowledged_before_a_kill_is_there_once_and_every_run_ends() {
    let rounds = if std::env::var_os("XYN_FULL").is_some() { 200 } else { 20 };
    let seed = std::env::var("XYN_CRASH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121);
    let (mut dice, folder, ledger) = (Dice::new(seed), Folder::new(), Ledger::default());
    Node::start(&folder).await.promote(&folder, COUNT).await;
    for round in 0..rounds {
        let node = Arc::new(Node::start(&folder).await);
        let place = format!("seed {seed}, round {round}");
        repeat_some(&node, &ledger, &place).await;
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(load(Arc::clone(&node), Arc::clone(&ledger), round, client));
        }
        let instant = dice.instant();
        tokio::time::sleep(instant).await;
        node.kill_9();
        while let Some(ended) = clients.join_next().await {
            ended.unwrap_or_else(|error| panic!("{place}: {error}"));
        }
    }
    let node = Node::start(&folder).await;
    let promises = ledger.lock().await;
    let given = |promised: &BTreeMap<_, Option<Value>>| promised.values().flatten().count();
    let (events, runs) = (given(&promises.events), given(&promises.runs));
    assert!(
        events > rounds as usize && runs > rounds as usize,
        "{events} events and {runs} runs are no load"
    );
    hold_against(&node, &promises, seed).await;
    assert!(node.stop().await.success());
    rebuild_changes_nothing(&folder);
}

/// Emits events with ids of its own and starts runs with keys of its own, in turn, until the node is gone.
async fn load(node: Arc<Node>, ledger: Ledger, round: u32, client: u32) {
    for number in 0..REQUESTS {
        let is_event = number % 2 == 0;
        let key = format!("0190f5fe-{round:04x}-7{client:03x}-8000-{number:012x}");
        let promised = |promises: &mut Promises, answer| {
            let kind = if is_event { &mut promises.events } else { &mut promises.runs };
            kind.insert(key.clone(), answer);
        };
        promised(&mut *ledger.lock().await, None);
        let sent = if is_event { emit(&node, &key).await } else { start(&node, &key).await };
        let Ok(answer) = sent else { return };
        match answer.status {
            201 => promised(&mut *ledger.lock().await, Some(answer.body)),
            429 => tokio::task::yield_now().await,
            _ => panic!("{key}: {answer:?}"),
        }
    }
}

async fn emit(node: &Node, key: &str) -> reqwest::Result<Answer> {
    let event = json!({ "event_id": key, "event_name": "test.count", "data": { "key": key } });
    Answer::of(node.request("POST", "/api/v1/events").json(&event)).await
}

async fn start(node: &Node, key: &str) -> reqwest::Result<Answer> {
    let run = json!({ "blueprint": "bp.count", "inputs": { "key": key } });
    Answer::of(node.request("POST", "/api/v1/runs").header("idempotency-key", key).json(&run)).await
}

/// Repeats the last requests of the round before: what was answered is answered with the same, the rest is done now.
async fn repeat_some(node: &Node, ledger: &Ledger, place: &str) {
    /// How many.
    const REPEATED: usize = 20;
    let mut promises = ledger.lock().await;
    let open = promises.runs.iter().filter(|(_, answer)| answer.is_none()).map(|(key, _)| key);
    let last = promises.runs.keys().rev().take(REPEATED);
    let keys: Vec<_> = open.chain(last).cloned().collect();
    for key in keys {
        let again = start(node, &key).await.expect("the node lives").ok();
        if let Some(Some(before)) = promises.runs.insert(key.clone(), Some(again.clone())) {
            assert_eq!(again["run_id"], before["run_id"], "{place}: {key} was started twice");
        }
    }
    let open = promises.events.iter().filter(|(_, answer)| answer.is_none()).map(|(key, _)| key);
    let last = promises.events.keys().rev().take(REPEATED);
    let keys: Vec<_> = open.chain(last).cloned().collect();
    for key in keys {
        let again = emit(node, &key).await.expect("the node lives").ok();
        promises.events.insert(key, Some(again));
    }
}

/// Looks at everything the node has, and for everything it promised.
async fn hold_against(node: &Node, promises: &Promises, seed: u64) {
    let is_none = async |status| {
        let path = format!("/api/v1/runs?status={status}&limit=1");
        node.get(&path).await["items"] == json!([])
    };
    let accepted = node.all("/api/v1/events?event_name=test.count").await;
    eventually("every event starts its run and every run ends", async || {
        let runs = node.all("/api/v1/runs?blueprint=bp.count").await;
        let started: BTreeSet<String> = runs.iter().map(|run| word(&run["inputs"]["key"])).collect();
        let all = accepted.iter().all(|event| started.contains(&word(&event["data"]["key"])));
        (all && is_none("running").await && is_none("created").await).then_some(())
    })
    .await;
    let mut runs: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for run in node.all("/api/v1/runs?blueprint=bp.count").await {
        assert_eq!(run["status"], "completed", "seed {seed}: {run}");
        assert_eq!(run["outputs"], run["inputs"], "seed {seed}: {run}");
        runs.entry(word(&run["inputs"]["key"])).or_default().push(run);
    }
    let mut events: BTreeMap<String, usize> = BTreeMap::new();
    for event in node.all("/api/v1/events?event_name=test.count").await {
        *events.entry(word(&event["event_id"])).or_default() += 1;
    }
    for (key, answer) in &promises.events {
        let (kept, started) = (events.get(key).copied().unwrap_or(0), runs.get(key).map_or(0, Vec::len));
        let wanted = if answer.is_some() { 1..=1 } else { 0..=1 };
        assert!(wanted.contains(&kept), "seed {seed}: event {key} is there {kept} times");
        assert_eq!(started, kept, "seed {seed}: event {key} started {started} runs");
    }
    for (key, answer) in &promises.runs {
        let found: Vec<_> = runs.get(key).into_iter().flatten().map(|run| &run["run_id"]).collect();
        match answer {
            Some(run) => assert_eq!(found, [&run["run_id"]], "seed {seed}: run {key}"),
            None => assert!(found.len() <= 1, "seed {seed}: run {key} is there {} times", found.len()),
        }
    }
    let kept = promises.events.len() + promises.runs.len();
    assert!(
        events.len() <= promises.events.len() && runs.len() <= kept,
        "seed {seed}: more than was asked for"
    );
}

/// The chain holds, and what is derived from the journal is what the journal says.
fn rebuild_changes_nothing(folder: &Folder) {
    let verified = folder.xyn(["audit", "verify", "--json"]).json();
    assert_eq!(verified["is_sound"], true, "{verified}");
    let derived = || {
        [["run", "list"], ["artifact", "list"], ["audit", "show"]]
            .map(|[noun, verb]| folder.xyn([noun, verb, "--json", "--limit", "1000000"]).ok())
    };
    let before = derived();
    folder.xyn(["store", "rebuild"]).ok();
    for (before, after) in before.iter().zip(&derived()) {
        let differs = before.lines().zip(after.lines()).find(|(before, after)| before != after);
        assert!(before == after, "a rebuild changes rows: {differs:?}");
    }
}

fn word(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
