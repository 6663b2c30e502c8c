//! Headers with a meaning of their own, and what every list and every single read have in common.

use super::*;

#[tokio::test]
async fn an_interaction_goes_through_from_the_request_to_what_follows_from_it() {
    let node = Node::start().await;
    node.promote(GREET).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("x-correlation-id", "order-17"), ("traceparent", trace)];
    let body = json!({ "blueprint": "bp.greet", "inputs": { "who": "you" } });
    let run = node.post_with("/api/v1/runs?wait=10s", &headers, &body).await;
    assert_eq!(run.header("x-correlation-id"), "order-17");
    assert_eq!(run.header("traceparent")[..36], trace[..36]);
    assert_ne!(run.header("traceparent"), trace);
    assert_eq!(run.json()["correlation_id"], "order-17");
    let events = node.get("/api/v1/events?correlation_id=order-17&event_name=xyn.run.*").await.json();
    let events = events["items"].as_array().expect("a list");
    assert!(events.len() >= 2 && events.iter().all(|event| event["correlation_id"] == "order-17"));
    for path in ["/api/v1/health", "/nothing"] {
        let fresh = node.get(path).await;
        assert_eq!((fresh.header("x-correlation-id").len(), fresh.header("traceparent").len()), (36, 55));
    }
    node.stop().await;
}

#[tokio::test]
async fn answers_about_a_run_or_a_step_name_it() {
    let node = Node::start().await;
    node.promote(GREET).await;
    let body = json!({ "blueprint": "bp.greet", "inputs": { "who": "x" } });
    let started = node.post("/api/v1/runs?wait=10s", &body).await;
    let run_id = text(&started.json()["run_id"]).to_owned();
    assert_eq!(started.header("x-run-id"), run_id);
    let path = format!("/api/v1/runs/{run_id}");
    assert_eq!(node.get(&path).await.header("x-run-id"), run_id);
    assert_eq!(node.post(&format!("{path}/replay"), &json!({})).await.header("x-run-id"), run_id);
    let retried = node.post(&format!("{path}/retry"), &json!({ "from_step": "say" })).await;
    assert_eq!(retried.header("x-run-id"), text(&retried.json()["run_id"]));
    let step = node.get(&format!("{path}/steps/say")).await;
    assert_eq!((step.header("x-run-id"), step.header("x-step-id")), (run_id.as_str(), "say"));
    node.stop().await;
}

#[tokio::test]
async fn whoever_has_a_thing_already_is_not_sent_it_again() {
    let node = Node::start().await;
    node.promote(GREET).await;
    let run = node.run("bp.greet", json!({ "who": "you" })).await;
    let run_path = format!("/api/v1/runs/{}", text(&run["run_id"]));
    let first = async |list: &str, noun: &str, id: &str| {
        let page = node.get(&format!("/api/v1/{list}")).await.json();
        format!("/api/v1/{noun}/{}", text(&page["items"][0][id]))
    };
    let artifact = first("artifacts", "artifacts", "artifact_id").await;
    let reads = [
        format!("{run_path}/steps/say"),
        run_path,
        format!("{artifact}/download"),
        artifact,
        first("events", "events", "event_id").await,
        first("drafts", "drafts", "draft_id").await,
        first("intents", "intents", "intent_id").await,
        first("policies", "policies", "policy_id").await,
        "/api/v1/blueprints/bp.greet".into(),
        "/schemas/blueprint.v1.json".into(),
    ];
    for path in reads {
        let read = node.get(&path).await;
        assert_eq!(read.status, StatusCode::OK, "{path}");
        let again = node.get_with(&path, &[("if-none-match", read.header("etag"))]).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
        assert_eq!(again.header("etag"), read.header("etag"), "{path}");
        let other = node.get_with(&path, &[("if-none-match", "\"another\"")]).await;
        assert_eq!((other.status, other.body), (StatusCode::OK, read.body), "{path}");
    }
    node.stop().await;
}

