//! Fetching a capsule that members offer: what differs from one that is here, where that is enough, or all of it.
//!
//! Owns which files are fetched; how they travel is the content's. Nothing of an offer is believed: what came is
//! proved as any other capsule, and is the one that was offered. Invariant: a file that is not sound is let go of.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use xyn_capsules::container::{Base, StoredTree};
use xyn_capsules::tree::Limits;
use xyn_store::blobs::FETCHED;
use xyn_store::projection::{CapsuleRow, Origin};
use xyn_store::timeline::entry::Entry;
use xyn_store::timeline::{Delta, Offer};
use xyn_store::{Digest, Reader, StoreError};

use super::keep::{Keeping, again, keep};
use super::name::CapsuleName;
use super::prove::{Content, Place, prove};
use super::trust::Counting;
use super::verify::named;
use super::{catalogue, delta, generation, import, later, refusal, scratch};
use crate::runtime::{Accept, Inner, Intent, Outcome, Refusal};
use crate::services::blocking;
use crate::services::content::{self, Brought};

/// Deltas that are put together for one capsule.
const DELTAS_MAX: usize = 16;
/// Offers that are looked at for one delta.
const OFFERS: usize = 16;

/// The words for what another way may do better.
pub(super) const LACKING: [&str; 4] =
    ["files_missing", "content_unsound", "capsule_unsound", "capsule_base_missing"];

/// The word for signatures that do not count, or are not enough.
const UNTRUSTED: &str = "capsule_untrusted";

/// A capsule that was fetched and proved, and the turn that whoever keeps it has.
type Fetched<'a> = (Keeping, tokio::sync::MutexGuard<'a, ()>);

/// What is fetched.
#[derive(Clone)]
enum Way {
    /// Deltas, one behind the other, from one that is here.
    Deltas(Box<CapsuleRow>, Vec<Delta>),
    /// All of it.
    Whole,
}

pub(super) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let name = named(&intent.input)?;
    let (reading, meant) = (inner.clone(), name.clone());
    let (offer, ways) = match blocking(move || Ok(wanted(&reading.store.read()?, &meant)?)).await? {
        Wanted::Here(row) => {
            let row = later::take_over(inner, intent, *row).await?;
            return again(inner, intent, accept, &row, Vec::new()).await;
        }
        Wanted::Offered(offer, ways) => (offer, ways),
        Wanted::Nowhere => return Err(Refusal::NotFound { kind: "capsule", id: name.to_string() }),
    };
    let fetching = Fetching { inner, intent };
    let (keeping, turn) = match fetching.by_any(&offer, ways).await {
        Err(refusal) if refusal.code() == UNTRUSTED => fetching.signed_later(&offer, refusal).await?,
        done => done?,
    };
    let outcome = keep(inner, intent, accept, keeping).await?;
    drop(turn);
    // What differs may have been packed before more was signed or attested.
    if let Some(row) = inner.store.read()?.get(&CapsuleRow::key_of(&offer.capsule))?
        && let Err(refusal) = later::take_over(inner, intent, row).await
    {
        tracing::info!(capsule = %offer.capsule, %refusal, "what was attested of it later is not here yet");
    }
    Ok(outcome)
}

/// The fetching of what is offered, because somebody wants it.
#[derive(Clone, Copy)]
struct Fetching<'a> {
    inner: &'a Arc<Inner>,
    intent: &'a Intent,
}

impl<'a> Fetching<'a> {
    /// By the first of `ways` that leads there, or all of it.
    async fn by_any(self, offer: &Offer, ways: Vec<Way>) -> Result<Fetched<'a>, Refusal> {
        for way in ways {
            match self.by(way, offer).await {
                Ok(fetched) => return Ok(fetched),
                Err(refusal) if !LACKING.contains(&refusal.code()) => return Err(refusal),
                Err(refusal) => {
                    let capsule = &offer.capsule;
                    tracing::info!(%capsule, %refusal, "what differs is not enough: all of it is fetched");
                }
            }
        }
        self.by(Way::Whole, offer).await
    }

    /// In another file: those who signed the first one are not enough, as `refused` says.
    async fn signed_later(self, first: &Offer, refused: Refusal) -> Result<Fetched<'a>, Refusal> {
        let capsule = first.capsule;
        for (file, size_bytes) in later::others(self.inner, capsule, first.file).await? {
            let offer = Offer { file, size_bytes, delta: None, ..first.clone() };
            match self.by(Way::Whole, &offer).await {
                Ok(fetched) => return Ok(fetched),
                Err(refusal) if refusal.code() == UNTRUSTED || LACKING.contains(&refusal.code()) => {
                    tracing::info!(%capsule, %refusal, "another offer of it is no better");
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Err(refused)
    }

    /// By this way, and proved.
    async fn by(self, way: Way, offer: &Offer) -> Result<Fetched<'a>, Refusal> {
        let Self { inner, intent } = self;
        let files = match &way {
            Way::Deltas(_, deltas) => deltas.iter().map(|delta| (delta.file, delta.size_bytes)).collect(),
            Way::Whole => vec![(offer.file, offer.size_bytes)],
        };
        let (mut brought, mut fresh) = (Brought::default(), Vec::new());
        for (file, size_bytes) in files {
            let came = content::bring_blob(inner, file, size_bytes).await?;
            fresh.extend((came.blobs > 0).then_some(file));
            brought += came;
        }
        let turn = inner.capsules.take().await;
        let (working, input, offer) = (inner.clone(), intent.input.clone(), offer.clone());
        let taken = blocking(move || take(&working, &input, &offer, &way, brought)).await;
        if taken.is_err() {
            let blobs = inner.store.blobs().clone();
            let let_go = move || {
                let released = fresh.iter().try_for_each(|file| blobs.release(file, FETCHED));
                released.map_err(refusal::blob)
            };
            blocking(let_go).await?;
        }
        Ok((taken?, turn))
    }
}

