//! Lengths of time as authors write them: `500ms`, `10m`, `1h30m`, or a whole number of seconds.
//!
//! Owns the grammar. Refuses signs, fractions, repeated units and units out of order.

use std::time::Duration;

/// A text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time")]
pub(crate) struct InvalidDuration(String);

/// Units from long to short, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads `text`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    parse(text.trim()).map(Duration::from_millis).ok_or_else(|| InvalidDuration(super::issue::shorten(text)))
}

fn parse(text: &str) -> Option<u64> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<u64>().ok()?.checked_mul(1000);
    }
    let (mut rest, mut total, mut units) = (text, 0u64, UNITS.iter());
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, tail) = tail.split_at(letters);
        // The iterator goes on where it stopped, so units must come from long to short, each once.
        let (_, millis) = units.find(|(name, _)| *name == unit)?;
        total = number.parse::<u64>().ok()?.checked_mul(*millis)?.checked_add(total)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// Writes `duration` the way authors do.
pub(crate) fn show(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, millis) in UNITS {
        if rest >= millis {
            text.push_str(&format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        for (text, millis) in [
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("30", 30_000),
            ("2d", 172_800_000),
            ("1s500ms", 1500),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in
            ["", "m", "10", "-1s", "1.5h", "10 m", "10x", "1m1h", "1m1m", "99999999999999999999d", "é", "1é"]
        {
            assert_eq!(parse_duration(text).is_ok(), text == "10", "{text}");
        }
        assert_eq!(
            parse_duration("soon").expect_err("no time").to_string(),
            "`soon` is not a length of time"
        );
    }

    #[test]
    fn what_is_shown_reads_back() {
        for millis in [0, 1, 500, 61_000, 5_400_000, 90_061_001] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(&show(duration)), Ok(duration));
        }
    }
}
