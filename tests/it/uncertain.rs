//! Effects of which nobody knows whether they took place: nothing is silently done twice.

use serde_json::{Value, json};

use crate::node::{Folder, Node, eventually};
use crate::peer::{Fate, Peer};

/// A call with what a test says about it.
fn call(method: &str, more: &str) -> String {
    format!(
        r#"
id: bp.call
name: Call
trigger: {{ event_type: test.call }}
inputs:
  - {{ name: url, schema: {{ type: string }}, required: true }}
plan:
  - kind: action_task
    id: call
    action: http.call
    with: {{ method: {method}, url: "{{{{ inputs.url }}}}" }}
    {more}
outputs:
  - {{ name: said, from: "{{{{ steps.call.output.body.said }}}}" }}
"#
    )
}

async fn started(folder: &Folder, blueprint: &str, peer: &Peer) -> (Node, String) {
    let node = Node::start(folder).await;
    node.promote(folder, blueprint).await;
    let run_id = node.run("bp.call", json!({ "url": peer.url() })).await;
    (node, run_id)
}

/// The gate at which the run asks what to do about the call.
async fn asked(node: &Node, run_id: &str) -> Value {
    node.run_that(run_id, "the run asks a person", |run| run["waiting_on"]["kind"] == "gate").await;
    let waiting = node.get("/api/v1/approvals").await;
    let gate = waiting["items"][0].clone();
    assert_eq!((&gate["run_id"], &gate["mode"]), (&json!(run_id), &json!("uncertain")));
    gate
}

#[tokio::test]
async fn a_post_without_an_answer_asks_and_is_done_again_with_a_new_key_only_when_approved() {
    for fate in [Fate::Broken, Fate::Torn] {
        let folder = Folder::new();
        let peer = Peer::start(&[fate]);
        let (node, run_id) = started(&folder, &call("POST", "on_uncertain: ask"), &peer).await;
        let gate = asked(&node, &run_id).await;
        assert_eq!(gate["prompt"]["code"], "connection_broken", "{fate:?}");
        assert_eq!(peer.calls().len(), 1, "nothing is done again before somebody says so");
        folder.xyn(["gate", "approve", &run_id, "call"]).ok();
        let run = node.ended(&run_id).await;
        assert_eq!((&run["status"], &run["outputs"]["said"]), (&json!("completed"), &json!("done")));
        let calls = peer.calls();
        assert_eq!(calls.len(), 2);
        assert!(calls.iter().all(|call| call.method == "POST" && !call.key.is_empty()), "{calls:?}");
        assert_ne!(calls[0].key, calls[1].key, "a person's retry is another call");
    }
}

#[tokio::test]
async fn a_post_that_a_kill_cut_off_asks_after_the_restart_and_fails_when_rejected() {
    let folder = Folder::new();
    let peer = Peer::start(&[Fate::Held]);
    let (node, run_id) = started(&folder, &call("POST", "on_uncertain: ask"), &peer).await;
    eventually("the call arrives", async || (peer.calls().len() == 1).then_some(())).await;
    node.kill_9();

    let node = Node::start(&folder).await;
    asked(&node, &run_id).await;
    folder.xyn(["gate", "reject", &run_id, "call"]).ok();
    assert_eq!(node.ended(&run_id).await["status"], "failed");
    assert_eq!(peer.calls().len(), 1, "what nobody approved was not done again");
}

#[tokio::test]
async fn a_post_that_shall_fail_when_uncertain_fails() {
    let folder = Folder::new();
    let peer = Peer::start(&[Fate::Broken]);
    let (node, run_id) = started(&folder, &call("POST", "on_uncertain: fail"), &peer).await;
    let run = node.ended(&run_id).await;
    assert_eq!((&run["status"], &run["error"]["code"]), (&json!("failed"), &json!("connection_broken")));
    assert_eq!(peer.calls().len(), 1);
}

#[tokio::test]
async fn what_is_idempotent_is_done_again_with_the_same_key() {
    for (method, more) in [("GET", ""), ("PUT", ""), ("POST", "idempotent: true")] {
        let folder = Folder::new();
        let peer = Peer::start(&[Fate::Broken, Fate::Torn]);
        let (node, run_id) = started(&folder, &call(method, more), &peer).await;
        let run = node.ended(&run_id).await;
        assert_eq!(run["status"], "completed", "{method}: {run}");
        let calls = peer.calls();
        assert_eq!(calls.len(), 3, "{method}");
        assert!(calls.iter().all(|call| *call == calls[0] && !call.key.is_empty()), "{calls:?}");
    }
}
