//! Durable timers and cron: what is due is fired once, also across restarts; late ones fire at start.

use std::sync::Arc;
use std::time::Duration;

use xyn_store::ids::{self, IntentId, RunId};
use xyn_store::projection::{Purpose, TimerRow};
use xyn_store::scope::Principal;
use xyn_store::{StoreError, Timestamp};

use super::supervisor::by_node;
use super::{Inner, Intent, Origin, Recording};
use crate::governance::Identity;
use crate::intake::cron::Entry;
use crate::run::Command;
use crate::run::actor::Tell;
use crate::services::approvals;

/// Timers fired in one go.
const BATCH: usize = 256;
/// How long new appends are gathered before the next timer is looked up again.
const GATHER: Duration = Duration::from_millis(2);
/// How long the loop rests when the store does not answer.
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// The longest sleep: a wall clock that was set is noticed within it.
const SLEEP_LIMIT: Duration = Duration::from_secs(30);

/// Fires timers until the node stops.
pub(super) async fn serve(inner: Arc<Inner>) {
    let mut head = inner.journal.head();
    loop {
        head.mark_unchanged();
        let next = match fire_due(&inner).await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(%error, "timers rest");
                tokio::time::sleep(RETRY_DELAY).await;
                continue;
            }
        };
        let wait = next.map_or(SLEEP_LIMIT, |due| due.since(inner.clock.now()).min(SLEEP_LIMIT));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            changed = head.changed() => {
                if changed.is_err() {
                    return;
                }
                tokio::time::sleep(GATHER).await;
            }
        }
    }
}

/// Fires all that is due; answers when the next one is.
async fn fire_due(inner: &Arc<Inner>) -> Result<Option<Timestamp>, StoreError> {
    loop {
        let due = inner.store.read()?.due_timers(inner.clock.now(), BATCH)?;
        if due.is_empty() {
            return inner.store.read()?.next_timer();
        }
        for timer in due {
            fire(inner, &timer).await;
        }
    }
}

async fn fire(inner: &Arc<Inner>, timer: &TimerRow) {
    if timer.purpose == Purpose::Intent {
        inner.metrics.timers_fired.increment();
        let intent = IntentId::from(uuid::Uuid::from(timer.stream));
        if let Err(error) = approvals::expire(inner, intent).await {
            tracing::warn!(%intent, %error, "a parked intent could not be ended");
            return tokio::time::sleep(RETRY_DELAY).await;
        }
        return remove_stale(inner, timer).await;
    }
    let run = RunId::from(uuid::Uuid::from(timer.stream));
    let command = Command::Fire { purpose: timer.purpose, due: timer.due };
    let room = inner.supervisor().room().await;
    let told = inner.supervisor().tell(run, Tell { command, by: by_node(run), accepted: None }).await;
    drop(room);
    inner.metrics.timers_fired.increment();
    if let Err(error) = told {
        tracing::warn!(%run, %error, "a timer could not be brought to its run");
    }
    remove_stale(inner, timer).await;
}

/// The append that answers a timer takes it away. One that its stream no longer knows would fire for ever.
async fn remove_stale(inner: &Inner, timer: &TimerRow) {
    let is_left = inner.store.read().and_then(|reader| reader.has_timer(timer));
    if matches!(is_left, Ok(true)) {
        let mut recording = Recording::default();
        recording.changes().remove_row(timer);
        if let Err(error) = recording.commit(inner).await {
            tracing::warn!(stream = %timer.stream, %error, "a stale timer could not be removed");
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }
}

/// Emits the events of cron entries until the node stops.
pub(super) async fn serve_cron(inner: Arc<Inner>) {
    let entries = inner.env.cron.clone();
    if entries.is_empty() {
        return;
    }
    loop {
        let mut next: Option<Timestamp> = None;
        for entry in &entries {
            if let Err(error) = tick(&inner, entry).await {
                tracing::warn!(cron = entry.definition().name, %error, "the tick will be tried again");
                next = Some(inner.clock.now().after(RETRY_DELAY));
            }
            let coming = entry.next_after(inner.clock.now());
            next = [next, coming].into_iter().flatten().min();
        }
        let wait = next.map_or(SLEEP_LIMIT, |next| next.since(inner.clock.now()).min(SLEEP_LIMIT));
        // Never a zero-length timer: the clock and the timer wheel differ by up to a millisecond.
        tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
    }
}

/// Emits what is due of `entry` and records how far it has come.
async fn tick(inner: &Arc<Inner>, entry: &Entry) -> Result<(), String> {
    let follower = format!("cron/{}", entry.definition().name);
    let recorded = inner.store.read().and_then(|reader| reader.position(&follower));
    let recorded = recorded.map_err(|error| error.to_string())?;
    let now = inner.clock.now();
    // An entry that never ticked begins now.
    let last = if recorded == 0 { now } else { Timestamp::from_micros(recorded as i64) };
    let due = entry.due(last, now);
    for tick in &due {
        let event = entry.event(*tick);
        let event_id = event.event_id.unwrap_or_else(|| ids::fresh(now));
        let input = serde_json::json!({
            "event_id": event_id,
            "event_name": event.event_name,
            "occurred_at": tick,
            "data": event.data,
        });
        let identity = Identity::bare(Principal::new(follower.replace('/', ":")));
        let correlation_id = event_id.into();
        let intent = Intent { correlation_id, ..Intent::new(now, "events.emit", input, identity) };
        inner.submit(intent, Origin::Here).await.map_err(|refusal| refusal.to_string())?;
    }
    if recorded == 0 || !due.is_empty() {
        let mut recording = Recording::default();
        let position = due.last().copied().unwrap_or(now);
        recording.changes().put_position(&follower, position.as_micros() as u64);
        recording.commit(inner).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}
