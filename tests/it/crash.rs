//! `kill -9` rounds under load: whatever was acknowledged is there exactly once, every run ends, and each of its
//! milestones is told once on the timeline.
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
/// The last requests of a round that are made once more in the next, of each kind.
const REPEATED: usize = 20;
/// Artifacts whose bytes are looked at in the end.
const READ: usize = 50;
/// The latest instant of a kill, from the beginning of the load.
const LATEST: Duration = Duration::from_millis(500);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Event,
    Run,
    Note,
    Artifact,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Event, Self::Run, Self::Note, Self::Artifact];

    /// Asks `node` for one with this key.
    async fn ask(self, node: &Node, key: &str) -> reqwest::Result<Answer> {
        let (path, body) = match self {
            Self::Event => {
                ("events", json!({ "event_id": key, "event_name": "test.count", "data": { "key": key } }))
            }
            Self::Run => ("runs", json!({ "blueprint": "bp.count", "inputs": { "key": key } })),
            Self::Note => ("timeline/note", json!({ "title": key })),
            Self::Artifact => ("artifacts", json!({ "name": key, "content": content(key) })),
        };
        let request = node.request("POST", &format!("/api/v1/{path}"));
        Answer::of(request.header("idempotency-key", format!("{self:?}-{key}")).json(&body)).await
    }

    /// What an answer, or a list, calls it by.
    fn id(self, of: &Value) -> &Value {
        match self {
            Self::Event => &of["event_id"],
            Self::Run => &of["run_id"],
            Self::Note => &of["entry_id"],
            Self::Artifact => &of["artifact_id"],
        }
    }
}

/// What an artifact with this key holds: long enough to be kept in a pack, and like no other.
fn content(key: &str) -> String {
    key.repeat(2_000)
}

/// What the node promised: the answer to the request with this key; none when there was no answer.
type Promises = BTreeMap<(Kind, String), Option<Value>>;

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
    for kind in Kind::ALL {
        let given = promises.iter().filter(|((of, _), answer)| *of == kind && answer.is_some()).count();
        assert!(given > rounds as usize, "{given} times {kind:?} is no load");
    }
    hold_against(&node, &promises, seed).await;
    assert!(node.stop().await.success());
    rebuild_changes_nothing(&folder);
}

/// Asks for one of each kind in turn, with keys of its own, until the node is gone.
async fn load(node: Arc<Node>, ledger: Ledger, round: u32, client: u32) {
    for number in 0..REQUESTS {
        let kind = Kind::ALL[number as usize % Kind::ALL.len()];
        let key = format!("0190f5fe-{round:04x}-7{client:03x}-8000-{number:012x}");
        ledger.lock().await.insert((kind, key.clone()), None);
        let Ok(answer) = kind.ask(&node, &key).await else { return };
        match answer.status {
            201 => drop(ledger.lock().await.insert((kind, key), Some(answer.body))),
            429 => tokio::task::yield_now().await,
            _ => panic!("{kind:?} {key}: {answer:?}"),
        }
    }
}

