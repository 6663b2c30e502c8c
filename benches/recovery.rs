//! A node with a past: 1M events, 100,000 runs that ended and 100,000 that wait. How long it takes to be ready after a
//! kill, what it weighs, how fast it answers, and what it costs while nothing happens. Prints one JSON line a figure.
//!
//! `cargo bench --bench recovery`

mod harness;

use std::time::{Duration, Instant};

use harness::past::{ENDS, list, settled};
use harness::{Client, Node, count, folder, get, load, percentile, post, report};
use serde_json::json;

const ASKS: &str = r#"
id: bp.asks
name: Asks
trigger: { event_type: bench.never }
inputs: [{ name: n, schema: { type: integer } }]
plan:
  - { kind: gate, id: ask, mode: manual, timeout: 24h }
"#;
const SLEEPS: &str = r#"
id: bp.sleeps
name: Sleeps
trigger: { event_type: bench.never }
inputs: [{ name: n, schema: { type: integer } }]
plan:
  - { kind: gate, id: nap, mode: timer, delay: 24h }
"#;
const EVENTS: usize = 1_000_000;
const ENDED: usize = 100_000;
const ASKING: usize = 50_000;
const SLEEPING: usize = 50_000;
const CALLERS: usize = 64;
const GATES: usize = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (_keep, folder) = folder("recovery");
    let data = folder.join("data");
    let node = Node::start(&data).await;
    let ended = fill(&node).await;
    node.kill();

    let node = Node::start(&data).await;
    report("recovery.ready_after_kill_ms", node.healthy_after.as_secs_f64() * 1e3);
    settled(&node).await;
    report("recovery.rss_mb", node.rss_bytes() as f64 / 1e6);
    reads(&node, &ended).await;
    gates(&node).await;
    node.stop();

    let node = Node::start(&data).await;
    report("start.healthy_ms", node.healthy_after.as_secs_f64() * 1e3);
    settled(&node).await;
    let (cpu, begun) = (node.cpu(), Instant::now());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let share = (node.cpu() - cpu).as_secs_f64() / begun.elapsed().as_secs_f64();
    report("start.idle_cpu_percent", share * 100.0);
    report("start.idle_rss_mb", node.rss_bytes() as f64 / 1e6);
    node.stop();
}

/// Gives the node its past, and says how big it is. Answers a run that ended.
async fn fill(node: &Node) -> String {
    let mut client = Client::connect(node.address).await.expect("connects");
    for blueprint in [ENDS, ASKS, SLEEPS] {
        client.promote(blueprint).await;
    }
    let start = |name: &str| {
        post(node.address, "/api/v1/runs", &json!({ "blueprint": name, "inputs": { "n": 7 } }).to_string())
    };
    let (mut events, mut samples) = (0, Vec::new());
    for (name, runs) in [("bp.ends", ENDED), ("bp.asks", ASKING), ("bp.sleeps", SLEEPING)] {
        count(node.address, CALLERS, runs, &start(name)).await;
        settled(node).await;
        // The node closes a connection that was silent for long.
        let mut client = Client::connect(node.address).await.expect("connects");
        let newest = &list(&mut client, "/api/v1/runs?limit=1").await[0]["run_id"];
        let newest = newest.as_str().expect("a run").to_owned();
        events += runs * list(&mut client, &format!("/api/v1/events?limit=200&run_id={newest}")).await.len();
        samples.push(newest);
    }
    let plain = json!({ "event_name": "bench.plain", "data": { "text": "x".repeat(100) } });
    let rest = EVENTS.saturating_sub(events);
    count(node.address, CALLERS, rest, &post(node.address, "/api/v1/events", &plain.to_string())).await;
    report("recovery.events", (events + rest) as f64);
    report("recovery.runs_ended", ENDED as f64);
    report("recovery.runs_waiting", (ASKING + SLEEPING) as f64);
    settled(node).await;
    samples.swap_remove(0)
}

/// Reading one run and a page of runs, with 64 connections.
async fn reads(node: &Node, run: &str) {
    for (figure, path) in [
        ("run", format!("/api/v1/runs/{run}")),
        ("runs_page", "/api/v1/runs?limit=50".to_owned()),
        ("waiting_page", "/api/v1/runs?limit=50&status=running".to_owned()),
        ("events_page", "/api/v1/events?limit=50".to_owned()),
    ] {
        let request = get(node.address, &path);
        let (latencies, elapsed) = load(node.address, CALLERS, Duration::from_secs(5), &request).await;
        report(&format!("api.{figure}.requests_per_s"), latencies.len() as f64 / elapsed.as_secs_f64());
        report(&format!("api.{figure}.p99_ms"), percentile(&latencies, 0.99));
    }
}

/// Answering gates, one after the other, while 100,000 runs wait.
async fn gates(node: &Node) {
    let mut client = Client::connect(node.address).await.expect("connects");
    let mut latencies = Vec::new();
    while latencies.len() < GATES {
        for gate in list(&mut client, "/api/v1/approvals?limit=100").await {
            let word =
                json!({ "gate": { "run_id": gate["run_id"], "step_id": gate["step_id"] }, "approve": true });
            let begun = Instant::now();
            let (status, body) = client.post("/api/v1/approvals", &word).await;
            assert!(status < 300, "{}", String::from_utf8_lossy(&body));
            latencies.push(begun.elapsed());
        }
    }
    latencies.sort_unstable();
    report("recovery.gate_answered_p50_ms", percentile(&latencies, 0.5));
    report("recovery.gate_answered_p99_ms", percentile(&latencies, 0.99));
}
