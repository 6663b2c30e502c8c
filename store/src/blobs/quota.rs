//! What all blobs may hold together: chunks in packs, small blobs and manifests in the database.
//!
//! Owns one count, kept as bytes come and go, so that nobody has to add up what is there. Invariant: room
//! that was taken and not kept is given back, whichever way its taker ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::BlobError;

/// The limit of a node and how much of it is in use.
#[derive(Debug)]
pub(crate) struct Quota {
    limit_bytes: u64,
    used_bytes: AtomicU64,
}

impl Quota {
    pub(super) fn new(limit_bytes: u64, used_bytes: u64) -> Arc<Self> {
        Arc::new(Self { limit_bytes, used_bytes: AtomicU64::new(used_bytes) })
    }

    /// Bytes in use, with those being written.
    pub(super) fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that may still be taken.
    pub(super) fn left_bytes(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.used_bytes())
    }

    fn add(&self, bytes: u64) {
        self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts what the database has more or less of.
    pub(super) fn shift(&self, bytes: i64) {
        if bytes < 0 { self.release(bytes.unsigned_abs()) } else { self.add(bytes.unsigned_abs()) }
    }

    /// Gives back what is gone.
    pub(super) fn release(&self, bytes: u64) {
        // Saturating: a count is no reason to fail.
        let less = |used: u64| Some(used.saturating_sub(bytes));
        let _always = self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// Room for bytes under way. What is not kept is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    quota: Arc<Quota>,
    bytes: u64,
}

impl Room {
    /// No room yet.
    pub(crate) fn of(quota: &Arc<Quota>) -> Self {
        Self { quota: quota.clone(), bytes: 0 }
    }

    /// Takes room for `bytes` more, or says how much is left.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), BlobError> {
        let quota_bytes = self.quota.limit_bytes;
        let within = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= quota_bytes);
        let taken = self.quota.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within);
        match taken {
            Ok(_) => {
                self.bytes += bytes;
                Ok(())
            }
            Err(used) => Err(BlobError::Quota { quota_bytes, left_bytes: quota_bytes.saturating_sub(used) }),
        }
    }

    /// Takes room for `bytes` more, whether there is any or not.
    pub(super) fn force(&mut self, bytes: u64) {
        self.quota.add(bytes);
        self.bytes += bytes;
    }

    /// Leaves `bytes` of it in use for good and gives the rest back.
    pub(crate) fn keep(&mut self, bytes: u64) {
        match self.bytes.checked_sub(bytes) {
            Some(rest) => self.quota.release(rest),
            None => self.quota.add(bytes - self.bytes),
        }
        self.bytes = 0;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.keep(0);
    }
}
