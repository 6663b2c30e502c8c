//! Content of others' moments: what a moment names and is not here is fetched from the members who have it.
//!
//! Owns what is asked for and for how long; how it travels is the mesh's. What comes is kept for this node
//! until it is released, and members may have it from here as well. Decides nothing about what others may have:
//! that is the store's, by the same pins. Invariant: nothing is said to be here of which something is missing.

mod bring;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use xyn_capsules::tree::{Arrival, Limits, TreeError};
use xyn_store::blobs::{BlobError, FETCHED};
use xyn_store::{Digest, StoreError};

use crate::runtime::{Inner, Refusal};
use bring::Bringing;

/// How long an act waits for what it needs. What came until then stays, and the next goes on from there.
pub(crate) const WAIT: Duration = Duration::from_secs(30);

/// What came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Brought {
    /// Blobs that were not here.
    pub(crate) blobs: u64,
    /// Their bytes.
    pub(crate) size_bytes: u64,
}

/// Sees to it that the tree `root` is here, whole.
pub(crate) async fn bring_tree(inner: &Arc<Inner>, root: Digest) -> Result<Brought, Refusal> {
    let blobs = inner.store.blobs().clone();
    let mut arrival = Arrival::of(&blobs, root, Limits::default());
    let mut bringing = Bringing::new(inner, root);
    loop {
        let (back, missing) = at_rest(arrival, |arrival| arrival.missing()).await?;
        arrival = back;
        if !missing.is_empty() {
            bringing.fetch(missing).await?;
            continue;
        }
        let (back, goes_on) = at_rest(arrival, |arrival| arrival.descend()).await?;
        arrival = back;
        if !goes_on {
            break;
        }
    }
    let tied = tokio::task::spawn_blocking(move || arrival.finish(FETCHED)).await;
    tied.map_err(|error| Refusal::Unavailable(error.to_string()))?.map_err(unsound)?;
    Ok(bringing.brought)
}

/// Works on a tree that is on its way away from the threads that serve requests.
async fn at_rest<T: Send + 'static>(
    mut arrival: Arrival,
    work: impl FnOnce(&mut Arrival) -> Result<T, TreeError> + Send + 'static,
) -> Result<(Arrival, T), Refusal> {
    let done = tokio::task::spawn_blocking(move || {
        let done = work(&mut arrival)?;
        Ok::<_, TreeError>((arrival, done))
    });
    done.await.map_err(|error| Refusal::Unavailable(error.to_string()))?.map_err(unsound)
}

/// What is wrong with a tree that comes from elsewhere.
fn unsound(error: TreeError) -> Refusal {
    match error {
        TreeError::Blob(error @ BlobError::NotFound(_)) => {
            Refusal::Conflict { code: "files_missing", message: error.to_string() }
        }
        TreeError::Blob(error) => StoreError::from(error).into(),
        error => Refusal::Conflict { code: "tree_unsound", message: error.to_string() },
    }
}
