//! What events say, against what other routes show of the same things.

use super::*;

/// A blueprint that waits for a person, and asks something.
const SHIP: &str = r#"
id: bp.ship
name: Ship
trigger: { event_type: test.ship }
plan:
  - { kind: gate, id: go, mode: manual, prompt: "Ship it?" }
  - { kind: gate, id: paid, mode: event, event_type: test.paid }
"#;

/// The data of the newest event called `name`.
async fn said(node: &Node, name: &str) -> Value {
    let events = node.get(&format!("/api/v1/events?event_name={name}&limit=1")).await.json();
    events["items"][0]["data"].clone()
}

/// Every key of objects in `value`, and how many nulls there are.
fn look(value: &Value, keys: &mut Vec<String>) -> usize {
    match value {
        Value::Null => 1,
        Value::Object(fields) => {
            keys.extend(fields.keys().cloned());
            fields.values().map(|value| look(value, keys)).sum()
        }
        Value::Array(items) => items.iter().map(|item| look(item, keys)).sum(),
        _ => 0,
    }
}

#[tokio::test]
async fn an_event_shows_what_it_is_about_as_the_other_routes_do() {
    let node = Node::start().await;
    node.promote(GREET).await;
    let run = node.run("bp.greet", json!({ "who": "ada" })).await;
    let artifact = node.get("/api/v1/artifacts?limit=1").await.json()["items"][0].clone();
    assert_eq!(said(&node, "xyn.artifact.created").await, artifact);
    let draft = node.get("/api/v1/drafts?limit=1").await.json()["items"][0].clone();
    let draft = node.get(&format!("/api/v1/drafts/{}", text(&draft["draft_id"]))).await.json();
    assert_eq!(said(&node, "xyn.draft.promoted").await, draft);
    let active = said(&node, "xyn.blueprint.activated").await;
    assert_eq!(active, node.get("/api/v1/blueprints/bp.greet").await.json());
    let begun = said(&node, "xyn.run.created").await;
    for field in ["name", "blueprint_ref", "blueprint_digest", "inputs", "labels", "priority"] {
        assert_eq!(begun[field], run[field], "{field}");
    }
    assert_eq!(said(&node, "xyn.run.completed").await, json!({ "outputs": run["outputs"] }));
    let step = node.get(&format!("/api/v1/runs/{}/steps/keep", text(&run["run_id"]))).await.json();
    assert_eq!(said(&node, "xyn.step.completed").await["outputs"], step["outputs"]);
    node.stop().await;
}

#[tokio::test]
async fn a_moment_an_intent_and_a_gate_are_shown_as_they_are_listed() {
    let node = Node::start().await;
    let noted = node.post("/api/v1/timeline/note", &json!({ "title": "one" })).await.json();
    let moment = node.get(&format!("/api/v1/timeline/{}", text(&noted["entry_id"]))).await.json();
    let added = node.get("/api/v1/events?event_name=xyn.timeline.entry.added").await.json();
    let mut added = added["items"].as_array().expect("a list").iter().map(|event| &event["data"]);
    assert!(added.any(|data| *data == moment["moment"]), "{moment}");
    let pinned = json!({ "entry_id": noted["entry_id"], "pinned": true });
    assert_eq!(node.post("/api/v1/timeline/pin", &pinned).await.json()["is_pinned"], true);
    let branch = json!({ "name": "try", "entry_id": noted["entry_id"] });
    assert_eq!(node.post("/api/v1/timeline/branch", &branch).await.json()["is_closed"], false);

    node.promote(SHIP).await;
    let run = node.post("/api/v1/runs", &json!({ "blueprint": "bp.ship" })).await.json();
    let waits = async || node.get("/api/v1/approvals").await.json()["items"][0].clone();
    let mut head = node.runtime.store().journal().expect("is open").head();
    while waits().await["prompt"] != "Ship it?" {
        head.changed().await.expect("the journal goes on");
    }
    let (gate, asked) = (waits().await, said(&node, "xyn.gate.requested").await);
    for field in ["mode", "approvers", "min", "prompt"] {
        assert_eq!(asked[field], gate[field], "{field}");
    }
    let word =
        json!({ "gate": { "run_id": run["run_id"], "step_id": "go" }, "approve": true, "note": "fine" });
    assert_eq!(node.post("/api/v1/approvals", &word).await.status, StatusCode::OK);
    assert_eq!(said(&node, "xyn.gate.approved").await["answer"]["note"], "fine");
    let listed = node.get("/api/v1/intents?action=gates.answer").await.json()["items"][0].clone();
    let gate = json!({
        "run_id": run["run_id"], "run_name": "Ship", "step_id": "go", "requester": "operator@local",
        "prompt": "Ship it?",
    });
    assert_eq!((&listed["gate"], &listed["subject"]["type"]), (&gate, &json!("gate")));
    let mut told = listed.clone();
    told.as_object_mut().expect("an object").remove("gate");
    assert_eq!(said(&node, "xyn.intent.accepted").await, told);
    for path in ["/ui/audit".to_owned(), format!("/ui/audit/intents/{}", text(&listed["intent_id"]))] {
        let page = node.get(&path).await;
        let html = String::from_utf8_lossy(&page.body).into_owned();
        assert!(html.contains("“Ship it?”, gate go of Ship, a run of operator@local"), "{path}: {html}");
    }
    while said(&node, "xyn.gate.requested").await["event_name"] != "test.paid" {
        head.changed().await.expect("the journal goes on");
    }
    node.stop().await;
}

#[tokio::test]
async fn no_event_shows_how_it_is_kept() {
    let node = Node::start().await;
    node.promote(GREET).await;
    node.run("bp.greet", json!({ "who": "ada" })).await;
    node.post("/api/v1/timeline/note", &json!({ "title": "one" })).await;
    node.post("/api/v1/intents", &json!({ "action": "nobody.knows" })).await;
    let events = node.get("/api/v1/events?limit=200").await.json();
    let events = events["items"].as_array().expect("a list");
    assert!(events.len() > 10, "{events:?}");
    for event in events {
        let (data, mut keys) = (&event["data"], Vec::new());
        // What policies decided is a document of its own, and what a step gave is anything.
        let mut own = data.clone();
        for foreign in ["decision", "outputs", "inputs", "metadata", "event"] {
            own.as_object_mut().map(|fields| fields.shift_remove(foreign));
        }
        let nulls = look(&own, &mut keys);
        let internal =
            ["withheld", "is_json", "depth", "reused", "fault", "Gate", "json", "closed", "pinned"];
        let is_internal = |key: &String| {
            internal.contains(&key.as_str()) || key.starts_with(|first: char| first.is_ascii_uppercase())
        };
        assert!(nulls == 0 && !keys.iter().any(is_internal), "{}: {data}", event["event_name"]);
    }
    node.stop().await;
}
