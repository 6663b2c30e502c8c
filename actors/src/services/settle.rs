//! Settling: intents that were approved or accepted and have no end come to one, also across a stop.
//!
//! What is approved is carried out: its acceptance is in conflict with a second one, so doing this twice does nothing
//! twice. What reached out when the node stopped is uncertain: it is called again with the same key where that is
//! doing it once, else the uncertainty is recorded. Invariant: an intent that somebody in this process is carrying
//! out is left to them.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use xyn_store::StoreError;
use xyn_store::ids::IntentId;
use xyn_store::projection::{Fault, IntentRow, IntentStatus};

use super::outside;
use crate::actions::{Action, Code, Context, Failure};
use crate::blueprint::FailureKind;
use crate::record::Record;
use crate::runtime::{Accept, Inner, Intent, Recording, Refusal, decision_of, stream};

/// How often what was left is looked for; the first time at the start.
const INTERVAL: Duration = Duration::from_secs(60);
/// Intents looked up in one go.
const BATCH: usize = 256;
/// Intents settled at once.
const PARALLEL: usize = 16;

/// Settles what is left until the node stops.
pub(crate) async fn serve(inner: Arc<Inner>) {
    loop {
        if let Err(error) = settle_all(&inner).await {
            tracing::warn!(%error, "intents without an end cannot be looked up");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Settles every intent that has no end and that nobody is carrying out.
pub(crate) async fn settle_all(inner: &Arc<Inner>) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let intents = inner.store.read()?.unsettled_intents(after, BATCH)?;
        let Some(&last) = intents.last() else { return Ok(()) };
        after = Some(last);
        let settled = futures::stream::iter(intents).for_each_concurrent(PARALLEL, async |intent| {
            if let Err(error) = settle(inner, intent).await {
                tracing::warn!(%intent, %error, "the intent cannot be settled for now");
            }
        });
        settled.await;
    }
}

async fn settle(inner: &Arc<Inner>, intent: IntentId) -> Result<(), StoreError> {
    let row = |status| -> Result<Option<IntentRow>, StoreError> {
        let row = inner.store.read()?.get::<IntentRow>(&IntentRow::key_of(intent))?;
        Ok(row.filter(|row| row.status == status))
    };
    if let Some(row) = row(IntentStatus::Approved)? {
        approved(inner, row).await;
        return Ok(());
    }
    let Some(_held) = inner.progress.take(&intent.to_string()) else { return Ok(()) };
    match row(IntentStatus::Accepted)? {
        Some(row) => interrupted(inner, row).await,
        None => Ok(()),
    }
}

/// Carries out the intent of `row`, whose approvals are complete. What refuses it for good ends it; what refuses it for
/// the moment leaves it to the next round.
pub(super) async fn approved(inner: &Arc<Inner>, row: IntentRow) {
    let id = row.intent_id;
    let refusal = match carry_out(inner, row.clone()).await {
        Ok(()) => return,
        Err(refusal) => refusal,
    };
    tracing::warn!(intent = %id, %refusal, "an approved intent was not carried out");
    if matches!(refusal, Refusal::Unavailable(_) | Refusal::Overloaded { .. } | Refusal::InProgress { .. }) {
        return;
    }
    let fault = Fault { code: refusal.code().to_owned(), message: refusal.to_string() };
    let seq = row.parked_seq().unwrap_or_default();
    let intent = Intent::of_row(inner, &row, Value::Null);
    let ended = IntentRow { status: IntentStatus::Failed, fault: Some(fault), ..row };
    let mut recording = Recording::default();
    let (now, by) = (inner.clock.now(), intent.attribution());
    recording.entry(stream(id), seq, now, &by, &[Record::IntentEnded(Box::new(ended))]);
    // A conflict: it has ended already, or began and has an end of its own.
    if let Err(error) = recording.commit(inner).await {
        tracing::debug!(intent = %id, %error, "its end stands already or comes later");
    }
}

async fn carry_out(inner: &Arc<Inner>, row: IntentRow) -> Result<(), Refusal> {
    let (action, input) = (action_of(inner, &row)?, input_of(inner, &row)?);
    let intent = Intent::of_row(inner, &row, input);
    // The decision that was approved counts, whatever the policies have come to say meanwhile.
    let decision = decision_of(&row.decision);
    let accept = Accept::of_row(row, inner.clock.now());
    Box::pin(inner.carry_out(intent, &action, accept, &decision)).await.map(drop)
}

/// Brings an intent that reached out when the node stopped to its end.
async fn interrupted(inner: &Arc<Inner>, row: IntentRow) -> Result<(), StoreError> {
    let action = action_of(inner, &row).ok();
    let input = input_of(inner, &row)?;
    let intent = Intent::of_row(inner, &row, input);
    let stopped = || {
        let message = "the node stopped before the result was recorded";
        Failure::uncertain(FailureKind::Other, "node_stopped", message)
    };
    let Some(action) = action else {
        tracing::warn!(intent = %row.intent_id, action = row.action, "an intent of an unknown action stays open");
        return Ok(());
    };
    let may_repeat = !row.withheld && action.spec.idempotent(Some(&intent.input));
    let result = match &action.run {
        Code::Outside(outside) if may_repeat => {
            outside.execute(intent.input.clone(), context(inner, &intent, &row)).await
        }
        _ => Err(stopped()),
    };
    match outside::end(inner, &intent, row, &action, result).await {
        Err(Refusal::Unavailable(message)) => Err(StoreError::Unavailable(message)),
        _ => Ok(()),
    }
}

fn context(inner: &Inner, intent: &Intent, row: &IntentRow) -> Context {
    Accept::of_row(row.clone(), inner.clock.now()).context(intent, &decision_of(&row.decision))
}

fn action_of(inner: &Inner, row: &IntentRow) -> Result<Action, Refusal> {
    let action = inner.registry.get(&row.action).cloned();
    action.ok_or_else(|| Refusal::NotFound { kind: "action", id: row.action.clone() })
}

fn input_of(inner: &Inner, row: &IntentRow) -> Result<Value, StoreError> {
    let input = row.input.as_ref().map(|input| inner.store.payload(input)).transpose()?;
    Ok(input.map(|input| input.to_value()).unwrap_or_default())
}

impl Intent {
    /// The intent that `row` shows, with its `input`.
    pub(super) fn of_row(inner: &Inner, row: &IntentRow, input: Value) -> Self {
        Self {
            intent_id: row.intent_id,
            action: row.action.clone(),
            input,
            stage: Some(row.stage),
            identity: inner.identity_of(&row.actor),
            session: None,
            correlation_id: row.correlation_id.clone(),
            causation_id: None,
            depth: 0,
            idempotency_key: None,
        }
    }
}
