//! The event backlog: what the journal holds and the dispatcher has not come to yet.
//!
//! Owns how much may wait, and for how long, before new events from outside are refused; what was accepted is never
//! dropped. Events that a run emits are let through: they are part of a turn that must be able to end, and runs that
//! begin because of them are bounded where they begin. Refusing them would keep up the very runs that the backlog
//! waits for.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use xyn_store::Timestamp;

use super::Refusal;
use crate::blueprint::NodeLimits;

/// Where the dispatcher stands.
pub(super) struct Backlog {
    /// Offset up to which entries were dispatched.
    position: AtomicU64,
    /// When the first entry that was not dispatched was recorded, in microseconds; [`NOBODY`] while none waits.
    oldest: AtomicI64,
}

const NOBODY: i64 = i64::MAX;

impl Backlog {
    /// A dispatcher that came as far as `position`.
    pub(super) fn new(position: u64) -> Self {
        Self { position: AtomicU64::new(position), oldest: AtomicI64::new(NOBODY) }
    }

    /// Offset up to which entries were dispatched.
    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// The dispatcher begins with an entry that was recorded at `at`.
    pub(super) fn begins(&self, at: Timestamp) {
        self.oldest.store(at.as_micros(), Ordering::Relaxed);
    }

    /// The dispatcher has done everything before `position`.
    pub(super) fn reaches(&self, position: u64) {
        self.position.store(position, Ordering::Relaxed);
        self.oldest.store(NOBODY, Ordering::Relaxed);
    }

    /// Entries that wait when the journal ends at `head`.
    pub(super) fn entries(&self, head: u64) -> u64 {
        head.saturating_sub(self.position())
    }

    /// Refuses an event from outside while too much waits, or waits for too long.
    pub(super) fn admit(&self, head: u64, now: Timestamp, limits: &NodeLimits) -> Result<(), Refusal> {
        let full = |limit: String| {
            let message = format!("the event backlog is at its limit of {limit}; send the event again later");
            Err(Refusal::Overloaded { message })
        };
        if self.entries(head) >= limits.event_backlog {
            return full(format!("{} entries (`limits.event_backlog`)", limits.event_backlog));
        }
        let oldest = Timestamp::from_micros(self.oldest.load(Ordering::Relaxed));
        if now.since(oldest) >= limits.event_backlog_age {
            let seconds = limits.event_backlog_age.as_secs_f64();
            return full(format!("{seconds} s (`limits.event_backlog_age`)"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits() -> NodeLimits {
        let event_backlog_age = Duration::from_secs(60);
        NodeLimits { event_backlog: 10, event_backlog_age, ..NodeLimits::default() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn events_are_refused_while_too_many_wait() {
        let backlog = Backlog::new(5);
        assert!(backlog.admit(14, at(0), &limits()).is_ok());
        let refusal = backlog.admit(15, at(0), &limits()).expect_err("ten wait");
        assert!(refusal.to_string().contains("10 entries (`limits.event_backlog`)"), "{refusal}");
        backlog.reaches(6);
        assert!(backlog.admit(15, at(0), &limits()).is_ok());
    }

    #[test]
    fn events_are_refused_while_the_first_has_waited_too_long() {
        let backlog = Backlog::new(0);
        assert!(backlog.admit(1, at(1_000), &limits()).is_ok(), "nothing is known to wait");
        backlog.begins(at(940));
        assert!(backlog.admit(1, at(999), &limits()).is_ok());
        let refusal = backlog.admit(1, at(1_000), &limits()).expect_err("it waits for a minute");
        assert!(refusal.to_string().contains("60 s (`limits.event_backlog_age`)"), "{refusal}");
        backlog.reaches(1);
        assert!(backlog.admit(1, at(1_000), &limits()).is_ok());
    }
}
