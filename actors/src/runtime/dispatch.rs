//! The dispatcher: follows the journal and brings each event to the triggers and gates that listen for it.
//!
//! What an event starts has ids derived from the event, so that dispatching it again after a crash starts nothing
//! twice. Invariant: the recorded position never passes an event that was not dispatched.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use xyn_store::ids::{self, RunId};
use xyn_store::scope::{Attribution, CorrelationId, Principal};
use xyn_store::{Json, Order, StoreError, Timestamp};

use super::{Inner, Intent, Recording, Refusal, Runtime};
use crate::blueprint::{EventPattern, Plan};
use crate::record::{self, EventView};
use crate::run::actor::Tell;
use crate::run::{Arrival, Command};
use crate::services::runs;

/// Name of the dispatcher's position in the store.
pub(super) const FOLLOWER: &str = "dispatch";
/// Entries looked at in one go.
const BATCH: usize = 512;
/// Runs started or told at once.
const PARALLEL: usize = 256;
/// How often the position is recorded at most.
const POSITION_INTERVAL: Duration = Duration::from_secs(1);
/// How long the dispatcher rests when the store does not answer.
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// Waits looked at in one go.
const WAITS: usize = 1_000;

/// Follows the journal until the node stops.
pub(super) async fn follow(inner: Arc<Inner>) {
    let mut head = inner.journal.head();
    let start = inner.backlog.position();
    let (mut position, mut recorded, mut recorded_at) = (start, start, Instant::now());
    loop {
        match dispatch_batch(&inner, position).await {
            Ok(next) => {
                position = next;
                inner.backlog.reaches(position);
            }
            Err(error) => {
                tracing::warn!(%error, "the dispatcher rests");
                tokio::time::sleep(RETRY_DELAY).await;
                continue;
            }
        }
        // The append that records the position moves the head by nothing, so it wakes nobody.
        if position > recorded && recorded_at.elapsed() >= POSITION_INTERVAL {
            record_position(&inner, position).await;
            (recorded, recorded_at) = (position, Instant::now());
        }
        if *head.borrow_and_update() > position {
            continue;
        }
        let changed = tokio::time::timeout(POSITION_INTERVAL, head.changed()).await;
        if matches!(changed, Ok(Err(_))) {
            return;
        }
    }
}

async fn record_position(inner: &Inner, position: u64) {
    let mut recording = Recording::default();
    recording.changes().put_position(FOLLOWER, position);
    if let Err(error) = recording.commit(inner).await {
        // Without it the next start dispatches some events again, which changes nothing.
        tracing::warn!(%error, "the dispatcher's position could not be recorded");
    }
}

/// An event that somebody may listen for, and when it was recorded.
struct Heard {
    view: EventView,
    at: Timestamp,
    /// The run that it came from.
    run: Option<RunId>,
}

/// What a heard event leads to.
enum Lead {
    Start(Arc<Plan>, Arc<Heard>),
    Tell(RunId, Arc<Heard>),
}

/// Dispatches up to [`BATCH`] entries from `position` on; answers the position behind them.
async fn dispatch_batch(inner: &Arc<Inner>, position: u64) -> Result<u64, Refusal> {
    let (leads, next) = gather(inner, position)?;
    let outcomes =
        futures::stream::iter(leads).map(|lead| follow_lead(inner, lead)).buffer_unordered(PARALLEL);
    let failures: Vec<Refusal> = outcomes.filter_map(|outcome| async { outcome.err() }).collect().await;
    // What the store refused for the moment is dispatched again, with all of its batch.
    match failures.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(next),
    }
}

