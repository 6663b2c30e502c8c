//! The one table from what goes wrong to status, code and hint.
//!
//! Owns the shape of errors. An [`ApiError`] travels inside its response and is rendered at the edge, where
//! the correlation id and what the caller accepts are known. Invariant: no answer of 400 or above has
//! another shape.

use std::borrow::Cow;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use xyn_actors::runtime::Refusal;
use xyn_store::StoreError;
use xyn_store::blobs::BlobError;

use crate::limits::RETRY_AFTER_S;

/// An answer that is not what was asked for.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Arc<Fault>);

/// What an [`ApiError`] says.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// The status of the answer.
    pub(crate) status: StatusCode,
    /// Stable word for programs.
    pub(crate) code: Cow<'static, str>,
    /// Sentence for people.
    pub(crate) message: String,
    /// What else is known: `hint`, `path` and more.
    pub(crate) details: Map<String, Value>,
    /// When a caller may come again, in seconds, if the answer is that the node is busy.
    pub(crate) later_s: u32,
}

/// The body of an error.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody<'a> {
    /// What went wrong.
    pub(crate) error: ErrorShape<'a>,
    /// The interaction it belongs to.
    pub(crate) correlation_id: &'a str,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorShape<'a> {
    /// Stable word for programs.
    pub(crate) code: &'a str,
    /// Sentence for people.
    pub(crate) message: &'a str,
    /// What else is known: `hint`, `path` and more.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object, required = false)]
    pub(crate) details: &'a Map<String, Value>,
}

/// The body of an error as RFC 9457 has it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem<'a> {
    /// Names the kind of problem.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The status in words.
    pub(crate) title: &'a str,
    /// The status.
    pub(crate) status: u16,
    /// Sentence for people.
    pub(crate) detail: &'a str,
    /// Stable word for programs.
    pub(crate) code: &'a str,
    /// What else is known.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object, required = false)]
    pub(crate) details: &'a Map<String, Value>,
    /// The interaction it belongs to.
    pub(crate) correlation_id: &'a str,
}

impl ApiError {
    /// An error with a status, a code and a sentence.
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let (code, message) = (code.into(), message.into());
        Self(Arc::new(Fault { status, code, message, details: Map::new(), later_s: RETRY_AFTER_S }))
    }

    /// A value of the request that does not fit; `path` is the field, parameter or header.
    pub(crate) fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message).at(path)
    }

    /// Something that is not there.
    pub(crate) fn not_found(kind: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {kind} `{id}`"))
    }

    /// Something that must not happen did. The cause is for the log, not for the caller.
    pub(crate) fn unexpected(cause: &str) -> Self {
        tracing::error!(cause, "a request came to an unexpected end");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the node failed to answer; its log says why",
        )
    }

    /// Names the field, parameter or header.
    pub(crate) fn at(self, path: impl Into<String>) -> Self {
        let path = path.into();
        if path.is_empty() { self } else { self.with("path", path) }
    }

    /// Says what to do next.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        self.with("hint", hint.into())
    }

    /// Says when to come again.
    pub(crate) fn later(mut self, seconds: u32) -> Self {
        Arc::make_mut(&mut self.0).later_s = seconds;
        self
    }

    /// Adds a detail.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        Arc::make_mut(&mut self.0).details.insert(name.to_owned(), value.into());
        self
    }

    /// What it says.
    pub(crate) fn fault(&self) -> &Fault {
        &self.0
    }
}

