//! Fetching what is missing of a tree, many blobs at a time.
//!
//! Owns how they are put together, and when to give up: when nobody has one for a while, or when the time is over.
//! Whoever stops waiting gives the fetch up; what came stays. Invariant: what is under way at a time is bounded.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout, timeout_at};
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
/// How long somebody is looked for who has a blob: members who were just met say so within a second.
const SEARCH: Duration = Duration::from_secs(10);

/// What is fetched because of one root.
pub(super) struct Bringing<'a> {
    inner: &'a Arc<Inner>,
    root: Digest,
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
    /// The time is over.
    Late,
    /// What members say of it is not so, or this store does not keep it.
    Fetch(NotFetched),
}

impl<'a> Bringing<'a> {
    pub(super) fn new(inner: &'a Arc<Inner>, root: Digest) -> Self {
        Self { inner, root, until: Instant::now() + WAIT, brought: Brought::default() }
    }

    /// Fetches all of `missing`.
    pub(super) async fn fetch(&mut self, missing: Vec<Missing>) -> Result<(), Refusal> {
        let lots = lots(self.root, missing);
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
                Ok(Some(lot)) => {
                    self.brought.blobs += lot.blobs;
                    self.brought.size_bytes += lot.size_bytes;
                }
                Ok(None) => return Ok(()),
                Err((lot, why)) => {
                    let Brought { blobs, size_bytes } = self.brought;
                    tracing::info!(root = %self.root, blobs, size_bytes, "a tree did not come whole");
                    let Lot { first, blobs, size_bytes, .. } = lot;
                    return Err(tell::refusal(inner, &first, blobs, size_bytes, why, &self.brought).await);
                }
            }
        }
    }
}

/// Puts small blobs together; the others go alone.
fn lots(root: Digest, missing: Vec<Missing>) -> Vec<Lot> {
    let is_small = |missing: &Missing| missing.size_bytes.is_some_and(|size| size <= LONE_CHUNK_MAX as u64);
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
pub(super) async fn bring(inner: &Arc<Inner>, want: &Want, until: Instant) -> Result<u64, NotBrought> {
    let search = Instant::now() + SEARCH;
    loop {
        let mesh = inner.mesh().ok_or(NotBrought::Off)?;
        let fetched = match mesh.wire() {
            Ok(mesh) => once(&mesh, want, until).await,
            Err(_) => None,
        };
        match fetched {
            Some(done) => return done,
            // The mesh ended meanwhile, and is started again.
            None if Instant::now() >= search => return Err(NotBrought::Off),
            None => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// One attempt; none when the mesh ended meanwhile.
async fn once(mesh: &Mesh, want: &Want, until: Instant) -> Option<Result<u64, NotBrought>> {
    let mut fetch: Fetch = mesh.fetch(want.clone()).await.ok()?;
    let mut progress = fetch.progress();
    loop {
        let next = match progress {
            Progress::Done(size_bytes) => return Some(Ok(size_bytes)),
            Progress::Failed(NotFetched::Nowhere) => return Some(Err(NotBrought::Nowhere)),
            Progress::Failed(why) => return Some(Err(NotBrought::Fetch(why))),
            Progress::Searching => {
                let searched = timeout(SEARCH, timeout_at(until, fetch.changed())).await;
                match searched {
                    Err(_) => return Some(Err(NotBrought::Nowhere)),
                    Ok(next) => next,
                }
            }
            Progress::Fetching { .. } => timeout_at(until, fetch.changed()).await,
        };
        match next {
            Err(_) => return Some(Err(NotBrought::Late)),
            Ok(changed) => progress = changed.ok()?,
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
