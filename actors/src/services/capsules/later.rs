//! What was signed or attested of a capsule after it was offered: members say so by another offer of it, whose file
//! holds more.
//!
//! Owns which offers are looked into, and that what they bring is taken over. Of the files nothing but their envelopes
//! is read: the content that is here was proved. Invariant: what is taken over is about that very content, and signed
//! by who counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use xyn_capsules::proof::counts;
use xyn_capsules::sign::Trust;
use xyn_store::Digest;
use xyn_store::blobs::Pins;
use xyn_store::projection::CapsuleRow;
use xyn_store::timeline::Offer;

use super::evidence::Signed;
use super::prove::Place;
use super::pull::LACKING;
use super::trust::Counting;
use super::{Event, evidence, note, scratch};
use crate::runtime::{Inner, Intent, Refusal};
use crate::services::{blocking, content};

/// Files of one capsule that are looked into: those that were offered last.
const FILES: usize = 16;
/// Offers of one capsule that are read to find those, the newest.
const OFFERS: usize = 1_000;

/// Takes over what members sign and attest of the capsule of `row` besides what is known here; answers what is known
/// of it then. What cannot be had right now is left for another time.
pub(super) async fn take_over(
    inner: &Arc<Inner>,
    intent: &Intent,
    row: CapsuleRow,
) -> Result<CapsuleRow, Refusal> {
    let mut files = BTreeSet::new();
    for (file, size_bytes) in others(inner, row.capsule, row.file).await? {
        match content::bring_blob(inner, file, size_bytes).await {
            Ok(_) => drop(files.insert(file)),
            Err(refusal) if LACKING.contains(&refusal.code()) => {
                tracing::info!(capsule = %row.capsule, %refusal, "what a member attests of it cannot be had");
            }
            Err(refusal) => return Err(refusal),
        }
    }
    if files.is_empty() {
        return Ok(row);
    }
    // Whoever has the turn may have taken over some of it.
    let _turn = inner.capsules.take().await;
    let (working, input) = (inner.clone(), intent.input.clone());
    let (known, attested) = blocking(move || take(&working, &input, row, files)).await?;
    let Some((row, _pins)) = attested else { return Ok(known) };
    note(inner, intent, Event::Attested { row: Box::new(row.clone()), before: known.file }).await?;
    Ok(row)
}

/// The files in which members offer `capsule`, besides `known`: the newest in front.
pub(super) async fn others(
    inner: &Arc<Inner>,
    capsule: Digest,
    known: Digest,
) -> Result<Vec<(Digest, u64)>, Refusal> {
    let reading = inner.clone();
    blocking(move || {
        let offers = reading.store.read()?.newest_offers_of(&capsule, OFFERS)?.into_iter();
        let offers = offers.filter_map(|entry| entry.note.refs.offer.map(|offer| *offer));
        let mut seen = BTreeSet::from([known]);
        let is_other = |offer: &Offer| offer.capsule == capsule && seen.insert(offer.file);
        let others = offers.filter(is_other).take(FILES);
        Ok(others.map(|offer| (offer.file, offer.size_bytes)).collect())
    })
    .await
}

/// The capsule as it is known, and as it is with what is new of what was signed and attested in `files`.
fn take(
    inner: &Inner,
    input: &Value,
    row: CapsuleRow,
    files: BTreeSet<Digest>,
) -> Result<(CapsuleRow, Option<(CapsuleRow, Pins)>), Refusal> {
    let (blobs, now) = (inner.store.blobs(), inner.clock.now());
    let row = inner.store.read()?.get(&CapsuleRow::key_of(&row.capsule))?.unwrap_or(row);
    let Counting { ring, .. } = Counting::for_deployment(inner, input, now)?;
    let (mut signed, mut envelopes) = (Vec::new(), Vec::new());
    for file in files {
        match Place::Blob(blobs, &file).cover() {
            Ok(cover) => {
                signed.extend(Signed::read(cover.manifest(), &row.capsule, &ring, now));
                envelopes.extend_from_slice(cover.attestations());
            }
            Err(refusal) => tracing::info!(capsule = %row.capsule, %refusal, "an offer of it is no capsule"),
        }
    }
    envelopes.retain(|envelope| counts(envelope, &row.tree, Trust::Ring(&ring, now)));
    let folder = scratch::folder(inner)?;
    let attested = evidence::join(blobs, folder.path(), &row, &signed, envelopes, (&ring, now))?;
    Ok((row, attested))
}
