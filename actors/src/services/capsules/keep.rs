//! A capsule that was proved becomes one of this node's, and members learn of it.
//!
//! Owns the row and the moment. One that is private is told to nobody; one that came from members was told already.
//! Invariant: the intent, the row, the pins and the moment are in one append.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use xyn_capsules::manifest::Scope;
use xyn_store::Digest;
use xyn_store::ids::{self, EntryId, EventId};
use xyn_store::projection::{CapsuleRow, Origin, Subject};
use xyn_store::timeline::entry::{Branch, Kind, Note, Refs, TITLE_MAX_CHARS};
use xyn_store::timeline::{Delta, Offer, Visibility};

use super::prove::Proved;
use super::{Event, record};
use crate::record::Record;
use crate::runtime::{Accept, Inner, Intent, Outcome, Refusal};
use crate::services::timeline::milestone::fitting;
use crate::services::timeline::{self, Acceptance};

/// A capsule that is to be kept.
pub(super) struct Keeping {
    pub(super) proved: Proved,
    /// Its file: digest and length.
    pub(super) file: (Digest, u64),
    pub(super) delta: Option<Delta>,
    /// The capsule of the app that was the newest here.
    pub(super) parent: Option<Digest>,
    pub(super) origin: Origin,
    pub(super) is_highest: bool,
    /// The moment whose files were packed, and its branch.
    pub(super) moment: Option<(EntryId, Branch)>,
    /// What is answered besides.
    pub(super) also: Map<String, Value>,
}

/// Keeps it; whoever calls has the turn.
pub(super) async fn keep(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    mut keeping: Keeping,
) -> Result<Outcome, Refusal> {
    let is_told =
        keeping.origin != Origin::Pulled && visibility(keeping.proved.manifest().rights.scope).is_told();
    let entry_id: Option<EntryId> = is_told.then(|| accept.derive("entry"));
    let (moment, also) = (keeping.moment.take(), std::mem::take(&mut keeping.also));
    let is_highest = keeping.is_highest;
    let row = row(keeping, intent, &accept, entry_id);
    let output = output(&row, also);
    let note = entry_id.map(|entry_id| (entry_id, note(&row, intent, moment)));
    let accepted = accept.done(Subject::Intent(intent.intent_id)).answering(output.clone());
    let event = Event::Kept { row: Box::new(row), is_highest };
    let Some(moment) = note else { return record(inner, intent, accepted, Some(event)).await };
    let also = vec![Record::Capsule(Box::new(event))];
    let by = Acceptance::of(accepted, intent.attribution(), also);
    timeline::say(inner, intent, vec![moment], by, output).await
}

/// Answers an intent about a capsule that is here already, of which `ignored` does not count.
pub(super) async fn again(
    inner: &Inner,
    intent: &Intent,
    accept: Accept,
    row: &CapsuleRow,
    ignored: Vec<String>,
) -> Result<Outcome, Refusal> {
    let output = output(row, known(ignored));
    let accepted = accept.done(Subject::Intent(intent.intent_id)).answering(output);
    record(inner, intent, accepted, None).await
}

fn row(keeping: Keeping, intent: &Intent, accept: &Accept, entry_id: Option<EntryId>) -> CapsuleRow {
    let Keeping { proved, file: (file, size_bytes), delta, parent, origin, .. } = keeping;
    let (manifest, capsule) = (proved.manifest(), proved.capsule());
    CapsuleRow {
        capsule,
        id: manifest.id.to_string(),
        app: manifest.id.app.to_string(),
        version: manifest.version.to_string(),
        name: manifest.name.to_string(),
        generation: manifest.generation,
        tree: manifest.tree,
        visibility: visibility(manifest.rights.scope),
        created_at: manifest.created_at,
        created_by: manifest.created_by.name.to_string(),
        files: proved.verified.files,
        content_bytes: proved.verified.size_bytes,
        signers: proved.signers,
        file,
        size_bytes,
        delta,
        parent,
        origin,
        kept_at: accept.now,
        kept_by: intent.identity.principal.clone(),
        entry_id,
    }
}

