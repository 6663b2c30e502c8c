//! Lengths of time as authors write them: `500ms`, `10m`, `1h30m`, or a whole number of seconds.

use std::time::Duration;

use xyn_store::duration::parse;

/// A text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time")]
pub(crate) struct InvalidDuration(String);

/// Reads `text`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let trimmed = text.trim();
    // A document may say a number where a text is meant.
    let is_number = !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit());
    let read = if is_number { parse(&format!("{trimmed}s")) } else { parse(trimmed) };
    read.ok_or_else(|| InvalidDuration(super::issue::shorten(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_numbers_are_seconds() {
        for (text, millis) in [("10m", 600_000), (" 1h30m ", 5_400_000), ("500ms", 500), ("30", 30_000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in ["", "m", "-1", "1.5", "10 m", "1m1h", "99999999999999999999", "é"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert_eq!(
            parse_duration("soon").expect_err("no time").to_string(),
            "`soon` is not a length of time"
        );
    }
}
