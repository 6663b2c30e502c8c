//! Replay: folds a run's history through today's code and says whether it decides the same. It has no effect.

use std::sync::Arc;

use serde_json::json;
use xyn_store::StoreError;
use xyn_store::ids::RunId;
use xyn_store::projection::Subject;

use super::id;
use crate::record;
use crate::run::{Event, Replay, World};
use crate::runtime::{Accept, Inner, Intent, Outcome, Recording, Refusal, stream};

/// Entries read in one go.
const BATCH: usize = 256;

pub(super) async fn replay(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let run: RunId = id(&intent.input, "run_id")?;
    let unknown = || Refusal::NotFound { kind: "run", id: run.to_string() };
    let mut replay: Option<Replay> = None;
    let mut after = 0;
    loop {
        let entries = inner.store.read()?.stream(stream(run), after, BATCH)?;
        let Some((_, last)) = entries.last() else { break };
        after = last.seq;
        let catalog = inner.catalog.load();
        for (offset, envelope) in entries {
            let events = record::run_events(offset, &envelope)?;
            if let (None, Some(Event::Created(created))) = (&replay, events.first()) {
                replay = Some(Replay::new(run, inner.plan(&created.blueprint_digest)?));
            }
            let replay = replay.as_mut().ok_or_else(unknown)?;
            let world = World {
                registry: &inner.registry,
                policies: catalog.policies(),
                env: &inner.env.env_id,
                now: envelope.at,
                around: &**inner,
                // Where there was none, the recorded start says so by standing in a later entry.
                has_place: true,
                performs: &|_, _| false,
            };
            let folded = replay.fold(&events, &world, &envelope.attribution);
            folded
                .map_err(|error| StoreError::Unfoldable { stream: stream(run), reason: error.to_string() })?;
        }
    }
    let replay = replay.ok_or_else(unknown)?;
    let subject = Subject::Run(run);
    let output = json!({
        "deterministic": replay.differences.is_empty(),
        "events": replay.events,
        "differences": replay.differences,
    });
    let (now, by) = (accept.now, intent.attribution());
    let mut recording = Recording::default();
    let accepted = accept.done(subject.clone()).answering(output.clone());
    if let Some(record) = recording.accept(accepted, now, &by) {
        recording.entry(stream(intent.intent_id), 0, now, &by, &[record]);
    }
    match recording.commit(inner).await {
        Ok(_) => Ok(Outcome::new(intent.intent_id, subject, output)),
        Err(error) => inner.answer_append(error, intent),
    }
}
