//! Letting go of what was fetched, once no moment names it any more.
//!
//! Owns which of the holder's pins end. What this node made itself is not its business: it may be the only one that
//! has it. Removes nothing: the sweep does, when its grace is over. Invariant: what a moment named when it was
//! looked at stays; what comes to be named just then is fetched again when it is needed.

use std::collections::BTreeSet;

use xyn_store::StoreError;
use xyn_store::blobs::FETCHED;

use crate::runtime::Inner;

/// Releases what was fetched and is named by no moment that counts; answers how much. Blocks.
pub(crate) fn release(inner: &Inner) -> Result<u64, StoreError> {
    let (blobs, mut released) = (inner.store.blobs(), 0);
    let held: BTreeSet<_> = blobs.held(FETCHED)?.into_iter().collect();
    if held.is_empty() {
        return Ok(0);
    }
    let named = inner.store.read()?.namers(&held)?;
    for digest in held.iter().filter(|digest| !named.contains_key(digest)) {
        blobs.release(digest, FETCHED)?;
        released += 1;
    }
    Ok(released)
}
