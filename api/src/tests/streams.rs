//! Event streams: nothing missed, nothing twice, across a resume.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures::StreamExt;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

/// A reader of server-sent events.
struct Follower {
    body: BodyDataStream,
    held: String,
}

impl Follower {
    async fn open(node: &Node, path: &str, headers: &[(&str, &str)]) -> Self {
        let request = request(Method::GET, path, headers, Body::empty());
        let response = node.router.clone().oneshot(request).await.expect("answers");
        assert_eq!(response.status(), StatusCode::OK);
        Self { body: response.into_body().into_data_stream(), held: String::new() }
    }

    /// The next event with its id; none at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((message, rest)) = self.held.split_once("\n\n") {
                let line = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
                let event = line("id: ")
                    .zip(line("data: "))
                    .map(|(id, data)| (id.to_owned(), serde_json::from_str(data).expect("the data is JSON")));
                self.held = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let piece = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("in time")?;
            self.held.push_str(std::str::from_utf8(&piece.expect("a piece")).expect("text"));
        }
    }
}

async fn emit(node: &Node, n: u64) {
    let event = json!({ "event_name": "test.tick", "data": n });
    assert_eq!(node.post("/api/v1/events", &event).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_reader_that_comes_back_goes_on_where_it_was() {
    let node = Node::start().await;
    let path = "/api/v1/events/stream?event_name=test.tick";
    let mut live = Follower::open(&node, path, &[]).await;
    for n in 0..3 {
        emit(&node, n).await;
    }
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (id, event) = live.next().await.expect("goes on");
        seen.push(event["data"].clone());
        drop(std::mem::replace(&mut live, Follower::open(&node, path, &[("last-event-id", &id)]).await));
    }
    emit(&node, 3).await;
    for _ in 0..2 {
        seen.push(live.next().await.expect("goes on").1["data"].clone());
    }
    assert_eq!(seen, [json!(0), json!(1), json!(2), json!(3)]);

    let mut from_the_start = Follower::open(&node, &format!("{path}&after=0.0"), &[]).await;
    assert_eq!(from_the_start.next().await.expect("goes on").1["data"], 0);
    node.stop().await;
}

#[tokio::test]
async fn the_stream_of_a_run_tells_it_from_its_beginning_and_ends_with_it() {
    let node = Node::start().await;
    node.promote(GREET).await;
    let run = node.run("bp.greet", json!({ "who": "you" })).await;
    let path = format!("/api/v1/runs/{}/stream", text(&run["run_id"]));
    let mut stream = Follower::open(&node, &path, &[]).await;
    let mut names = Vec::new();
    while let Some((_, event)) = stream.next().await {
        assert_eq!(event["run_id"], run["run_id"]);
        names.push(text(&event["event_name"]).to_owned());
    }
    assert!(names.iter().any(|name| name == "xyn.run.created"), "{names:?}");
    assert_eq!(names.last().map(String::as_str), Some("xyn.run.completed"));
    node.stop().await;
}

#[tokio::test]
async fn streams_end_when_the_node_stops_and_are_bounded() {
    let node = Node::start().await;
    let places = node.state.streams().clone();
    let all = places.try_acquire_many(crate::limits::STREAMS_MAX as u32).expect("free places");
    let refused = node.get("/api/v1/events/stream").await;
    assert_eq!((refused.fault().0, refused.header("retry-after")), (429, "1"));
    drop(all);
    let mut stream = Follower::open(&node, "/api/v1/events/stream", &[]).await;
    node.state.stop();
    assert!(stream.next().await.is_none());
    assert_eq!(node.get("/readyz").await.fault().0, 503);
    node.stop().await;
}
