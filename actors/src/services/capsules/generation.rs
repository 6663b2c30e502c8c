//! Generations of apps in this node: which is the highest that was seen, and what may come after it.
//!
//! What was kept here counts, and what members offer, as far as that is within the bound of a jump. Invariant: what
//! is packed or brought in from outside is newer than all of it.

use xyn_capsules::manifest::{Line, Manifest, Slug};
use xyn_capsules::sign::{Admitted, GENERATION_JUMP_MAX, Mark, Refused, Seen, Step, decide};
use xyn_store::projection::{HighestRow, Origin};
use xyn_store::{Reader, StoreError, Timestamp};

use super::evidence::Leave;
use super::name::urn;
use crate::runtime::Refusal;

/// Offers that are looked at for the highest.
const OFFERS: usize = 64;

/// The highest capsule of `app` that was kept here.
fn kept(reader: &Reader, app: &Slug) -> Result<Option<Mark>, StoreError> {
    let row: Option<HighestRow> = reader.get(&HighestRow::key_of(app.as_str()))?;
    Ok(row.map(|row| Mark { generation: row.generation, capsule: row.capsule }))
}

/// The highest that was kept here or is offered by members.
fn known(reader: &Reader, app: &Slug) -> Result<Option<Mark>, StoreError> {
    let kept = kept(reader, app)?;
    let from = kept.map_or(0, |mark| mark.generation);
    let offers = reader.offers_of_app(&urn(app.as_str()), OFFERS)?;
    let offered = offers.into_iter().filter_map(|entry| {
        let offer = entry.note.refs.offer?;
        Some(Mark { generation: offer.generation, capsule: offer.capsule })
    });
    let within = |mark: &Mark| (from..=from.saturating_add(GENERATION_JUMP_MAX)).contains(&mark.generation);
    // What is here is the one that counts among equals.
    let highest = offered.filter(within).max_by_key(|mark| mark.generation);
    Ok(highest.filter(|mark| kept.is_none() || mark.generation > from).or(kept))
}

/// What installing `capsule` would be, with any of `leaves` where it needs one.
pub(crate) fn step(
    seen: &Seen,
    capsule: &Admitted<Manifest>,
    leaves: &[Leave],
    now: Timestamp,
) -> Result<Step, Refused> {
    let without = decide(seen, capsule, None, now);
    leaves.iter().fold(without, |step, leave| step.or_else(|_| decide(seen, capsule, Some(leave), now)))
}

/// The generation of the next capsule of `app`.
pub(super) fn next(reader: &Reader, app: &Slug) -> Result<u64, StoreError> {
    Ok(known(reader, app)?.map_or(1, |mark| mark.generation.saturating_add(1)))
}

/// Whether a capsule may become one of this node's; answers whether it is the highest that ever did.
///
/// What members have is fetched in whatever order people ask for it: whether it may be installed is another question.
pub(super) fn admit(
    reader: &Reader,
    capsule: &Admitted<Manifest>,
    leaves: &[Leave],
    origin: Origin,
    now: Timestamp,
) -> Result<bool, Refusal> {
    let app = &capsule.value().id.app;
    let (env, kept): (Line, _) = (capsule.env().clone(), kept(reader, app)?);
    let highest = match origin {
        Origin::Pulled => kept,
        Origin::Packed | Origin::Imported => known(reader, app)?,
    };
    let seen = Seen { env, app: app.clone(), highest };
    match step(&seen, capsule, leaves, now) {
        Ok(_) => {}
        Err(Refused::Older { .. }) if origin == Origin::Pulled => {}
        Err(refused) => {
            return Err(Refusal::Conflict { code: "capsule_generation", message: refused.to_string() });
        }
    }
    Ok(kept.is_none_or(|mark| capsule.value().generation > mark.generation))
}
