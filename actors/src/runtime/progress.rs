//! What is under way: idempotency keys, by whom a second intent is told to wait instead of racing the first, and
//! intents that reach out, so that nobody takes them for ones that a crash cut short.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Names of what is under way.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<Mutex<HashSet<String>>>);

/// Holds a name until it is dropped.
pub(crate) struct Held {
    progress: Progress,
    name: String,
}

impl Progress {
    /// Takes `name`; none when somebody has it.
    pub(crate) fn take(&self, name: &str) -> Option<Held> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.to_owned()).then(|| Held { progress: self.clone(), name: name.to_owned() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.progress.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}
