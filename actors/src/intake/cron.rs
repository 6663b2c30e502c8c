//! Cron entries: when they tick, and which ticks are due after a pause.
//!
//! Owns the missed-tick policy. Refuses schedules that never tick. Invariant: a tick is an instant of the
//! schedule, and its event id depends on nothing but the entry's name and that instant, so it fires once.
//!
//! A wall-clock time that daylight saving skips fires at the first instant after the gap; one that occurs
//! twice fires at the first. Wildcard schedules (`*/10 * * * *`) follow elapsed time through both.

use std::fmt;
use std::time::Duration;

use croner::Cron;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xyn_store::Timestamp;
use xyn_store::ids::{EventId, derived};

use super::event::Incoming;
use crate::blueprint::check_event_name;

/// Ticks that [`Entry::due`] gives at once; the rest follows when it is asked again from the last one.
pub const MAX_DUE: usize = 1_000;
/// A tick that is no older is on time: the node was busy, not away.
pub const ON_TIME: Duration = Duration::from_secs(60);
/// Longest name of an entry.
const MAX_NAME_BYTES: usize = 64;

/// A cron entry as its author writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Unique name: letters, digits, `_` and `-`.
    pub name: String,
    /// Five fields, or six with seconds first, as croner reads them: `0 3 * * MON-FRI`.
    pub schedule: String,
    /// IANA time zone the schedule is read in; UTC by default.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// What happens to ticks that fell into a pause.
    #[serde(default)]
    pub missed: Missed,
    /// Name of the event; `cron.<name>` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_name: Option<String>,
    /// Data of the event.
    #[serde(default)]
    pub data: Value,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// What happens to ticks that fell into a pause of the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// They are lost.
    Skip,
    /// The latest fires, for all of them.
    #[default]
    Once,
    /// Each fires.
    All,
}

/// Why a definition is no cron entry.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// The name does not fit.
    #[error("name `{0}` is not 1 to 64 letters, digits, `_` and `-`")]
    Name(String),
    /// The event's name does not fit.
    #[error("event_name `{name}`: {reason}")]
    EventName {
        /// The name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The schedule does not parse.
    #[error("schedule `{schedule}`: {reason}")]
    Schedule {
        /// The schedule.
        schedule: String,
        /// What is wrong.
        reason: String,
    },
    /// The schedule names no instant that will come.
    #[error("schedule `{0}` never ticks")]
    Never(String),
    /// The time zone is unknown.
    #[error("time_zone `{0}` is not in the IANA database")]
    TimeZone(String),
}

/// A cron entry that was checked.
#[derive(Clone)]
pub struct Entry {
    definition: Definition,
    cron: Cron,
    zone: TimeZone,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.definition.fmt(f)
    }
}

impl Entry {
    /// Checks `definition`.
    pub fn new(definition: Definition) -> Result<Self, InvalidEntry> {
        let Definition { name, schedule, time_zone, .. } = &definition;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(fits) {
            return Err(InvalidEntry::Name(name.clone()));
        }
        if let Some(name) = &definition.event_name {
            check_event_name(name).map_err(|reason| InvalidEntry::EventName {
                name: name.clone(),
                reason: reason.to_string(),
            })?;
        }
        let cron: Cron = schedule.parse().map_err(|error: croner::errors::CronError| {
            InvalidEntry::Schedule { schedule: schedule.clone(), reason: error.to_string() }
        })?;
        let zone = TimeZone::get(time_zone).map_err(|_| InvalidEntry::TimeZone(time_zone.clone()))?;
        let never = InvalidEntry::Never(schedule.clone());
        let entry = Self { definition, cron, zone };
        if entry.next_after(Timestamp::EPOCH).is_some() { Ok(entry) } else { Err(never) }
    }

    /// What the author wrote.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The first tick after `instant`.
    pub fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&self.local(instant)?, false).ok()?;
        (next.timestamp().as_microsecond() <= Timestamp::MAX.as_micros()).then(|| tick(&next))
    }

    /// The ticks after `last` up to `now` that fire, oldest first, at most [`MAX_DUE`].
    pub fn due(&self, last: Timestamp, now: Timestamp) -> Vec<Timestamp> {
        match self.definition.missed {
            Missed::Skip => self.between(last.max(now.before(ON_TIME + Duration::from_micros(1))), now),
            Missed::Once => self.latest(now).filter(|tick| *tick > last).into_iter().collect(),
            Missed::All => self.between(last, now),
        }
    }

    /// The event of a tick.
    pub fn event(&self, tick: Timestamp) -> Incoming {
        let Definition { name, event_name, data, .. } = &self.definition;
        Incoming {
            event_id: Some(self.event_id(tick)),
            event_name: event_name.clone().unwrap_or_else(|| format!("cron.{name}")),
            occurred_at: Some(tick),
            data: data.clone(),
            resource: None,
            correlation_id: None,
        }
    }

    fn event_id(&self, tick: Timestamp) -> EventId {
        derived(tick, &[b"cron", self.definition.name.as_bytes(), &tick.as_micros().to_le_bytes()])
    }

    fn between(&self, last: Timestamp, now: Timestamp) -> Vec<Timestamp> {
        std::iter::successors(self.next_after(last), |tick| self.next_after(*tick))
            .take_while(|tick| *tick <= now)
            .take(MAX_DUE)
            .collect()
    }

    fn latest(&self, now: Timestamp) -> Option<Timestamp> {
        let latest = self.cron.find_previous_occurrence(&self.local(now)?, true).ok()?;
        (latest.timestamp().as_microsecond() >= 0).then(|| tick(&latest))
    }

    fn local(&self, instant: Timestamp) -> Option<jiff::Zoned> {
        let instant = jiff::Timestamp::from_microsecond(instant.as_micros()).ok()?;
        Some(instant.to_zoned(self.zone.clone()))
    }
}

fn tick(local: &jiff::Zoned) -> Timestamp {
    Timestamp::from_micros(local.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests;
