//! Interactions: the correlation id that groups what follows from a request, and W3C trace context.
//!
//! Owns `X-Correlation-Id` and `traceparent`, in and out. A request without them gets fresh ones; one with a
//! trace alone is named by the trace's id, by which calls that follow from it go on with the trace. Invariant: a
//! `traceparent` that cannot be read is replaced, as the W3C recommendation has it; a correlation id that
//! cannot be read is refused, because somebody wants to find it again.

use http::{HeaderMap, HeaderName, HeaderValue};
use xyn_store::Timestamp;
use xyn_store::ids::{self, EventId};
use xyn_store::scope::CorrelationId;

use crate::error::ApiError;

/// The header with the correlation id.
pub(crate) const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// The header with the W3C trace context.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What a request belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Interaction {
    /// Groups everything that follows from it.
    pub(crate) correlation_id: CorrelationId,
    /// The trace it is part of.
    pub(crate) trace: Trace,
}

/// A span of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    id: u128,
    span: u64,
    flags: u8,
}

impl Interaction {
    /// What a request with these headers, received at `now`, belongs to. With a correlation id that cannot
    /// be read comes the error for it.
    pub(crate) fn of(headers: &HeaderMap, now: Timestamp) -> (Self, Result<(), ApiError>) {
        let fresh: EventId = ids::fresh(now);
        let trace = Trace::of(headers.get(TRACEPARENT), fresh);
        let given = headers.get(CORRELATION_ID).map(|value| value.to_str().unwrap_or_default());
        let (correlation_id, fault) = match given.map(CorrelationId::parse) {
            Some(Ok(id)) => (id, Ok(())),
            Some(Err(error)) => (fresh.into(), Err(ApiError::invalid("X-Correlation-Id", error.to_string()))),
            None => (EventId::from(uuid::Uuid::from_u128(trace.id)).into(), Ok(())),
        };
        (Self { correlation_id, trace }, fault)
    }

    /// Names it in an answer.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(self.correlation_id.as_str()) {
            headers.insert(CORRELATION_ID, value);
        }
        headers.insert(TRACEPARENT, self.trace.header());
    }
}

impl Trace {
    /// The span below the one in `header`, or the first one of a new trace.
    fn of(header: Option<&HeaderValue>, fresh: EventId) -> Self {
        let bytes = u128::from_be_bytes(*fresh.as_bytes());
        let span = (bytes as u64).max(1);
        let parent = header.and_then(|value| parse(value.as_bytes()));
        let (id, flags) = parent.unwrap_or((bytes, 0));
        Self { id, span, flags }
    }

    fn header(self) -> HeaderValue {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let mut put = |at: usize, bytes: &[u8]| {
            for (index, byte) in bytes.iter().enumerate() {
                text[at + 2 * index] = DIGITS[usize::from(byte >> 4)];
                text[at + 2 * index + 1] = DIGITS[usize::from(byte & 15)];
            }
        };
        put(3, &self.id.to_be_bytes());
        put(36, &self.span.to_be_bytes());
        put(53, &[self.flags]);
        HeaderValue::from_bytes(&text).expect("hex digits and dashes are fit for a header")
    }
}

/// Trace id and flags of a W3C `traceparent`; none when it is not one.
fn parse(text: &[u8]) -> Option<(u128, u8)> {
    let text = std::str::from_utf8(text).ok()?;
    let hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let mut parts = text.split('-');
    let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lengths = (version.len(), id.len(), parent.len(), flags.len()) == (2, 32, 16, 2);
    let known = version != "ff" && (version != "00" || parts.next().is_none());
    if !(lengths && known && [version, id, parent, flags].into_iter().all(hex)) {
        return None;
    }
    let id = u128::from_str_radix(id, 16).ok().filter(|id| *id != 0)?;
    let parent = u64::from_str_radix(parent, 16).ok()?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    (parent != 0).then_some((id, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn answered(headers: &[(HeaderName, &str)]) -> (HeaderMap, bool) {
        let pairs = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("a header value")));
        let (interaction, fault) = Interaction::of(&pairs.collect(), Timestamp::from_micros(1));
        let mut out = HeaderMap::new();
        interaction.write(&mut out);
        (out, fault.is_ok())
    }

    #[test]
    fn a_trace_goes_on_with_a_new_span() {
        let (out, _) = answered(&[(TRACEPARENT, PARENT)]);
        let traceparent = out[TRACEPARENT].to_str().expect("ascii");
        assert_eq!(traceparent[..36], PARENT[..36]);
        assert_ne!(traceparent[36..52], PARENT[36..52]);
        assert_eq!(traceparent[52..], PARENT[52..]);
        assert!(parse(traceparent.as_bytes()).is_some());
        assert_eq!(out[CORRELATION_ID], "4bf92f35-77b3-4da6-a3ce-929d0e0e4736", "it names the interaction");
    }

    #[test]
    fn a_trace_context_that_cannot_be_read_is_replaced() {
        let broken = [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ];
        for text in broken {
            let (out, _) = answered(&[(TRACEPARENT, text)]);
            let fresh = parse(out[TRACEPARENT].as_bytes()).expect("own output parses");
            assert_ne!(fresh.0, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, "{text}");
        }
    }

    #[test]
    fn a_correlation_id_is_kept_or_refused_and_made_when_there_is_none() {
        let (out, kept) = answered(&[(CORRELATION_ID, "order-17")]);
        assert_eq!((out[CORRELATION_ID].as_bytes(), kept), (&b"order-17"[..], true));
        let (out, kept) = answered(&[(CORRELATION_ID, "has a space")]);
        assert_eq!((out[CORRELATION_ID].len(), kept), (36, false));
        let (out, kept) = answered(&[]);
        assert_eq!((out[CORRELATION_ID].len(), kept), (36, true));
    }
}
