//! Proving a capsule that is here once more: who signed it counts now, and every byte of it is read.

use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::projection::{CapsuleRow, Subject};

use super::name::CapsuleName;
use super::prove::{Content, Place, Proved, prove};
use super::trust::{Basis, Counting};
use super::{Event, catalogue, record};
use crate::runtime::{Accept, Inner, Intent, Outcome, Refusal};
use crate::services::{blocking, field};

pub(super) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let name = named(&intent.input)?;
    let (reading, input) = (inner.clone(), intent.input.clone());
    let (row, proved, by) = blocking(move || {
        let row = catalogue::here(&reading.store.read()?, &name)?;
        let row = row.ok_or_else(|| missing(&reading, &name))?;
        let now = reading.clock.now();
        let counting = Counting::of(&reading, &input, now)?;
        let place = Place::Blob(reading.store.blobs(), &row.file);
        let proved = prove(place, None, Content::Leave, &counting, now)?;
        Ok((row, proved, by(&counting)))
    })
    .await?;
    let Proved { signers, quorum, verified, claims, .. } = &proved;
    let CapsuleRow { capsule, id, generation, .. } = row;
    let attestations = claims.iter().filter(|claim| claim.ignored.is_none());
    let attestations = attestations.map(|claim| {
        json!({
            "type": claim.kind, "signers": claim.signers, "packed": claim.is_packed, "summary": claim.summary,
        })
    });
    let output = json!({
        "verified": true, "capsule": capsule, "id": id, "generation": generation, "tree": verified.root,
        "files": verified.files, "size_bytes": verified.size_bytes, "stored_bytes": verified.stored_bytes,
        "signers": signers, "threshold": quorum.threshold(), "right": quorum.right().map(ToString::to_string), "by": by,
        "attestations": attestations.collect::<Vec<_>>(), "ignored": proved.ignored(),
    });
    let accepted = accept.done(Subject::Intent(intent.intent_id)).answering(output);
    record(inner, intent, accepted, Some(Event::Verified { capsule, id })).await
}

/// Who says who counts; of a key ring which version of it.
fn by(counting: &Counting) -> Value {
    match counting.basis {
        Basis::Ring => json!({ "kind": "ring", "version": counting.ring.version }),
        Basis::Named => json!({ "kind": "keys" }),
        Basis::Members => json!({ "kind": "members" }),
    }
}

/// The capsule that an input names.
pub(crate) fn named(input: &Value) -> Result<CapsuleName, Refusal> {
    let parsed = field(input, "capsule").parse::<CapsuleName>();
    parsed.map_err(|error| Refusal::invalid("invalid_input", "/capsule", error.to_string()))
}

/// That `name` is not here; or that it is with members.
pub(crate) fn missing(inner: &Inner, name: &CapsuleName) -> Refusal {
    let offered = inner.store.read().and_then(|reader| catalogue::offered(&reader, name));
    let id = name.to_string();
    match offered {
        Ok(offers) if !offers.is_empty() => {
            let message = format!("the capsule `{id}` is not here; fetch it from members first: pull it");
            Refusal::Conflict { code: "capsule_elsewhere", message }
        }
        Ok(_) => Refusal::NotFound { kind: "capsule", id },
        Err(error) => error.into(),
    }
}
