//! Crashes between appends: the folder of a story that was told to its end, as it stood behind each of its appends.

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use xyn_store::journal::{Append, Entry};
use xyn_store::projection::{Changes, IntentRow, IntentStatus};
use xyn_store::rebuild::Projector;
use xyn_store::{Digest, Order};

use super::{Node, PATIENCE, start_with, store_in};
use crate::actions::{self, Code, Context, Failure, Idempotence, Outside, Registry, Spec};
use crate::blueprint::FailureKind;
use crate::governance::Risk;
use crate::projector::Fold;
use crate::record::{self, Record};

/// An action that reaches out: it remembers the keys it was called with and answers as its input says.
#[derive(Clone, Default)]
pub(super) struct Reach(Arc<std::sync::Mutex<Vec<String>>>);

impl Reach {
    /// The built-in actions and `test.reach`, which is this.
    pub(super) fn registry(&self) -> Registry {
        let mut registry = actions::builtin();
        let spec = Spec {
            name: "test.reach",
            description: "Reaches out.",
            input_schema: json!({ "type": "object" }),
            output_schema: json!({}),
            idempotent: Idempotence::ByInput(|input| input["idempotent"] == true),
            risk: Risk::Medium,
            redact: &["/secret"],
        };
        registry.register(spec, Code::Outside(Arc::new(self.clone()))).expect("a schema");
        registry
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.0.lock().expect("nobody panicked").clone()
    }
}

impl Outside for Reach {
    fn execute(&self, input: Value, context: Context) -> BoxFuture<'static, Result<Value, Failure>> {
        self.0.lock().expect("nobody panicked").push(context.idempotency_key);
        async move {
            match input["fails"].as_str() {
                Some("certainly") => Err(Failure::certain(FailureKind::Client, "refused", "it said no")),
                Some(_) => Err(Failure::uncertain(FailureKind::Timeout, "timeout", "no answer came")),
                None => Ok(json!({ "echo": input["echo"] })),
            }
        }
        .boxed()
    }
}

/// Copies the store at `from` into `to` as it stood when it had `length` entries; false where that is in the middle of
/// an append.
pub(super) async fn cut(from: &Path, to: &Path, registry: Registry, length: u64) -> bool {
    std::fs::copy(from.join("node.key"), to.join("node.key")).expect("the same node");
    let (source, target) = (store_in(from), store_in(to));
    let mut fold = Fold::new(source.clone(), registry);
    let mut entries = Vec::new();
    let reader = source.read().expect("reads");
    let mut is_whole = true;
    reader
        .log(0, Order::Ascending, |offset, envelope| {
            if offset < length {
                let mut changes = Changes::new();
                let names = fold.project(offset, &envelope, &mut changes)?;
                let records = record::decode(offset, &envelope)?;
                for digest in records.iter().filter_map(named_blob) {
                    changes.keep_blob(&source.blob(&digest)?.expect("what the log names is here"));
                }
                is_whole = !records.iter().any(opens_an_append);
                entries.push((envelope, names, changes));
            }
            Ok(offset < length)
        })
        .expect("reads");
    let journal = target.journal().expect("open");
    let appends = entries.into_iter().map(|(envelope, names, changes)| {
        let entry = Entry {
            stream: envelope.stream,
            expected: envelope.seq - 1,
            at: envelope.at,
            attribution: envelope.attribution,
            names,
            records: envelope.records,
        };
        let append = Append { entries: vec![entry], changes, claim: None };
        journal.append(append)
    });
    // Asked for at once, in order: most of them share a commit.
    futures::future::try_join_all(appends).await.expect("appends");
    drop(journal);
    source.close();
    target.close();
    is_whole
}

/// The blob that came with the entry of `record`.
fn named_blob(record: &Record) -> Option<Digest> {
    match record {
        Record::Node(crate::node::Event::BlueprintActivated(row)) => Some(row.digest),
        Record::ArtifactCreated(row) => Some(row.sha256),
        _ => None,
    }
}

/// What an approved intent does inside is in the append of its acceptance, behind it.
fn opens_an_append(record: &Record) -> bool {
    matches!(record, Record::IntentAccepted(row, _)
        if row.asked.is_some() && row.status == IntentStatus::Completed)
}

/// Starts a node over `folder` and waits until every intent in it has its end.
pub(super) async fn settled(folder: &Path, reach: &Reach) -> Node {
    let node = start_with(folder, reach.registry()).await;
    let mut head = node.runtime.0.journal.head();
    tokio::time::timeout(PATIENCE, async {
        while !node
            .runtime
            .store()
            .read()
            .expect("reads")
            .unsettled_intents(None, 1)
            .expect("reads")
            .is_empty()
        {
            head.changed().await.expect("the journal goes on");
        }
    })
    .await
    .expect("everything comes to an end in time");
    node
}

impl Node {
    /// The row of the only intent for `action`.
    pub(super) fn only_intent(&self, action: &str) -> IntentRow {
        let reader = self.runtime.store().read().expect("reads");
        let is_wanted = |row: &IntentRow| row.action == action;
        let mut rows = reader
            .page::<IntentRow>(&xyn_store::tables::Key::new(), Order::Ascending, None, 10, is_wanted)
            .expect("reads")
            .items;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// Events called `name`, as JSON, oldest first.
    pub(super) fn events(&self, name: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let reader = self.runtime.store().read().expect("reads");
        reader
            .log(0, Order::Ascending, |offset, envelope| {
                let views = record::views(offset, &envelope)?;
                let views = views.into_iter().filter(|view| view.event_name == name);
                events.extend(views.map(|view| serde_json::to_value(view).expect("renders")));
                Ok(true)
            })
            .expect("reads");
        events
    }
}
