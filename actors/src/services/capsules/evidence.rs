//! What is attested of a capsule that is here, and what of it proves something.
//!
//! Attestations and signatures are in the capsule's file; one that comes later makes it another file of the same
//! capsule. Invariant: what proves something was signed by who counts, about the very content.

use std::fmt;
use std::path::Path;

use xyn_capsules::manifest::Manifest;
use xyn_capsules::proof::contradicts;
use xyn_capsules::sign::{
    Admitted, Envelope, Predicate, PublicKey as Signer, Rebuild, Ring, Rollback, Simulation, Statement, Trust,
};
use xyn_store::audit::signature::PublicKey;
use xyn_store::blobs::{Blobs, Pins};
use xyn_store::projection::CapsuleRow;
use xyn_store::{Digest, Timestamp};

use super::prove;
use super::{refusal, scratch};
use crate::governance::Proof;
use crate::runtime::Refusal;

/// Leave to go back, by who counts.
pub(crate) type Leave = Admitted<Statement<Rollback>>;

/// All envelopes about the capsule of `row`. Nothing of them is proved.
pub(crate) fn of(blobs: &Blobs, row: &CapsuleRow) -> Result<Vec<Vec<u8>>, Refusal> {
    Ok(prove::Place::Blob(blobs, &row.file).cover()?.attestations().to_vec())
}

/// Signatures on the manifest of a capsule, by who may publish it.
pub(super) struct Signed {
    envelope: Envelope,
    keys: Vec<Signer>,
}

impl Signed {
    /// Those that count in `ring`, be they enough or not, on the manifest in `bytes`; none where it is that of another
    /// capsule than `capsule`.
    pub(super) fn read(bytes: &[u8], capsule: &Digest, ring: &Ring, now: Timestamp) -> Option<Self> {
        let envelope = Envelope::read(bytes).ok().filter(|envelope| envelope.digest() == *capsule)?;
        let admitted = ring.of_any_publisher().manifest(&envelope, now).ok()?;
        let held = admitted.verified().signers().iter().filter_map(|id| ring.keys.get(id));
        let keys = held.map(|key| key.key).collect();
        Some(Self { envelope, keys })
    }
}

/// Puts what came to be known of the capsule of `row` into a file with all of it, which is worked at in `folder`: the
/// signatures of `signed` and `attestations`, all of them of who counts. What somebody who counts in `ring` says of
/// something else goes: the capsule would be refused for it. Answers the row of that file, or nothing
/// when there was nothing new. The file before stays as long as a moment offers it.
pub(super) fn join(
    blobs: &Blobs,
    folder: &Path,
    row: &CapsuleRow,
    signed: &[Signed],
    attestations: Vec<Vec<u8>>,
    (ring, now): (&Ring, Timestamp),
) -> Result<Option<(CapsuleRow, Pins)>, Refusal> {
    let unsound = |error: &dyn fmt::Display| Refusal::Conflict {
        code: "capsule_unsound",
        message: format!("the manifest: {error}"),
    };
    let cover = prove::Place::Blob(blobs, &row.file).cover()?;
    let mut envelope = Envelope::read(cover.manifest()).map_err(|error| unsound(&error))?;
    let packed = Manifest::read(envelope.unverified()).map_err(|error| unsound(&error))?.attestations;
    let (mut signers, mut is_signed) = (row.signers.clone(), false);
    for signed in signed {
        is_signed |= envelope.join(&signed.envelope, &signed.keys).map_err(|error| unsound(&error))?;
        for key in signed.keys.iter().map(|key| PublicKey::from_bytes(*key.as_bytes())) {
            if !signers.contains(&key) {
                signers.push(key);
            }
        }
    }
    let mut all = cover.attestations().to_vec();
    all.retain(|bytes| {
        let is_packed = || packed.iter().any(|packed| packed.sha256 == Digest::of(bytes));
        !contradicts(bytes, &row.tree, Trust::Ring(ring, now)) || is_packed()
    });
    for attestation in attestations {
        if !all.contains(&attestation) {
            all.push(attestation);
        }
    }
    if !is_signed && all == cover.attestations() {
        return Ok(None);
    }
    let (target, mut pins) = (folder.join("joined.caps"), blobs.pins());
    cover.seal_again(&envelope.to_bytes(), &all, &target).map_err(refusal::file)?;
    let (file, size_bytes) = scratch::keep(blobs, &target)?;
    pins.add(file);
    Ok(Some((CapsuleRow { file, size_bytes, signers, ..row.clone() }, pins)))
}

/// Whether `envelopes` prove `wanted` of the capsule of `row`, which `manifest` describes, by who counts in `ring`. The
/// error says why not.
pub(crate) fn proves(
    envelopes: &[Vec<u8>],
    wanted: Proof,
    row: &CapsuleRow,
    manifest: &Manifest,
    ring: &Ring,
    now: Timestamp,
) -> Result<(), &'static str> {
    let expected = manifest.expected.build_digest;
    let rebuilt = |report: &Rebuild| report.proves(&row.capsule, expected.as_ref());
    let held = match wanted {
        Proof::Rebuild => found(envelopes, row, ring, now, rebuilt),
        Proof::Simulation => found(envelopes, row, ring, now, |report: &Simulation| Some(report.passed())),
    };
    if held.contains(&Some(true)) {
        Ok(())
    } else if held.contains(&Some(false)) {
        Err("was attested, and came to another result")
    } else if held.contains(&None) {
        Err("was attested of another capsule of the same files, or of none by name")
    } else {
        Err("was attested by nobody who counts here")
    }
}

/// Leave to go back to the capsule of the content `tree`, by who counts in `ring`.
pub(crate) fn leaves(envelopes: &[Vec<u8>], tree: &Digest, ring: &Ring, now: Timestamp) -> Vec<Leave> {
    envelopes
        .iter()
        .filter_map(|bytes| ring.statement(&Envelope::read(bytes).ok()?, tree, now).ok())
        .collect()
}

/// What each statement of the kind says that counts; nothing of this capsule when it is about another.
fn found<P: Predicate>(
    envelopes: &[Vec<u8>],
    row: &CapsuleRow,
    ring: &Ring,
    now: Timestamp,
    holds: impl Fn(&P) -> Option<bool>,
) -> Vec<Option<bool>> {
    let admitted = envelopes
        .iter()
        .filter_map(|bytes| ring.statement::<P>(&Envelope::read(bytes).ok()?, &row.tree, now).ok());
    admitted.map(|admitted| holds(&admitted.value().predicate)).collect()
}
