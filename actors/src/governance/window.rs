//! Time windows: which instants a rule allows, in whose clock.
//!
//! Owns the arithmetic. Refuses to read a clock, or a zone file of the machine: zones come with the
//! program, so that every node answers the same. Invariant: `from` belongs to the window, `to` does not.

use std::time::Duration;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use xyn_store::Timestamp;

use super::policy::TimeWindow;
use super::words::Day;
use crate::document::{parse_duration, shorten};

const MINUTES_A_DAY: u16 = 24 * 60;

/// A compiled time window.
#[derive(Clone, Debug)]
pub(super) struct Window {
    days: [bool; 7],
    from_min: u16,
    to_min: u16,
    zone: TimeZone,
}

/// A time window that says nothing sensible.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidWindow {
    #[error("`{0}` is not a time of day such as `09:30`, from `00:00` to `24:00`")]
    Time(String),
    #[error("the window begins and ends at `{0}`")]
    Empty(String),
    #[error("`{0}` is not a time zone such as `Europe/Berlin`")]
    Zone(String),
}

impl Window {
    pub(super) fn compile(window: &TimeWindow) -> Result<Self, InvalidWindow> {
        let from_min = minutes(window.from.as_deref().unwrap_or("00:00"))?;
        let to_min = minutes(window.to.as_deref().unwrap_or("24:00"))?;
        if from_min == to_min {
            return Err(InvalidWindow::Empty(window.from.clone().unwrap_or_default()));
        }
        let mut days = [window.days.is_empty(); 7];
        for day in &window.days {
            days[index(*day)] = true;
        }
        Ok(Self { days, from_min, to_min, zone: zone(window.time_zone.as_deref().unwrap_or("UTC"))? })
    }

    pub(super) fn contains(&self, now: Timestamp) -> bool {
        // INVARIANT: a `Timestamp` lies between 1970 and 9999, which jiff represents; were it not so, no
        // window would contain it.
        let Ok(instant) = jiff::Timestamp::from_microsecond(now.as_micros()) else {
            return false;
        };
        let local = self.zone.to_datetime(instant);
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let today = usize::from(local.weekday().to_monday_zero_offset().unsigned_abs());
        let yesterday = (today + 6) % 7;
        if self.from_min < self.to_min {
            self.days[today] && (self.from_min..self.to_min).contains(&minute)
        } else {
            (self.days[today] && minute >= self.from_min) || (self.days[yesterday] && minute < self.to_min)
        }
    }
}

/// Reads a length of time of a second or more, such as `24h` or `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, InvalidDuration> {
    let read = parse_duration(text).ok().filter(|duration| duration.as_secs() > 0);
    read.ok_or_else(|| InvalidDuration(shorten(text)))
}

/// A text that is no duration of a second or more.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a length of time of a second or more")]
pub(super) struct InvalidDuration(String);

fn minutes(text: &str) -> Result<u16, InvalidWindow> {
    let read = || {
        let (hours, minutes) = text.split_once(':')?;
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(hours) || !digits(minutes) {
            return None;
        }
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        let total = hours * 60 + minutes;
        (minutes < 60 && total <= MINUTES_A_DAY).then_some(total)
    };
    read().ok_or_else(|| InvalidWindow::Time(text.to_owned()))
}

fn zone(name: &str) -> Result<TimeZone, InvalidWindow> {
    let found = if name == "UTC" { Ok(TimeZone::UTC) } else { TimeZoneDatabase::bundled().get(name) };
    found.map_err(|_| InvalidWindow::Zone(name.to_owned()))
}

fn index(day: Day) -> usize {
    match day {
        Day::Mon => 0,
        Day::Tue => 1,
        Day::Wed => 2,
        Day::Thu => 3,
        Day::Fri => 4,
        Day::Sat => 5,
        Day::Sun => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &[Day], from: &str, to: &str, zone: &str) -> TimeWindow {
        TimeWindow {
            days: days.to_vec(),
            from: Some(from.to_owned()),
            to: Some(to.to_owned()),
            time_zone: Some(zone.to_owned()),
        }
    }

    #[test]
    fn a_window_knows_days_zones_and_nights() {
        let office = window(&[Day::Mon, Day::Fri], "09:00", "17:00", "Europe/Berlin");
        let night = window(&[Day::Fri], "22:00", "06:00", "UTC");
        let table = [
            (&office, "2026-01-05T08:00:00Z", true, "Monday 09:00 in Berlin"),
            (&office, "2026-01-05T07:59:59Z", false, "a second earlier"),
            (&office, "2026-07-03T07:00:00Z", true, "Friday 09:00 in summer time"),
            (&office, "2026-01-05T16:00:00Z", false, "the end is not included"),
            (&office, "2026-01-06T10:00:00Z", false, "a Tuesday"),
            (&night, "2026-01-09T23:00:00Z", true, "Friday night"),
            (&night, "2026-01-10T05:59:00Z", true, "the Saturday morning after it"),
            (&night, "2026-01-09T05:00:00Z", false, "the Friday morning before it"),
        ];
        for (window, now, expected, why) in table {
            let compiled = Window::compile(window).expect("the table has valid windows");
            assert_eq!(compiled.contains(now.parse().expect("an instant")), expected, "{why}");
        }
    }

    #[test]
    fn senseless_windows_are_refused() {
        for (from, to, zone) in [
            ("9:00", "17:00", "UTC"),
            ("25:00", "17:00", "UTC"),
            ("09:60", "17:00", "UTC"),
            ("09:00", "24:01", "UTC"),
            ("09:00", "09:00", "UTC"),
            ("09:00", "17:00", "Mars/Olympus"),
            ("+9:00", "17:00", "UTC"),
        ] {
            assert!(Window::compile(&window(&[], from, to, zone)).is_err(), "{from} to {to} {zone}");
        }
        assert!(duration("soon").is_err() && duration("-1h").is_err() && duration("900ms").is_err());
        assert_eq!(duration("1h30m").expect("a duration"), Duration::from_secs(5400));
    }
}
