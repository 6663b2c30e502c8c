//! Time as the node sees it: UTC microseconds that never run backwards within a process.
//!
//! Owns the only reading of the system clock. Everything that decides takes a [`Timestamp`] as an argument.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::legible::quoted;

/// Microseconds since the Unix epoch, UTC. Shown as ISO-8601 with six decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text that is no instant, or one outside the years 1970 to 9999.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an ISO-8601 instant between 1970 and 9999, such as 2026-01-31T12:00:00Z")]
pub struct InvalidTimestamp(String);

impl Timestamp {
    /// The epoch, 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The last instant that has a text in every time zone, 9999-12-30T21:59:59.999999Z.
    pub const MAX: Self = Self(253_402_207_199_999_999);

    /// From microseconds since the epoch; clamped to `EPOCH..=MAX`.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::EPOCH.0, Self::MAX.0))
    }

    /// Microseconds since the epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, as UUIDv7 carries them.
    pub fn as_millis(self) -> u64 {
        (self.0 / 1000) as u64
    }

    /// This instant `by` later; saturates at [`Timestamp::MAX`].
    pub fn after(self, by: Duration) -> Self {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// This instant `by` earlier; saturates at the epoch.
    pub fn before(self, by: Duration) -> Self {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }

    /// How much later this is than `earlier`; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{instant:.6}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| InvalidTimestamp(quoted(text)))?;
        let micros = instant.as_microsecond();
        if (Self::EPOCH.0..=Self::MAX.0).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(InvalidTimestamp(quoted(text)))
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self::from_micros)
        }
    }
}

/// Where a shell gets the time from. Cloning shares the source.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

/// Microseconds that a wall clock may lag behind the steady one without having been set back.
const STEP_MICROS: i64 = 100_000;

enum Source {
    /// The machine's clock, made monotonic by remembering the last answer, and when it was given.
    System(Mutex<(i64, Instant)>),
    /// A clock that stands still until it is set.
    Manual(AtomicI64),
}

impl Clock {
    /// The machine's clock. After a step back of the wall clock, time goes on from where it was until that is reached.
    pub fn system() -> Self {
        Self(Arc::new(Source::System(Mutex::new((0, Instant::now())))))
    }

    /// A clock that only [`Clock::set`] moves.
    pub fn manual(now: Timestamp) -> Self {
        Self(Arc::new(Source::Manual(AtomicI64::new(now.0))))
    }

    /// The present instant. Two calls never give a later, then an earlier one.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::Manual(micros) => Timestamp(micros.load(Ordering::Acquire)),
            Source::System(last) => {
                #[expect(clippy::disallowed_methods, reason = "the one reading of the system clock")]
                let wall = jiff::Timestamp::now().as_microsecond();
                Timestamp::from_micros(advance(
                    &mut last.lock().unwrap_or_else(PoisonError::into_inner),
                    wall,
                ))
            }
        }
    }

    /// Moves a manual clock to `now`. The system clock is not moved; `false` says so.
    pub fn set(&self, now: Timestamp) -> bool {
        match &*self.0 {
            Source::Manual(micros) => {
                micros.store(now.0, Ordering::Release);
                true
            }
            Source::System(_) => false,
        }
    }
}

/// The instant after `last`, when the wall clock shows `wall`. Both the wall clock and the steady one are slowed and
/// hastened alike by whoever keeps the machine's time, so the steady one does not run ahead.
fn advance((last, since): &mut (i64, Instant), wall: i64) -> i64 {
    let steady = last.saturating_add(i64::try_from(since.elapsed().as_micros()).unwrap_or(i64::MAX));
    // In the usual case the two are but microseconds apart, and the wall clock is right.
    let is_set_back = wall.saturating_add(STEP_MICROS) < steady;
    let now = if is_set_back { steady } else { wall.max(*last) };
    // The same instant again leaves the steady clock its fraction of a microsecond, or a busy node would stop time.
    if now > *last {
        (*last, *since) = (now, Instant::now());
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_is_set_back_does_not_stop_time() {
        let begun = Instant::now();
        let mut reading = (0, begun);
        let noon = 1_000_000_000_000;
        assert_eq!(advance(&mut reading, noon), noon);
        reading.1 = begun.checked_sub(Duration::from_secs(60)).expect("the machine ran for a minute");
        let later = advance(&mut reading, noon - 3_600_000_000);
        assert!(later >= noon + 60_000_000, "an hour back and a minute later it is {later}");
        assert!(advance(&mut reading, noon - 3_600_000_000) >= later);
        assert_eq!(advance(&mut reading, later + 5), later + 5, "the wall clock is right again");
        assert_eq!(advance(&mut reading, later + 3), later + 5, "a step that is none is waited for");
    }

    #[test]
    fn timestamps_show_six_decimals_and_parse_back() {
        let at = Timestamp::from_micros(1_700_000_000_000_042);
        assert_eq!(at.to_string(), "2023-11-14T22:13:20.000042Z");
        assert_eq!(at.to_string().parse::<Timestamp>().expect("own output parses"), at);
    }

    #[test]
    fn instants_outside_the_range_are_refused_and_arithmetic_saturates() {
        assert!("1969-12-31T23:59:59Z".parse::<Timestamp>().is_err());
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert_eq!(Timestamp::MAX.after(Duration::MAX), Timestamp::MAX);
        let last = Timestamp::MAX.to_string();
        assert_eq!(last, "9999-12-30T21:59:59.999999Z");
        assert_eq!(last.parse::<Timestamp>().expect("own text"), Timestamp::MAX);
        assert_eq!(Timestamp::EPOCH.before(Duration::MAX), Timestamp::EPOCH);
        assert_eq!(Timestamp::EPOCH.since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T21:59:59.999999Z");
    }

    #[test]
    fn the_system_clock_never_runs_backwards() {
        let clock = Clock::system();
        let mut last = clock.now();
        for _ in 0..1000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
