//! Runs as callers see them.

use super::*;

#[tokio::test]
async fn a_run_that_is_waited_for_comes_back_with_its_outputs() {
    let node = Node::start().await;
    node.promote(GREET).await;
    let run = node.run("bp.greet", json!({ "who": "you" })).await;
    assert_eq!((&run["status"], &run["outputs"]), (&json!("completed"), &json!({ "text": "hello you" })));
    let path = format!("/api/v1/runs/{}", text(&run["run_id"]));

    let read = node.get(&path).await;
    assert_eq!(read.json(), run);
    let again = node.get_with(&path, &[("if-none-match", read.header("etag"))]).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));

    let steps = node.get(&format!("{path}/steps")).await.json();
    let names: Vec<_> =
        steps["items"].as_array().expect("a list").iter().map(|step| &step["step_id"]).collect();
    assert_eq!(names, ["say", "keep"]);
    let step = node.get(&format!("{path}/steps/keep")).await;
    assert_eq!((step.json(), step.header("x-step-id")), (steps["items"][1].clone(), "keep"));
    assert_eq!(node.get(&format!("{path}/steps/nobody")).await.fault().0, 404);

    let report = node.post(&format!("{path}/replay"), &json!({})).await.json();
    assert_eq!(report["deterministic"], true);
    node.stop().await;
}

#[tokio::test]
async fn the_same_key_starts_one_run_and_another_body_is_refused() {
    let node = Node::start().await;
    node.promote(GREET).await;
    let start = |who: &'static str| {
        let body = json!({ "blueprint": "bp.greet", "inputs": { "who": who } });
        let node = &node;
        async move { node.post_with("/api/v1/runs?wait=10s", &[("idempotency-key", "k-1")], &body).await }
    };
    let (first, second) = (start("you").await, start("you").await);
    assert_eq!((first.status, first.json()), (second.status, second.json()));
    let other = start("them").await.fault();
    assert_eq!(other, (422, "idempotency_key_reused".into(), "Idempotency-Key".into()));
    let bad = node.post_with("/api/v1/runs", &[("idempotency-key", "a b")], &json!({})).await.fault();
    assert_eq!(bad, (400, "invalid".into(), "Idempotency-Key".into()));
    node.stop().await;
}

#[tokio::test]
async fn lists_are_filtered_and_paged_without_a_gap() {
    let node = Node::start().await;
    node.promote(GREET).await;
    let mut started = Vec::new();
    for team in ["a", "b", "a", "b", "a"] {
        let labels = json!({ "team": team });
        let body = json!({ "blueprint": "bp.greet", "inputs": { "who": "x" }, "labels": labels });
        started.push(node.post("/api/v1/runs?wait=10s", &body).await.json()["run_id"].clone());
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/runs?limit=2".to_owned());
    loop {
        let page = node.get(&path).await.json();
        seen.extend(page["items"].as_array().expect("a list").iter().map(|run| run["run_id"].clone()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/runs?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    started.reverse();
    assert_eq!(seen, started);
    let count = async |filter: &str| {
        let page = node.get(&format!("/api/v1/runs?{filter}")).await.json();
        page["items"].as_array().expect("a list").len()
    };
    assert_eq!(count("label=team:a").await, 3);
    assert_eq!(count("status=completed&blueprint=bp.greet").await, 5);
    assert_eq!(count("status=failed").await, 0);
    assert_eq!(count("since=2100-01-01T00:00:00Z").await, 0);
    node.stop().await;
}

#[tokio::test]
async fn a_gate_is_shown_answered_once_and_the_run_goes_on() {
    let node = Node::start().await;
    node.promote(ASK).await;
    let body = json!({ "blueprint": "bp.ask" });
    let run = node.post("/api/v1/runs?wait=100ms", &body).await.json();
    assert_eq!((&run["status"], &run["waiting_on"]["kind"]), (&json!("running"), &json!("gate")));
    let waiting = node.get("/api/v1/approvals").await.json();
    let gate = &waiting["items"][0];
    assert_eq!(
        (&gate["kind"], &gate["step_id"], &gate["run_id"]),
        (&json!("gate"), &json!("approve"), &run["run_id"])
    );
    let word =
        json!({ "gate": { "run_id": run["run_id"], "step_id": "approve" }, "approve": true, "note": "go" });
    let answered = node.post("/api/v1/approvals", &word).await;
    assert_eq!(answered.status, StatusCode::OK, "{:?}", answered.json());
    let run_id = text(&run["run_id"]).parse().expect("an id");
    let ended = node.runtime.ended(run_id, std::time::Duration::from_secs(10)).await.expect("reads");
    assert!(ended.is_some_and(|row| row.status.is_final()));
    assert_eq!(node.get("/api/v1/approvals").await.json()["items"], json!([]));
    assert_eq!(node.post("/api/v1/approvals", &word).await.status.as_u16() / 100, 4);
    node.stop().await;
}

#[tokio::test]
async fn a_waiting_run_is_cancelled_and_an_ended_one_is_done_again() {
    let node = Node::start().await;
    node.promote(ASK).await;
    node.promote(GREET).await;
    let waiting = node.post("/api/v1/runs", &json!({ "blueprint": "bp.ask" })).await.json();
    let path = format!("/api/v1/runs/{}", text(&waiting["run_id"]));
    let cancelled = node.post(&format!("{path}/cancel"), &json!({ "reason": "not today" })).await;
    assert_eq!((cancelled.status, cancelled.header("x-run-id")), (StatusCode::OK, text(&waiting["run_id"])));
    let twice = json!({ "run_id": waiting["run_id"] });
    let fault = node.post(&format!("{path}/cancel"), &twice).await.fault();
    assert_eq!(fault, (400, "invalid".into(), "run_id".into()));

    let run = node.run("bp.greet", json!({ "who": "you" })).await;
    let path = format!("/api/v1/runs/{}", text(&run["run_id"]));
    let fork = json!({ "from_step": "say", "inputs": { "who": "them" } });
    let forked = node.post(&format!("{path}/fork"), &fork).await;
    assert_eq!(forked.status, StatusCode::CREATED, "{:?}", forked.json());
    let lineage = json!({ "run_id": run["run_id"], "from_step": "say" });
    assert_eq!(forked.json()["lineage"], lineage);
    node.stop().await;
}