#[tokio::test]
async fn every_list_refuses_a_limit_over_two_hundred_and_a_cursor_it_did_not_give() {
    let node = Node::start().await;
    node.promote(GREET).await;
    let run = node.run("bp.greet", json!({ "who": "you" })).await;
    let note = node.post("/api/v1/timeline/note", &json!({ "title": "here" })).await.json();
    let moment = text(&note["entry_id"]);
    let document = crate::document(node.runtime.registry());
    let mut lists = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let parameters = item["get"]["parameters"].as_array().cloned().unwrap_or_default();
        if !parameters.iter().any(|parameter| parameter["name"] == "cursor") {
            continue;
        }
        lists += 1;
        let path = path.replace("{run_id}", text(&run["run_id"]));
        // What a list cannot do without.
        let needs = |name| parameters.iter().any(|it| it["name"] == name && it["required"] == true);
        let between = if needs("from") { format!("from={moment}&to={moment}&") } else { String::new() };
        let path = format!("{path}?{between}");
        assert_eq!(node.get(&format!("{path}limit=200")).await.status, StatusCode::OK, "{path}");
        for (query, field) in [("limit=201", "limit"), ("limit=0", "limit"), ("cursor=zz", "cursor")] {
            let fault = node.get(&format!("{path}{query}")).await.fault();
            assert_eq!(fault, (400, "invalid".into(), field.into()), "{path}{query}");
        }
    }
    assert!(lists >= 8, "{lists}");
    node.stop().await;
}

#[tokio::test]
async fn events_are_found_by_name_run_interaction_and_time() {
    let node = Node::start().await;
    node.promote(GREET).await;
    for (name, at) in
        [("shop.order.placed", "2020-01-01T00:00:00Z"), ("shop.order.paid", "2020-01-02T00:00:00Z")]
    {
        let event = json!({ "event_name": name, "occurred_at": at, "correlation_id": name });
        assert_eq!(node.post("/api/v1/events", &event).await.status, StatusCode::CREATED);
    }
    let run = node.run("bp.greet", json!({ "who": "you" })).await;
    let names = async |query: &str| {
        let page = node.get(&format!("/api/v1/events?limit=200&{query}")).await.json();
        let names = page["items"].as_array().expect("a list").iter();
        names.map(|event| text(&event["event_name"]).to_owned()).collect::<Vec<_>>()
    };
    let (placed, paid) = ("shop.order.placed", "shop.order.paid");
    assert_eq!(names("event_name=shop.order.*").await, [paid, placed]);
    assert_eq!(names("event_name=shop.**").await, [paid, placed]);
    assert_eq!(names("event_name=shop.*").await, [""; 0]);
    assert_eq!(names("event_name=shop.**&correlation_id=shop.order.paid").await, [paid]);
    assert_eq!(names("event_name=shop.**&since=2020-01-02T00:00:00Z").await, [paid]);
    assert_eq!(names("event_name=shop.**&until=2020-01-02T00:00:00Z").await, [placed]);
    let of_run = names(&format!("run_id={}", text(&run["run_id"]))).await;
    assert!(of_run.len() > 4 && of_run.iter().all(|name| name.starts_with("xyn.")), "{of_run:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_browser_runs_nothing_but_what_the_node_serves_and_shows_it_in_nobodys_frame() {
    let node = Node::start().await;
    let page = node.get("/ui/events").await;
    let html = String::from_utf8(page.body).expect("a page");
    let asset = html.split('"').find(|it| it.starts_with("/ui/assets/") && it.ends_with("/studio.js"));
    let asset = asset.expect("the page names its script");
    for (path, status) in [
        ("/ui/events", StatusCode::OK),
        ("/ui/events/_list", StatusCode::OK),
        ("/ui/nothing", StatusCode::NOT_FOUND),
        ("/ui/runs/no-id", StatusCode::BAD_REQUEST),
        (asset, StatusCode::OK),
    ] {
        let answer = node.get_with(path, &[("hx-request", "true")]).await;
        assert_eq!(answer.status, status, "{path}");
        let said = [
            "content-security-policy",
            "x-content-type-options",
            "x-frame-options",
            "referrer-policy",
            "cross-origin-opener-policy",
        ];
        let said = said.map(|name| answer.header(name));
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
        assert_eq!(said, [policy, "nosniff", "DENY", "same-origin", "same-origin"], "{path}");
    }
    for within in ["<style", "<script>", " style=\"", " onclick=", " onload=", "javascript:"] {
        assert!(!html.contains(within), "the page holds {within}, which its policy forbids");
    }
    node.stop().await;
}
