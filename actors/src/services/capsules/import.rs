//! Taking in a capsule that came as a file from outside: its bytes are a blob already, and nobody's word counts yet.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use xyn_capsules::proof::counts;
use xyn_capsules::sign::{Envelope, Trust};
use xyn_store::Digest;
use xyn_store::blobs::Pins;
use xyn_store::projection::{CapsuleRow, Origin};

use super::evidence::Signed;
use super::keep::{Keeping, again, attested, keep};
use super::name::CapsuleName;
use super::prove::{Content, Place, Proved, prove};
use super::trust::Counting;
use super::{catalogue, delta, evidence, generation, scratch};
use crate::runtime::{Accept, Inner, Intent, Outcome, Refusal};
use crate::services::{blocking, field};

/// What came of a file.
enum Taken {
    /// A capsule that is here already. What is said of it in the file and does not count.
    Known(Box<CapsuleRow>, Vec<String>),
    /// One that is here already, of which more is signed or attested than was known.
    Attested {
        row: Box<CapsuleRow>,
        before: Box<CapsuleRow>,
        ignored: Vec<String>,
        _pins: Pins,
    },
    New(Box<Keeping>),
}

pub(super) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let _turn = inner.capsules.take().await;
    let (reading, input) = (inner.clone(), intent.input.clone());
    match blocking(move || take(&reading, &input)).await? {
        Taken::Known(row, ignored) => again(inner, intent, accept, &row, ignored).await,
        Taken::Attested { row, before, ignored, _pins } => {
            attested(inner, intent, accept, *row, &before, ignored).await
        }
        Taken::New(keeping) => keep(inner, intent, accept, *keeping).await,
    }
}

/// Proves the file that `input` names, whole or a delta against one that is here.
fn take(inner: &Inner, input: &Value) -> Result<Taken, Refusal> {
    let (blobs, now) = (inner.store.blobs(), inner.clock.now());
    let digest: Digest =
        field(input, "sha256").parse().map_err(|error: xyn_store::digest::InvalidDigest| {
            Refusal::invalid("invalid_input", "/sha256", error.to_string())
        })?;
    // What is worked with stays, though nobody names it yet.
    let mut pins = blobs.pins();
    pins.add(digest);
    let (place, folder) = (Place::Blob(blobs, &digest), scratch::folder(inner)?);
    // A signature more on what is here already is taken before they are enough; only who counts adds to it.
    let named = Counting::of(inner, input, now)?;
    let counting = match known(inner, place)? {
        true => Counting::in_force(inner, now)?.unwrap_or(named).of_any(),
        false => named,
    };
    let base = match place.base()? {
        None => None,
        Some(tree) => {
            let row = catalogue::here(&inner.store.read()?, &CapsuleName::Digest(tree))?.ok_or_else(|| {
                let message = format!(
                    "the file only holds what differs from the tree `{tree}`, of which no capsule is here; import \
                     the whole one"
                );
                Refusal::Conflict { code: "capsule_base_missing", message }
            })?;
            Some((delta::base(blobs, folder.path(), &row)?, tree))
        }
    };
    let proved = match &base {
        Some((file, _)) => prove(place, Some(file), Content::Take(blobs), &counting, now)?,
        None => prove(place, None, Content::Leave, &counting, now)?,
    };
    let reader = inner.store.read()?;
    if let Some(row) = reader.get::<CapsuleRow>(&CapsuleRow::key_of(&proved.capsule()))? {
        let (ring, mut attestations) = (&counting.ring, proved.envelopes.1.clone());
        attestations.retain(|envelope| counts(envelope, &row.tree, Trust::Ring(ring, now)));
        let signed: Vec<_> = Signed::read(&proved.envelopes.0, &row.capsule, ring, now).into_iter().collect();
        let ignored = proved.ignored();
        let more = evidence::join(blobs, folder.path(), &row, &signed, attestations, (ring, now))?;
        return Ok(match more {
            Some((attested, pins)) => {
                Taken::Attested { row: Box::new(attested), before: Box::new(row), ignored, _pins: pins }
            }
            None => Taken::Known(Box::new(row), ignored),
        });
    }
    let leaves = evidence::leaves(&proved.envelopes.1, &proved.manifest().tree, &counting.ring, now);
    let is_highest = generation::admit(&reader, &proved.admitted, &leaves, Origin::Imported, now)?;
    let before = newest(&reader, &proved)?;
    drop(reader);
    let (file, delta) = match base {
        Some((_, tree)) => {
            let size_bytes = proved.verified.stored_bytes;
            let delta = xyn_store::timeline::Delta { base: tree, file: digest, size_bytes };
            (delta::whole(blobs, folder.path(), &proved)?, Some(delta))
        }
        None => {
            let size_bytes = proved.verified.stored_bytes;
            let delta = match &before {
                // What differs is found in the store.
                Some(before) => {
                    prove(place, None, Content::Take(blobs), &counting, now)?;
                    delta::write(blobs, folder.path(), &proved, before, size_bytes)?
                }
                None => None,
            };
            ((digest, size_bytes), delta)
        }
    };
    let parent = before.map(|row| row.capsule);
    let (moment, also) = (None, Map::from_iter([("ignored".to_owned(), json!(proved.ignored()))]));
    let origin = Origin::Imported;
    Ok(Taken::New(Box::new(Keeping { proved, file, delta, parent, origin, is_highest, moment, also })))
}

/// Whether the capsule at `place` is said to be one that is here already.
fn known(inner: &Inner, place: Place<'_>) -> Result<bool, Refusal> {
    // What is no envelope is told where it is proved.
    let Ok(envelope) = Envelope::read(place.cover()?.manifest()) else { return Ok(false) };
    let row = inner.store.read()?.get::<CapsuleRow>(&CapsuleRow::key_of(&envelope.digest()))?;
    Ok(row.is_some())
}

/// The newest capsule of the same app that is here.
pub(super) fn newest(reader: &xyn_store::Reader, proved: &Proved) -> Result<Option<CapsuleRow>, Refusal> {
    let app = proved.manifest().id.app.clone();
    Ok(catalogue::here(reader, &CapsuleName::App(app))?)
}