/// What somebody who names a capsule is to get.
enum Wanted {
    /// It is here, and nothing newer is offered under that name.
    Here(Box<CapsuleRow>),
    /// Members offer it; besides all of it, these ways lead there.
    Offered(Box<Offer>, Vec<Way>),
    /// Nobody offers it.
    Nowhere,
}

/// What `name` means, here and with members.
fn wanted(reader: &Reader, name: &CapsuleName) -> Result<Wanted, StoreError> {
    let here = catalogue::here(reader, name)?;
    let Some(best) = catalogue::offered(reader, name)?.into_iter().next().and_then(offer) else {
        return Ok(here.map_or(Wanted::Nowhere, |row| Wanted::Here(Box::new(row))));
    };
    match here {
        Some(row) if row.generation >= best.generation => Ok(Wanted::Here(Box::new(row))),
        _ => Ok(Wanted::Offered(Box::new(best), ways(reader, name)?)),
    }
}

/// Proves what came.
fn take(
    inner: &Inner,
    input: &Value,
    offer: &Offer,
    way: &Way,
    brought: Brought,
) -> Result<Keeping, Refusal> {
    let (blobs, now) = (inner.store.blobs(), inner.clock.now());
    let (counting, folder) = (Counting::of(inner, input, now)?, scratch::folder(inner)?);
    let (proved, file, delta) = match way {
        Way::Whole => {
            let place = Place::Blob(blobs, &offer.file);
            let proved = prove(place, None, Content::Leave, &counting, now)?;
            (proved, (offer.file, offer.size_bytes), None)
        }
        Way::Deltas(row, deltas) => {
            let mut base: Box<dyn Base> = Box::new(delta::base(blobs, folder.path(), row)?);
            let mut proved = None;
            for delta in deltas {
                let place = Place::Blob(blobs, &delta.file);
                let one = prove(place, Some(&*base), Content::Take(blobs), &counting, now)?;
                let tree = StoredTree::new(blobs, one.verified.root, Limits::default());
                base = Box::new(tree.map_err(refusal::file)?);
                proved = Some(one);
            }
            let proved = proved.ok_or_else(|| Refusal::Unavailable("there is no delta".to_owned()))?;
            let file = delta::whole(blobs, folder.path(), &proved)?;
            (proved, file, deltas.last().copied())
        }
    };
    if proved.capsule() != offer.capsule {
        let message =
            format!("what came is the capsule `{}`, and `{}` was offered", proved.capsule(), offer.capsule);
        return Err(Refusal::Conflict { code: "capsule_unsound", message });
    }
    let reader = inner.store.read()?;
    let is_highest = generation::admit(&reader, &proved.admitted, &[], Origin::Pulled, now)?;
    // Members may have it from here as well, whichever way it came.
    blobs.hold(&file.0, FETCHED).map_err(refusal::blob)?;
    let parent = import::newest(&reader, &proved)?.map(|row| row.capsule);
    let also = [
        ("fetched", json!(brought.blobs)),
        ("fetched_bytes", json!(brought.size_bytes)),
        ("ignored", json!(proved.ignored())),
    ];
    let also = Map::from_iter(also.map(|(name, value)| (name.to_owned(), value)));
    Ok(Keeping { proved, file, delta, parent, origin: Origin::Pulled, is_highest, moment: None, also })
}

fn offer(entry: Entry) -> Option<Offer> {
    entry.note.refs.offer.map(|offer| *offer)
}

/// The ways to the capsule that `name` means that need fewer bytes than all of it.
fn ways(reader: &Reader, name: &CapsuleName) -> Result<Vec<Way>, StoreError> {
    let mut ways = Vec::new();
    for offer in catalogue::offered(reader, name)?.into_iter().take(OFFERS).filter_map(offer) {
        let whole_bytes = offer.size_bytes;
        if let Some((row, deltas)) = chain(reader, offer)?
            && deltas.iter().map(|delta| delta.size_bytes).sum::<u64>() < whole_bytes
        {
            ways.push(Way::Deltas(Box::new(row), deltas));
        }
    }
    Ok(ways)
}

/// The deltas that lead to `offer` from a capsule that is here.
fn chain(reader: &Reader, offer: Offer) -> Result<Option<(CapsuleRow, Vec<Delta>)>, StoreError> {
    let (mut deltas, mut next) = (Vec::new(), offer.delta);
    while let Some(delta) = next.take() {
        deltas.push(delta);
        if let Some(row) = reader.capsules_of(&delta.base, 1)?.pop() {
            deltas.reverse();
            return Ok(Some((row, deltas)));
        }
        if deltas.len() == DELTAS_MAX {
            break;
        }
        let known: Vec<Digest> = deltas.iter().map(|delta| delta.file).collect();
        let before = reader.offers_of(&delta.base, OFFERS)?.into_iter().filter_map(self::offer);
        next = before.filter_map(|offer| offer.delta).find(|delta| !known.contains(&delta.file));
    }
    Ok(None)
}
