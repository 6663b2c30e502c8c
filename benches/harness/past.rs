//! What gives a node a past: a run that ends, and when nothing of it is under way any more.

use std::time::Duration;

use serde_json::Value;

use super::{Client, Node};

/// A run of two steps that ends by itself.
pub(crate) const ENDS: &str = r#"
id: bp.ends
name: Ends
trigger: { event_type: bench.never }
inputs: [{ name: n, schema: { type: integer } }]
plan:
  - { kind: transform, id: double, set: { n: "{{ inputs.n * 2 }}" } }
  - { kind: transform, id: text, set: { text: "n is {{ steps.double.output.n }}" } }
"#;

/// Waits until no run is at work and every event was dispatched and told.
pub(crate) async fn settled(node: &Node) {
    let mut client = Client::connect(node.address).await.expect("connects");
    loop {
        let (_, body) = client.get("/metrics").await;
        let text = String::from_utf8(body).expect("metrics are text");
        let gauge = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the gauge is there");
            line.trim().parse::<f64>().expect("a number")
        };
        let waiting = ["xyn_runs_in_memory ", "xyn_event_backlog_entries ", "xyn_milestone_backlog_entries "];
        if waiting.into_iter().all(|name| gauge(name) == 0.0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The rows of the list at `path`.
pub(crate) async fn list(client: &mut Client, path: &str) -> Vec<Value> {
    let (status, body) = client.get(path).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    let mut page: Value = serde_json::from_slice(&body).expect("JSON");
    serde_json::from_value(page["items"].take()).expect("a list")
}
