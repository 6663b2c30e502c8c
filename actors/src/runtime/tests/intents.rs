//! Intents over crashes, and what an idempotency key remembers.

use serde_json::{Value, json};
use xyn_store::projection::{IntentRow, IntentStatus, Payload};

use super::crash::{Reach, cut, settled};
use super::*;

/// Wants every action of a test approved by one person.
const APPROVED: &str = r#"
policy_id: pol.test
policy_type: governance
name: Test
status: active
version: 1
evaluation_mode: first_match
rules:
  - rule_id: ask
    match: { action: "{drafts.save,events.emit,test.reach,runs.start}" }
    requirements: { approvals: { min: 1 } }
    effect: require_approval
  - rule_id: rest
    match: { action: "*" }
    effect: allow
"#;

impl Node {
    fn entries(&self) -> u64 {
        *self.runtime.0.journal.head().borrow()
    }

    async fn activate(&self, policy: &str) {
        self.submit("policies.activate", json!({ "source": policy })).await.expect("activates");
    }

    /// Has an intent parked; answers its id.
    async fn park(&self, action: &str, input: Value) -> String {
        match self.submit(action, input).await {
            Err(Refusal::Parked { intent_id, .. }) => intent_id.to_string(),
            other => panic!("{other:?}"),
        }
    }

    async fn approve(&self, intent: &str) -> Outcome {
        self.submit("intents.answer", json!({ "intent_id": intent, "approve": true }))
            .await
            .expect("approves")
    }
}

/// Tells `story` to its end, then starts a node over what a crash behind each of its appends leaves, from the one on
/// that it answers.
async fn crash_everywhere(story: impl AsyncFn(&Node) -> u64, check: impl AsyncFn(&Node, &Reach, &str)) {
    let whole = tempfile::tempdir().expect("a folder");
    let reach = Reach::default();
    let node = start_with(whole.path(), reach.registry()).await;
    let first = story(&node).await;
    let last = node.entries();
    node.stop().await;
    for entries in first..=last {
        let folder = tempfile::tempdir().expect("a folder");
        let reach = Reach::default();
        if cut(whole.path(), folder.path(), reach.registry(), entries).await {
            let node = settled(folder.path(), &reach).await;
            check(&node, &reach, &format!("cut behind {entries} entries")).await;
            node.stop().await;
        }
    }
}

#[tokio::test]
async fn an_approved_intent_is_carried_out_once_wherever_a_crash_cuts_it() {
    let effects = |node: &Node| {
        let drafts = node.events("xyn.draft.saved");
        let drafts = drafts.iter().filter(|event| event["data"]["name"] == "approved").count();
        [node.events("test.made").len(), drafts, node.events("xyn.run.created").len()]
    };
    let story = async |node: &Node| {
        node.promote(CHAIN).await;
        node.activate(APPROVED).await;
        let first = node.entries() + 1;
        let draft = json!({ "draft_type": "blueprint", "name": "approved", "definition": "id: x" });
        let run = json!({ "blueprint": "bp.chain", "inputs": { "n": 1 } });
        for (action, input) in [
            ("events.emit", json!({ "event_name": "test.made" })),
            ("drafts.save", draft),
            ("runs.start", run),
        ] {
            let parked = node.park(action, input).await;
            let answer = node.approve(&parked).await;
            assert_eq!(answer.output, json!({ "status": "approved", "remaining": 0 }));
        }
        assert_eq!(effects(node), [1, 1, 1]);
        first
    };
    let check = async |node: &Node, _: &Reach, at: &str| {
        let approvals = node.events("xyn.intent.approved").len();
        let expected = [1, 1, 1].iter().enumerate().map(|(n, one)| if n < approvals { *one } else { 0 });
        assert_eq!(effects(node).to_vec(), expected.collect::<Vec<_>>(), "{at}: each approval counts once");
    };
    crash_everywhere(story, check).await;
}

