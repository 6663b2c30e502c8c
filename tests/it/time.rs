//! Deadlines, retries and schedules of the real program that fall due while it is killed.
//!
//! A kill comes while something waits, and the next start only when it is late.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{Folder, Node, eventually};
use crate::peer::{Fate, Peer};

/// Waits for a person for a second, and asks a server that fails at first, with a second between.
const BOTH: &str = r#"
id: bp.both
name: Both
trigger: { event_type: test.both }
inputs:
  - { name: url, schema: { type: string }, required: true }
plan:
  - { kind: gate, id: ask, needs: [], mode: manual, timeout: 1s, on_timeout: approve }
  - { kind: action_task, id: call, needs: [], action: http.call, with: { url: "{{ inputs.url }}" },
      retry: { max_attempts: 3, initial: 1s, max: 1s, jitter: false } }
outputs:
  - { name: said, from: "{{ steps.call.output.body.said }}" }
"#;

/// Is done when `time` has passed since now.
async fn passed(time: Duration) {
    let begun = Instant::now();
    eventually("time passes", async || (begun.elapsed() > time).then_some(())).await;
}

async fn count(node: &Node, query: &str) -> usize {
    node.all(&format!("/api/v1/events?{query}")).await.len()
}

#[tokio::test]
async fn what_falls_due_while_the_node_is_killed_happens_once_after_the_restart() {
    let folder = Folder::new();
    let peer = Peer::start(&[Fate::Broken]);
    let node = Node::start(&folder).await;
    node.promote(&folder, BOTH).await;
    let run_id = node.run("bp.both", json!({ "url": peer.url() })).await;
    let retried = format!("run_id={run_id}&event_name=xyn.step.retried");
    eventually("the retry is recorded", async || (count(&node, &retried).await == 1).then_some(())).await;
    node.kill_9();
    passed(Duration::from_millis(1_200)).await;

    let node = Node::start(&folder).await;
    let run = node.ended(&run_id).await;
    assert_eq!((&run["status"], &run["outputs"]["said"]), (&json!("completed"), &json!("done")), "{run}");
    let [first, second] = &peer.calls()[..] else { panic!("two calls are wanted: {:?}", peer.calls()) };
    assert_eq!(first, second, "one key over both attempts");
    let gates = node.all(&format!("/api/v1/events?run_id={run_id}")).await;
    let decided = |event: &&Value| {
        matches!(event["event_name"].as_str(), Some("xyn.gate.approved" | "xyn.gate.expired"))
    };
    assert_eq!(gates.iter().filter(decided).count(), 1, "{gates:?}");
    node.kill_9();

    let node = Node::start(&folder).await;
    assert_eq!(node.all(&format!("/api/v1/events?run_id={run_id}")).await, gates, "nothing happens twice");
}

#[tokio::test]
async fn a_schedule_catches_up_after_a_kill() {
    let folder = Folder::new();
    std::fs::create_dir(folder.data()).expect("a folder");
    let schedule = "[[cron]]\nname = \"beat\"\nschedule = \"* * * * * *\"\nmissed = \"all\"\n";
    std::fs::write(folder.data().join("config.toml"), schedule).expect("writes");
    let node = Node::start(&folder).await;
    eventually("it ticks", async || (count(&node, "event_name=cron.beat").await >= 1).then_some(())).await;
    node.kill_9();
    passed(Duration::from_secs(3)).await;

    let node = Node::start(&folder).await;
    let ticks = eventually("the missed ones are made up for", async || {
        let ticks = node.all("/api/v1/events?event_name=cron.beat").await;
        (ticks.len() >= 4).then_some(ticks)
    })
    .await;
    let mut seconds: Vec<i64> = ticks.iter().map(|tick| second(&tick["occurred_at"])).collect();
    seconds.sort_unstable();
    assert!(seconds.is_sorted_by(|a, b| a + 1 == *b), "each second once: {seconds:?}");
}

fn second(at: &Value) -> i64 {
    at.as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok()).expect("an instant").as_second()
}