/// Keeps what was signed or attested later of the capsule of which `before` was the row, and `row` is from now on.
/// Members who have it already learn of that by another offer of the same capsule.
pub(super) async fn attested(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    row: CapsuleRow,
    before: &CapsuleRow,
    ignored: Vec<String>,
) -> Result<Outcome, Refusal> {
    let output = output(&row, known(ignored));
    let entry_id: EntryId = accept.derive("entry");
    let accepted = accept.done(Subject::Intent(intent.intent_id)).answering(output.clone());
    let verb = if row.signers == before.signers { "attested" } else { "signed" };
    let note = anew(&row, intent, verb);
    let event = Event::Attested { row: Box::new(row), before: before.file };
    let Some(note) = note else { return record(inner, intent, accepted, Some(event)).await };
    let by = Acceptance::of(accepted, intent.attribution(), vec![Record::Capsule(Box::new(event))]);
    timeline::say(inner, intent, vec![(entry_id, note)], by, output).await
}

/// Records `event`, by which `row` holds more than was offered, beside `intent`, which is done.
pub(super) async fn found_out(
    inner: &Arc<Inner>,
    intent: &Intent,
    row: &CapsuleRow,
    event: Event,
) -> Result<(), Refusal> {
    let Some(note) = anew(row, intent, "attested") else {
        return Ok(super::note(inner, intent, event).await?);
    };
    let (now, records) = (inner.clock.now(), vec![Record::Capsule(Box::new(event))]);
    let (id, entry_id): (EventId, EntryId) = (ids::fresh(now), ids::fresh(now));
    let by = Acceptance::beside(id, intent.attribution(), records);
    timeline::say(inner, intent, vec![(entry_id, note)], by, Value::Null).await.map(drop)
}

/// A moment that offers `row` in its new file; none where nobody is told of it.
fn anew(row: &CapsuleRow, intent: &Intent, verb: &str) -> Option<Note> {
    let offered = row.entry_id.into_iter().collect();
    // What differs from the capsule before it was offered with the first file.
    let row = row.visibility.is_told().then(|| CapsuleRow { delta: None, ..row.clone() })?;
    Some(offer(&row, intent, (Kind::Verify, verb), offered, Branch::main()))
}

/// What is answered besides of a capsule that is here already.
fn known(ignored: Vec<String>) -> Map<String, Value> {
    let also = [("is_new", Value::Bool(false)), ("ignored", json!(ignored))];
    Map::from_iter(also.map(|(name, value)| (name.to_owned(), value)))
}

fn note(row: &CapsuleRow, intent: &Intent, moment: Option<(EntryId, Branch)>) -> Note {
    let (kind, verb) = match row.origin {
        Origin::Packed => (Kind::Pack, "packed"),
        Origin::Imported | Origin::Pulled => (Kind::Import, "imported"),
    };
    let (parents, branch) = match moment {
        Some((entry_id, branch)) => (vec![entry_id], branch),
        None => (Vec::new(), Branch::main()),
    };
    offer(row, intent, (kind, verb), parents, branch)
}

/// A moment that offers the file of `row` to members.
fn offer(
    row: &CapsuleRow,
    intent: &Intent,
    (kind, verb): (Kind, &str),
    parents: Vec<EntryId>,
    branch: Branch,
) -> Note {
    let offer = Offer {
        capsule: row.capsule,
        id: row.id.clone(),
        generation: row.generation,
        visibility: row.visibility,
        file: row.file,
        size_bytes: row.size_bytes,
        delta: row.delta,
    };
    let refs = Refs { capsule: Some(row.tree), offer: Some(Box::new(offer)), parents, ..Refs::default() };
    let title = format!("{} {}: {verb}, generation {}", row.name, row.version, row.generation);
    let principal = intent.identity.principal.clone();
    Note { principal, branch, kind, title: fitting(&title, TITLE_MAX_CHARS), refs }
}

/// What whoever asked is answered.
fn output(row: &CapsuleRow, also: Map<String, Value>) -> Value {
    let mut output = json!({
        "capsule": row.capsule, "id": row.id, "generation": row.generation, "tree": row.tree,
        "file": row.file, "size_bytes": row.size_bytes,
        "delta_bytes": row.delta.map(|delta| delta.size_bytes), "entry_id": row.entry_id,
    });
    output.as_object_mut().expect("it was written as an object").extend(also);
    output
}

pub(super) fn visibility(scope: Scope) -> Visibility {
    match scope {
        Scope::Private => Visibility::Private,
        Scope::Env => Visibility::Env,
        Scope::Lan => Visibility::Lan,
        Scope::Public => Visibility::Public,
    }
}
