//! Drafts, blueprints, policies, and events on their way in.

use xyn_actors::intake::webhook;

use super::*;

#[tokio::test]
async fn a_text_with_faults_is_reported_whole_and_not_promoted() {
    let node = Node::start().await;
    let faulty = "id: bp.x\nplan:\n  - { kind: transform }\n  - { kind: nonsense, id: a }\n";
    let headers = [("content-type", "application/yaml")];
    let checked =
        node.send(request(Method::POST, "/api/v1/blueprints/validate", &headers, faulty.into())).await;
    let report = checked.json();
    assert_eq!(report["is_valid"], false);
    let issues = report["issues"].as_array().expect("a list");
    assert!(issues.len() >= 3, "{report}");
    assert!(issues.iter().all(|issue| issue["line"].as_u64() > Some(0) && issue["message"].is_string()));

    let body = json!({ "draft_type": "blueprint", "name": "x", "definition": faulty });
    let draft = node.post("/api/v1/drafts", &body).await;
    assert_eq!((&draft.json()["status"], &draft.json()["content"]), (&json!("draft"), &json!(faulty)));
    let path = draft.header("location").to_owned();
    assert_eq!(node.post(&format!("{path}/validate"), &json!({})).await.json()["is_valid"], false);
    assert_eq!(node.post(&format!("{path}/promote"), &json!({})).await.fault().0, 409);
    node.stop().await;
}

#[tokio::test]
async fn a_promoted_blueprint_is_shown_with_its_source_and_versions() {
    let node = Node::start().await;
    node.promote(GREET).await;
    node.promote(&GREET.replace("hello", "good day")).await;
    let active = node.get("/api/v1/blueprints/bp.greet").await.json();
    assert_eq!((&active["version"], &active["status"]), (&json!(2), &json!("active")));
    let first = node.get("/api/v1/blueprints/bp.greet?version=1").await.json();
    assert_eq!((&first["source"], &first["status"]), (&json!(GREET), &json!("deprecated")));
    let listed = node.get("/api/v1/blueprints?limit=200").await.json();
    let rows = listed["items"].as_array().expect("a list");
    let ours: Vec<_> = rows.iter().filter(|row| row["blueprint_id"] == "bp.greet").collect();
    assert_eq!(ours.len(), 1);
    assert!(ours[0].get("source").is_none());
    node.stop().await;
}

#[tokio::test]
async fn a_policy_is_put_in_force_or_every_fault_of_it_is_named() {
    let node = Node::start().await;
    let policy = "policy_id: pol.test\npolicy_type: governance\nname: Test\nevaluation_mode: first_match\n\
                  rules:\n  - { rule_id: r1, priority: 1, match: { action: \"http.*\" }, effect: deny }\n";
    let send = async |body: &str| {
        let headers = [("content-type", "application/yaml")];
        node.send(request(Method::POST, "/api/v1/policies", &headers, body.to_owned().into())).await
    };
    let activated = send(policy).await;
    assert_eq!((activated.status, &activated.json()["version"]), (StatusCode::CREATED, &json!(1)));
    let shown = node.get("/api/v1/policies/pol.test").await.json();
    assert_eq!(shown["source"], policy);
    let faulty = send("policy_id: 7\nrules: none\ncolour: red\n").await;
    let issues = &faulty.json()["error"]["details"]["issues"];
    assert!(issues.as_array().is_some_and(|issues| issues.len() >= 3), "{issues}");
    node.stop().await;
}

