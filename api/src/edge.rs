//! The edge: the one thing every request passes on its way in and every answer on its way out.
//!
//! Owns correlation and trace ids, the guard, the time limit, panics, the rendering of errors, counting and
//! the access log. It is one function and not a tower of layers, because each layer costs every request.
//! Invariant: no answer leaves without a correlation id, no error without its shape.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tracing::Instrument;

use crate::error::{ApiError, Code, ErrorBody, ErrorShape, Problem};
use crate::extract::takes;
use crate::limits::{LENGTHY_TIMEOUT, REQUEST_TIMEOUT, UPLOAD_TIMEOUT};
use crate::metrics::UNMATCHED;
use crate::rate::Peer;
use crate::state::AppState;
use crate::trace::Interaction;

/// The media type of RFC 9457.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Routes whose callers are not limited.
const UNLIMITED: [&str; 4] = ["/api/v1/health", "/healthz", "/readyz", "/metrics"];

/// Routes whose requests take as long as capsules and blobs are large, or as what is built first.
const LENGTHY: [&str; 10] = [
    "/api/v1/artifacts/blobs",
    "/api/v1/capsule-imports",
    "/api/v1/capsules",
    "/api/v1/capsules/{capsule}/pull",
    "/api/v1/capsules/{capsule}/verify",
    "/api/v1/deployments",
    "/api/v1/deployments/{deployment}/rollback",
    // Of any action, those on capsules among them.
    "/api/v1/intents",
    "/ui/capsules",
    "/ui/do/{action}",
];
/// Routes of other uploads.
const UPLOADS: [&str; 2] = ["/api/v1/artifacts", "/ui/artifacts"];

/// Takes `request` in, has it served and lets the answer out.
pub(crate) async fn pass(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let wants_problem = accepts_problem(request.headers());
    let (interaction, known) = Interaction::of(request.headers(), state.runtime().clock().now());
    let path = route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
    let span =
        tracing::debug_span!("request", %method, route = path, correlation_id = %interaction.correlation_id);

    let admitted = known.and_then(|()| admit(&state, path, &mut request, &interaction));
    let mut response = match admitted {
        Ok(()) => serve(request, next, path).instrument(span.clone()).await,
        Err(error) => error.into_response(),
    };
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        response = render(&error, response, &interaction, wants_problem);
    }
    interaction.write(response.headers_mut());
    let took = began.elapsed();
    state.metrics().count(&method, path, response.status(), took);
    span.in_scope(|| report(response.status(), took.as_micros()));
    response
}

fn admit(
    state: &AppState,
    path: &str,
    request: &mut Request,
    interaction: &Interaction,
) -> Result<(), ApiError> {
    state.guard().check(request)?;
    // Whoever watches over the node must see it when it is busy most of all.
    if let Some(Peer(address)) = request.extensions().get().filter(|_| !UNLIMITED.contains(&path)) {
        state.addresses().take(|| *address, Instant::now())?;
    }
    if let Some(query) = request.uri().query() {
        takes(request.method(), path, query)?;
    }
    request.extensions_mut().insert(interaction.clone());
    Ok(())
}

async fn serve(request: Request, next: Next, path: &str) -> Response {
    let limit = limit(request.method(), path);
    let served = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(limit, served).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => ApiError::unexpected(&panic_message(&*panic)).into_response(),
        Err(_) => {
            let message = format!("the request took longer than {} seconds", limit.as_secs());
            ApiError::new(Code::TimedOut, message).into_response()
        }
    }
}

/// How long the answer to a request may take until it begins.
fn limit(method: &Method, path: &str) -> Duration {
    match *method {
        // The sender of a body may not pause for long, whatever it has.
        Method::POST if LENGTHY.contains(&path) => LENGTHY_TIMEOUT,
        Method::POST if UPLOADS.contains(&path) => UPLOAD_TIMEOUT,
        _ => REQUEST_TIMEOUT,
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}

/// Whether the caller asks for problems as RFC 9457 has them.
fn accepts_problem(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| {
        accepted.split(',').any(|part| part.split(';').next().is_some_and(|kind| kind.trim() == PROBLEM_JSON))
    })
}

/// Puts the error's body into `response`, whose headers stay.
fn render(error: &ApiError, response: Response, interaction: &Interaction, as_problem: bool) -> Response {
    let fault = error.fault();
    let correlation_id = interaction.correlation_id.as_str();
    let (code, message, details) = (fault.code.word(), &*fault.message, &fault.details);
    let (kind, body) = if as_problem {
        let title = fault.status().canonical_reason().unwrap_or("Error");
        let (kind, status) = (format!("urn:xyn:error:{code}"), fault.status().as_u16());
        let problem = Problem { kind, title, status, detail: message, code, details, correlation_id };
        (PROBLEM_JSON, serde_json::to_vec(&problem))
    } else {
        let error = ErrorShape { code, message, details };
        ("application/json", serde_json::to_vec(&ErrorBody { error, correlation_id }))
    };
    let body = body.expect("errors have string keys and finite numbers");
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(seconds) = fault.retry_after_s() {
        parts.headers.insert(header::RETRY_AFTER, seconds.into());
    }
    Response::from_parts(parts, body.into())
}

fn report(status: StatusCode, took_us: u128) {
    let status = status.as_u16();
    if status >= 500 {
        tracing::error!(status, took_us, "request failed");
    } else {
        tracing::debug!(status, took_us, "request served");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(accept: &'static str) -> bool {
        accepts_problem(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
    }

    #[test]
    fn acts_on_capsules_and_uploads_have_time_for_what_is_large_and_no_other_route_of_the_document_has() {
        let document = crate::document(&xyn_actors::actions::builtin());
        for (path, methods) in document["paths"].as_object().expect("paths") {
            let action = methods["post"]["x-xyn-action"].as_str().unwrap_or_default();
            let is_any = ["/api/v1/artifacts/blobs", "/api/v1/intents"].contains(&path.as_str());
            let expected = match action {
                "capsule.trust" => REQUEST_TIMEOUT,
                "artifacts.put" => UPLOAD_TIMEOUT,
                _ if is_any || action.starts_with("capsule.") => LENGTHY_TIMEOUT,
                _ => REQUEST_TIMEOUT,
            };
            assert_eq!(limit(&Method::POST, path), expected, "{path}");
            assert_eq!(limit(&Method::GET, path), REQUEST_TIMEOUT, "{path}");
        }
        // Studio's forms are not in it.
        let ui = ["/ui/capsules", "/ui/do/{action}", "/ui/artifacts", "/ui/mesh"];
        let limits = ui.map(|path| limit(&Method::POST, path));
        assert_eq!(limits, [LENGTHY_TIMEOUT, LENGTHY_TIMEOUT, UPLOAD_TIMEOUT, REQUEST_TIMEOUT]);
    }

    #[test]
    fn problems_are_for_those_who_ask_for_them() {
        assert!(asks("application/problem+json"));
        assert!(asks("application/json, application/problem+json;q=0.9"));
        assert!(!asks("application/json"));
        assert!(!asks("*/*"));
        assert!(!accepts_problem(&HeaderMap::new()));
    }
}
