//! What cannot be appended comes to an end all the same.

use xyn_store::Digest;

use super::*;

/// Emits an event whose id its event gives.
const EMITS: &str = r#"
id: bp.emits
name: Emits
trigger: { event_type: test.emits }
inputs: [{ name: id, required: true }]
plan:
  - { kind: action_task, id: emit, action: events.emit,
      with: { event_name: test.emitted, event_id: "{{ inputs.id }}" } }
"#;

/// Keeps an artifact that is too large for the database.
const KEEPS: &str = r#"
id: bp.keeps
name: Keeps
trigger: { event_type: test.keeps }
inputs: [{ name: text, required: true }]
plan:
  - { kind: action_task, id: keep, action: artifacts.put, with: { name: a.txt, content: "{{ inputs.text }}" } }
"#;

/// Room for one of the texts, with all else that the node keeps.
const ROOM_BYTES: u64 = 100_000;

/// A text of 77 kB, of which packing leaves more than half.
fn text(seed: &str) -> String {
    (0..1_200).map(|number| Digest::of(format!("{seed}{number}").as_bytes()).to_string()).collect()
}

async fn start_with_room(folder: &Path, blob_quota_bytes: u64, registry: Registry) -> Node {
    let mut options = Options::default();
    options.blob_quota_bytes = blob_quota_bytes;
    let store = Store::open(folder, options).expect("the folder opens");
    let started = Runtime::start(store, registry, Clock::system(), Environment::default()).await;
    let (runtime, background) = started.expect("the Runtime starts");
    Node { runtime, background }
}

#[tokio::test]
async fn a_step_whose_events_id_is_taken_fails_and_the_run_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(EMITS).await;
    let emitted = node.submit("events.emit", json!({ "event_name": "test.first" })).await.expect("emits");
    let taken = emitted.output["event_id"].clone();
    let row = node.end_of(node.run("bp.emits", json!({ "id": taken })).await).await;
    assert_eq!(row.status, RunStatus::Failed);
    assert_eq!(row.error.expect("says why").code, "id_taken");

    // Of two that are decided at the same time one is first; the other fails, and is not tried for ever.
    let id = json!({ "id": "01930000-0000-7000-8000-000000000001" });
    let (one, other) = tokio::join!(node.run("bp.emits", id.clone()), node.run("bp.emits", id));
    let ends = [node.end_of(one).await.status, node.end_of(other).await.status];
    assert!(ends.contains(&RunStatus::Completed) && ends.contains(&RunStatus::Failed), "{ends:?}");
    node.stop().await;
}

#[tokio::test]
async fn what_the_node_has_no_room_for_fails_the_step_and_refuses_the_intent() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start_with_room(folder.path(), ROOM_BYTES, actions::builtin()).await;
    node.promote(KEEPS).await;
    let keep = async |letter: &str| {
        let run = node.run("bp.keeps", json!({ "text": text(letter) })).await;
        let row = node.end_of(run).await;
        (row.status, row.error.map(|error| error.code))
    };
    assert_eq!(keep("a").await, (RunStatus::Completed, None));
    assert_eq!(keep("b").await, (RunStatus::Failed, Some("quota_reached".to_owned())));
    assert_eq!(keep("a").await, (RunStatus::Completed, None), "what is here needs no room");

    let put = json!({ "name": "c.txt", "content": text("c") + &text("d") });
    let refusal = node.submit("artifacts.put", put).await.expect_err("there is no room");
    assert!(matches!(refusal, Refusal::QuotaReached { .. }), "{refusal:?}");
    let said = refusal.to_string();
    assert!(refusal.code() == "quota_reached" && said.contains(&ROOM_BYTES.to_string()), "{said}");
    node.stop().await;
}

#[tokio::test]
async fn a_call_whose_answer_there_is_no_room_for_ends_as_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut registry = actions::builtin();
    let spec =
        actions::Spec { name: "test.large", ..registry.get("http.call").expect("is there").spec.clone() };
    registry.register(spec, actions::Code::Outside(Arc::new(Large))).expect("registers");
    let node = start_with_room(folder.path(), 10_000, registry).await;
    let call = || node.submit_with_key("test.large", json!({ "url": "http://localhost/" }), Some("key"));
    for _ in 0..2 {
        let refusal = call().await.expect_err("its answer cannot be kept");
        assert!(matches!(refusal, Refusal::QuotaReached { .. }), "{refusal:?}");
        assert!(refusal.to_string().starts_with("it was done, "), "{refusal}");
    }
    node.stop().await;
}

/// Answers more than the database keeps.
struct Large;

impl actions::Outside for Large {
    fn execute(
        &self,
        _: Value,
        _: actions::Context,
    ) -> futures::future::BoxFuture<'static, Result<Value, actions::Failure>> {
        Box::pin(async { Ok(json!(text("x"))) })
    }
}
