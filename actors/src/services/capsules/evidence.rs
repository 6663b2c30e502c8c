//! What is attested of a capsule that is here, and what of it proves something.
//!
//! Attestations are in the capsule's file; one that comes later makes it another file of the same capsule. Invariant:
//! what proves something was signed by who counts, about the very content.

use std::path::Path;

use xyn_capsules::sign::{Admitted, Envelope, Predicate, Rebuild, Ring, Rollback, Simulation, Statement};
use xyn_store::blobs::{Blobs, Pins};
use xyn_store::projection::CapsuleRow;
use xyn_store::{Digest, Timestamp};

use super::{prove, refusal, scratch};
use crate::governance::Proof;
use crate::runtime::Refusal;

/// Leave to go back, by who counts.
pub(crate) type Leave = Admitted<Statement<Rollback>>;

/// All envelopes about the capsule of `row`. Nothing of them is proved.
pub(crate) fn of(blobs: &Blobs, row: &CapsuleRow) -> Result<Vec<Vec<u8>>, Refusal> {
    Ok(prove::Place::Blob(blobs, &row.file).cover()?.attestations().to_vec())
}

/// Puts `envelopes` into the file of the capsule of `row`, which works in `folder`; answers the row of the new file.
/// Members go on to offer the one before, which stays as long as a moment names it.
pub(crate) fn attest(
    blobs: &Blobs,
    folder: &Path,
    row: CapsuleRow,
    envelopes: Vec<Vec<u8>>,
) -> Result<(CapsuleRow, Pins), Refusal> {
    let (target, mut pins) = (folder.join("attested.caps"), blobs.pins());
    let cover = prove::Place::Blob(blobs, &row.file).cover()?;
    let (manifest, mut all) = (cover.manifest().to_vec(), cover.attestations().to_vec());
    all.extend(envelopes);
    cover.seal_again(&manifest, &all, &target).map_err(refusal::file)?;
    let (file, size_bytes) = scratch::keep(blobs, &target)?;
    pins.add(file);
    Ok((CapsuleRow { file, size_bytes, ..row }, pins))
}

/// Whether `envelopes` prove `wanted` of the capsule of `row`, by who counts in `ring`. The error says why not.
pub(crate) fn proves(
    envelopes: &[Vec<u8>],
    wanted: Proof,
    row: &CapsuleRow,
    ring: &Ring,
    now: Timestamp,
) -> Result<(), &'static str> {
    let held = match wanted {
        Proof::Rebuild => found(envelopes, row, ring, now, Rebuild::matches),
        Proof::Simulation => found(envelopes, row, ring, now, Simulation::passed),
    };
    match (held.contains(&true), held.is_empty()) {
        (true, _) => Ok(()),
        (false, false) => Err("was attested, and came to another result"),
        (false, true) => Err("was attested by nobody who counts here"),
    }
}

/// Leave to go back to the capsule of the content `tree`, by who counts in `ring`.
pub(crate) fn leaves(envelopes: &[Vec<u8>], tree: &Digest, ring: &Ring, now: Timestamp) -> Vec<Leave> {
    envelopes
        .iter()
        .filter_map(|bytes| ring.statement(&Envelope::read(bytes).ok()?, tree, now).ok())
        .collect()
}

/// What each statement of the kind says that counts.
fn found<P: Predicate>(
    envelopes: &[Vec<u8>],
    row: &CapsuleRow,
    ring: &Ring,
    now: Timestamp,
    holds: impl Fn(&P) -> bool,
) -> Vec<bool> {
    let admitted = envelopes
        .iter()
        .filter_map(|bytes| ring.statement::<P>(&Envelope::read(bytes).ok()?, &row.tree, now).ok());
    admitted.map(|admitted| holds(&admitted.value().predicate)).collect()
}
