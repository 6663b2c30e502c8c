//! Content of others' moments: what a moment names and is not here is fetched from the members who have it.
//!
//! Owns what is asked for and for how long; how it travels is the mesh's. What comes is kept for as long as a moment
//! names it, and members may have it from here as well. Decides nothing about what others may have: that is the
//! store's, by the same pins. Invariant: nothing is said to be here of which something is missing.

mod bring;
mod release;
mod tell;

use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use xyn_capsules::tree::{Arrival, Limits, Missing, RelPath, TreeError};
use xyn_store::blobs::{BlobError, FETCHED};
use xyn_store::projection::ArtifactRow;
use xyn_store::{Digest, StoreError};

use crate::runtime::{Inner, Refusal, Runtime};
use crate::services::blocking;
use bring::Bringing;

pub(crate) use release::release;
pub(crate) use tell::who_at;

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

impl AddAssign for Brought {
    fn add_assign(&mut self, other: Self) {
        self.blobs += other.blobs;
        self.size_bytes += other.size_bytes;
    }
}

impl Runtime {
    /// Sees to it that the bytes of an artifact are here: those that another node made are fetched.
    pub async fn bring_artifact(&self, row: &ArtifactRow) -> Result<(), Refusal> {
        bring_blob(&self.0, row.sha256, row.byte_length).await.map(drop)
    }
}

/// Sees to it that the trees `roots` are here, whole.
pub(crate) async fn bring_trees(
    inner: &Arc<Inner>,
    roots: impl IntoIterator<Item = Digest>,
) -> Result<Brought, Refusal> {
    let mut bringing = Bringing::new(inner);
    for root in roots {
        bring_tree(&mut bringing, root).await?;
    }
    Ok(bringing.brought)
}

async fn bring_tree(bringing: &mut Bringing<'_>, root: Digest) -> Result<(), Refusal> {
    let inner = bringing.inner;
    let mut arrival = Away::new(Arrival::of(inner.store.blobs(), root, Limits::default()));
    loop {
        let (back, missing) = at_rest(arrival, |arrival| arrival.missing()).await?;
        arrival = back;
        if !missing.is_empty() {
            bringing.fetch(root, missing).await?;
            continue;
        }
        let (back, goes_on) = at_rest(arrival, |arrival| arrival.descend()).await?;
        arrival = back;
        if !goes_on {
            break;
        }
    }
    blocking(move || arrival.into_inner().finish(FETCHED).map_err(unsound)).await
}

/// Sees to it that the blob `digest`, which a moment names, is here and has `size_bytes`.
pub(crate) async fn bring_blob(
    inner: &Arc<Inner>,
    digest: Digest,
    size_bytes: u64,
) -> Result<Brought, Refusal> {
    let blobs = inner.store.blobs().clone();
    let look = blocking(move || {
        // First pinned and then looked for: what is found stays.
        let mut pins = blobs.pins();
        pins.add(digest);
        let is_here = blobs.has(&digest).map_err(StoreError::from)?;
        Ok((blobs, Away::new(pins), is_here))
    });
    let (blobs, pins, is_here) = look.await?;
    let mut bringing = Bringing::new(inner);
    if !is_here {
        let missing = Missing { path: RelPath::root(), digest, size_bytes: Some(size_bytes) };
        bringing.fetch(digest, vec![missing]).await?;
    }
    let look = blocking(move || {
        // Until it is held it stays by its pin alone.
        let _pins = pins.into_inner();
        let found = blobs.size_bytes(&digest).map_err(StoreError::from)?;
        let found = found.ok_or_else(|| StoreError::from(BlobError::NotFound(digest)))?;
        if found != size_bytes {
            let message = format!("content `{digest}` has {found} bytes; {size_bytes} were said");
            return Err(Refusal::Conflict { code: "content_unsound", message });
        }
        if !is_here {
            blobs.hold(&digest, FETCHED).map_err(StoreError::from)?;
        }
        Ok(())
    });
    look.await?;
    Ok(bringing.brought)
}

/// Works on a tree that is on its way away from the threads that serve requests.
async fn at_rest<T: Send + 'static>(
    arrival: Away<Arrival>,
    work: impl FnOnce(&mut Arrival) -> Result<T, TreeError> + Send + 'static,
) -> Result<(Away<Arrival>, T), Refusal> {
    let done = blocking(move || {
        let mut arrival = arrival.into_inner();
        let done = work(&mut arrival).map_err(unsound)?;
        Ok((Away::new(arrival), done))
    });
    done.await
}

/// Holds pins, and lets go of them away from the threads that serve requests, also where whoever holds them gives up:
/// a sweep has the pins for as long as it takes to write down what it removed.
struct Away<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Away<T> {
    fn new(pins: T) -> Self {
        Self(Some(pins))
    }

    fn into_inner(mut self) -> T {
        self.0.take().expect("it is taken once, by value")
    }
}

impl<T: Send + 'static> Drop for Away<T> {
    fn drop(&mut self) {
        if let Some(pins) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(pins));
        }
    }
}

/// What is wrong with a tree that comes from elsewhere.
fn unsound(error: TreeError) -> Refusal {
    match error {
        TreeError::Blob(error @ BlobError::NotFound(_)) => {
            Refusal::Conflict { code: "files_missing", message: error.to_string() }
        }
        TreeError::Blob(error) => StoreError::from(error).into(),
        error => Refusal::Conflict { code: "content_unsound", message: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::{self, ThreadId};

    use super::*;

    /// Says by which thread it was let go of.
    struct Pin(mpsc::SyncSender<ThreadId>);

    impl Drop for Pin {
        fn drop(&mut self) {
            // Nobody asks in some of the cases.
            let _ = self.0.send(thread::current().id());
        }
    }

    #[tokio::test]
    async fn what_is_given_up_is_let_go_of_by_another_thread() {
        let (sender, dropped) = mpsc::sync_channel(2);
        drop(Away::new(Pin(sender.clone())));
        assert_ne!(dropped.recv().expect("it is let go of"), thread::current().id());
        drop(Away::new(Pin(sender)).into_inner());
        assert_eq!(
            dropped.recv().expect("it is let go of"),
            thread::current().id(),
            "by whoever took it out"
        );
    }
}
