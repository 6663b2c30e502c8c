//! Lengths of time as people write them: `250ms`, `90s`, `10m`, `1h30m`, `7d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use xyn_store::duration;

/// A length of time. Shown in the largest unit that fits it whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

/// A text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no length of time, such as 250ms, 90s, 10m, 1h30m or 7d")]
pub struct InvalidSpan(String);

impl Span {
    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// So many seconds.
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let invalid = || InvalidSpan(text.chars().filter(|c| !c.is_control()).take(40).collect());
        duration::parse(text).map(Self).ok_or_else(invalid)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (name, size) = match millis {
            0 => ("s", 1000),
            _ => duration::UNITS
                .into_iter()
                .find(|(_, size)| millis.is_multiple_of(*size))
                .unwrap_or(("ms", 1)),
        };
        write!(f, "{}{name}", millis / size)
    }
}

impl TryFrom<String> for Span {
    type Error = InvalidSpan;

    fn try_from(text: String) -> Result<Self, InvalidSpan> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["0s", "250ms", "90s", "10m", "2h", "7d", "1500ms"] {
            assert_eq!(text.parse::<Span>().expect("a length").to_string(), text);
        }
        assert_eq!("120s".parse::<Span>().expect("a length").to_string(), "2m");
        assert_eq!("1h30m".parse::<Span>().expect("a length").to_string(), "90m");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "5", "s", "-1s", "1.5s", "5w", "99999999999999999999d", "18446744073709551615d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
