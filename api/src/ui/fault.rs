//! Refusals and failures as a person reads them, and the headers that every page carries.

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use super::act::Refused;
use super::shell::{Shell, render};
use crate::error::{ApiError, Fault};
use crate::state::AppState;
use crate::trace::Interaction;

/// Only what the node itself serves, no script or style within a page, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What each answer says to the browser. The referrer stays, for this node alone: without it a form would
/// be sent with no origin, and refused.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

#[derive(Template)]
#[template(path = "fault.html")]
struct Page {
    shell: Shell,
    title: &'static str,
    tone: &'static str,
    message: String,
    hint: String,
    code: &'static str,
    details: Vec<(String, String)>,
    correlation_id: String,
    back: String,
    /// What was written, and where it can be mended.
    refused: Option<Refused>,
}

/// A refusal in place of a part of a page.
#[derive(Template)]
#[template(
    source = "<p class=\"told bad\" role=\"alert\"><strong>{{ message }}</strong> {{ hint }}</p>",
    ext = "html"
)]
struct Part<'a> {
    message: &'a str,
    hint: &'a str,
}

/// Lets a request through to a page, and shows what goes wrong as one.
pub(super) async fn shown(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().map(str::to_owned));
    let (headers, interaction) =
        (request.headers().clone(), request.extensions().get::<Interaction>().cloned());
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let mut shell = Shell::of(&path, query.as_deref(), &headers, &state);
        let correlation_id = interaction.map(|it| it.correlation_id.to_string()).unwrap_or_default();
        let back = came_from(headers.get(header::REFERER), headers.get(header::HOST));
        shell.here = back.clone();
        let refused = response.extensions_mut().remove::<Refused>();
        response = page(shell, error.fault(), correlation_id, back, refused)
            .unwrap_or_else(IntoResponse::into_response);
        *response.status_mut() = error.fault().status();
    }
    let kept = response.headers_mut();
    for (name, value) in HEADERS {
        kept.insert(name, HeaderValue::from_static(value));
    }
    kept.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn page(
    shell: Shell,
    fault: &Fault,
    correlation_id: String,
    back: String,
    refused: Option<Refused>,
) -> Result<Response, ApiError> {
    let hint = fault.details.get("hint").and_then(Value::as_str).unwrap_or_default();
    if shell.is_part {
        let part = Part { message: &fault.message, hint }.render();
        return part
            .map(|html| Html(html).into_response())
            .map_err(|error| ApiError::unexpected(&error.to_string()));
    }
    let (title, tone) = match fault.status() {
        StatusCode::ACCEPTED => ("It waits for approval", "wait"),
        StatusCode::NOT_FOUND => ("Not here", "bad"),
        StatusCode::FORBIDDEN => ("Not allowed", "bad"),
        StatusCode::CONFLICT => ("It does not fit what is there", "bad"),
        status if status.is_server_error() => ("The node could not do it", "bad"),
        _ => ("That did not fit", "bad"),
    };
    let details = fault.details.iter().filter(|(name, _)| *name != "hint");
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let page = Page {
        shell,
        title,
        tone,
        message: fault.message.clone(),
        hint: hint.to_owned(),
        code: fault.code.word(),
        details: details.map(|(name, value)| (name.clone(), text(value))).collect(),
        correlation_id,
        back,
        refused,
    };
    render(&page)
}

/// The page of this node that the request came from.
pub(super) fn came_from(referrer: Option<&HeaderValue>, host: Option<&HeaderValue>) -> String {
    let text = |value: Option<&HeaderValue>| value?.to_str().ok().map(str::to_owned);
    let page = text(referrer).zip(text(host)).and_then(|(referrer, host)| {
        let rest = referrer.strip_prefix("http://")?.strip_prefix(&host)?;
        rest.starts_with("/ui/").then(|| rest.to_owned())
    });
    page.unwrap_or_else(|| "/ui/events".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_leads_back_to_a_page_of_this_node_only() {
        let from = |referrer: &'static str| {
            let host = HeaderValue::from_static("localhost:4310");
            came_from(Some(&HeaderValue::from_static(referrer)), Some(&host))
        };
        assert_eq!(from("http://localhost:4310/ui/runs?status=failed"), "/ui/runs?status=failed");
        assert_eq!(from("http://localhost:4310.evil.example/ui/runs"), "/ui/events");
        assert_eq!(from("javascript:alert(1)"), "/ui/events");
        assert_eq!(came_from(None, None), "/ui/events");
    }
}
