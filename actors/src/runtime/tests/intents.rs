//! Intents over crashes, at the same time, and under policies that change; what their actions promise.

use serde_json::{Value, json};
use xyn_store::Order;
use xyn_store::envelope::Envelope;
use xyn_store::projection::{IntentRow, IntentStatus};

use super::crash::{Reach, cut, settled};
use super::*;
use crate::record::{self, Record};

/// Wants every action of a test approved by one person.
pub(super) const APPROVED: &str = r#"
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
    pub(super) fn entries(&self) -> u64 {
        *self.runtime.0.journal.head().borrow()
    }

    /// Entries from `offset` on, without those in which the timeline tells of earlier ones.
    fn worked_since(&self, offset: u64) -> usize {
        let (reader, mut count) = (self.runtime.store().read().expect("reads"), 0);
        let look = |offset, envelope: Envelope| {
            let records = record::decode(offset, &envelope)?;
            count += usize::from(!records.iter().all(|record| matches!(record, Record::Timeline(_))));
            Ok(true)
        };
        reader.log(offset, Order::Ascending, look).expect("reads");
        count
    }

    pub(super) async fn activate(&self, policy: &str) {
        self.submit("policies.activate", json!({ "source": policy })).await.expect("activates");
    }

    /// Has an intent parked; answers its id.
    pub(super) async fn park(&self, action: &str, input: Value) -> String {
        match self.submit(action, input).await {
            Err(Refusal::Parked { intent_id, .. }) => intent_id.to_string(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn approve(&self, intent: &str) -> Outcome {
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

#[tokio::test]
async fn an_artifact_of_a_blob_that_is_not_here_is_refused_to_intents_and_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let bytes = vec![7; 20_000];
    let sha256 = Digest::of(&bytes);
    let named = |length: u64| json!({ "name": "a.bin", "sha256": sha256, "byte_length": length });
    let missing = node.submit("artifacts.put", named(20_000)).await;
    assert!(matches!(missing, Err(Refusal::NotFound { kind: "blob", .. })), "{missing:?}");
    let source = r#"
id: bp.put
name: Put
trigger: { event_type: test.put }
inputs: [{ name: sha, schema: { type: string } }]
plan:
  - kind: action_task
    id: put
    action: artifacts.put
    with: { name: a.bin, sha256: "{{ inputs.sha }}", byte_length: 20000 }
"#;
    node.promote(source).await;
    let run = node.run("bp.put", json!({ "sha": sha256 })).await;
    assert_eq!(node.end_of(run).await.error.expect("failed").code, "unknown_blob");
    node.runtime.store().blobs().put(&bytes).expect("keeps");
    let longer = node.submit("artifacts.put", named(20_001)).await;
    assert!(matches!(&longer, Err(Refusal::Invalid { path, .. }) if path == "/byte_length"), "{longer:?}");
    node.submit("artifacts.put", named(20_000)).await.expect("it is here now");
    let run = node.run("bp.put", json!({ "sha": sha256 })).await;
    assert_eq!(node.end_of(run).await.status, RunStatus::Completed);
    node.stop().await;
}

#[tokio::test]
async fn validation_leaves_a_report_in_the_same_append_for_intents_and_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let draft = json!({ "draft_type": "blueprint", "name": "b", "definition": "id: bp.broken" });
    let draft = node.submit("drafts.save", draft).await.expect("saves").output["draft_id"].clone();
    let before = node.entries();
    let answer =
        node.submit("blueprints.validate", json!({ "draft_id": draft })).await.expect("checks").output;
    assert_eq!(answer["is_valid"], false);
    assert_eq!(node.worked_since(before), 1, "one append");
    let source = r#"
id: bp.check
name: Check
trigger: { event_type: test.check }
inputs: [{ name: draft, schema: { type: string } }]
plan:
  - { kind: action_task, id: check, action: blueprints.validate, with: { draft_id: "{{ inputs.draft }}" } }
outputs: [{ name: is_valid }]
"#;
    node.promote(source).await;
    let run = node.run("bp.check", json!({ "draft": draft })).await;
    assert_eq!(node.end_of(run).await.outputs.expect("outputs").to_value(), json!({ "is_valid": false }));
    let reader = node.runtime.store().read().expect("reads");
    let reports = reader.artifacts(None, Order::Descending, None, 10).expect("reads").items.into_iter();
    let reports: Vec<_> = reports.filter(|row| row.metadata.to_value()["draft_id"] == draft).collect();
    assert_eq!(reports.len(), 2, "{reports:?}");
    for report in reports {
        assert_eq!(
            (report.kind.as_str(), report.metadata.to_value()["revision"].as_u64()),
            ("report", Some(1))
        );
        let bytes = node.runtime.store().blob(&report.sha256).expect("reads").expect("is there");
        assert_eq!(serde_json::from_slice::<Value>(&bytes).expect("JSON"), answer);
    }
    node.stop().await;
}

#[tokio::test]
async fn rules_match_on_the_risk_that_an_action_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let cautious = APPROVED
        .replace(r#"action: "{drafts.save,events.emit,test.reach,runs.start}""#, "risk: high")
        .replace("require_approval", "deny")
        .replace("requirements: { approvals: { min: 1 } }", "");
    node.activate(&cautious).await;
    let again = node.submit("policies.activate", json!({ "source": APPROVED })).await;
    assert!(matches!(again, Err(Refusal::Denied(_))), "high: {again:?}");
    node.submit("events.emit", json!({ "event_name": "test.made" })).await.expect("low");
    node.stop().await;
}

#[tokio::test]
async fn what_a_step_takes_or_gives_has_a_limit_and_a_chain_below_it_fits() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let step = |id: &str, from: &str| {
        format!("  - {{ kind: transform, id: {id}, set: {{ t: \"{{{{ {from} }}}}\" }} }}\n")
    };
    let steps: String = (0..8).map(|n| step(&format!("s{n}"), &format!("inputs.t ~ '{n}'"))).collect();
    let inputs = "inputs: [{ name: t, schema: { type: string } }]";
    node.promote(&format!(
        "id: bp.large\nname: Large\ntrigger: {{ event_type: test.large }}\n{inputs}\nplan:\n{steps}"
    ))
    .await;
    let run = node.run("bp.large", json!({ "t": "x".repeat(900_000) })).await;
    let row = node.end_of(run).await;
    assert_eq!(row.status, RunStatus::Completed, "8 outputs of 0.9 MB each: {:?}", row.error);
    let run = node.run("bp.large", json!({ "t": "x".repeat(1 << 20) })).await;
    let error = node.end_of(run).await.error.expect("failed");
    assert_eq!(error.code, "payload_too_large");
    assert!(
        error.message.starts_with("`set` has ")
            && error.message.ends_with("bytes of JSON; the limit is 1048576"),
        "{}",
        error.message
    );
    node.stop().await;
}
