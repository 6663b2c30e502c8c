//! One run that fans out over 100,000 items: how long it takes, what the node weighs while it does, and how fast a page
//! of its steps is. Prints one JSON line a figure.
//!
//! `cargo bench --bench foreach`

mod harness;

use std::time::{Duration, Instant};

use harness::{Client, Node, folder, report};
use serde_json::{Value, json};

const BLUEPRINT: &str = r#"
id: bp.fan
name: Fan
trigger: { event_type: bench.never }
inputs: [{ name: items, schema: { type: array } }]
plan:
  - { kind: transform, id: each, foreach: "{{ inputs.items }}", max_parallel: 64, set: { double: "{{ item * 2 }}" } }
outputs: [{ name: done, from: "{{ steps.each.output | length }}" }]
"#;
const ITEMS: usize = 100_000;
const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (_keep, folder) = folder("foreach");
    let node = Node::start(&folder.join("data")).await;
    let mut client = Client::connect(node.address).await.expect("connects");
    client.promote(BLUEPRINT).await;
    let before = node.rss_bytes();
    let items: Vec<usize> = (0..ITEMS).collect();
    let begun = Instant::now();
    let (status, body) =
        client.post("/api/v1/runs", &json!({ "blueprint": "bp.fan", "inputs": { "items": items } })).await;
    assert!(status < 300, "{}", String::from_utf8_lossy(&body));
    let run: Value = serde_json::from_slice(&body).expect("JSON");
    let run = run["run_id"].as_str().expect("an id").to_owned();
    let mut peak = before;
    let ended = loop {
        let (_, body) = client.get(&format!("/api/v1/runs/{run}")).await;
        let row: Value = serde_json::from_slice(&body).expect("JSON");
        peak = peak.max(node.rss_bytes());
        if row["status"] != "running" && row["status"] != "created" {
            break row;
        }
        assert!(begun.elapsed() < PATIENCE, "the run does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(ended["status"], "completed", "{ended}");
    report("foreach.items", ITEMS as f64);
    report("foreach.items_per_s", ITEMS as f64 / begun.elapsed().as_secs_f64());
    report("foreach.rss_before_mb", before as f64 / 1e6);
    report("foreach.rss_peak_mb", peak as f64 / 1e6);
    pages(&mut client, &run).await;
    node.stop();
}

/// Walks all pages of the run's steps.
async fn pages(client: &mut Client, run: &str) {
    let (mut steps, mut slowest, mut cursor) = (0, Duration::ZERO, String::new());
    loop {
        let begun = Instant::now();
        let (status, body) = client.get(&format!("/api/v1/runs/{run}/steps?limit=200{cursor}")).await;
        slowest = slowest.max(begun.elapsed());
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let page: Value = serde_json::from_slice(&body).expect("JSON");
        steps += page["items"].as_array().expect("a list").len();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(steps >= ITEMS, "every item has its row: {steps}");
    report("foreach.steps_page_max_ms", slowest.as_secs_f64() * 1e3);
}
