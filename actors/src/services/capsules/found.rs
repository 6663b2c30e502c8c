//! What this node finds out about a capsule that it has: signed with the key of the node, and joined to the capsule
//! where that counts, so that it travels.
//!
//! Owns what becomes of it: where the node's word does not count, it is kept beside the app, for somebody whose does.
//! Invariant: what is joined counts here, and of a place the same is said once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xyn_capsules::proof::counts;
use xyn_capsules::sign::{Envelope, FirstRun, NotVerified, Quorum, Statement, Subject, Trust, seal};
use xyn_store::blobs::Pins;
use xyn_store::projection::CapsuleRow;
use xyn_store::{Digest, durable};

use super::trust::{self, Counting};
use super::{Event, evidence, keep, scratch};
use crate::runtime::{Inner, Intent, Refusal};
use crate::services::blocking;

/// What became of a report.
enum Kept {
    /// It is in the capsule, of which `row` is the row from now on.
    Joined { row: Box<CapsuleRow>, before: Box<CapsuleRow>, _pins: Pins },
    /// It is in a file beside the app.
    Beside(Box<CapsuleRow>),
    /// The same was said before, or the capsule is gone.
    Known,
}

/// Keeps how `capsule` fared when `intent` had it made ready for the first time: in the capsule, or in the folder
/// `beside`.
pub(crate) async fn first_run(
    inner: &Arc<Inner>,
    intent: &Intent,
    capsule: Digest,
    run: FirstRun,
    beside: PathBuf,
) -> Result<(), Refusal> {
    let _turn = inner.capsules.take().await;
    let (working, said) = (inner.clone(), run.clone());
    let kept = blocking(move || take(&working, &capsule, &said, &beside)).await?;
    let FirstRun { stage, target, is_well, found, .. } = run;
    let event = |row, before| Event::FirstRun { row, before, stage, target, is_well, found };
    match kept {
        Kept::Joined { row, before, _pins } => {
            let told = (*row).clone();
            keep::found_out(inner, intent, &told, event(row, Some(before.file))).await
        }
        Kept::Beside(row) => Ok(super::note(inner, intent, event(row, None)).await?),
        Kept::Known => Ok(()),
    }
}

fn take(inner: &Inner, capsule: &Digest, run: &FirstRun, beside: &Path) -> Result<Kept, Refusal> {
    let (blobs, now) = (inner.store.blobs(), inner.clock.now());
    let Some(row) = inner.store.read()?.get::<CapsuleRow>(&CapsuleRow::key_of(capsule))? else {
        return Ok(Kept::Known);
    };
    let (key, file) = (trust::own_key(inner), file(beside, run));
    let own = Quorum::one(key.public());
    let is_known = |bytes: &[u8]| {
        let envelope = Envelope::read(bytes).ok()?;
        let known = own.statement::<FirstRun>(&envelope, &row.tree).ok()?;
        Some(known.value().predicate.is_like(run))
    };
    let said = evidence::of(blobs, &row)?.into_iter().chain(fs::read(&file).ok());
    if said.into_iter().any(|bytes| is_known(&bytes) == Some(true)) {
        return Ok(Kept::Known);
    }
    let unsigned = |error: NotVerified| Refusal::Unavailable(format!("a first run is not attested: {error}"));
    let name = row.id.parse().expect("ids are lines");
    let statement = Statement { subject: Subject { name, tree: row.tree }, predicate: run.clone() };
    let bytes = seal(&statement, &key).map_err(unsigned)?.to_bytes();
    let counting = Counting::in_force(inner, now)?.map_or_else(|| Counting::members(inner, now), Ok)?;
    let ring = &counting.ring;
    if counts(&bytes, &row.tree, Trust::Ring(ring, now)) {
        let folder = scratch::folder(inner)?;
        let joined = evidence::join(blobs, folder.path(), &row, &[], vec![bytes], (ring, now))?;
        return Ok(joined.map_or(Kept::Known, |(joined, pins)| Kept::Joined {
            row: Box::new(joined),
            before: Box::new(row),
            _pins: pins,
        }));
    }
    durable::put(&file, &bytes)
        .map_err(|error| Refusal::Unavailable(format!("cannot write `{}`: {error}", file.display())))?;
    Ok(Kept::Beside(Box::new(row)))
}

/// The file in the folder `beside` that holds a report like `run`: the last one.
fn file(beside: &Path, run: &FirstRun) -> PathBuf {
    beside.join(if run.is_well { "first-run.well.json" } else { "first-run.unwell.json" })
}
