//! W3C trace context on the way out: the interaction's trace goes on at the peer.
//!
//! Owns the derivation. An interaction is named by its correlation id; one that began with a `traceparent`, or that
//! nobody gave a name, has the trace's own id for it, so that nothing else need be remembered. Invariant: calls of one
//! interaction are of one trace, and each attempt is a span of its own.

use reqwest::header::HeaderValue;
use xyn_store::Digest;
use xyn_store::scope::CorrelationId;

use crate::actions::Context;

/// The `traceparent` of an attempt.
pub(super) fn parent(context: &Context) -> HeaderValue {
    let trace = trace_of(&context.attribution.correlation_id);
    let attempt = context.now.as_micros().to_be_bytes();
    // Zero is no id.
    let span = high_bits(&[context.idempotency_key.as_bytes(), &attempt]).max(1 << 64) >> 64;
    // Flagged as recorded, for it is: in the journal.
    let text = format!("00-{trace:032x}-{span:016x}-01");
    HeaderValue::from_str(&text).expect("hex digits and dashes are fit for a header")
}

/// The trace that an interaction is.
fn trace_of(correlation: &CorrelationId) -> u128 {
    let own = correlation.as_str().parse::<uuid::Uuid>().map(|id| id.as_u128());
    own.unwrap_or_else(|_| high_bits(&[correlation.as_str().as_bytes()])).max(1)
}

/// The first half of a digest.
fn high_bits(parts: &[&[u8]]) -> u128 {
    let digest = Digest::of_parts(parts);
    let half = digest.as_bytes().first_chunk().expect("a digest is longer than half of it");
    u128::from_be_bytes(*half)
}

#[cfg(test)]
mod tests {
    use xyn_store::Timestamp;

    use super::super::tests::{LOOPBACK, context};
    use super::*;

    fn parent_of(correlation: &str, key: &str, now: i64) -> String {
        let mut context = context(LOOPBACK);
        context.attribution.correlation_id = CorrelationId::parse(correlation).expect("fits");
        let context = Context { idempotency_key: key.into(), now: Timestamp::from_micros(now), ..context };
        parent(&context).to_str().expect("ascii").to_owned()
    }

    #[test]
    fn a_trace_that_names_its_interaction_goes_on_and_each_attempt_is_a_span() {
        let id = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736";
        let (first, second) = (parent_of(id, "run/a", 1), parent_of(id, "run/a", 2));
        for parent in [&first, &second, &parent_of(id, "run/b", 1)] {
            assert_eq!(parent[..36], *"00-4bf92f3577b34da6a3ce929d0e0e4736-");
        }
        assert_ne!(first[36..52], second[36..52]);
        assert_ne!(first[36..52], parent_of(id, "run/b", 1)[36..52]);
        assert_eq!(first, parent_of(id, "run/a", 1), "the same attempt is the same span");
    }

    #[test]
    fn an_interaction_with_a_name_of_its_callers_is_one_trace_too() {
        let trace = |name| parent_of(name, "k", 1)[..36].to_owned();
        assert_eq!(trace("order-17"), trace("order-17"));
        assert_ne!(trace("order-17"), trace("order-18"));
        assert_ne!(trace("00000000-0000-0000-0000-000000000000")[3..35], "0".repeat(32), "zero is no trace");
    }
}
