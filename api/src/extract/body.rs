//! Bodies as they arrive: held to their limits of size and of time.
//!
//! Invariant: no more than the limit is ever held, and nobody is waited for longer than a named pause.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures::StreamExt;
use http::{HeaderMap, header};

use crate::error::{ApiError, Code};
use crate::limits::{BODY_DISCARD_MAX_BYTES, BODY_PAUSE_MAX};

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn read_body(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut pieces = body.into_data_stream();
    if announced.is_some_and(|length: u64| length > limit as u64) {
        // Who waits for a `100 Continue` has sent nothing yet.
        if !headers.contains_key(header::EXPECT) {
            discard(pieces).await;
        }
        return Err(too_large(limit));
    }
    let mut held = Bytes::new();
    let mut joined = Vec::new();
    while let Some(piece) = in_time(BODY_PAUSE_MAX, pieces.next()).await? {
        let piece =
            piece.map_err(|error| ApiError::invalid("body", format!("the body broke off: {error}")))?;
        if held.len().max(joined.len()) + piece.len() > limit {
            discard(pieces).await;
            return Err(too_large(limit));
        }
        // Most bodies come in one piece, which is not copied.
        if held.is_empty() && joined.is_empty() {
            held = piece;
        } else {
            if joined.is_empty() {
                joined = std::mem::take(&mut held).to_vec();
            }
            joined.extend_from_slice(&piece);
        }
    }
    Ok(if joined.is_empty() { held } else { joined.into() })
}

/// The next piece of a body, unless its sender pauses for longer than `pause`.
pub(crate) async fn in_time<T>(pause: Duration, piece: impl Future<Output = T>) -> Result<T, ApiError> {
    tokio::time::timeout(pause, piece).await.map_err(|_| {
        let message = format!("nothing of the body came for {} seconds", pause.as_secs());
        ApiError::new(Code::TooSlow, message).at("body")
    })
}

/// Reads on without keeping anything: a connection that closes on a sender takes the refusal with it.
async fn discard(mut pieces: BodyDataStream) {
    let mut left = BODY_DISCARD_MAX_BYTES;
    while let Ok(Some(Ok(piece))) = in_time(BODY_PAUSE_MAX, pieces.next()).await {
        match left.checked_sub(piece.len() as u64) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// A body over its limit.
pub(crate) fn too_large(limit: usize) -> ApiError {
    let message = format!("the body is larger than the limit of {limit} bytes");
    ApiError::new(Code::TooLarge, message).at("body")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sender_that_pauses_for_too_long_is_told_so() {
        let error = in_time(Duration::ZERO, std::future::pending::<()>()).await.expect_err("never comes");
        assert_eq!((error.fault().code, error.fault().status().as_u16()), (Code::TooSlow, 408));
    }

    #[tokio::test]
    async fn a_body_is_cut_off_at_its_limit_while_it_arrives() {
        let pieces = |sizes: &[usize]| {
            let pieces: Vec<_> =
                sizes.iter().map(|size| Ok::<_, std::io::Error>(vec![7_u8; *size])).collect();
            Body::from_stream(futures::stream::iter(pieces))
        };
        let whole = read_body(&HeaderMap::new(), pieces(&[3, 3, 4]), 10).await.expect("fits");
        assert_eq!(whole.len(), 10);
        let over = read_body(&HeaderMap::new(), pieces(&[3, 3, 5]), 10).await.expect_err("is over");
        assert_eq!(over.fault().code, Code::TooLarge);
        let announced =
            HeaderMap::from_iter([(header::CONTENT_LENGTH, http::HeaderValue::from_static("11"))]);
        assert!(read_body(&announced, pieces(&[1]), 10).await.is_err());
    }
}
