//! Instants in a manifest: written as RFC 3339, read as that or as milliseconds since the Unix epoch.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};
use xyn_store::Timestamp;

pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    deserializer.deserialize_any(Instant)
}

struct Instant;

impl Visitor<'_> for Instant {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an instant such as `2026-01-31T12:00:00Z`, or milliseconds since 1970")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, millis: u64) -> Result<Timestamp, E> {
        let micros = i64::try_from(millis).ok().and_then(|millis| millis.checked_mul(1_000));
        let at = micros.filter(|micros| *micros <= Timestamp::MAX.as_micros()).map(Timestamp::from_micros);
        at.ok_or_else(|| E::custom(format_args!("`{millis}` milliseconds lie beyond the year 9999")))
    }
}

/// The same for an instant that may be left out.
pub(super) mod option {
    use super::*;

    pub(in crate::manifest) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}
