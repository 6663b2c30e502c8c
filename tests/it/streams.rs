//! Event streams over restarts: nothing is missed, nothing comes twice.

use std::sync::Arc;

use reqwest::Response;
use serde_json::{Value, json};

use crate::node::{Answer, Folder, Node, PATIENCE, eventually};

/// Events before, between and behind two kills.
const EVENTS: u64 = 300;
/// Events after which the node is killed.
const KILLS: [usize; 2] = [80, 190];

/// A reader of server-sent events.
struct Reader {
    response: Response,
    held: String,
}

impl Reader {
    /// Goes on behind `last`.
    async fn open(node: &Node, path: &str, last: &str) -> Self {
        let request = node.request("GET", path).header("last-event-id", last);
        let response = request.send().await.expect("the node answers");
        assert_eq!(response.status(), 200);
        Self { response, held: String::new() }
    }

    /// The next event and its id; none when the stream ends or breaks.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((message, rest)) = self.held.split_once("\n\n") {
                let line = |name| message.lines().find_map(|line| line.strip_prefix(name));
                let event = line("id: ").zip(line("data: "));
                let event = event.map(|(id, data)| (id.to_owned(), data.to_owned()));
                self.held = rest.to_owned();
                if let Some((id, data)) = event {
                    return Some((id, serde_json::from_str(&data).expect("the data is JSON")));
                }
            }
            let piece =
                tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("in time").ok()??;
            self.held.push_str(std::str::from_utf8(&piece).expect("the events are ASCII"));
        }
    }
}

/// Emits events from `from` on, in order, until all are out or the node is gone; says which is the next.
async fn emit(node: Arc<Node>, from: u64) -> u64 {
    for n in from..EVENTS {
        let id = format!("0190f5fe-7c00-7a00-8000-{n:012x}");
        let event = json!({ "event_id": id, "event_name": "test.tick", "data": n });
        match Answer::of(node.request("POST", "/api/v1/events").json(&event)).await {
            Ok(answer) => drop(answer.ok()),
            // Whether it was done is not known: it is the next again, with the same id.
            Err(_) => return n,
        }
    }
    EVENTS
}

#[tokio::test]
async fn a_reader_that_comes_back_after_a_kill_goes_on_without_a_gap_or_a_repetition() {
    let folder = Folder::new();
    let path = "/api/v1/events/stream?event_name=test.tick";
    let (mut seen, mut last, mut next) = (Vec::new(), "0.0".to_owned(), 0);
    for until in KILLS.into_iter().chain([EVENTS as usize]) {
        let node = Arc::new(Node::start(&folder).await);
        let mut reader = Reader::open(&node, path, &last).await;
        let emitter = tokio::spawn(emit(Arc::clone(&node), next));
        while seen.len() < until {
            let Some((id, event)) = reader.next().await else { panic!("the stream ended after {last}") };
            seen.push(event["data"].as_u64().expect("a number"));
            last = id;
        }
        if until < EVENTS as usize {
            node.kill_9();
            // What was under way when the node died still counts.
            while let Some((id, event)) = reader.next().await {
                seen.push(event["data"].as_u64().expect("a number"));
                last = id;
            }
        }
        next = emitter.await.expect("the emitter ends");
    }
    assert_eq!(seen, (0..EVENTS).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_screen_that_comes_back_is_told_every_moment_once() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let path = "/api/v1/timeline/stream";
    let mut reader = Reader::open(&node, path, "0.0").await;
    let note = |title: &str| folder.xyn(["timeline", "note", title]).ok();
    let until = async |reader: &mut Reader, title: &str| {
        let mut seen = Vec::new();
        loop {
            let (id, moment) = reader.next().await.expect("the stream goes on");
            let is_wanted = moment["title"] == title;
            seen.push((id, moment["entry_id"].clone()));
            if is_wanted {
                return seen;
            }
        }
    };
    note("one");
    let mut seen = until(&mut reader, "one").await;
    drop(reader);
    note("two");
    note("three");
    let last = seen.last().expect("one at least").0.clone();
    let mut reader = Reader::open(&node, path, &last).await;
    seen.extend(until(&mut reader, "three").await);
    let told: Vec<_> = seen.into_iter().map(|(_, entry_id)| entry_id).collect();
    let mut listed = node.all("/api/v1/timeline").await;
    listed.reverse();
    let listed: Vec<_> = listed.into_iter().map(|moment| moment["entry_id"].clone()).collect();
    // By time here, by arrival there: on one node alone these are the same moments.
    let sorted = |mut ids: Vec<Value>| {
        ids.sort_by_key(|id| id.as_str().unwrap_or_default().to_owned());
        ids
    };
    assert_eq!(sorted(told), sorted(listed));
}

#[tokio::test]
async fn the_stream_of_a_run_is_followed_over_a_restart_to_its_end() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let run_id = node.run("bp.demo.approval", json!({ "service": "shop", "version": "1" })).await;
    let path = format!("/api/v1/runs/{run_id}/stream");
    let mut reader = Reader::open(&node, &path, "").await;
    let (mut names, mut last) = (Vec::new(), String::new());
    while names.last().is_none_or(|name| name != "xyn.gate.requested") {
        let (id, event) = reader.next().await.expect("the run goes on");
        names.push(event["event_name"].as_str().expect("a name").to_owned());
        last = id;
    }
    assert!(node.stop().await.success(), "a reader does not keep a node from stopping");

    let node = Node::start(&folder).await;
    let mut reader = Reader::open(&node, &path, &last).await;
    folder.xyn(["gate", "approve", &run_id, "approve"]).ok();
    while let Some((_, event)) = reader.next().await {
        names.push(event["event_name"].as_str().expect("a name").to_owned());
    }
    let whole = eventually("the run has ended", async || {
        let mut events = node.all(&format!("/api/v1/events?run_id={run_id}")).await;
        events.reverse();
        events.last().is_some_and(|event| event["event_name"] == "xyn.run.completed").then_some(events)
    })
    .await;
    let whole: Vec<_> = whole.iter().map(|event| event["event_name"].as_str().expect("a name")).collect();
    assert_eq!(names, whole);
}
