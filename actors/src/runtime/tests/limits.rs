//! Limits that change: what was promoted under other ones goes on.

use super::*;

/// What it states fits only a node with raised limits.
const RAISED: &str = r#"
id: bp.raised
name: Raised
trigger: { event_type: test.raised }
limits: { max_steps: 300, wall_clock: 3h }
plan:
  - { kind: action_task, id: call, action: http.call, with: { url: "http://127.0.0.1:9/" }, timeout: 2h,
      foreach: "{{ range(1) }}", max_parallel: 80, retry: { max_attempts: 120, max: 400d } }
  - { kind: gate, id: ok, mode: manual, approvers: ["role:OwnerAdmin"], timeout: 400d }
"#;

#[tokio::test]
async fn what_was_promoted_under_raised_limits_is_read_and_rebuilt_under_lower_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let raised = NodeLimits {
        max_steps: 300,
        wall_clock: Duration::from_secs(4 * 60 * 60),
        max_parallel: 100,
        max_attempts: 200,
        max_wait: Duration::from_secs(500 * 24 * 60 * 60),
        ..NodeLimits::default()
    };
    let node = start_within(folder.path(), raised).await;
    node.promote(RAISED).await;
    node.promote(CHAIN).await;
    node.run("bp.raised", json!({})).await;
    node.stop().await;

    rebuilds_to_the_same(folder.path(), actions::builtin());
    let lowered = NodeLimits { max_steps: 1, wall_clock: Duration::from_secs(60), ..NodeLimits::default() };
    let node = start_within(folder.path(), lowered).await;
    let run = node.run("bp.chain", json!({ "n": 1 })).await;
    assert_eq!(node.end_of(run).await.status, RunStatus::Completed);
    let plan = |id| node.runtime.catalog().blueprint(id).expect("is active").plan.clone();
    for id in ["bp.raised", "bp.chain"] {
        assert_eq!(
            plan(id).limits.wall_clock,
            Duration::from_secs(60),
            "no run works longer than the node says"
        );
    }
    node.stop().await;
}

#[tokio::test]
async fn a_blob_may_be_larger_than_an_artifact_and_none_is_made_of_it_then() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let artifact =
        |byte_length: u64| json!({ "name": "a", "sha256": Digest::of(b"a"), "byte_length": byte_length });
    let refused = async |byte_length| {
        let refused = node.submit("artifacts.put", artifact(byte_length)).await.expect_err("is not there");
        refused.code().to_owned()
    };
    assert_eq!(refused(actions::ARTIFACT_MAX_BYTES + 1).await, "invalid_input");
    assert_ne!(refused(actions::ARTIFACT_MAX_BYTES).await, "invalid_input");
    node.stop().await;
}
