//! Direct intents whose action reaches out: acceptance before, result after, both durable.
//!
//! Invariant: an intent that reaches out is held among those under way from before its acceptance is durable until its
//! end is, so that only one which a crash cut short is found unsettled and unheld.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use xyn_store::journal::AppendError;
use xyn_store::projection::{Fault, IntentRow, IntentStatus, Subject};

use crate::actions::{Action, Context, Failure, Outside};
use crate::blueprint::FailureKind;
use crate::record::Record;
use crate::runtime::{Accept, Inner, Intent, Outcome, Recording, Refusal, refusal, stream};

/// How often the end of an intent is appended when the store is not available.
const END_ATTEMPTS: u32 = 5;
/// How long it rests between two of them.
const END_DELAY: Duration = Duration::from_millis(200);

/// Calls `outside` on behalf of `intent`. Whoever asked may go away meanwhile: the call goes on and its end is
/// recorded.
pub(crate) async fn call(
    inner: &Arc<Inner>,
    intent: Intent,
    accept: Accept,
    action: &Action,
    outside: &Arc<dyn Outside>,
    context: Context,
) -> Result<Outcome, Refusal> {
    let name = intent.intent_id.to_string();
    let held = inner.progress.take(&name).ok_or(Refusal::InProgress { key: name })?;
    let row = match begin(inner, &intent, accept, action).await {
        Ok(row) => row,
        Err(answer) => return answer,
    };
    let (inner, action, outside) = (inner.clone(), action.clone(), outside.clone());
    let calling = tokio::spawn(async move {
        let result = outside.execute(intent.input.clone(), context).await;
        let answer = end(&inner, &intent, row, &action, result).await;
        drop(held);
        answer
    });
    calling.await.map_err(|error| Refusal::Unavailable(error.to_string()))?
}

/// Records that `intent` begins. The error is what whoever asked is answered instead.
pub(super) async fn begin(
    inner: &Inner,
    intent: &Intent,
    accept: Accept,
    action: &Action,
) -> Result<IntentRow, Result<Outcome, Refusal>> {
    let (now, by) = (accept.now, intent.attribution());
    let mut accepted = accept.begun();
    let mut recording = Recording::default();
    if accepted.row.input.is_none() {
        let recorded = action.spec.redacted(&intent.input);
        accepted.row.withheld = recorded != intent.input;
        accepted.row.input = Some(recording.payload(&recorded));
    }
    let row = accepted.row.clone();
    if let Some(record) = recording.accept(accepted, now, &by) {
        recording.entry(stream(row.intent_id), 0, now, &by, &[record]);
    }
    match recording.commit(inner).await {
        Ok(_) => Ok(row),
        Err(error) => Err(inner.answer_append(error, intent)),
    }
}

/// Records how the call of `intent`, which `row` shows as begun, ended.
pub(super) async fn end(
    inner: &Inner,
    intent: &Intent,
    row: IntentRow,
    action: &Action,
    mut result: Result<Value, Failure>,
) -> Result<Outcome, Refusal> {
    let seq = row.begun_seq();
    let subject = Subject::Intent(intent.intent_id);
    for attempt in 1.. {
        let mut recording = Recording::default();
        let output = result.as_ref().ok().map(|output| recording.payload(output));
        let (status, fault) = came_to(&result, intent, action);
        let row = IntentRow { status, output, fault, ..row.clone() };
        let (now, by) = (inner.clock.now(), intent.attribution());
        let record = Record::IntentEnded(Box::new(row));
        recording.entry(stream(intent.intent_id), seq, now, &by, &[record]);
        match recording.commit(inner).await {
            // A conflict: an attempt whose outcome was unknown was durable after all.
            Ok(_) | Err(AppendError::Conflict { .. }) => break,
            Err(error) => match Refusal::from(error) {
                Refusal::QuotaReached { message } if result.is_ok() => {
                    let message = format!("it was done, but what it gave cannot be kept: {message}");
                    result = Err(Failure::certain(FailureKind::Server, "quota_reached", message));
                }
                Refusal::Unavailable(_) | Refusal::Overloaded { .. } if attempt < END_ATTEMPTS => {
                    tokio::time::sleep(END_DELAY).await;
                }
                refusal => return Err(refusal),
            },
        }
    }
    result.map(|output| Outcome::new(intent.intent_id, subject, output)).map_err(refusal)
}

/// What the call's `result` makes of the intent.
fn came_to(
    result: &Result<Value, Failure>,
    intent: &Intent,
    action: &Action,
) -> (IntentStatus, Option<Fault>) {
    let Err(failure) = result else { return (IntentStatus::Completed, None) };
    // What may be done twice leaves nothing to find out: whoever wants it done asks again.
    let is_open = failure.uncertain && !action.spec.idempotent(Some(&intent.input));
    let status = if is_open { IntentStatus::Uncertain } else { IntentStatus::Failed };
    (status, Some(Fault { code: failure.code.clone(), message: failure.message.clone() }))
}
