//! What an idempotency key remembers.

use serde_json::json;
use xyn_store::projection::{ClaimRow, IntentRow, IntentStatus, Payload};

use super::crash::Reach;
use super::intents::APPROVED;
use super::*;

#[tokio::test]
async fn a_repeated_key_gets_the_whole_answer_of_the_first_intent() {
    let folder = tempfile::tempdir().expect("a folder");
    let reach = Reach::default();
    let node = start_with(folder.path(), reach.registry()).await;
    let draft = json!({ "draft_type": "blueprint", "name": "d", "definition": CHAIN });
    let saved = node.submit_with_key("drafts.save", draft.clone(), Some("save")).await.expect("saves");
    let of_draft = json!({ "draft_id": saved.output["draft_id"] });
    let broken = json!({ "draft_type": "blueprint", "name": "b", "definition": "id: bp.broken" });
    let broken = node.submit("drafts.save", broken).await.expect("saves").output;
    let acts = [
        ("drafts.save", draft),
        ("blueprints.validate", of_draft.clone()),
        ("blueprints.promote", of_draft),
        ("blueprints.validate", json!({ "draft_id": broken["draft_id"] })),
        (
            "policies.activate",
            json!({ "source": APPROVED.replace("ask", "ask_again").replace("runs.start", "x.y") }),
        ),
        ("artifacts.put", json!({ "name": "a.txt", "content": "a" })),
        ("runs.start", json!({ "blueprint": "bp.chain", "inputs": { "n": 1 } })),
    ];
    let mut answers = Vec::new();
    for (n, (action, input)) in acts.into_iter().enumerate() {
        let key = if n == 0 { "save".to_owned() } else { format!("key {n}") };
        let first = node.submit_with_key(action, input.clone(), Some(&key)).await.expect("does it");
        answers.push((key, action, input, first));
    }
    node.stop().await;
    let node = start_with(folder.path(), reach.registry()).await;
    for (key, action, input, first) in answers {
        let again = node.submit_with_key(action, input, Some(&key)).await.expect("answers");
        assert_eq!(again, Outcome { repeated: true, ..first }, "{action}");
    }
    node.stop().await;
    rebuilds_to_the_same(folder.path(), reach.registry());
}

#[tokio::test]
async fn a_key_remembers_what_was_begun_also_when_it_failed_and_forgets_what_was_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let reach = Reach::default();
    let node = start_with(folder.path(), reach.registry()).await;
    let large = json!({ "echo": "x".repeat(Payload::INLINE_MAX) });
    for _ in 0..2 {
        let done = node.submit_with_key("test.reach", large.clone(), Some("large")).await.expect("reaches");
        assert_eq!(done.output, large);
    }
    let row = node.only_intent("test.reach");
    assert!(matches!(row.output, Some(Payload::Blob { .. })), "a large output is a blob");
    for (how, status) in [("certainly", IntentStatus::Failed), ("maybe", IntentStatus::Uncertain)] {
        let input = json!({ "fails": how });
        let first = node.submit_with_key("test.reach", input.clone(), Some(how)).await.expect_err("fails");
        let again = node.submit_with_key("test.reach", input, Some(how)).await.expect_err("fails");
        assert_eq!((first.code(), first.to_string()), (again.code(), again.to_string()));
        let rows = node.runtime.store().read().expect("reads");
        let key = xyn_store::tables::Key::new();
        let is_it = |row: &IntentRow| row.status == status;
        let rows = rows.page::<IntentRow>(&key, xyn_store::Order::Ascending, None, 10, is_it).expect("reads");
        assert_eq!(rows.items.len(), 1, "{how}");
    }
    assert_eq!(reach.keys().len(), 3, "no key called twice");
    let unknown = node.submit_with_key("runs.start", json!({ "blueprint": "bp.chain" }), Some("late")).await;
    assert!(matches!(unknown, Err(Refusal::NotFound { .. })), "{unknown:?}");
    node.promote(CHAIN).await;
    let input = json!({ "blueprint": "bp.chain", "inputs": { "n": 2 } });
    node.submit_with_key("runs.start", input, Some("late")).await.expect("the refusal claimed no key");
    node.stop().await;
    rebuilds_to_the_same(folder.path(), reach.registry());
}

#[tokio::test]
async fn a_repeated_key_of_a_parked_intent_parks_no_second_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let reach = Reach::default();
    let node = start_with(folder.path(), reach.registry()).await;
    node.activate(APPROVED).await;
    let emit = json!({ "event_name": "test.made" });
    let ask = async || node.submit_with_key("events.emit", emit.clone(), Some("k")).await;
    let parked = |answer: Result<Outcome, Refusal>| match answer {
        Err(Refusal::Parked { intent_id, decision }) => (intent_id, decision.to_string()),
        other => panic!("{other:?}"),
    };
    let first = parked(ask().await);
    assert_eq!(parked(ask().await), first, "the same answer");
    node.approve(&first.0.to_string()).await;
    let done = ask().await.expect("it was carried out");
    assert_eq!((done.intent_id, done.repeated), (first.0, true));
    assert_eq!(done.output["event_id"], node.events("test.made")[0]["event_id"]);
    assert_eq!(node.events("test.made").len(), 1);
    node.stop().await;
    rebuilds_to_the_same(folder.path(), reach.registry());
}

#[tokio::test]
async fn what_a_key_was_given_for_cannot_be_guessed_from_the_journal_and_is_known_after_a_restart() {
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let pin = |value: &str| json!({ "name": "app/shop/PIN", "value": value });
    let mut fingerprints = Vec::new();
    for folder in &folders {
        let node = start(folder.path()).await;
        node.submit_with_key("secret.put", pin("1234"), Some("k")).await.expect("kept");
        let reader = node.runtime.store().read().expect("reads");
        let claim = reader.get::<ClaimRow>(&ClaimRow::key_of("operator@local\nk")).expect("reads");
        fingerprints.push(claim.expect("it is claimed").fingerprint);
        drop(reader);
        node.stop().await;
    }
    // Whoever has the journal of one node could try all values; what comes out is another thing on each node.
    assert_ne!(fingerprints[0], fingerprints[1]);
    let node = start(folders[0].path()).await;
    let again = node.submit_with_key("secret.put", pin("1234"), Some("k")).await.expect("answers");
    assert_eq!((again.repeated, &again.output["version"]), (true, &json!(1)));
    let other = node.submit_with_key("secret.put", pin("4321"), Some("k")).await;
    assert!(matches!(other, Err(Refusal::KeyReused { .. })), "{other:?}");
    node.stop().await;
}
