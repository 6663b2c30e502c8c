//! What inside actions are held against before their effects are appended.
//!
//! Invariant: what cannot be looked up is as good as not here; the append, or who reads the blob, tells of it.

use xyn_store::ids::EventId;
use xyn_store::{Digest, StoreError};

use super::Inner;
use crate::actions::Surroundings;
use crate::record;

impl Surroundings for Inner {
    fn blob_length(&self, digest: &Digest) -> Option<u64> {
        self.store.blob_length(digest).unwrap_or_else(|error| {
            tracing::warn!(%digest, %error, "a blob cannot be looked up");
            None
        })
    }

    fn is_taken(&self, id: EventId) -> bool {
        let last = || -> Result<u64, StoreError> { self.store.read()?.last_seq(record::stream_of(id)) };
        last().is_ok_and(|seq| seq > 0)
    }

    fn room_bytes(&self) -> u64 {
        self.store.blobs().room_bytes()
    }
}