#[tokio::test]
async fn an_event_is_accepted_once_in_each_of_its_shapes() {
    let node = Node::start().await;
    let id = "0190f5fe-7c00-7a00-8000-000000000001";
    let plain = json!({ "event_id": id, "event_name": "test.plain", "data": { "n": 1 } });
    let (first, second) =
        (node.post("/api/v1/events", &plain).await, node.post("/api/v1/events", &plain).await);
    assert_eq!((first.status, first.json()), (StatusCode::CREATED, json!({ "event_id": id })));
    assert_eq!((second.status, second.json()), (first.status, first.json()));
    let shown = node.get(&format!("/api/v1/events/{id}")).await.json();
    assert_eq!((&shown["event_name"], &shown["data"]), (&json!("test.plain"), &json!({ "n": 1 })));
    assert_eq!(shown["env_id"], "local");

    let structured = json!({
        "specversion": "1.0", "id": "a-1", "source": "/shop", "type": "test.structured", "data": { "n": 2 }
    });
    let headers = [("content-type", "application/cloudevents+json")];
    let body = Body::from(structured.to_string());
    let answer = node.send(request(Method::POST, "/api/v1/events", &headers, body)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json());
    let headers = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "a-2"),
        ("ce-source", "/shop"),
        ("ce-type", "test.binary"),
    ];
    let answer = node.send(request(Method::POST, "/api/v1/events", &headers, "{\"n\":3}".into())).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json());
    let listed = node.get("/api/v1/events?event_name=test.*").await.json();
    let names: Vec<_> =
        listed["items"].as_array().expect("a list").iter().map(|e| &e["event_name"]).collect();
    assert_eq!(names, ["test.binary", "test.structured", "test.plain"]);
    node.stop().await;
}

#[tokio::test]
async fn a_webhook_counts_when_its_signature_holds_and_only_once() {
    let node = Node::start().await;
    let secret = HOOK_SECRET.parse().expect("a secret");
    let now = node.runtime.clock().now();
    let (body, time) = ("{\"n\":1}", (now.as_micros() / 1_000_000).to_string());
    let signature = webhook::sign(&secret, "msg-1", now, body.as_bytes());
    let send = async |hook: &str, signature: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", "msg-1"),
            ("webhook-timestamp", &*time),
            ("webhook-signature", signature),
        ];
        node.send(request(Method::POST, &format!("/api/v1/hooks/{hook}"), &headers, body.into())).await
    };
    let (first, second) = (send("test", &signature).await, send("test", &signature).await);
    assert_eq!(first.status, StatusCode::CREATED, "{:?}", first.json());
    assert_eq!((second.status, second.json()), (first.status, first.json()));
    let event = node.get(first.header("location")).await.json();
    assert_eq!((&event["actor"], &event["event_name"]), (&json!("webhook:test"), &json!("test.hooked")));
    let forged = webhook::sign(&secret, "msg-2", now, body.as_bytes());
    assert_eq!(send("test", &forged).await.fault().1, "signature_mismatch");
    assert_eq!(send("test", "nonsense").await.fault().0, 401);
    assert_eq!(send("nobody", &signature).await.fault().0, 404);
    node.stop().await;
}

#[tokio::test]
async fn the_proofs_of_the_audit_log_hold_without_trust_in_the_node() {
    use xyn_store::Digest;
    use xyn_store::audit::proof;

    let node = Node::start().await;
    let digest = |value: &Value| text(value).parse::<Digest>().expect("a digest");
    let digests = |value: &Value| value.as_array().expect("a list").iter().map(digest).collect::<Vec<_>>();
    let early = node.get("/api/v1/audit").await.json();
    for n in 0..5 {
        node.post("/api/v1/events", &json!({ "event_name": "test.n", "data": n })).await;
    }
    let late = node.get("/api/v1/audit").await.json();
    let size = |state: &Value| state["size"].as_u64().expect("a number");
    assert!(size(&late) >= size(&early) + 5);

    let included =
        node.get(&format!("/api/v1/audit/proof/inclusion?offset=2&size={}", size(&late))).await.json();
    let hashes = digests(&included["hashes"]);
    let held =
        proof::verify_inclusion(&digest(&included["leaf"]), 2, size(&late), &hashes, &digest(&late["root"]));
    assert!(held.is_ok());
    let path = format!("/api/v1/audit/proof/consistency?old_size={}&new_size={}", size(&early), size(&late));
    let hashes = digests(&node.get(&path).await.json()["hashes"]);
    let (old, new) = (digest(&early["root"]), digest(&late["root"]));
    assert!(proof::verify_consistency(size(&early), size(&late), &old, &new, &hashes).is_ok());
    assert_eq!(node.get("/api/v1/audit/proof/inclusion?offset=999999").await.fault().2, "offset");
    assert_eq!(node.get("/api/v1/audit/proof/inclusion").await.fault().0, 400);
    node.stop().await;
}
