//! Three-step runs (two transforms and an in-process action) started over HTTP and awaited: latency alone, runs/s with
//! 64 callers beside the node, memory after 100,000 runs. Prints one JSON line a figure.
//!
//! `cargo bench --bench runs`

mod harness;

use std::time::Duration;

use harness::{Client, Node, fdatasync_p50, folder, load, percentile, post, report};

const BLUEPRINT: &str = r#"
id: bp.bench
name: Bench
trigger: { event_type: bench.never }
inputs: [{ name: n, schema: { type: integer } }]
plan:
  - { kind: transform, id: double, set: { n: "{{ inputs.n * 2 }}" } }
  - { kind: transform, id: text, set: { text: "n is {{ steps.double.output.n }}" } }
  - { kind: action_task, id: keep, action: artifacts.put, with: { name: n.txt, content: "{{ steps.text.output.text }}" } }
outputs: [{ name: text, from: "{{ steps.text.output.text }}" }]
"#;
const RUNS: usize = 100_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (_keep, path) = folder("runs");
    std::fs::create_dir_all(&path).expect("a folder");
    report("runs.disk.fdatasync_p50_ms", fdatasync_p50(&path));
    let node = Node::start(&path.join("data")).await;
    let mut client = Client::connect(node.address).await.expect("connects");
    client.promote(BLUEPRINT).await;
    report("runs.rss_before_mb", node.rss_bytes() as f64 / 1e6);
    let event = post("/api/v1/events", r#"{"event_name":"bench.commit","data":{}}"#);
    let (commits, _) = load(node.address, 1, Duration::from_secs(3), event).await;
    let run = post("/api/v1/runs?wait=30s", r#"{"blueprint":"bp.bench","inputs":{"n":21}}"#);
    let (alone, _) = load(node.address, 1, Duration::from_secs(5), run).await;
    report("runs.c1.commit_p50_ms", percentile(&commits, 0.5));
    report("runs.c1.p50_ms", percentile(&alone, 0.5));
    report("runs.c1.p99_ms", percentile(&alone, 0.99));
    report("runs.c1.p50_per_commit", percentile(&alone, 0.5) / percentile(&commits, 0.5));
    let mut done = alone.len();
    while done < RUNS {
        let before = node.cpu();
        let (latencies, elapsed) = load(node.address, 64, Duration::from_secs(5), run).await;
        let rate = latencies.len() as f64 / elapsed.as_secs_f64();
        done += latencies.len();
        report("runs.c64.runs_per_s", rate);
        report("runs.c64.p50_ms", percentile(&latencies, 0.5));
        report("runs.c64.p99_ms", percentile(&latencies, 0.99));
        let cpu = (node.cpu() - before).as_secs_f64() / latencies.len() as f64;
        report("runs.c64.node_cpu_us_per_run", cpu * 1e6);
    }
    report("runs.done", done as f64);
    report("runs.rss_after_mb", node.rss_bytes() as f64 / 1e6);
    node.stop();
}
