//! Letting go of what was fetched, once no moment names it any more.
//!
//! Owns which of the holder's pins end. What this node made itself is not its business: it may be the only one that
//! has it. Removes nothing: the sweep does, when its grace is over. Invariant: what a moment names stays.

use xyn_store::StoreError;
use xyn_store::blobs::FETCHED;

use crate::runtime::Inner;

/// Releases what was fetched and is named by no moment that counts; answers how much. Blocks.
pub(crate) fn release(inner: &Inner) -> Result<u64, StoreError> {
    let (blobs, mut released) = (inner.store.blobs(), 0);
    for digest in blobs.held(FETCHED)? {
        // Each is looked up anew: what came meanwhile may name it.
        if inner.store.read()?.named_by(&digest, 1)?.is_empty() {
            blobs.release(&digest, FETCHED)?;
            released += 1;
        }
    }
    Ok(released)
}