#[tokio::test]
async fn a_direct_call_that_a_crash_cuts_is_repeated_with_its_key_or_recorded_as_uncertain() {
    for (idempotent, status) in [(true, IntentStatus::Completed), (false, IntentStatus::Uncertain)] {
        let input = json!({ "idempotent": idempotent, "echo": 7 });
        let story = async |node: &Node| {
            let first = node.entries();
            let done = node.submit_with_key("test.reach", input.clone(), Some("k")).await.expect("reaches");
            assert_eq!(done.output, json!({ "echo": 7 }));
            first
        };
        let check = async |node: &Node, reach: &Reach, at: &str| {
            let was_cut = node.events("xyn.intent.completed").is_empty() || !reach.keys().is_empty();
            let accepted = node.events("xyn.intent.accepted");
            if accepted.iter().all(|event| event["data"]["action"] != "test.reach") {
                return assert!(reach.keys().is_empty(), "{at}: nobody asked");
            }
            let row = node.only_intent("test.reach");
            let again = node.submit_with_key("test.reach", input.clone(), Some("k")).await;
            if was_cut {
                assert_eq!(row.status, status, "{at}");
                let key = row.intent_id.to_string();
                assert_eq!(reach.keys(), vec![key; usize::from(idempotent)], "{at}: the same key, once");
            }
            match again {
                Ok(again) => {
                    assert_eq!((again.output, again.repeated), (json!({ "echo": 7 }), true), "{at}");
                    assert_eq!(again.intent_id, row.intent_id, "{at}");
                }
                Err(Refusal::Upstream { code, .. }) => {
                    assert_eq!((code.as_str(), idempotent), ("node_stopped", false), "{at}");
                    assert_eq!(node.events("xyn.intent.uncertain").len(), 1, "{at}");
                }
                other => panic!("{at}: {other:?}"),
            }
        };
        crash_everywhere(story, check).await;
    }
}

#[tokio::test]
async fn an_approved_call_is_begun_once_and_a_cut_one_is_not_silently_repeated() {
    let story = async |node: &Node| {
        node.activate(APPROVED).await;
        let first = node.entries();
        let parked = node.park("test.reach", json!({ "echo": 1 })).await;
        node.approve(&parked).await;
        assert_eq!(node.only_intent("test.reach").status, IntentStatus::Completed);
        first
    };
    let check = async |node: &Node, reach: &Reach, at: &str| {
        if node.events("xyn.intent.parked").is_empty() {
            return;
        }
        let row = node.only_intent("test.reach");
        let ended = node.events("xyn.intent.completed").len() + node.events("xyn.intent.uncertain").len();
        let approved = node.events("xyn.intent.approved").len();
        assert_eq!(ended, approved, "{at}: it ends once it is approved");
        let calls = reach.keys().len();
        match row.status {
            IntentStatus::Parked | IntentStatus::Uncertain => assert_eq!(calls, 0, "{at}"),
            IntentStatus::Completed => assert!(calls <= 1, "{at}"),
            other => panic!("{at}: {other:?}"),
        }
    };
    crash_everywhere(story, check).await;
}

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
}

#[tokio::test]
async fn two_words_at_once_count_each_once_and_carry_out_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.activate(APPROVED).await;
    let parked = node.park("events.emit", json!({ "event_name": "test.made" })).await;
    let word = |name: &str| {
        let input = json!({ "intent_id": parked, "approve": true });
        let principal = Principal::new(name);
        Intent { identity: Identity::bare(principal), session: None, ..node.intent("intents.answer", input) }
    };
    let submit = |name| node.runtime.submit(word(name));
    let words = tokio::join!(submit("ann@a"), submit("bob@b"), submit("cid@c"), submit("ann@a"));
    let words = [words.0, words.1, words.2, words.3];
    assert_eq!(words.iter().filter(|word| word.is_ok()).count(), 1, "{words:?}");
    assert_eq!(node.events("test.made").len(), 1);
    assert_eq!(node.events("xyn.intent.approved").len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn the_decision_that_was_approved_counts_whatever_the_policies_say_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.activate(APPROVED).await;
    let parked = node.park("events.emit", json!({ "event_name": "test.made" })).await;
    let denies =
        APPROVED.replace("require_approval", "deny").replace("requirements: { approvals: { min: 1 } }", "");
    node.activate(&denies).await;
    let refused = node.submit("events.emit", json!({ "event_name": "test.made" })).await;
    assert!(matches!(refused, Err(Refusal::Denied(_))), "{refused:?}");
    node.approve(&parked).await;
    assert_eq!(node.events("test.made").len(), 1);
    let id: ids::IntentId = parked.parse().expect("an id");
    let reader = node.runtime.store().read().expect("reads");
    let row = reader.get::<IntentRow>(&IntentRow::key_of(id)).expect("reads").expect("is there");
    drop(reader);
    assert_eq!(row.decision.to_value()["matched"]["version"], 1);
    node.stop().await;
}
