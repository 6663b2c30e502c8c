//! What a reader has already, RFC 9110 section 13.

use http::HeaderValue;

/// Whether a value of `If-None-Match` names `etag`, which stands in quotes; weak tags compare like strong ones.
pub fn names(value: &[u8], etag: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| {
        let part = part.trim_ascii();
        part == b"*" || part.strip_prefix(b"W/").unwrap_or(part) == etag
    })
}

/// Whether a range is meant for the content that `etag` names, by what `If-Range` says.
pub fn is_meant(if_range: Option<&HeaderValue>, etag: &[u8]) -> bool {
    if_range.is_none_or(|value| value.as_bytes() == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_one_by_one() {
        for known in ["\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"] {
            assert!(names(known.as_bytes(), b"\"7\""), "{known}");
        }
        assert!(!names(b"7", b"\"7\"") && !names(b"\"8\"", b"\"7\""));
    }

    #[test]
    fn a_range_of_other_content_is_not_meant() {
        assert!(is_meant(None, b"\"7\"") && is_meant(Some(&HeaderValue::from_static("\"7\"")), b"\"7\""));
        for other in ["\"8\"", "W/\"7\"", "Sat, 21 Nov 2026 00:00:00 GMT"] {
            assert!(!is_meant(Some(&HeaderValue::from_static(other)), b"\"7\""), "{other}");
        }
    }
}
