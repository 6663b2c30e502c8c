//! Peers: the roster is read, and what needs a mesh says so where there is none.

use super::*;

#[tokio::test]
async fn the_founder_is_a_member_of_its_environment() {
    let node = Node::start().await;
    let own = node.runtime.store().key().public().to_string();
    let listed = node.get("/api/v1/peers").await.json();
    assert_eq!(listed["next_cursor"], Value::Null);
    let [peer] = listed["items"].as_array().expect("items").as_slice() else { panic!("{listed}") };
    assert_eq!((&peer["node"], &peer["is_self"]), (&json!(own), &json!(true)));
    assert_eq!((&peer["role"], &peer["standing"]), (&json!("owner_admin"), &json!("active")));
    assert_eq!((&peer["connection"], &peer["last_seen_at"]), (&Value::Null, &Value::Null));
    assert!(peer["records"].as_u64() > Some(0), "its certificate is a record: {peer}");
    // What it writes of its own meanwhile is counted there already.
    let mut alone = node.get(&format!("/api/v1/peers/{own}")).await.json();
    assert!(alone["records"].as_u64() >= peer["records"].as_u64(), "{alone}");
    alone["records"] = peer["records"].clone();
    assert_eq!(&alone, peer);
    let behind = node.get(&format!("/api/v1/peers?cursor={own}")).await.json();
    assert_eq!(behind["items"], json!([]));
    node.stop().await;
}

#[tokio::test]
async fn a_node_outside_of_any_mesh_says_so() {
    let node = Node::start().await;
    let mesh = node.get("/api/v1/mesh").await.json();
    assert_eq!((&mesh["mode"], &mesh["peers_connected"]), (&json!("off"), &json!(0)));
    assert_eq!(mesh["listening"], json!([]));
    for path in ["/api/v1/peers/trace", "/api/v1/peers/invitations"] {
        assert_eq!(node.get(path).await.json(), json!({ "items": [], "next_cursor": null }), "{path}");
    }
    let wanted = json!({ "principal": "grace@laptop" });
    let refused = node.post("/api/v1/peers/invitations", &wanted).await;
    assert_eq!(refused.fault(), (409, "mesh_off".into(), String::new()));
    assert_eq!(node.get("/api/v1/peers/trace/stream").await.fault().1, "mesh_off");
    node.stop().await;
}

#[tokio::test]
async fn who_is_invited_and_for_how_long_is_checked_at_the_edge() {
    let node = Node::start().await;
    let long = format!("{}@x", "a".repeat(200));
    let table = [
        (json!({ "principal": "grace" }), "principal"),
        (json!({ "principal": "machine:grace@x" }), "principal"),
        (json!({ "principal": "a\u{1b}[2J@x" }), "principal"),
        (json!({ "principal": long }), "principal"),
        (json!({ "principal": "a@b", "role": "king" }), "role"),
        (json!({ "principal": "a@b", "lifetime_seconds": 0 }), "lifetime_seconds"),
        (json!({ "principal": "a@b", "lifetime_seconds": 30_000_000 }), "lifetime_seconds"),
        (json!({ "principal": "a@b", "lifetime_seconds": 1.5 }), "lifetime_seconds"),
        (json!({ "principal": "a@b", "valid_for_seconds": 0 }), "valid_for_seconds"),
        (json!({ "principal": "a@b", "valid_for_seconds": 1.5 }), "valid_for_seconds"),
        (json!({ "principal": "a@b", "valid_for_seconds": 400_000_000 }), "valid_for_seconds"),
        (json!({ "principal": "a@b", "secret": "x" }), "secret"),
        (json!({}), "principal"),
    ];
    for (body, path) in table {
        let refused = node.post("/api/v1/peers/invitations", &body).await;
        assert_eq!(refused.fault(), (400, "invalid".into(), path.to_owned()), "{body}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_peer_that_nobody_knows_is_not_found_and_nonsense_is_no_key() {
    let node = Node::start().await;
    let nobody = "ab".repeat(32);
    assert_eq!(node.get(&format!("/api/v1/peers/{nobody}")).await.fault().0, 404);
    assert_eq!(node.get("/api/v1/peers/nobody").await.fault(), (400, "invalid".into(), "node".into()));
    let path = format!("/api/v1/peers/{nobody}/revoke");
    assert_eq!(node.post(&path, &json!({})).await.fault(), (400, "invalid".into(), "reason".into()));
    let twice = json!({ "reason": "lost", "node": nobody });
    assert_eq!(node.post(&path, &twice).await.fault(), (400, "invalid".into(), "node".into()));
    node.stop().await;
}
