//! Rate limits: an address that asks too often is told when to come again, and so is a principal.

use std::net::IpAddr;

use xyn_actors::blueprint::NodeLimits;

use super::*;
use crate::rate::Peer;

async fn start() -> Node {
    let limits = NodeLimits { requests_per_second: 1, request_burst: 3, ..NodeLimits::default() };
    Node::start_in(Environment { limits, ..Environment::default() }).await
}

impl Node {
    async fn get_from(&self, address: &str, path: &str) -> Answer {
        let mut asked = request(Method::GET, path, &[], Body::empty());
        asked.extensions_mut().insert(Peer(address.parse::<IpAddr>().expect("an address")));
        self.send(asked).await
    }
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_refused_and_others_are_not() {
    let node = start().await;
    for _ in 0..3 {
        assert_eq!(node.get_from("192.0.2.1", "/api/v1/runs").await.status, StatusCode::OK);
    }
    let refused = node.get_from("192.0.2.1", "/api/v1/runs").await;
    assert_eq!(refused.fault(), (429, "rate_limited".into(), String::new()));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(node.get_from("192.0.2.2", "/api/v1/runs").await.status, StatusCode::OK);
    assert_eq!(node.get_from("192.0.2.1", "/healthz").await.status, StatusCode::OK, "probes are let through");
    assert_eq!(node.get("/api/v1/runs").await.status, StatusCode::OK, "this process has no address");
    node.stop().await;
}

#[tokio::test]
async fn a_principal_that_has_too_much_done_is_refused_wherever_it_comes_from() {
    let node = start().await;
    let emit = async || node.post("/api/v1/events", &json!({ "event_name": "test.x", "data": {} })).await;
    for _ in 0..3 {
        assert_eq!(emit().await.status, StatusCode::CREATED);
    }
    assert_eq!(emit().await.fault(), (429, "rate_limited".into(), String::new()));
    assert_eq!(
        node.get("/api/v1/runs").await.status,
        StatusCode::OK,
        "reading is not counted for principals"
    );
    node.stop().await;
}

#[tokio::test]
async fn an_event_behind_a_full_backlog_is_refused_and_told_when_to_come_again() {
    let limits = NodeLimits { event_backlog: 0, ..NodeLimits::default() };
    let node = Node::start_in(Environment { limits, ..Environment::default() }).await;
    let refused = node.post("/api/v1/events", &json!({ "event_name": "test.x", "data": {} })).await;
    assert_eq!(refused.fault(), (429, "overloaded".into(), String::new()));
    assert_eq!(refused.header("retry-after"), "1");
    node.stop().await;
}
