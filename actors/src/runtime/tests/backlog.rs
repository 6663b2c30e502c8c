//! When the dispatcher cannot go on, new events are refused, and those that were accepted are dispatched later.

use super::*;

/// Works until the peer at `inputs.port` lets go of its connection.
const CALLS: &str = r#"
id: bp.calls
name: Calls
trigger: { event_type: test.calls }
inputs: [{ name: port, schema: { type: integer }, required: true }]
plan:
  - { kind: action_task, id: call, action: http.call, idempotent: true,
      with: { method: GET, url: "http://127.0.0.1:{{ inputs.port }}/" } }
"#;

#[tokio::test]
async fn events_are_refused_behind_a_dispatcher_that_lags_and_none_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = NodeLimits { concurrency: 1, event_backlog: 20, ..NodeLimits::default() };
    let node = start_within(folder.path(), limits).await;
    for source in [CALLS, CHAIN, GATED] {
        node.promote(source).await;
    }
    let gated = node.run("bp.gated", json!({})).await;
    node.submit("gates.answer", json!({ "run_id": gated, "step_id": "ok", "approve": true }))
        .await
        .expect("answers");
    node.until(|node| node.row(gated).waiting_on.map(|wait| wait.kind) == Some(WaitKind::Event)).await;

    // The only run that may work is under way, so nobody can be told of the event.
    let peer = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = peer.local_addr().expect("is bound").port();
    let calls = node.run("bp.calls", json!({ "port": port })).await;
    let (connection, _) = peer.accept().await.expect("is called");
    node.submit("events.emit", json!({ "event_name": "test.told", "data": { "x": 1 } }))
        .await
        .expect("emits");
    let mut accepted = 0;
    let refusal = loop {
        let event = json!({ "event_name": "test.chain", "data": { "n": accepted } });
        match node.submit("events.emit", event).await {
            Ok(_) => accepted += 1,
            Err(refusal) => break refusal,
        }
        assert!(accepted < 100, "nothing is refused");
    };
    assert!(matches!(refusal, Refusal::Overloaded { .. }), "{refusal:?}");

    drop((connection, peer));
    assert_eq!(node.end_of(calls).await.status, RunStatus::Failed);
    assert_eq!(node.end_of(gated).await.status, RunStatus::Completed);
    node.until(|node| node.with_status(RunStatus::Completed).len() == accepted + 1).await;
    node.until(|node| node.runtime.event_backlog() == 0).await;
    node.submit("events.emit", json!({ "event_name": "test.chain", "data": { "n": 1 } }))
        .await
        .expect("emits");
    node.stop().await;
}

#[tokio::test]
async fn the_newest_events_of_a_name_are_found_however_much_happened_since() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let emit = |name: &'static str| node.submit("events.emit", json!({ "event_name": name }));
    let seldom =
        [emit("test.seldom").await, emit("test.seldom.too").await].map(|event| event.expect("emits"));
    for _ in 0..8 {
        let often = futures::future::join_all((0..250).map(|_| emit("test.often"))).await;
        often.into_iter().for_each(|event| drop(event.expect("emits")));
    }
    let reader = node.runtime.store().read().expect("reads");
    let newest = |name: &str, limit| {
        let found = crate::events::newest(&reader, &[name.parse().expect("a name")], limit).expect("reads");
        found.into_iter().map(|event| json!(event.event_id)).collect::<Vec<_>>()
    };
    let [first, second] = seldom.map(|event| event.output["event_id"].clone());
    assert_eq!(newest("test.seldom.**", 5), [second.clone(), first]);
    assert_eq!(newest("test.seldom.**", 1), [second]);
    assert_eq!((newest("test.often", 7).len(), newest("test.nothing", 7).len()), (7, 0));
    drop(reader);
    node.stop().await;
}
