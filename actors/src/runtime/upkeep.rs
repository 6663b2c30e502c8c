//! Upkeep: signs checkpoints of the log, forgets expired idempotency keys and sweeps blobs that nobody names.

use std::sync::Arc;
use std::time::Duration;

use xyn_store::audit::log;
use xyn_store::blobs::Swept;
use xyn_store::projection::ClaimRow;
use xyn_store::tables::Key;
use xyn_store::{Order, StoreError, Timestamp};

use super::{Inner, Recording};
use crate::services::content;

const INTERVAL: Duration = Duration::from_secs(60);
/// Blobs are looked through this often: it takes a walk over all of them.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);
/// How long a blob is kept that nobody names (yet): as long as an upload may be ahead of the artifact made of
/// it.
const SWEEP_GRACE: Duration = Duration::from_secs(3600);
/// Expired keys forgotten in one append.
const PURGE_BATCH: usize = 1_000;

/// Keeps the house until the node stops.
pub(super) async fn serve(inner: Arc<Inner>) {
    let mut swept_at = None;
    loop {
        if let Err(error) = checkpoint(&inner).await {
            tracing::warn!(%error, "no checkpoint was signed");
        }
        if let Err(error) = purge_claims(&inner).await {
            tracing::warn!(%error, "expired idempotency keys stay for now");
        }
        let now = inner.clock.now();
        if swept_at.is_none_or(|at| now.since(at) >= SWEEP_INTERVAL) {
            swept_at = Some(now);
            if let Err(error) = sweep(&inner, now).await {
                tracing::warn!(%error, "blobs that nobody names stay for now");
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Signs the log as it stands, unless the newest checkpoint says the same.
pub(super) async fn checkpoint(inner: &Inner) -> Result<(), StoreError> {
    let reader = inner.store.read()?;
    let (size, _) = log::state(&reader)?;
    if log::latest_checkpoint(&reader)?.is_some_and(|latest| latest.checkpoint.size == size) {
        return Ok(());
    }
    let signed = log::checkpoint(&inner.store, inner.clock.now())?;
    let mut recording = Recording::default();
    recording.changes().keep_checkpoint(&signed);
    commit(inner, recording).await?;
    if let Some(mesh) = inner.mesh() {
        mesh.signed(signed).await;
    }
    Ok(())
}

async fn purge_claims(inner: &Inner) -> Result<(), StoreError> {
    let now = inner.clock.now();
    let is_expired = |row: &ClaimRow| row.expires_at <= now;
    let mut cursor = None;
    loop {
        let page = inner.store.read()?.page(
            &Key::new(),
            Order::Ascending,
            cursor.as_ref(),
            PURGE_BATCH,
            is_expired,
        )?;
        if !page.items.is_empty() {
            let mut recording = Recording::default();
            page.items.iter().for_each(|row| recording.changes().remove_row(row));
            commit(inner, recording).await?;
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

/// All that rows and this node's moments name is pinned in the store itself, and so is what was fetched of others'.
async fn sweep(inner: &Arc<Inner>, now: Timestamp) -> Result<(), StoreError> {
    let keeping = inner.clone();
    let work = move || -> Result<Swept, StoreError> {
        content::release(&keeping)?;
        Ok(keeping.store.blobs().sweep([], now, SWEEP_GRACE)?)
    };
    let swept = tokio::task::spawn_blocking(work).await;
    let swept = swept.map_err(|error| StoreError::Unavailable(error.to_string()))??;
    if swept != Swept::default() {
        tracing::info!(
            removed = swept.removed,
            freed_bytes = swept.freed_bytes,
            waiting = swept.waiting,
            "swept"
        );
    }
    Ok(())
}

async fn commit(inner: &Inner, recording: Recording) -> Result<(), StoreError> {
    let done = recording.commit(inner).await;
    done.map(drop).map_err(|error| StoreError::Unavailable(error.to_string()))
}
