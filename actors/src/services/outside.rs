//! Direct intents whose action reaches out: acceptance before, result after, both durable.

use std::sync::Arc;

use serde_json::Value;
use xyn_store::projection::{IntentRow, IntentStatus, Subject};

use crate::actions::{Context, Outside};
use crate::record::Record;
use crate::runtime::{Accept, Inner, Intent, Outcome, Recording, Refusal, refusal, stream};

/// Calls `outside` on behalf of `intent`.
pub(crate) async fn call(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    outside: &Arc<dyn Outside>,
    context: Context,
) -> Result<Outcome, Refusal> {
    let now = accept.now;
    let subject = Subject::Intent(intent.intent_id);
    let accepted = accept.by(subject.clone());
    // A parked intent has a stream already.
    let expected = if accepted.row.asked.is_some() { 1 + accepted.row.approvals.len() as u64 } else { 0 };
    let row = accepted.row.clone();
    let mut recording = Recording::default();
    let record = recording.accept(accepted);
    recording.entry(stream(intent.intent_id), expected, now, &intent.attribution(), &[record]);
    if let Err(error) = recording.commit(inner).await {
        return inner.answer_append(error, intent);
    }
    let result = outside.execute(intent.input.clone(), context).await;
    let status = if result.is_ok() { IntentStatus::Completed } else { IntentStatus::Failed };
    let row = IntentRow { status, ..row };
    let now = inner.clock.now();
    inner.record_intent(intent, expected + 1, Record::IntentEnded(Box::new(row)), now).await?;
    result.map(|output: Value| Outcome::new(intent.intent_id, subject, output)).map_err(refusal)
}
