//! Webhooks: signed messages from outside become events.
//!
//! The signature is checked before anything else is looked at. A message that is sent again has the same
//! event id, so it is accepted once and answered the same.

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::governance::Identity;
use xyn_actors::intake::webhook::{self, Rejection};
use xyn_actors::runtime::Hook;
use xyn_store::scope::Principal;

use super::created;
use crate::dto::EventRef;
use crate::error::{ApiError, Code};
use crate::extract::{PathId, read_body};
use crate::headers::Caller;
use crate::limits::HOOK_BODY_MAX_BYTES;
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(receive))
}

/// Accepts a webhook that is signed as Standard Webhooks has it.
#[utoipa::path(
    post,
    path = "/api/v1/hooks/{hook}",
    extensions(("x-xyn-intent" = json!(true))),
    tag = "hooks",
    operation_id = "receive_hook",
    params(
        ("hook" = inline(schema::Name), Path, description = "The hook's name in the node's configuration."),
        ("webhook-id" = String, Header, description = "The message's id, the same over its retries."),
        ("webhook-timestamp" = String, Header, description = "When it was sent, in seconds since 1970."),
        ("webhook-signature" = String, Header, description = "Signatures of id, time and body.")
    ),
    request_body(content((serde_json::Value = "application/json")), description = "What the sender says."),
    responses(
        (
            status = 201,
            description = "The event is durable. A message sent again is answered the same.",
            body = EventRef
        ),
        (status = 401),
        (status = 404)
    )
)]
async fn receive(
    State(state): State<AppState>,
    PathId(hook): PathId<String>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let configured = state.runtime().env().hooks.iter().find(|known| known.name == hook);
    let configured = configured.ok_or_else(|| ApiError::not_found("hook", &hook))?;
    let (parts, body) = request.into_parts();
    let body = read_body(&parts.headers, body, HOOK_BODY_MAX_BYTES).await?;
    let now = state.runtime().clock().now();
    let header = |name: &str| parts.headers.get(name).map(http::HeaderValue::as_bytes);
    let verified =
        webhook::verify(&secrets(configured)?, header, &body, now).map_err(|why| rejected(&why))?;
    let input = json!({
        "event_id": verified.event_id(&hook).to_string(),
        "event_name": configured.event_name,
        "occurred_at": verified.sent_at.to_string(),
        "data": data(&parts.headers, &body)?,
    });
    let identity = Identity::bare(Principal::new(format!("webhook:{hook}")));
    let intent = caller.intent_of(&state, identity, "events.emit", input);
    let outcome = state.submit(intent).await?;
    let id = outcome.output.get("event_id").and_then(Value::as_str).unwrap_or_default();
    Ok(created(&format!("/api/v1/events/{id}"), &outcome.output))
}

fn secrets(hook: &Hook) -> Result<Vec<webhook::Secret>, ApiError> {
    let secrets = hook.secrets.iter().map(|secret| secret.parse());
    secrets.collect::<Result<_, _>>().map_err(|error: webhook::InvalidSecret| {
        ApiError::unexpected(&format!("hook `{}`: {error}", hook.name))
    })
}

/// What the body says: JSON where it is JSON, otherwise its text.
fn data(headers: &HeaderMap, body: &Bytes) -> Result<Value, ApiError> {
    let is_json = crate::extract::media_type(headers).is_none_or(|kind| kind.ends_with("json"));
    match std::str::from_utf8(body) {
        Ok("") => Ok(Value::Null),
        Ok(_) if is_json => crate::extract::parse_json(body),
        Ok(text) => Ok(text.into()),
        Err(error) => Err(ApiError::invalid("body", format!("the body is not UTF-8: {error}"))),
    }
}

fn rejected(why: &Rejection) -> ApiError {
    let (code, header) = match why {
        Rejection::Missing(header) => (Code::SignatureMissing, *header),
        Rejection::Malformed { header, .. } => (Code::SignatureMalformed, *header),
        Rejection::Stale(_) | Rejection::Early(_) => (Code::MessageOutOfTime, "webhook-timestamp"),
        Rejection::NoMatch => (Code::SignatureMismatch, "webhook-signature"),
    };
    ApiError::new(code, why.to_string()).at(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_signature_says_why() {
        let table = [
            (Rejection::Missing("webhook-id"), Code::SignatureMissing),
            (Rejection::Stale(400), Code::MessageOutOfTime),
            (Rejection::Early(400), Code::MessageOutOfTime),
            (Rejection::NoMatch, Code::SignatureMismatch),
        ];
        for (why, code) in table {
            let error = rejected(&why);
            assert_eq!(error.fault().code, code);
        }
    }

    #[test]
    fn a_body_is_read_as_json_unless_it_says_otherwise() {
        let of = |kind: Option<&'static str>, body: &'static [u8]| {
            let kind = kind.map(|kind| (http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind)));
            data(&kind.into_iter().collect(), &Bytes::from_static(body)).ok()
        };
        assert_eq!(of(Some("application/json"), b"{\"a\":1}"), Some(json!({"a": 1})));
        assert_eq!(of(None, b"[1]"), Some(json!([1])));
        assert_eq!(of(Some("text/plain"), b"{"), Some(json!("{")));
        assert_eq!(of(Some("application/json"), b""), Some(Value::Null));
        assert_eq!(of(Some("application/json"), b"{"), None);
        assert_eq!(of(Some("text/plain"), b"\xff"), None);
    }
}
