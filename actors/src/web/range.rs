//! Byte ranges of downloads, RFC 9110 section 14: one range, because nobody needs more to resume.

use std::ops::Range;

/// What a `Range` header asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Everything: no header, another unit, several ranges, or something that is no range.
    All,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes behind the end.
    Unsatisfiable,
}

/// Reads a `Range` header against content of `length` bytes. What is not understood is ignored, as the RFC
/// has it.
pub fn wanted(header: Option<&[u8]>, length: u64) -> Wanted {
    let spec = header.and_then(|header| std::str::from_utf8(header).ok()?.trim().strip_prefix("bytes="));
    let Some((first, last)) = spec.and_then(|spec| spec.trim().split_once('-')) else { return Wanted::All };
    match (number(first), number(last)) {
        (Some(Some(first)), Some(last)) => {
            if last.is_some_and(|last| last < first) {
                return Wanted::All;
            }
            let end = last.map_or(length, |last| last.saturating_add(1).min(length));
            if first < end { Wanted::Part(first..end) } else { Wanted::Unsatisfiable }
        }
        (Some(None), Some(Some(suffix))) => {
            let first = length.saturating_sub(suffix);
            if first < length { Wanted::Part(first..length) } else { Wanted::Unsatisfiable }
        }
        _ => Wanted::All,
    }
}

/// A number, nothing (`Some(None)`), or something else (`None`).
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // More digits than a length can have is a place behind the end.
    Some(Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Wanted {
        wanted(Some(text.as_bytes()), 100)
    }

    #[test]
    fn a_range_is_cut_at_the_end() {
        assert_eq!(of("bytes=0-9"), Wanted::Part(0..10));
        assert_eq!(of("bytes=90-"), Wanted::Part(90..100));
        assert_eq!(of("bytes=90-1000"), Wanted::Part(90..100));
        assert_eq!(of("bytes=-10"), Wanted::Part(90..100));
        assert_eq!(of("bytes=-1000"), Wanted::Part(0..100));
        assert_eq!(of("bytes=0-99999999999999999999999"), Wanted::Part(0..100));
    }

    #[test]
    fn a_range_behind_the_end_cannot_be_satisfied() {
        for text in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of(text), Wanted::Unsatisfiable, "{text}");
        }
        assert_eq!(wanted(Some(b"bytes=0-0"), 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn what_is_no_single_range_of_bytes_is_ignored() {
        for text in ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-1", "bytes=0-1,5-6", "lines=0-1"]
        {
            assert_eq!(of(text), Wanted::All, "{text}");
        }
        assert_eq!(wanted(None, 100), Wanted::All);
        assert_eq!(wanted(Some(b"bytes=\xff-1"), 100), Wanted::All);
    }
}
