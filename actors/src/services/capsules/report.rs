//! What was found out about a capsule that is here, or done with it, besides: it was built again, replayed, handed on
//! in another form.
//!
//! Owns that the team learns of it. Of what a person reports nothing is proved here, and it opens no gate: what is to
//! count is attested. Invariant: what is told is about a capsule that is here.

use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::Digest;
use xyn_store::projection::{CapsuleRow, Subject};

use super::verify::{missing, named};
use super::{Event, catalogue, given, note, record};
use crate::runtime::{Accept, Inner, Intent, Outcome, Refusal};
use crate::services::blocking;

/// Records what whoever asked did with a capsule.
pub(super) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let name = named(&intent.input)?;
    let reading = inner.clone();
    let row = blocking(move || {
        let row = catalogue::here(&reading.store.read()?, &name)?;
        row.ok_or_else(|| missing(&reading, &name))
    });
    let CapsuleRow { capsule, id, .. } = row.await?;
    let output = json!({ "capsule": capsule, "id": id });
    let event = event(&intent.input, capsule, id)?;
    let accepted = accept.done(Subject::Intent(intent.intent_id)).answering(output);
    record(inner, intent, accepted, Some(event)).await
}

fn event(input: &Value, capsule: Digest, id: String) -> Result<Event, Refusal> {
    let invalid = |name: &str, why: &str| Refusal::invalid("invalid_input", format!("/{name}"), why);
    let matches = || {
        let said = input.get("matches").and_then(Value::as_bool);
        said.ok_or_else(|| invalid("matches", "it did or it did not"))
    };
    match given(input, "did") {
        Some("rebuilt") => {
            let found = given(input, "build").and_then(|build| build.parse().ok());
            let build = found.ok_or_else(|| invalid("build", "the digest of what the build came to"))?;
            Ok(Event::Rebuilt { capsule, id, build, is_expected: matches()? })
        }
        Some("replayed") => Ok(Event::Replayed { capsule, id, is_same: matches()? }),
        Some("exported") => {
            let form = given(input, "form").ok_or_else(|| invalid("form", "the form it was written in"))?;
            Ok(Event::Exported { capsule, id, form: form.to_owned() })
        }
        _ => Err(invalid("did", "rebuilt, replayed or exported")),
    }
}

/// Records beside `intent` that this node built the capsule of `row`, and what that came to.
pub(crate) async fn rebuilt(
    inner: &Inner,
    intent: &Intent,
    row: &CapsuleRow,
    build: Digest,
    is_expected: bool,
) {
    let (capsule, id) = (row.capsule, row.id.clone());
    let event = Event::Rebuilt { capsule, id, build, is_expected };
    if let Err(error) = note(inner, intent, event).await {
        tracing::warn!(%error, %capsule, "what its build came to is not recorded");
    }
}
