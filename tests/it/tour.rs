//! The main job from outside: events become runs, people answer, artifacts come out, and no crash stops it.

use serde_json::{Value, json};

use crate::node::{COUNT, Folder, Node, eventually};
use crate::peer::{Fate, Peer};

/// Asks a server and keeps what it said.
const FETCH: &str = r#"
id: bp.fetch
name: Fetch
trigger: { event_type: test.fetch }
inputs:
  - { name: url, schema: { type: string }, required: true }
plan:
  - { kind: transform, id: before, set: { url: "{{ inputs.url }}" } }
  - { kind: action_task, id: call, action: http.call, with: { url: "{{ steps.before.output.url }}" } }
outputs:
  - { name: said, from: "{{ steps.call.output.body.said }}" }
"#;

/// Waits for a while, then for a person.
const WAIT: &str = r#"
id: bp.wait
name: Wait
trigger: { event_type: test.wait }
plan:
  - { kind: gate, id: settle, mode: timer, delay: 1s }
  - { kind: gate, id: approve, mode: manual, prompt: "Go on?" }
  - { kind: transform, id: after, set: { done: true } }
outputs:
  - { name: done, from: "{{ steps.after.output.done }}" }
"#;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("`{value}` is no text"))
}

#[tokio::test]
async fn an_event_comes_in_and_an_artifact_comes_out() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    folder.xyn(["event", "emit", "demo.hello", "--data", r#"{"name":" ada "}"#]).ok();
    let run = eventually("the run completes", async || {
        let runs = node.get("/api/v1/runs?blueprint=bp.hello&status=completed").await;
        runs["items"].get(0).cloned()
    })
    .await;
    assert_eq!(run["outputs"], json!({ "greeting": "Hello, Ada!" }));
    let listed = folder.xyn(["artifact", "list", "--json"]).json();
    let artifact = &listed["items"][0];
    assert_eq!((&artifact["name"], &artifact["run_id"]), (&json!("hello.txt"), &run["run_id"]));
    let content = folder.xyn(["artifact", "get", text(&artifact["artifact_id"])]).ok();
    assert_eq!(content, "Hello, Ada!\n");
    assert!(node.stop().await.success());

    // What is at rest can be read as well.
    assert_eq!(folder.xyn(["artifact", "get", text(&artifact["artifact_id"])]).ok(), content);
    let shown = folder.xyn(["run", "show", text(&run["run_id"]), "--json"]).json();
    assert_eq!(shown["steps"].as_array().map(Vec::len), Some(3));
    let verified = folder.xyn(["audit", "verify", "--json"]).json();
    assert_eq!(verified["is_sound"], true);
}

#[tokio::test]
async fn a_person_approves_by_command_and_the_run_goes_on() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let run_id = node.run("bp.demo.approval", json!({ "service": "shop", "version": "1.4.2" })).await;
    let waits = |run: &Value| run["waiting_on"]["kind"] == "gate";
    node.run_that(&run_id, "the run waits for a person", waits).await;
    let waiting = folder.xyn(["gate", "list", "--json"]).json();
    assert_eq!(
        (&waiting["items"][0]["run_id"], &waiting["items"][0]["prompt"]),
        (&json!(run_id), &json!("Deploy shop 1.4.2?"))
    );
    folder.xyn(["gate", "approve", &run_id, "approve", "--note", "go"]).ok();
    assert_eq!(node.ended(&run_id).await["status"], "completed");
    let again = folder.xyn(["gate", "approve", &run_id, "approve"]);
    assert_eq!(again.code, 6, "{again:?}");
}

#[tokio::test]
async fn a_run_that_is_killed_in_the_middle_of_a_call_is_finished_after_the_restart() {
    let folder = Folder::new();
    let peer = Peer::start(&[Fate::Held]);
    let node = Node::start(&folder).await;
    node.promote(&folder, FETCH).await;
    let run_id = node.run("bp.fetch", json!({ "url": peer.url() })).await;
    eventually("the call arrives", async || (peer.calls().len() == 1).then_some(())).await;
    node.kill_9();
    peer.release();

    let node = Node::start(&folder).await;
    let run = node.ended(&run_id).await;
    assert_eq!((&run["status"], &run["outputs"]), (&json!("completed"), &json!({ "said": "done" })));
    let replayed = folder.xyn(["run", "replay", &run_id, "--json"]).json();
    assert_eq!(replayed["deterministic"], true);
    let [first, second] = &peer.calls()[..] else { panic!("two calls are wanted: {:?}", peer.calls()) };
    assert_eq!(first, second, "one key over both attempts");
    assert!(node.stop().await.success());
    folder.xyn(["audit", "verify"]).ok();
}

