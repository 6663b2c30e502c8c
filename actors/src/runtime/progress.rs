//! Idempotency keys of intents under way: a second one is told to wait instead of racing the first.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Keys under way.
#[derive(Default)]
pub(super) struct Progress(Mutex<HashSet<String>>);

/// Holds a key until it is dropped.
pub(super) struct Held<'a> {
    progress: &'a Progress,
    key: String,
}

impl Progress {
    /// Takes `key`; none when somebody has it.
    pub(super) fn take(&self, key: &str) -> Option<Held<'_>> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key.to_owned()).then(|| Held { progress: self, key: key.to_owned() })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.progress.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
