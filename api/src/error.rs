//! Errors: what went wrong, where, and what to do next.
//!
//! Owns the shape of errors; their codes are one table in [`code`], and what the floors below refuse is
//! mapped to it in [`from`]. An [`ApiError`] travels inside its response and is rendered at the edge, where
//! the correlation id and what the caller accepts are known. Invariant: no answer of 400 or above has
//! another shape.

mod code;
mod from;

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use code::Code;

use crate::limits::RETRY_AFTER_S;

/// An answer that is not what was asked for.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Arc<Fault>);

/// What an [`ApiError`] says.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Its row of the table.
    pub(crate) code: Code,
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
    #[schema(schema_with = code::schema)]
    pub(crate) code: &'a str,
    /// Sentence for people.
    pub(crate) message: &'a str,
    /// What else is known: `hint` says what to do next; `path` says where, by the name of the field,
    /// parameter or header, or as `body`, `path` or `method` for the whole of one; and more.
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
    #[schema(schema_with = code::schema)]
    pub(crate) code: &'a str,
    /// What else is known.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object, required = false)]
    pub(crate) details: &'a Map<String, Value>,
    /// The interaction it belongs to.
    pub(crate) correlation_id: &'a str,
}

impl ApiError {
    /// An error of the table with a sentence about the case, and the table's hint.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let details = Map::from_iter([("hint".to_owned(), code.hint().into())]);
        Self(Arc::new(Fault { code, message: message.into(), details, later_s: RETRY_AFTER_S }))
    }

    /// A value of the request that does not fit; `path` is the field, parameter or header.
    pub(crate) fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message).at(path)
    }

    /// Something that is not there.
    pub(crate) fn not_found(kind: &str, id: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no {kind} `{id}`")).with("kind", kind)
    }

    /// Something that must not happen did. The cause is for the log, not for the caller.
    pub(crate) fn unexpected(cause: &str) -> Self {
        tracing::error!(cause, "a request came to an unexpected end");
        Self::new(Code::Internal, "the node failed to answer; its log says why")
    }

    /// Names the field, parameter or header.
    pub(crate) fn at(self, path: impl Into<String>) -> Self {
        let path = path.into();
        if path.is_empty() { self } else { self.with("path", path) }
    }

    /// Says better than the table what to do next.
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
    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// When a caller may come again, in seconds.
    pub(crate) fn retry_after_s(&self) -> Option<u32> {
        let busy = matches!(self.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        busy.then_some(self.later_s)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_answers_say_when_to_come_again() {
        let after = |code| ApiError::new(code, "m").fault().retry_after_s();
        for code in [Code::Overloaded, Code::TooManyStreams, Code::Unavailable, Code::Stopping] {
            assert_eq!(after(code), Some(RETRY_AFTER_S), "{code:?}");
        }
        assert_eq!(after(Code::NotFound), None);
    }

    #[test]
    fn a_case_may_know_a_better_hint_than_the_table() {
        let error = ApiError::invalid("priority", "it is no number");
        assert_eq!(error.fault().details["hint"], Code::Invalid.hint());
        assert_eq!(error.hint("send 1").fault().details["hint"], "send 1");
    }
}