impl Fault {
    /// When a caller may come again, in seconds.
    pub(crate) fn retry_after_s(&self) -> Option<u32> {
        let busy = matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        busy.then_some(self.later_s)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Invalid { code, path, hint, .. } => {
                let error = Self::new(StatusCode::BAD_REQUEST, code, message).at(field_path(&path));
                hint.map_or(error.clone(), |hint| error.hint(hint))
            }
            Refusal::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not_found", message),
            Refusal::Conflict { code, .. } => Self::new(StatusCode::CONFLICT, code, message),
            Refusal::Denied(decision) => Self::new(StatusCode::FORBIDDEN, "denied_by_policy", message)
                .with("decision", serde_json::to_value(&decision).unwrap_or_default())
                .hint("ask `POST /api/v1/policies/explain` which rule decided and why"),
            Refusal::Parked { intent_id, decision } => {
                Self::new(StatusCode::ACCEPTED, "approval_required", message)
                    .with("intent_id", intent_id.to_string())
                    .with("decision", serde_json::to_value(&decision).unwrap_or_default())
                    .hint("answer it with `POST /api/v1/approvals`; it is carried out once approved")
            }
            Refusal::Forbidden { code, .. } => Self::new(StatusCode::FORBIDDEN, code, message),
            Refusal::KeyReused { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", message)
                    .at("Idempotency-Key")
                    .hint("use a new key for a new request")
            }
            Refusal::InProgress { .. } => {
                Self::new(StatusCode::CONFLICT, "idempotency_key_in_progress", message)
                    .at("Idempotency-Key")
                    .hint("ask again in a moment with the same key")
            }
            Refusal::Overloaded { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", message),
            Refusal::Upstream { code, .. } => Self::new(StatusCode::BAD_GATEWAY, code, message),
            Refusal::Unavailable(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Blob(error) => error.into(),
            StoreError::Unavailable(_) | StoreError::Io { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
            }
            StoreError::InUse { .. }
            | StoreError::NewerFormat { .. }
            | StoreError::Key(_)
            | StoreError::Damaged(_)
            | StoreError::DamagedRow(_)
            | StoreError::UnreadableRow { .. }
            | StoreError::Envelope { .. }
            | StoreError::Inconsistent(_)
            | StoreError::Unfoldable { .. } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store_damaged", message)
                    .hint("run `xyn doctor` on the data folder")
            }
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        let message = error.to_string();
        match error {
            BlobError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not_found", message),
            BlobError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message),
            BlobError::Quota { .. } => Self::new(StatusCode::INSUFFICIENT_STORAGE, "quota_reached", message),
            BlobError::Damaged { .. } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "blob_damaged", message)
            }
            BlobError::Io { .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message),
        }
    }
}

/// The field that a JSON pointer names, as people write it: `/inputs/hosts/0` is `inputs.hosts[0]`.
fn field_path(pointer: &str) -> String {
    let mut path = String::with_capacity(pointer.len());
    for part in pointer.strip_prefix('/').map_or(pointer, |rest| rest).split('/') {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && !path.is_empty() {
            path.extend(["[", &part, "]"]);
        } else {
            path.extend([if path.is_empty() { "" } else { "." }, &part]);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_and_code(refusal: Refusal) -> (u16, String) {
        let error = ApiError::from(refusal);
        (error.fault().status.as_u16(), error.fault().code.to_string())
    }

    #[test]
    fn every_refusal_has_its_status() {
        let message = || "m".to_owned();
        let key = || "k".to_owned();
        let table = [
            (Refusal::invalid("unknown_field", "/inputs/x", "m"), 400, "unknown_field"),
            (Refusal::NotFound { kind: "run", id: key() }, 404, "not_found"),
            (Refusal::Conflict { code: "conflict", message: message() }, 409, "conflict"),
            (Refusal::Forbidden { code: "not_eligible", message: message() }, 403, "not_eligible"),
            (Refusal::KeyReused { key: key() }, 422, "idempotency_key_reused"),
            (Refusal::InProgress { key: key() }, 409, "idempotency_key_in_progress"),
            (Refusal::Overloaded { message: message() }, 429, "overloaded"),
            (Refusal::Upstream { code: "refused".into(), message: message() }, 502, "refused"),
            (Refusal::Unavailable(message()), 503, "unavailable"),
        ];
        for (refusal, status, code) in table {
            assert_eq!(status_and_code(refusal), (status, code.to_owned()));
        }
    }

    #[test]
    fn busy_answers_say_when_to_come_again() {
        let error = ApiError::from(Refusal::Overloaded { message: "full".into() });
        assert_eq!(error.fault().retry_after_s(), Some(RETRY_AFTER_S));
        assert_eq!(ApiError::not_found("run", "x").fault().retry_after_s(), None);
    }

    #[test]
    fn a_refused_input_names_its_field_as_people_write_it() {
        let error = ApiError::from(Refusal::invalid("wrong_type", "/inputs/hosts/0/a~1b", "m"));
        assert_eq!(error.fault().details["path"], "inputs.hosts[0].a/b");
        assert_eq!(field_path(""), "");
        assert_eq!(field_path("priority"), "priority");
    }
}
