//! Rows of durable timers: they fire once, also across restarts, and late ones fire at start.

use serde::{Deserialize, Serialize};

use super::{Row, StepKey};
use crate::clock::Timestamp;
use crate::ids::StreamId;
use crate::tables::{Key, Table};

/// Why a timer was set. The stream that set it knows what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Purpose {
    /// A timer gate opens.
    Delay(StepKey),
    /// A wait for people or an event has lasted too long.
    Expiry(StepKey),
    /// Another attempt is due.
    Retry(StepKey),
    /// The run has worked for too long.
    WallClock,
    /// A parked intent has waited too long.
    Intent,
}

/// A timer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerRow {
    /// When it is due.
    pub due: Timestamp,
    /// Whose it is.
    pub stream: StreamId,
    /// What it is for.
    pub purpose: Purpose,
}

impl Row for TimerRow {
    const TABLE: Table = Table::Timers;

    fn key(&self) -> Key {
        let key = Self::due_prefix(self.due).bytes(self.stream.as_bytes());
        match self.purpose {
            Purpose::Delay(position) => position.append_to(key.u8(0)),
            Purpose::Expiry(position) => position.append_to(key.u8(1)),
            Purpose::Retry(position) => position.append_to(key.u8(2)),
            Purpose::WallClock => key.u8(3),
            Purpose::Intent => key.u8(4),
        }
    }
}

impl TimerRow {
    /// The prefix of all timers due at `due`; the bound of a range over time.
    pub(crate) fn due_prefix(due: Timestamp) -> Key {
        Key::new().u64(due.as_micros() as u64)
    }
}
