//! Replay: folds a run's history through today's code and says whether it decides the same. It has no effect.

use std::sync::Arc;

use serde_json::json;
use xyn_store::StoreError;
use xyn_store::ids::{RunId, StreamId};
use xyn_store::projection::Subject;

use super::id;
use crate::record::{self, Record};
use crate::run::{Command, Event, Phase, State, World, decide};
use crate::runtime::{Accept, Inner, Intent, Outcome, Recording, Refusal, stream};

/// Entries read in one go.
const BATCH: usize = 256;

pub(super) async fn replay(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let run: RunId = id(&intent.input, "run_id")?;
    let mut replayed = Replayed::default();
    let mut state: Option<State> = None;
    let mut after = 0;
    loop {
        let envelopes = inner.store.read()?.stream(StreamId::from(uuid::Uuid::from(run)), after, BATCH)?;
        let Some((_, last)) = envelopes.last() else { break };
        after = last.seq;
        for (offset, envelope) in envelopes {
            let records = record::decode(offset, &envelope)?;
            let events: Vec<Event> = records.into_iter().filter_map(run_event).collect();
            if let (None, Some(Event::Created(created))) = (&state, events.first()) {
                state = Some(State::new(run, inner.plan(&created.blueprint_digest)?));
            }
            let state =
                state.as_mut().ok_or_else(|| Refusal::NotFound { kind: "run", id: run.to_string() })?;
            let catalog = inner.catalog.load();
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
            replayed.entry(state, &events, &world, &envelope.attribution)?;
        }
    }
    if state.is_none() {
        return Err(Refusal::NotFound { kind: "run", id: run.to_string() });
    }
    let subject = Subject::Run(run);
    let output = json!({
        "deterministic": replayed.differences.is_empty(),
        "events": replayed.events,
        "differences": replayed.differences,
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

fn run_event(record: Record) -> Option<Event> {
    match record {
        Record::Run(event) => Some(event),
        _ => None,
    }
}

/// How far a replay has come.
#[derive(Default)]
struct Replayed {
    events: u64,
    differences: Vec<String>,
}

impl Replayed {
    /// Folds one entry: what today's code decides by itself must stand in it; what came from outside is taken over.
    fn entry(
        &mut self,
        state: &mut State,
        events: &[Event],
        world: &World<'_>,
        by: &xyn_store::scope::Attribution,
    ) -> Result<(), StoreError> {
        let mut rest = events;
        while let Some(next) = rest.first() {
            let decided = match state.begin {
                Some(_) => decide(state, Command::Advance, world).unwrap_or_default(),
                None => Vec::new(),
            };
            let is_same =
                !decided.is_empty() && rest.len() >= decided.len() && decided.iter().zip(rest).all(same);
            let count = if is_same {
                decided.len()
            } else {
                if !comes_from_outside(state, next) {
                    let today = decided.first().map_or("nothing", |event| event.name());
                    let at = next.position().map(|at| format!(" of step {at}")).unwrap_or_default();
                    self.differences
                        .push(format!("recorded `{}`{at}; today's code decides {today}", next.name()));
                }
                1
            };
            for event in &rest[..count] {
                state.apply(event, world.now, by).map_err(|error| StoreError::Unfoldable {
                    stream: state.stream(),
                    reason: error.to_string(),
                })?;
            }
            self.events += count as u64;
            rest = &rest[count..];
        }
        state.forget_ended_items();
        Ok(())
    }
}

/// Whether a decided event is the recorded one. Which rule let a call through may have changed since.
fn same((decided, recorded): (&Event, &Event)) -> bool {
    match (decided, recorded) {
        (
            Event::StepStarted { at, attempt, input, .. },
            Event::StepStarted { at: at2, attempt: attempt2, input: input2, .. },
        ) => (at, attempt, input) == (at2, attempt2, input2),
        _ => decided == recorded,
    }
}

/// Whether `event` says what the world did, not what the run decided by itself.
fn comes_from_outside(state: &State, event: &Event) -> bool {
    match event {
        Event::Started | Event::StepFannedOut { .. } | Event::Completed { .. } => false,
        Event::StepStarted { attempt, .. } => *attempt > 1,
        Event::StepCompleted { at, .. } | Event::StepFailed { at, .. } | Event::StepSkipped { at } => {
            // A result of an attempt, or what a decided gate led to.
            state.at(*at).is_some_and(|step| step.phase == Phase::Running || step.last_gate.is_some())
        }
        _ => true,
    }
}