fn gather(inner: &Arc<Inner>, position: u64) -> Result<(Vec<Lead>, u64), StoreError> {
    let reader = inner.store.read()?;
    let catalog = inner.catalog.load();
    let patterns: Vec<(String, Option<EventPattern>)> =
        reader.awaited_patterns()?.into_iter().map(|text| (text.clone(), text.parse().ok())).collect();
    let runtime = Runtime(inner.clone());
    let (mut leads, mut next, mut seen) = (Vec::new(), position, 0);
    reader.log(position, Order::Ascending, |offset, envelope| {
        if seen == 0 {
            inner.backlog.begins(envelope.at);
        }
        for (index, record) in record::decode(offset, &envelope)?.iter().enumerate() {
            let name = record.name();
            let awaited: Vec<&String> = patterns
                .iter()
                .filter(|(_, pattern)| pattern.as_ref().is_some_and(|pattern| pattern.matches(&name)))
                .map(|(text, _)| text)
                .collect();
            if awaited.is_empty() && catalog.listeners(&name).next().is_none() {
                continue;
            }
            let mut view = record.view(offset, index, &envelope);
            runtime.name_steps(&reader, [&mut view])?;
            let run = record.run_behind(&view);
            let heard = Arc::new(Heard { view, at: envelope.at, run });
            let view = serde_json::to_value(&heard.view).unwrap_or_default();
            let plans = catalog.triggered(&name, &view);
            leads.extend(plans.into_iter().map(|plan| Lead::Start(plan, heard.clone())));
            for pattern in awaited {
                let mut after = None;
                loop {
                    let runs = reader.runs_awaiting(pattern, after, WAITS)?;
                    let is_last = runs.len() < WAITS;
                    after = runs.last().copied();
                    leads.extend(runs.into_iter().map(|run| Lead::Tell(run, heard.clone())));
                    if is_last {
                        break;
                    }
                }
            }
        }
        seen += 1;
        next = offset + 1;
        Ok(seen < BATCH)
    })?;
    Ok((leads, next))
}

async fn follow_lead(inner: &Arc<Inner>, lead: Lead) -> Result<(), Refusal> {
    inner.metrics.events_dispatched.increment();
    match lead {
        Lead::Start(plan, heard) => start(inner, plan, &heard).await,
        Lead::Tell(run, heard) => {
            let view = &heard.view;
            let arrival = Arrival {
                event_id: view.event_id,
                name: view.event_name.to_string(),
                view: Json::from(&serde_json::to_value(view).unwrap_or_default()),
            };
            let by = attribution(view);
            let tell = Tell { command: Command::Arrive(Box::new(arrival)), by, accepted: None };
            let _room = inner.supervisor().room().await;
            if let Err(error) = inner.supervisor().tell(run, tell).await {
                // A run that cannot be told is broken in itself; others must not wait for it.
                tracing::warn!(%run, %error, "the run could not be told of an event");
            }
            Ok(())
        }
    }
}

/// Starts a run of `plan` because of an event, as an intent of the event's actor.
async fn start(inner: &Arc<Inner>, plan: Arc<Plan>, heard: &Heard) -> Result<(), Refusal> {
    let view = &heard.view;
    let key = format!("trigger/{}/{}", view.event_id, plan.id);
    let by = attribution(view);
    let intent = Intent {
        intent_id: ids::derived(heard.at, &[key.as_bytes(), b"intent"]),
        action: "runs.start".to_owned(),
        input: serde_json::json!({ "blueprint": plan.id }),
        stage: None,
        identity: inner.identity_of(&by.actor),
        session: None,
        correlation_id: by.correlation_id,
        causation_id: Some(view.event_id),
        depth: depth(inner, heard.run)?,
        idempotency_key: None,
    };
    match inner.submit_triggered(&intent, heard.at, key, plan, view).await {
        Err(refusal @ (Refusal::Unavailable(_) | Refusal::Overloaded { .. })) => Err(refusal),
        // It was started before, or a policy denies it: either is recorded already.
        Ok(_) | Err(Refusal::Denied(_) | Refusal::Parked { .. }) => Ok(()),
        Err(Refusal::Conflict { code, .. }) if code != runs::RUN_LOOP => Ok(()),
        Err(refusal) => {
            tracing::warn!(event = %view.event_id, %refusal, "the event's run was not started");
            Ok(())
        }
    }
}

/// How many runs have started each other before this event.
fn depth(inner: &Inner, run: Option<RunId>) -> Result<u16, StoreError> {
    let Some(run) = run else { return Ok(0) };
    runs::depth(&inner.store.read()?, run)
}

fn attribution(view: &EventView) -> Attribution {
    Attribution {
        actor: Principal::new(view.actor.as_str()),
        session: None,
        correlation_id: CorrelationId::parse(&view.correlation_id).unwrap_or_else(|_| view.event_id.into()),
        causation_id: Some(view.event_id),
    }
}
