//! Fetching what is missing, many blobs at a time.
//!
//! Owns how they are put together, and when to give up: when nobody who is connected has one, or when the time is
//! over. Whoever stops waiting gives the fetch up; what came stays. Invariant: what is under way at a time is bounded.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout_at};
use xyn_capsules::tree::Missing;
use xyn_net::driver::{Fetch, Mesh};
use xyn_net::proto::blobs::{Goods, NotFetched, NotKept, Progress, Want};
use xyn_store::Digest;
use xyn_store::blobs::LONE_CHUNK_MAX;

use super::{Brought, WAIT, tell};
use crate::runtime::{Inner, Refusal};

/// Small blobs that are fetched in one bundle.
const BUNDLE_BLOBS: usize = 4_096;
/// Bytes of them.
const BUNDLE_BYTES: u64 = 16 << 20;
/// Blobs and bundles that are fetched at a time.
const UNDER_WAY: usize = 4;
/// How long nothing is given up that nobody has who is connected, after the mesh began or when a source was lost:
/// whoever is about connects within that time.
const RETURN_WITHIN: Duration = Duration::from_secs(10);

/// What is fetched for one act.
pub(super) struct Bringing<'a> {
    pub(super) inner: &'a Arc<Inner>,
    until: Instant,
    pub(super) brought: Brought,
}

/// Blobs that are fetched together, the first of which stands for all in what people are told.
struct Lot {
    first: Missing,
    want: Want,
    blobs: u64,
    size_bytes: u64,
}

/// Why a lot did not come.
pub(super) enum NotBrought {
    /// The mesh is off, or being started.
    Off,
    /// Nobody who is connected gives it.
    Nowhere,
    /// The time is over: how much of it is here, and how long it is, where that is known.
    Late(Option<(u64, u64)>),
    /// What members say of it is not so, or this store does not keep it.
    Fetch(NotFetched),
}

impl<'a> Bringing<'a> {
    pub(super) fn new(inner: &'a Arc<Inner>) -> Self {
        Self { inner, until: Instant::now() + WAIT, brought: Brought::default() }
    }

    /// Fetches all of `missing`, to which the blob `root` leads.
    pub(super) async fn fetch(&mut self, root: Digest, missing: Vec<Missing>) -> Result<(), Refusal> {
        let lots = lots(root, missing);
        let (inner, until) = (self.inner, self.until);
        let coming = stream::iter(lots).map(|lot| async move {
            match bring(inner, &lot.want, until).await {
                Ok(size_bytes) => Ok(Brought { blobs: lot.blobs, size_bytes }),
                Err(why) => Err((lot, why)),
            }
        });
        let mut coming = coming.buffer_unordered(UNDER_WAY);
        loop {
            match coming.try_next().await {
                Ok(Some(lot)) => self.brought += lot,
                Ok(None) => return Ok(()),
                Err((lot, why)) => {
                    let Brought { blobs, size_bytes } = self.brought;
                    tracing::info!(%root, blobs, size_bytes, "content did not come whole");
                    let Lot { first, blobs, size_bytes, .. } = lot;
                    let lot = (&first, blobs, size_bytes);
                    return Err(tell::refusal(inner, &root, lot, why, self.brought).await);
                }
            }
        }
    }
}

/// Puts small blobs together; the others go alone.
fn lots(root: Digest, missing: Vec<Missing>) -> Vec<Lot> {
    let is_small =
        |it: &Missing| it.size_bytes.is_some_and(|size| (1..=LONE_CHUNK_MAX as u64).contains(&size));
    let (small, large): (Vec<_>, Vec<_>) = missing.into_iter().partition(is_small);
    let alone = large.into_iter().map(|missing| {
        let goods = Goods::Blob { object: missing.digest, limit_bytes: missing.limit_bytes() };
        let size_bytes = missing.size_bytes.unwrap_or_default();
        Lot { first: missing, want: Want { root, goods }, blobs: 1, size_bytes }
    });
    let mut lots: Vec<Lot> = alone.collect();
    let mut rest = small.as_slice();
    while let Some(first) = rest.first() {
        let mut size_bytes = 0;
        let fits = |missing: &&Missing| {
            size_bytes += missing.limit_bytes();
            size_bytes <= BUNDLE_BYTES
        };
        let count = rest.iter().take(BUNDLE_BLOBS).take_while(fits).count().max(1);
        let (bundle, behind) = rest.split_at(count);
        let parts: Vec<_> =
            bundle.iter().map(|missing| (missing.digest, missing.limit_bytes() as u32)).collect();
        let size_bytes = bundle.iter().map(Missing::limit_bytes).sum();
        let want = Want::bundle(root, parts);
        lots.push(Lot { first: first.clone(), want, blobs: count as u64, size_bytes });
        rest = behind;
    }
    lots
}

/// Fetches what is wanted; answers its length.
async fn bring(inner: &Arc<Inner>, want: &Want, until: Instant) -> Result<u64, NotBrought> {
    let patience = Instant::now() + RETURN_WITHIN;
    loop {
        let service = inner.mesh().ok_or(NotBrought::Off)?;
        let fetched = match service.wire() {
            Ok(mesh) => once(&mesh, want, service.started_at() + RETURN_WITHIN, until).await,
            Err(_) => None,
        };
        match fetched {
            Some(done) => return done,
            // The mesh ended meanwhile, and is started again.
            None if Instant::now() >= patience => return Err(NotBrought::Off),
            None => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// One attempt, which is not given up before `patience` because nobody has it; none when the mesh ended meanwhile.
async fn once(
    mesh: &Mesh,
    want: &Want,
    mut patience: Instant,
    until: Instant,
) -> Option<Result<u64, NotBrought>> {
    let mut fetch: Fetch = mesh.fetch(want.clone()).await.ok()?;
    let (mut progress, mut came) = (fetch.progress(), None);
    loop {
        let end = match progress {
            Progress::Done(size_bytes) => return Some(Ok(size_bytes)),
            Progress::Failed(NotFetched::Nowhere) => return Some(Err(NotBrought::Nowhere)),
            Progress::Failed(why) => return Some(Err(NotBrought::Fetch(why))),
            Progress::Absent => patience.min(until),
            Progress::Searching => until,
            Progress::Fetching { here_bytes, size_bytes, .. } => {
                came = Some((here_bytes, size_bytes));
                patience = Instant::now() + RETURN_WITHIN;
                until
            }
        };
        match timeout_at(end, fetch.changed()).await {
            Ok(changed) => progress = changed.ok()?,
            Err(_) if progress == Progress::Absent => return Some(Err(NotBrought::Nowhere)),
            Err(_) => return Some(Err(NotBrought::Late(came))),
        }
    }
}

impl NotBrought {
    /// The store's fault, where it is.
    pub(super) fn of_store(&self) -> Option<Refusal> {
        match self {
            Self::Fetch(why @ NotFetched::NotKept(NotKept::Full { .. })) => {
                Some(Refusal::QuotaReached { message: why.to_string() })
            }
            Self::Fetch(why @ NotFetched::NotKept(NotKept::Failed)) => {
                Some(Refusal::Unavailable(why.to_string()))
            }
            Self::Fetch(why @ NotFetched::Busy) => Some(Refusal::Overloaded { message: why.to_string() }),
            _ => None,
        }
    }
}
