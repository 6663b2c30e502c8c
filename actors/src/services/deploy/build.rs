//! What serves of a capsule: its content, with what its recipe makes of that in the place where it leaves it.
//!
//! Owns the build, which happens once for each deployment: what came of it is kept as long as the deployment may serve
//! it, so a restart and a rollback build nothing. Invariant: where the manifest says what a build comes to, nothing else
//! stands there, whether it was built here or packed.

use std::sync::Arc;

use xyn_capsules::manifest::Manifest;
use xyn_capsules::proof::packed;
use xyn_capsules::rebuild::Recipe;
use xyn_capsules::sign::Provenance;
use xyn_capsules::tree::{self, TreeError};
use xyn_capsules::workcell::Workcell;
use xyn_store::Digest;
use xyn_store::blobs::Pins;
use xyn_store::projection::CapsuleRow;

use super::judge::Judged;
use crate::runtime::{Inner, Intent, Refusal};
use crate::services::capsules::{evidence, report};
use crate::services::{blocking, workcell};

/// What serves of a capsule.
pub(super) struct Made {
    /// Its root.
    pub(super) root: Digest,
    /// Keep it until a row does.
    _pins: Pins,
}

/// Builds the capsule that was judged, as its manifest says.
pub(super) async fn made(inner: &Arc<Inner>, intent: &Intent, judged: &Judged) -> Result<Made, Refusal> {
    let (working, row, manifest) = (inner.clone(), judged.row.clone(), judged.manifest.clone());
    if manifest.build.steps.is_empty() {
        return blocking(move || as_packed(&working, &row, &manifest)).await;
    }
    let (made, found) = workcell::within(inner, move |cell| {
        let mut found = None;
        let made = built(&working, &row, &manifest, cell, &mut found);
        Ok((made, found))
    })
    .await?;
    if let (Some(found), Some(expected)) = (found, judged.manifest.expected.build_digest) {
        report::rebuilt(inner, intent, &judged.row, found, found == expected).await;
    }
    made
}

/// Builds it; what the build came to is told in `found`, also where that is not what is expected.
fn built(
    inner: &Inner,
    row: &CapsuleRow,
    manifest: &Manifest,
    cell: &Workcell,
    found: &mut Option<Digest>,
) -> Result<Made, Refusal> {
    let (blobs, mut pins) = (inner.store.blobs(), inner.store.blobs().pins());
    pins.add(row.tree);
    let recipe = Recipe::new(&manifest.build, &manifest.app);
    let built = recipe.build_stored(cell, blobs, &row.tree).map_err(workcell::not_built)?;
    *found = Some(built.root());
    if let Some(expected) = manifest.expected.build_digest.filter(|expected| *expected != built.root()) {
        let listed = packed::<Provenance>(manifest, &evidence::of(blobs, row)?);
        let listed = listed.map(|provenance| provenance.run_details.byproducts).unwrap_or_default();
        let different = built.differs_from(&listed).map_err(unreadable)?;
        return Err(workcell::differs("its build came to", &built.root(), &expected, &different));
    }
    let root = recipe.keep(&built, blobs, &row.tree).map_err(workcell::not_built)?;
    pins.add(root);
    Ok(Made { root, _pins: pins })
}

/// What was packed serves as it is.
fn as_packed(inner: &Inner, row: &CapsuleRow, manifest: &Manifest) -> Result<Made, Refusal> {
    let (blobs, mut pins) = (inner.store.blobs(), inner.store.blobs().pins());
    pins.add(row.tree);
    let found = tree::find(blobs, &row.tree, &manifest.build.out_dir).map_err(unreadable)?;
    let expected = manifest.expected.build_digest;
    match (found, expected) {
        (Some(found), Some(expected)) if found.digest != expected => Err(workcell::differs(
            "nothing is built of it, and what it serves is",
            &found.digest,
            &expected,
            &[],
        )),
        _ => Ok(Made { root: row.tree, _pins: pins }),
    }
}

fn unreadable(error: TreeError) -> Refusal {
    Refusal::Unavailable(error.to_string())
}
