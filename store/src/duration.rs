//! Lengths of time as people write them: `500ms`, `90s`, `10m`, `1h30m`, `7d`.
//!
//! Owns the grammar: whole numbers, each with its unit, the long units first. Refuses numbers without a unit, signs,
//! fractions and spaces; which lengths fit is for whoever asks for them to say. Invariant: what is shown reads back.

use std::time::Duration;

/// Units from long to short, in milliseconds.
pub const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads `text`; none where it is no length of time.
pub fn parse(text: &str) -> Option<Duration> {
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
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

/// Writes `duration` as [`parse`] reads it, in whole milliseconds.
pub fn show(duration: Duration) -> String {
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
            ("0s", 0),
            ("2d", 172_800_000),
            ("1s500ms", 1500),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in [
            "",
            "m",
            "10",
            "1h30",
            "-1s",
            "+1s",
            "1.5h",
            "10 m",
            " 10m",
            "10x",
            "5w",
            "1m1h",
            "1m1m",
            "é",
            "1é",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for millis in [0, 1, 500, 61_000, 5_400_000, 90_061_001, u64::MAX] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse(&show(duration)), Some(duration));
        }
        assert_eq!(show(Duration::from_millis(5_400_500)), "1h30m500ms");
    }
}
