//! Two people and the one who asks, at a parked intent and at a gate.

use serde_json::json;
use xyn_store::ids::IntentId;
use xyn_store::projection::{GateRow, IntentRow, IntentStatus};
use xyn_store::scope::{Principal, Stage};

use super::*;
use crate::governance::Role;

pub(super) const TWO: &str = r#"
policy_id: pol.two
policy_type: governance
name: Two
status: active
version: 1
evaluation_mode: first_match
rules:
  - rule_id: ask
    match: { action: events.emit }
    requirements: { approvals: { min: 2, from_any_of: ["role:OwnerAdmin"], expires_in: EXPIRES } }
    effect: require_approval
  - rule_id: rest
    match: { action: "*" }
    effect: allow
"#;

const GATED_BY_TWO: &str = r#"
id: bp.two
name: Two
trigger: { event_type: test.two }
plan:
  - { kind: gate, id: ok, mode: manual, approvers: ["role:OwnerAdmin"], min: 2, timeout: 1h }
"#;

/// A person; the names `o…` are of owners.
fn person(name: &str) -> Identity {
    let roles = if name.starts_with('o') { vec![Role::OwnerAdmin] } else { vec![Role::User] };
    Identity { principal: Principal::new(format!("{name}@test")), roles, teams: Vec::new() }
}

impl Node {
    async fn submit_by(
        &self,
        name: &str,
        stage: Stage,
        action: &str,
        input: Value,
    ) -> Result<Outcome, Refusal> {
        let intent = self.intent(action, input);
        let intent = Intent { identity: person(name), stage: Some(stage), session: None, ..intent };
        self.runtime.submit(intent).await
    }

    /// What a word of `name` comes to: the status it leads to, or the code it is refused with.
    async fn word(&self, name: &str, on: &Value, approve: bool) -> String {
        let mut input = on.clone();
        input["approve"] = approve.into();
        let action = if on.get("intent_id").is_some() { "intents.answer" } else { "gates.answer" };
        match self.submit_by(name, Stage::Dev, action, input).await {
            Ok(outcome) => {
                format!(
                    "{} {}",
                    outcome.output["status"].as_str().expect("a word"),
                    outcome.output["remaining"]
                )
            }
            Err(refusal) => refusal.code().to_owned(),
        }
    }

    async fn parked_by_olga(&self, stage: Stage) -> Value {
        let input = json!({ "event_name": "test.made" });
        match self.submit_by("olga", stage, "events.emit", input).await {
            Err(Refusal::Parked { intent_id, .. }) => json!({ "intent_id": intent_id }),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_parked_intent_wants_two_owners_and_the_requester_counts_in_dev_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.submit("policies.activate", json!({ "source": TWO.replace("EXPIRES", "1h") }))
        .await
        .expect("activates");
    for (stage, requester) in
        [(Stage::Dev, "parked 1"), (Stage::Staging, "approval_refused"), (Stage::Prod, "approval_refused")]
    {
        let on = node.parked_by_olga(stage).await;
        assert_eq!(node.word("uwe", &on, true).await, "approval_refused", "not eligible");
        assert_eq!(node.word("olga", &on, true).await, requester, "{stage:?}");
        assert_eq!(
            node.word("otto", &on, true).await.starts_with("parked"),
            stage != Stage::Dev,
            "{stage:?}"
        );
        if stage != Stage::Dev {
            assert_eq!(node.word("otto", &on, true).await, "approval_refused", "a second word of one person");
            assert_eq!(node.word("oda", &on, true).await, "approved 0");
        }
        assert_eq!(node.word("ole", &on, true).await, "not_parked", "decided");
    }
    assert_eq!(node.events("test.made").len(), 3);
    let on = node.parked_by_olga(Stage::Prod).await;
    assert_eq!(node.word("otto", &on, false).await, "denied 0", "one no is enough");
    assert_eq!(node.word("oda", &on, true).await, "not_parked");
    assert_eq!(node.events("test.made").len(), 3);
    node.stop().await;
}

#[tokio::test]
async fn words_behind_the_deadline_of_a_parked_intent_do_not_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.submit("policies.activate", json!({ "source": TWO.replace("EXPIRES", "1s") }))
        .await
        .expect("activates");
    let on = node.parked_by_olga(Stage::Dev).await;
    assert_eq!(node.word("otto", &on, true).await, "parked 1");
    let id: IntentId = serde_json::from_value(on["intent_id"].clone()).expect("an id");
    let row = || {
        let reader = node.runtime.store().read().expect("reads");
        reader.get::<IntentRow>(&IntentRow::key_of(id)).expect("reads").expect("is there")
    };
    let mut head = node.runtime.0.journal.head();
    tokio::time::timeout(PATIENCE, async {
        while row().status == IntentStatus::Parked {
            head.changed().await.expect("the journal goes on");
        }
    })
    .await
    .expect("the timer ends it");
    assert_eq!(row().fault.expect("says why").code, "expired");
    assert_eq!(node.word("oda", &on, true).await, "not_parked");
    assert!(node.events("test.made").is_empty());
    assert_eq!(node.events("xyn.intent.expired").len(), 1);
    node.stop().await;
    rebuilds_to_the_same(folder.path(), actions::builtin());
}

#[tokio::test]
async fn a_gate_wants_two_owners_and_the_requester_counts_in_dev_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(GATED_BY_TWO).await;
    node.submit(
        "policies.activate",
        json!({ "source": TWO.replace("events.emit", "x.y").replace("EXPIRES", "1h") }),
    )
    .await
    .expect("activates");
    for (stage, requester) in [(Stage::Dev, "requested 1"), (Stage::Prod, "approval_refused")] {
        let started = node.submit_by("olga", stage, "runs.start", json!({ "blueprint": "bp.two" })).await;
        let run: RunId =
            serde_json::from_value(started.expect("starts").output["run_id"].clone()).expect("an id");
        let on = json!({ "run_id": run, "step_id": "ok" });
        assert_eq!(node.word("uwe", &on, true).await, "approval_refused", "not eligible");
        assert_eq!(node.word("olga", &on, true).await, requester, "{stage:?}");
        let second = node.word("otto", &on, true).await;
        if stage != Stage::Dev {
            assert_eq!(second, "requested 1");
            assert_eq!(node.word("otto", &on, true).await, "approval_refused", "a second word of one person");
            assert_eq!(node.word("oda", &on, true).await, "approved 0");
        } else {
            assert_eq!(second, "approved 0");
        }
        assert_eq!(node.end_of(run).await.status, RunStatus::Completed);
        let reader = node.runtime.store().read().expect("reads");
        let key = GateRow::key_of(run, xyn_store::projection::StepKey { step: 0, item: None });
        assert_eq!(reader.get::<GateRow>(&key).expect("reads").expect("is there").approvals.len(), 2);
    }
    node.stop().await;
}
