//! The key ring of the environment: once there is one, it says who counts.
//!
//! The first is taken when keys signed it that whoever brings it names; each that follows is signed by the root of the
//! one before, as TUF has it. Owns which is in force on this node. Refuses one for another environment. Invariant:
//! versions go up one by one, and nobody but the root of a ring brings about who counts next.

use std::sync::Arc;

use serde_json::{Value, json};
use xyn_capsules::sign::{Envelope, NotVerified, Quorum, Ring};
use xyn_store::blobs::Pins;
use xyn_store::ids::EntryId;
use xyn_store::projection::{RingRow, Subject};
use xyn_store::timeline::entry::{Branch, Kind, Note, Refs};
use xyn_store::{StoreError, Timestamp};

use super::{Event, refusal, trust};
use crate::record::Record;
use crate::runtime::{Accept, Inner, Intent, Outcome, Refusal, Runtime};
use crate::services::blocking;
use crate::services::timeline::{self, Acceptance};

/// A key ring that is in force.
#[derive(Clone, Debug)]
pub struct KeyRing {
    /// Since when, and by whom.
    pub row: RingRow,
    /// Who may do what.
    pub ring: Ring,
    /// The same as it was signed.
    pub envelope: Envelope,
}

/// Puts the ring that the intent holds into force.
pub(super) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let _turn = inner.capsules.take().await;
    let (working, asked, now) = (inner.clone(), intent.clone(), accept.now);
    let (row, _pins) = blocking(move || take(&working, &asked, now)).await?;
    let entry_id: EntryId = accept.derive("entry");
    let RingRow { env, version, file, .. } = &row;
    let output = json!({ "env": env, "version": version, "file": file, "entry_id": entry_id });
    let note = Note {
        principal: intent.identity.principal.clone(),
        branch: Branch::main(),
        kind: Kind::Note,
        title: format!("version {} of the key ring is in force", row.version),
        refs: Refs::default(),
    };
    let accepted = accept.done(Subject::Intent(intent.intent_id)).answering(output.clone());
    let also = vec![Record::Capsule(Box::new(Event::Ring { row: Box::new(row) }))];
    let by = Acceptance::of(accepted, intent.attribution(), also);
    timeline::say(inner, intent, vec![(entry_id, note)], by, output).await
}

/// Checks the ring in the input against the one that is in force, and keeps its bytes.
fn take(inner: &Inner, intent: &Intent, now: Timestamp) -> Result<(RingRow, Pins), Refusal> {
    let bytes = intent.input["ring"].to_string();
    let envelope = Envelope::read(bytes.as_bytes()).map_err(|error| refused(error.into()))?;
    let next = match in_force(inner, now)? {
        Some(known) => known.ring.succeed(&envelope, now).map_err(refused)?,
        None => Ring::pinned(&envelope, &pinned(&intent.input)?, now).map_err(refused)?,
    };
    let env = inner.timeline()?.env().to_string();
    if next.env.as_str() != env {
        let message =
            format!("the ring is for `{}`, and this environment is `{env}`; make one for it", next.env);
        return Err(Refusal::Conflict { code: "ring_refused", message });
    }
    let (blobs, bytes) = (inner.store.blobs(), envelope.to_bytes());
    let mut pins = blobs.pins();
    let file = blobs.put(&bytes).map_err(refusal::blob)?;
    pins.add(file);
    let by = intent.identity.principal.clone();
    Ok((RingRow { env, version: next.version, file, at: now, by }, pins))
}

/// Who must have signed the first ring.
fn pinned(input: &Value) -> Result<Quorum, Refusal> {
    let (keys, threshold) = trust::named(input)?.ok_or_else(|| Refusal::Conflict {
        code: "ring_refused",
        message: "no key ring is in force yet, and nobody was named whose signature counts for the first; name the \
                  key of its root"
            .to_owned(),
    })?;
    let quorum = Quorum::new(keys.values().map(|key| key.key), threshold);
    quorum.map_err(|error| Refusal::Conflict { code: "ring_refused", message: error.to_string() })
}

fn refused(error: NotVerified) -> Refusal {
    let why = match &error {
        NotVerified::Ring(invalid) => invalid.to_string(),
        error => refusal::with_causes(error),
    };
    Refusal::Conflict { code: "ring_refused", message: format!("the key ring: {why}") }
}

/// The key ring that is in force, if there is one. It may have expired: then it lets nobody in, and its root signs the
/// next one all the same.
pub(super) fn in_force(inner: &Inner, now: Timestamp) -> Result<Option<KeyRing>, Refusal> {
    let reader = inner.store.read()?;
    let Some(env) = reader.environment()? else { return Ok(None) };
    let Some(row) = reader.get::<RingRow>(&RingRow::key_of(&env.to_string()))? else { return Ok(None) };
    let bytes = inner.store.blobs().read(&row.file).map_err(StoreError::from)?;
    let unread = |error: NotVerified| Refusal::Unavailable(format!("the key ring cannot be read: {error}"));
    let envelope = Envelope::read(&bytes).map_err(|error| unread(error.into()))?;
    let ring = Ring::kept(&envelope, now).map_err(unread)?;
    Ok(Some(KeyRing { row, ring, envelope }))
}

impl Runtime {
    /// The key ring that is in force, if there is one. Blocks.
    pub fn key_ring(&self) -> Result<Option<KeyRing>, Refusal> {
        in_force(&self.0, self.0.clock.now())
    }
}