/// Repeats the last requests of the round before: what was answered is answered with the same, the rest is done now.
async fn repeat_some(node: &Node, ledger: &Ledger, place: &str) {
    let mut promises = ledger.lock().await;
    let mut asked = Vec::new();
    for kind in Kind::ALL {
        let of_kind = || promises.iter().filter(move |((of, _), _)| *of == kind);
        let open = of_kind().filter(|(_, answer)| answer.is_none());
        asked.extend(open.chain(of_kind().rev().take(REPEATED)).map(|(of, _)| of.clone()));
    }
    for (kind, key) in asked {
        let again = kind.ask(node, &key).await.expect("the node lives").ok();
        if let Some(Some(before)) = promises.insert((kind, key.clone()), Some(again.clone())) {
            assert_eq!(kind.id(&again), kind.id(&before), "{place}: {kind:?} {key} was done twice");
        }
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
    let runs = node.all("/api/v1/runs?blueprint=bp.count").await;
    for run in &runs {
        assert_eq!(run["status"], "completed", "seed {seed}: {run}");
        assert_eq!(run["outputs"], run["inputs"], "seed {seed}: {run}");
    }
    milestones_are_told_once(node, &runs, seed).await;

    let runs = by_key(&runs, |run| &run["inputs"]["key"]);
    let events = by_key(&accepted, |event| &event["event_id"]);
    let notes = node.all("/api/v1/timeline?kind=note").await;
    let notes = by_key(&notes, |note| &note["title"]);
    // Those of runs have the names of their events.
    let mut put = node.all("/api/v1/artifacts").await;
    put.retain(|artifact| artifact["run_id"].is_null() && artifact["name"] != "validation.json");
    let artifacts = by_key(&put, |artifact| &artifact["name"]);
    for ((kind, key), answer) in promises {
        let of_kind = match kind {
            Kind::Event => &events,
            Kind::Run => &runs,
            Kind::Note => &notes,
            Kind::Artifact => &artifacts,
        };
        let found: Vec<_> = of_kind.get(key).into_iter().flatten().map(|it| kind.id(it)).collect();
        match answer {
            Some(answer) => assert_eq!(found, [kind.id(answer)], "seed {seed}: {kind:?} {key}"),
            None => assert!(found.len() <= 1, "seed {seed}: {kind:?} {key} is there {} times", found.len()),
        }
        if *kind == Kind::Event {
            let started = runs.get(key).map_or(0, Vec::len);
            assert_eq!(started, found.len(), "seed {seed}: event {key} started {started} runs");
        }
    }
    let asked = |kinds: &[Kind]| promises.keys().filter(|(kind, _)| kinds.contains(kind)).count();
    let made = [(&events, &[Kind::Event] as &[_]), (&notes, &[Kind::Note]), (&artifacts, &[Kind::Artifact])];
    for (made, kinds) in made.into_iter().chain([(&runs, &[Kind::Event, Kind::Run] as &[_])]) {
        assert!(made.len() <= asked(kinds), "seed {seed}: more than was asked for of {kinds:?}");
    }
    for (key, artifact) in artifacts.iter().rev().take(READ) {
        let path = format!("/api/v1/artifacts/{}/download", word(&artifact[0]["artifact_id"]));
        let read = node.request("GET", &path).send().await.expect("the node answers");
        assert!(read.text().await.expect("text") == content(key), "seed {seed}: artifact {key} is another");
    }
}

/// Each run that ended says so on the timeline, and nothing of it twice.
async fn milestones_are_told_once(node: &Node, runs: &[Value], seed: u64) {
    eventually("every run is told of", async || {
        let moments = node.all("/api/v1/timeline?kind=run").await;
        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for moment in moments.iter().rev() {
            let title = word(&moment["title"]);
            let (_, words) = title.split_once(": ").expect("what it is called, and what came of it");
            told.entry(word(&moment["refs"]["run_id"]))
                .or_default()
                .extend(words.split(", ").map(str::to_owned));
        }
        for (run, words) in &told {
            let once: BTreeSet<&String> = words.iter().collect();
            assert_eq!(once.len(), words.len(), "seed {seed}: run {run} is told of twice: {words:?}");
        }
        let is_told = |run: &Value| {
            told.get(&word(&run["run_id"])).is_some_and(|words| words == &["started", "completed"])
        };
        runs.iter().all(is_told).then_some(())
    })
    .await;
}

/// What is in a list, by its key.
fn by_key(list: &[Value], key: impl Fn(&Value) -> &Value) -> BTreeMap<String, Vec<Value>> {
    let mut sorted: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for item in list {
        sorted.entry(word(key(item))).or_default().push(item.clone());
    }
    sorted
}

/// The chain holds, and what is derived from the journal is what the journal says.
fn rebuild_changes_nothing(folder: &Folder) {
    let verified = folder.xyn(["audit", "verify", "--json"]).json();
    assert_eq!(verified["is_sound"], true, "{verified}");
    let derived = || {
        [["run", "list"], ["artifact", "list"], ["audit", "show"], ["timeline", "log"]]
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