#[tokio::test]
async fn timers_and_gates_outlive_kills() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    node.promote(&folder, WAIT).await;
    let run_id = node.run("bp.wait", json!({})).await;
    let waits_for = |kind: &'static str| move |run: &Value| run["waiting_on"]["kind"] == kind;
    node.run_that(&run_id, "the run waits for its timer", waits_for("timer")).await;
    node.kill_9();

    let node = Node::start(&folder).await;
    node.run_that(&run_id, "the run waits for a person", waits_for("gate")).await;
    node.kill_9();

    let node = Node::start(&folder).await;
    folder.xyn(["gate", "approve", &run_id, "approve"]).ok();
    assert_eq!(node.ended(&run_id).await["outputs"], json!({ "done": true }));
    let fired = node.get(&format!("/api/v1/events?run_id={run_id}&event_name=xyn.gate.approved")).await;
    assert_eq!(fired["items"].as_array().map(Vec::len), Some(2), "{fired}");
}

#[tokio::test]
async fn a_second_node_on_a_folder_is_refused_by_name() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let second = folder.xyn(["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 6, "{second:?}");
    let data = folder.data().display().to_string();
    assert!(second.err.contains(&data) && second.err.contains(&node.pid().to_string()), "{second:?}");
    for command in [["store", "rebuild"], ["audit", "verify"]] {
        assert_eq!(folder.xyn(command).code, 6, "{command:?}");
    }
    assert_eq!(node.get("/healthz").await["status"], "ok");
}

#[tokio::test]
async fn sigterm_ends_the_node_in_good_order_and_the_next_takes_over() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    node.promote(&folder, COUNT).await;
    let run_id = node.run("bp.count", json!({ "key": "a" })).await;
    assert_eq!(node.stop().await.code(), Some(0));
    assert!(!folder.data().join("node.json").exists());
    let node = Node::start(&folder).await;
    assert_eq!(node.ended(&run_id).await["status"], "completed");
}

#[tokio::test]
async fn other_addresses_than_loopback_are_refused() {
    let folder = Folder::new();
    let refused = folder.xyn(["up", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("loopback"), "{refused:?}");
}

#[tokio::test]
async fn each_way_to_end_has_its_exit_code() {
    let folder = Folder::new();
    let nobody = "0190f5fe-7c00-7a00-8000-000000000001";
    assert_eq!(folder.xyn(["event", "emit", "test.x"]).code, 7, "no node");
    assert_eq!(folder.xyn(["run", "list", "--url", "http://127.0.0.1:9"]).code, 7, "nobody listens");
    assert_eq!(folder.xyn(["frobnicate"]).code, 2);
    let node = Node::start(&folder).await;
    assert_eq!(folder.xyn(["run", "show", nobody]).code, 3);
    assert_eq!(folder.xyn(["blueprint", "promote", "/nonexistent.yaml"]).code, 3);
    for (effect, code) in [("require_approval", 5), ("deny", 4)] {
        let policy = format!(
            "policy_id: pol.test.{effect}\npolicy_type: governance\nname: Test\nevaluation_mode: deny_overrides\n\
             rules:\n  - {{ rule_id: runs, match: {{ action: runs.start, stage: dev }}, effect: {effect} }}\n"
        );
        let file = folder.file("policy.yaml", &policy);
        folder.xyn(["policy", "activate", &file]).ok();
        let ended = folder.xyn(["run", "start", "bp.hello", "--input", "name=Ada"]);
        assert_eq!(ended.code, code, "{effect}: {ended:?}");
    }
    assert!(node.stop().await.success());
}
