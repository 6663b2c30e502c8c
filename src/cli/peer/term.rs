//! What a certificate says: a role, and for how long.

use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use xyn_store::{Timestamp, duration, trust};

/// What may be done with a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Role(pub(super) trust::Role);

impl ValueEnum for Role {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: &[Role] =
            &[Role(trust::Role::User), Role(trust::Role::Operator), Role(trust::Role::OwnerAdmin)];
        ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let means = match self.0 {
            trust::Role::User => "Day-to-day work",
            trust::Role::Operator => "Runs nodes, packs, replication and backups",
            trust::Role::OwnerAdmin => "Owns the environment and its domains",
        };
        Some(PossibleValue::new(self.0.as_str()).help(means))
    }
}

/// For how long somebody belongs: some seconds, or for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term(Option<u64>);

impl Term {
    /// How many seconds it is; none for ever.
    pub(super) fn seconds(self) -> Option<u64> {
        self.0
    }

    /// Its end, where it begins `now`.
    pub(super) fn from(self, now: Timestamp) -> Option<Timestamp> {
        self.0.map(|seconds| now.after(Duration::from_secs(seconds)))
    }
}

impl FromStr for Term {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ever" => Ok(Self(None)),
            text => seconds(text)
                .map(Some)
                .map(Self)
                .map_err(|_| "it is a time such as `12h` or `30d`, or `ever`"),
        }
    }
}

/// A time such as `30m`, in seconds.
pub(super) fn seconds(text: &str) -> Result<u64, &'static str> {
    let whole = duration::parse(text).filter(|time| time.subsec_millis() == 0);
    whole.map(|time| time.as_secs()).ok_or("a time is written such as `12h`, `90s`, `30m`, `7d` or `1d12h`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        let table = [("90s", Some(90)), ("30m", Some(1800)), ("1d12h", Some(129_600)), ("7d", Some(604_800))];
        for (text, expected) in table {
            assert_eq!(seconds(text).ok(), expected, "{text}");
            assert_eq!(text.parse(), Ok(Term(expected)));
        }
        for text in ["", "h", "12", "1w", "-1h", "500ms", "99999999999999999999d"] {
            assert!(seconds(text).is_err() && text.parse::<Term>().is_err(), "{text}");
        }
        assert_eq!("ever".parse(), Ok(Term(None)));
    }
}
