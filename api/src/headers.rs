//! Headers with a meaning of their own: who calls and with which key, and whether a reader has the answer
//! already.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use xyn_actors::governance::Identity;
use xyn_actors::runtime::Intent;
use xyn_actors::web::known::names;
use xyn_store::Digest;
use xyn_store::ids;
use xyn_store::scope::CorrelationId;

use crate::error::ApiError;
use crate::limits::IDEMPOTENCY_KEY_MAX;
use crate::state::AppState;
use crate::trace::Interaction;

/// The header that makes a repeated request answered like the first.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that names the run an answer is about.
pub(crate) const RUN_ID: HeaderName = HeaderName::from_static("x-run-id");
/// The header that names the step an answer is about.
pub(crate) const STEP_ID: HeaderName = HeaderName::from_static("x-step-id");

/// Who wants something done, in which interaction and under which key.
pub(crate) struct Caller {
    correlation_id: CorrelationId,
    idempotency_key: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let interaction = parts.extensions.get::<Interaction>();
        let interaction =
            interaction.ok_or_else(|| ApiError::unexpected("a request did not pass the edge"))?;
        let idempotency_key = idempotency_key(&parts.headers)?;
        Ok(Self { correlation_id: interaction.correlation_id.clone(), idempotency_key })
    }
}

impl Caller {
    /// The same caller in another interaction, if there is one.
    pub(crate) fn in_interaction(mut self, correlation_id: Option<CorrelationId>) -> Self {
        if let Some(correlation_id) = correlation_id {
            self.correlation_id = correlation_id;
        }
        self
    }

    /// An intent of the person at this machine.
    pub(crate) fn intent(self, state: &AppState, action: impl Into<String>, input: Value) -> Intent {
        let session = state.runtime().session();
        Intent { session, ..self.intent_of(state, Identity::local_operator(), action, input) }
    }

    /// An intent of somebody without a session.
    pub(crate) fn intent_of(
        self,
        state: &AppState,
        identity: Identity,
        action: impl Into<String>,
        input: Value,
    ) -> Intent {
        Intent {
            intent_id: ids::fresh(state.runtime().clock().now()),
            action: action.into(),
            input,
            stage: None,
            identity,
            session: None,
            correlation_id: self.correlation_id,
            causation_id: None,
            depth: 0,
            idempotency_key: self.idempotency_key,
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let bytes = key.as_bytes();
    let fits = (1..=IDEMPOTENCY_KEY_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    match key.to_str() {
        Ok(text) if fits && keys.next().is_none() => Ok(Some(text.to_owned())),
        _ => {
            let message =
                format!("an idempotency key is 1 to {IDEMPOTENCY_KEY_MAX} visible ASCII characters");
            Err(ApiError::invalid("Idempotency-Key", message))
        }
    }
}

/// The states that a reader has already: the values of `If-None-Match`.
#[derive(Debug, Default)]
pub(crate) struct Known(Vec<HeaderValue>);

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get_all(header::IF_NONE_MATCH).iter().cloned().collect()))
    }
}

impl Known {
    /// Whether the reader has the state that `tag` names.
    pub(crate) fn names(&self, tag: &str) -> bool {
        self.has(format!("\"{tag}\"").as_bytes())
    }

    fn has(&self, etag: &[u8]) -> bool {
        self.0.iter().any(|known| names(known.as_bytes(), etag))
    }

    /// The answer to a read of the state that `tag` (visible ASCII without quotes) names: `body`, or 304.
    pub(crate) fn answer(&self, tag: &str, body: impl FnOnce() -> Response) -> Response {
        let etag = HeaderValue::from_str(&format!("\"{tag}\""));
        let etag = etag.unwrap_or_else(|_| HeaderValue::from_static("\"?\""));
        let mut response =
            if self.has(etag.as_bytes()) { StatusCode::NOT_MODIFIED.into_response() } else { body() };
        response.headers_mut().insert(header::ETAG, etag);
        response
    }

    /// `value` as JSON, tagged by the digest of its bytes, or 304.
    pub(crate) fn json<T: Serialize>(&self, value: &T) -> Result<Response, ApiError> {
        let body = serde_json::to_vec(value).map_err(|error| ApiError::unexpected(&error.to_string()))?;
        let digest = Digest::of(&body).to_string();
        let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        Ok(self.answer(&digest[..32], || (json, body).into_response()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("a header value"))])
    }

    #[test]
    fn a_key_is_visible_ascii_of_bounded_length() {
        let key = |text: &str| idempotency_key(&one(IDEMPOTENCY_KEY, text));
        assert_eq!(key("order-17").expect("fits").as_deref(), Some("order-17"));
        assert_eq!(key(&"k".repeat(255)).expect("fits").map(|key| key.len()), Some(255));
        for text in ["", "a b", &"k".repeat(256), "schlüssel"] {
            assert!(key(text).is_err(), "{text}");
        }
        assert_eq!(idempotency_key(&HeaderMap::new()).expect("fits"), None);
    }

    #[test]
    fn two_keys_are_none() {
        let mut headers = one(IDEMPOTENCY_KEY, "a");
        headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("b"));
        assert!(idempotency_key(&headers).is_err());
    }

    #[test]
    fn a_reader_that_has_the_state_is_told_so() {
        let status = |value: &str| {
            let known = Known(vec![HeaderValue::from_str(value).expect("a header value")]);
            known.answer("7", || StatusCode::OK.into_response()).status().as_u16()
        };
        for has_it in ["\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"] {
            assert_eq!(status(has_it), 304, "{has_it}");
        }
        assert_eq!((status("7"), status("\"8\"")), (200, 200));
    }

    #[test]
    fn an_answer_carries_its_tag_in_both_cases() {
        let fresh = Known::default().json(&"x").expect("renders");
        let etag = fresh.headers()[header::ETAG].clone();
        assert_eq!(fresh.status(), StatusCode::OK);
        let again = Known(vec![etag.clone()]).json(&"x").expect("renders");
        assert_eq!((again.status(), &again.headers()[header::ETAG]), (StatusCode::NOT_MODIFIED, &etag));
    }
}
