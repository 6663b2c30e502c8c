//! Rate limits: how often each address may ask, and how often each principal may have something done.
//!
//! A token bucket for each caller, kept as one instant (GCRA, as in ITU-T I.371): when it would be full again. A caller
//! whose bucket is full is forgotten, so that only those who asked lately take memory, and of those at most
//! [`CALLERS_MAX`]. Off unless configured: on an open loopback node everybody is the same person on the same machine,
//! and a limit would only slow their own programs down. Invariant: over any time, a caller is let through no more often
//! than its burst and what the rate adds to it.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use xyn_actors::blueprint::NodeLimits;

use crate::error::{ApiError, Code};
use crate::limits::CALLERS_MAX;

/// The address that a request came from; requests of this process have none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Buckets by caller.
pub(crate) struct Rate<K> {
    /// What is limited, for the error.
    whose: &'static str,
    /// How often the bucket gets a token; none when nothing is limited.
    interval: Option<Duration>,
    /// From empty to full.
    depth: Duration,
    /// When each bucket is full again.
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> Rate<K> {
    /// The rate that `limits` gives to each of `whose`.
    pub(crate) fn new(whose: &'static str, limits: &NodeLimits) -> Self {
        let interval = Duration::from_secs(1).checked_div(limits.requests_per_second);
        let depth = interval.unwrap_or_default() * limits.request_burst.max(1);
        Self { whose, interval, depth, full_at: Mutex::default() }
    }

    /// Lets `caller` through at `now`, or says when to come again.
    pub(crate) fn take(&self, caller: impl FnOnce() -> K, now: Instant) -> Result<(), ApiError> {
        let Some(interval) = self.interval else { return Ok(()) };
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let caller = caller();
        if buckets.len() >= CALLERS_MAX && !buckets.contains_key(&caller) {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= CALLERS_MAX {
                return Err(self.refuse(interval));
            }
        }
        let full_at = buckets.entry(caller).or_insert(now);
        let after = (*full_at).max(now) + interval;
        match after.saturating_duration_since(now).checked_sub(self.depth) {
            Some(early) if !early.is_zero() => Err(self.refuse(early)),
            _ => {
                *full_at = after;
                Ok(())
            }
        }
    }

    fn refuse(&self, wait: Duration) -> ApiError {
        let message = format!("this {} asks too often (`limits.requests_per_second`)", self.whose);
        let seconds = u32::try_from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).unwrap_or(u32::MAX);
        ApiError::new(Code::RateLimited, message).later(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(requests_per_second: u32, request_burst: u32) -> Rate<u32> {
        Rate::new("address", &NodeLimits { requests_per_second, request_burst, ..NodeLimits::default() })
    }

    fn passes(rate: &Rate<u32>, caller: u32, now: Instant) -> bool {
        rate.take(|| caller, now).is_ok()
    }

    #[test]
    fn a_burst_passes_and_then_what_the_rate_adds() {
        let (rate, start) = (rate(10, 5), Instant::now());
        assert_eq!((0..20).filter(|_| passes(&rate, 1, start)).count(), 5);
        assert!(!passes(&rate, 1, start + Duration::from_millis(99)));
        assert!(passes(&rate, 1, start + Duration::from_millis(100)));
        assert!(!passes(&rate, 1, start + Duration::from_millis(199)));
        let rested = start + Duration::from_secs(60);
        assert_eq!((0..20).filter(|_| passes(&rate, 1, rested)).count(), 5, "no more than a burst gathers");
    }

    #[test]
    fn callers_have_buckets_of_their_own() {
        let (rate, now) = (rate(1, 1), Instant::now());
        assert!(passes(&rate, 1, now) && passes(&rate, 2, now));
        assert!(!passes(&rate, 1, now) && !passes(&rate, 2, now));
    }

    #[test]
    fn who_is_refused_learns_when_to_come_again() {
        let (rate, now) = (
            Rate::new(
                "address",
                &NodeLimits { requests_per_second: 1, request_burst: 3, ..NodeLimits::default() },
            ),
            Instant::now(),
        );
        assert_eq!((0..9).filter(|_| passes(&rate, 1, now)).count(), 3);
        let error = rate.take(|| 1, now).expect_err("the bucket is empty");
        assert_eq!(error.fault().retry_after_s(), Some(1));
        assert!(passes(&rate, 1, now + Duration::from_secs(1)));
    }

    #[test]
    fn nothing_is_limited_unless_it_is_configured() {
        let (rate, now) = (rate(0, 0), Instant::now());
        assert!((0..100_000).all(|_| passes(&rate, 1, now)));
    }

    #[test]
    fn those_who_rested_make_room_and_too_many_callers_are_refused() {
        let (rate, now) = (rate(1, 1), Instant::now());
        let callers = CALLERS_MAX as u32;
        assert!((0..callers).all(|caller| passes(&rate, caller, now)));
        assert!(!passes(&rate, callers, now));
        assert!(passes(&rate, callers, now + Duration::from_secs(1)));
        assert_eq!(rate.full_at.lock().expect("nobody panicked").len(), 1);
    }
}
