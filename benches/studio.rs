//! Studio on a node with a past: 1M events, 100,000 runs, 100,000 moments. What each page takes until its first byte
//! and weighs, and, where `tests/studio` was installed, what a browser makes of it. Prints one JSON line a figure.
//!
//! `cargo bench --bench studio`

mod harness;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use harness::past::{ENDS, list, settled};
use harness::{Client, Node, count, folder, percentile, post, report};
use serde_json::json;

const EVENTS: usize = 1_000_000;
const RUNS: usize = 100_000;
const CALLERS: usize = 64;
const ROUNDS: usize = 200;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (_keep, folder) = folder("studio");
    let node = Node::start(&folder.join("data")).await;
    fill(&node).await;
    let mut client = Client::connect(node.address).await.expect("connects");
    for path in pages(&mut client).await {
        let mut latencies = Vec::with_capacity(ROUNDS);
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let (status, body) = client.get(&path).await;
            latencies.push(begun.elapsed());
            assert_eq!(status, 200, "{path}");
            bytes = body.len();
        }
        latencies.sort_unstable();
        let name = path.trim_start_matches("/ui/").split('/').collect::<Vec<_>>();
        let name = if name.len() == 1 { name[0].to_owned() } else { format!("{}_one", name[0]) };
        report(&format!("studio.{name}.p99_ms"), percentile(&latencies, 0.99));
        report(&format!("studio.{name}.bytes"), bytes as f64);
    }
    browse(&node);
    node.stop();
}

/// Gives the node its past.
async fn fill(node: &Node) {
    let mut client = Client::connect(node.address).await.expect("connects");
    client.promote(ENDS).await;
    let start = json!({ "blueprint": "bp.ends", "inputs": { "n": 7 } }).to_string();
    count(node.address, CALLERS, RUNS, &post(node.address, "/api/v1/runs", &start)).await;
    settled(node).await;
    let mut client = Client::connect(node.address).await.expect("connects");
    let newest = &list(&mut client, "/api/v1/runs?limit=1").await[0]["run_id"];
    let newest = newest.as_str().expect("a run");
    let of_a_run = list(&mut client, &format!("/api/v1/events?limit=200&run_id={newest}")).await.len();
    let rest = EVENTS.saturating_sub(RUNS * of_a_run);
    let plain = json!({ "event_name": "bench.plain", "data": { "text": "x".repeat(100) } }).to_string();
    count(node.address, CALLERS, rest, &post(node.address, "/api/v1/events", &plain)).await;
    settled(node).await;
    report("studio.runs", RUNS as f64);
    report("studio.events", (RUNS * of_a_run + rest) as f64);
}

/// Every page that the rail leads to, and a page of one run, one event, one artifact.
async fn pages(client: &mut Client) -> Vec<String> {
    let (_, body) = client.get("/ui/events").await;
    let html = String::from_utf8(body).expect("a page is text");
    let places = html.split("class=\"place\" href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut pages: Vec<_> = places.map(str::to_owned).collect();
    for (noun, id) in [("events", "event_id"), ("runs", "run_id")] {
        let newest = &list(client, &format!("/api/v1/{noun}?limit=1")).await[0][id];
        pages.push(format!("/ui/{noun}/{}", newest.as_str().expect("an id")));
    }
    pages
}

/// Has a browser say when each page shows something.
fn browse(node: &Node) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/studio");
    if !folder.join("node_modules").is_dir() {
        report("studio.browser", 0.0);
        return;
    }
    let url = format!("http://{}", node.address);
    let status = Command::new("node").arg("speed.mjs").env("XYN_URL", url).current_dir(folder).status();
    assert!(status.is_ok_and(|status| status.success()), "the browser's figures");
}
