//! Two nodes, one of them offline.

use super::*;

#[tokio::test]
async fn an_approval_given_offline_arrives_late_and_counts_once() {
    let homes = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let founder = Founder::start(homes[0].path()).await;
    let (run, question) = founder.node.asks(Stage::Dev).await;
    let ada = founder.joined(homes[1].path(), "ada@lab", Role::OwnerAdmin).await;
    assert_eq!(ada.asked_elsewhere(), [question], "it is asked there too");
    // From here on the two do not hear of each other.
    let given = ada.approves(run).await.expect("is given");
    assert_eq!((&given["status"], &given["remaining"]), (&json!("given"), &json!(1)));
    let twice = ada.approves(run).await;
    let Err(Refusal::Forbidden { code: "approval_refused", message }) = twice else { panic!("{twice:?}") };
    assert_eq!(message, "`ada@lab` has already answered");
    assert_eq!(ada.asked_elsewhere()[0].words.len(), 1);
    let unknown = json!({ "run_id": run, "step_id": "other", "approve": true });
    let unknown = ada.submit("gates.answer", unknown).await;
    assert!(matches!(unknown, Err(Refusal::NotFound { kind: "run", .. })), "{unknown:?}");
    ada.stop().await;
    let now = founder.node.runtime.clock().now();
    let ada = start_in(homes[1].path(), actions::builtin(), Clock::manual(now), Environment::default()).await;

    for _ in 0..2 {
        brings(&ada, &founder.node).await;
        assert_eq!(founder.node.approvers(run), ["ada@lab"]);
    }
    let cause = founder.node.gate(run).approvals[0].clone();
    assert_eq!((cause.approve, cause.note), (true, None));
    let answered = founder.node.events("xyn.gate.answered");
    assert_eq!(answered.len(), 1);
    let entry_id = given["entry_id"].as_str().expect("an id");
    assert_eq!((&answered[0]["actor"], &answered[0]["causation_id"]), (&json!("ada@lab"), &json!(entry_id)));
    founder.node.approves(run).await.expect("the second of two");
    assert_eq!(founder.node.end_of(run).await.status, RunStatus::Completed);
    let is_over = |moments: &[Entry]| moments.iter().any(|moment| moment.note.title.contains("completed"));
    founder.node.until_moments(is_over).await;
    brings(&founder.node, &ada).await;
    assert!(ada.asked_elsewhere().is_empty(), "and is not asked any more");
    let late = ada.approves(run).await;
    assert!(matches!(late, Err(Refusal::Conflict { code: "no_open_gate", .. })), "{late:?}");
    assert!(founder.node.refused().is_empty());
    founder.node.stop().await;
    ada.stop().await;
    rebuilds_to_the_same(homes[0].path(), actions::builtin());
    rebuilds_to_the_same(homes[1].path(), actions::builtin());
}

#[tokio::test]
async fn a_rejection_from_elsewhere_ends_the_run_and_says_who_and_why() {
    let homes = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let founder = Founder::start(homes[0].path()).await;
    let (run, _) = founder.node.asks(Stage::Dev).await;
    let ada = founder.joined(homes[1].path(), "ada@lab", Role::OwnerAdmin).await;
    let word = json!({ "run_id": run, "step_id": "ok", "approve": false, "note": "not on a Sunday" });
    ada.submit("gates.answer", word).await.expect("is given");
    brings(&ada, &founder.node).await;
    let row = founder.node.end_of(run).await;
    assert_eq!(row.error.expect("it failed").message, "rejected by ada@lab: not on a Sunday");
    assert_eq!(founder.node.gate(run).status, GateStatus::Rejected);
    founder.node.stop().await;
    ada.stop().await;
}

#[tokio::test]
async fn an_intent_parked_on_one_node_is_approved_on_another_and_carried_out_once() {
    let homes = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let founder = Founder::start(homes[0].path()).await;
    let policy = approvals::TWO.replace("min: 2", "min: 1").replace("EXPIRES", "1h");
    founder.node.submit("policies.activate", json!({ "source": policy })).await.expect("activates");
    let parked = founder.node.submit("events.emit", json!({ "event_name": "test.made" })).await;
    let Err(Refusal::Parked { intent_id, .. }) = parked else { panic!("{parked:?}") };
    founder.node.question(&Matter::Intent(intent_id)).await;
    let ada = founder.joined(homes[1].path(), "ada@lab", Role::OwnerAdmin).await;
    assert_eq!(ada.asked_elsewhere()[0].ask.title, "events.emit");
    let word = json!({ "intent_id": intent_id, "approve": true });
    let given = ada.submit("intents.answer", word.clone()).await.expect("is given").output;
    assert_eq!(given["remaining"], 0);
    for _ in 0..2 {
        brings(&ada, &founder.node).await;
    }
    founder.node.until(|node| node.events("test.made").len() == 1).await;
    let own = founder.node.timeline().own().node;
    let settled = |moments: &[Entry]| {
        moments.iter().any(|moment| moment.node == own && moment.note.kind == Kind::Approve)
    };
    founder.node.until_moments(settled).await;
    brings(&founder.node, &ada).await;
    let late = ada.submit("intents.answer", word).await;
    assert!(matches!(late, Err(Refusal::Conflict { code: "not_parked", .. })), "{late:?}");
    assert_eq!(founder.node.events("test.made").len(), 1);
    founder.node.stop().await;
    ada.stop().await;
}
