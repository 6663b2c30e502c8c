//! What the Runtime counts. The API renders it; nothing decides by it.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of the Runtime.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Intents allowed.
    pub intents_accepted: Counter,
    /// Intents denied.
    pub intents_denied: Counter,
    /// Intents parked.
    pub intents_parked: Counter,
    /// Timers fired.
    pub timers_fired: Counter,
    /// Events dispatched to triggers and gates.
    pub events_dispatched: Counter,
}
