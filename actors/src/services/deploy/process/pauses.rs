//! How long to wait before a process is started again.
//!
//! Pure: how long it ran is an argument. Invariant: what ends again and again costs less and less, and is never given
//! up.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST: Duration = Duration::from_secs(30);
/// A process that ran so long is well: the next pause is the first again.
const STEADY: Duration = Duration::from_secs(60);

/// The pauses before the starts of one process.
pub(super) struct Pauses {
    next: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Pauses {
    /// The pause after it `ran` so long; nothing where it never was well.
    pub(super) fn after(&mut self, ran: Duration) -> Duration {
        let pause = if ran >= STEADY { FIRST } else { self.next };
        self.next = (2 * pause).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses of a process that ran so many seconds each time, in milliseconds.
    fn pauses(ran: &[u64]) -> Vec<u128> {
        let mut pauses = Pauses::default();
        ran.iter().map(|secs| pauses.after(Duration::from_secs(*secs)).as_millis()).collect()
    }

    #[test]
    fn what_ends_at_once_waits_longer_each_time_up_to_a_limit() {
        let grown = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];
        assert_eq!(pauses(&[0; 10]), grown);
        assert_eq!(pauses(&[59; 10]), grown, "a minute is not over yet");
    }

    #[test]
    fn what_was_well_for_a_minute_begins_anew() {
        assert_eq!(pauses(&[0, 0, 0, 60, 0, 0]), [250, 500, 1_000, 250, 500, 1_000]);
        assert_eq!(pauses(&[3_600; 3]), [250; 3]);
    }
}
