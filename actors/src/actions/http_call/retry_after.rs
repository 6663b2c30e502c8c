//! `Retry-After` (RFC 9110, 10.2.3): how long a peer that refuses asks to be left alone.
//!
//! Invariant: what cannot be read, or lies in the past, asks for nothing.

use std::time::{Duration, UNIX_EPOCH};

use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap, HeaderName};
use xyn_store::Timestamp;

/// What an answer with `status` and `headers` to a request that was sent at `now` asks for.
pub(super) fn asked(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let wanted = text(header::RETRY_AFTER)?;
    if !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than there are numbers for is a very long time.
        return Some(wanted.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let until = httpdate::parse_http_date(wanted).ok()?;
    // By the peer's own clock where it tells the time: it need not agree with ours.
    let theirs = text(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let since = theirs.unwrap_or_else(|| UNIX_EPOCH + now.since(Timestamp::EPOCH));
    until.duration_since(since).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(status: u16, pairs: &[(HeaderName, &'static str)]) -> Option<u64> {
        let headers = pairs.iter().cloned().map(|(name, value)| (name, value.parse().expect("a value")));
        let now = "1994-11-06T08:49:00Z".parse().expect("an instant");
        let status = StatusCode::from_u16(status).expect("a status");
        asked(status, &headers.collect(), now).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_peer_asks_in_seconds_or_by_a_date_in_each_of_its_forms() {
        use header::{DATE, RETRY_AFTER};
        for status in [429, 503] {
            assert_eq!(asks(status, &[(RETRY_AFTER, "120")]), Some(120));
            assert_eq!(asks(status, &[(RETRY_AFTER, "99999999999999999999999")]), Some(u64::MAX));
            let dates = [
                "Sun, 06 Nov 1994 08:49:37 GMT",
                "Sunday, 06-Nov-94 08:49:37 GMT",
                "Sun Nov  6 08:49:37 1994",
            ];
            for date in dates {
                assert_eq!(asks(status, &[(RETRY_AFTER, date)]), Some(37), "{date}");
                let by_their_clock = [(RETRY_AFTER, date), (DATE, "Sun, 06 Nov 1994 08:49:30 GMT")];
                assert_eq!(asks(status, &by_their_clock), Some(7), "{date}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_or_is_past_asks_for_nothing() {
        use header::RETRY_AFTER;
        for text in ["", "-1", "1.5", "soon", "Sun, 06 Nov 1994 08:48:37 GMT", "Sun, 06 Nov 1994"] {
            assert_eq!(asks(429, &[(RETRY_AFTER, text)]), None, "{text}");
        }
        assert_eq!(asks(429, &[]), None);
        assert_eq!(asks(500, &[(RETRY_AFTER, "120")]), None, "only those two statuses ask to slow down");
    }
}
