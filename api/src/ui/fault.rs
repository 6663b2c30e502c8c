//! Refusals and failures as a person reads them, and the headers that every page carries.

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use super::act::Refused;
use super::shell::{Shell, render};
use crate::error::{ApiError, Code, Fault};
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
    let hint = hint(fault);
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
    let is_whole = |value: &Value| ["path", "method", "body"].iter().any(|whole| value == whole);
    let details = fault.details.iter().filter(|(name, value)| match name.as_str() {
        "hint" | "kind" => false,
        // What is wrong with the whole of a request is nothing that was written in one field.
        "path" => !is_whole(value),
        _ => true,
    });
    let name = |name: &str| if name == "path" { "Where".to_owned() } else { name.to_owned() };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let page = Page {
        shell,
        title,
        tone,
        message: fault.message.clone(),
        hint: hint.to_owned(),
        code: fault.code.word(),
        details: details.map(|(said, value)| (name(said), text(value))).collect(),
        correlation_id,
        back,
        refused,
    };
    render(&page)
}

/// What helps somebody at a page, where the API's own hint speaks of requests, fields and routes.
fn hint(fault: &Fault) -> &str {
    let said = fault.details.get("hint").and_then(Value::as_str).unwrap_or_default();
    if said != fault.code.hint() && !said.contains("/api/") {
        return said;
    }
    let kind = fault.details.get("kind").and_then(Value::as_str);
    match fault.code {
        Code::NotFound if kind == Some("branch") => {
            "choose one that is there, or begin it at a moment in the Time Machine"
        }
        Code::NotFound if kind == Some("label") => {
            "choose one that is there, or give it to a moment in the Time Machine"
        }
        Code::Invalid => "go back, and change what is named here",
        Code::NotFound | Code::NoRoute => "go back, or look for it in the list of its kind",
        Code::ApprovalRequired | Code::NoOpenGate | Code::NotParked | Code::NotAsked => {
            "see what waits under Approvals"
        }
        Code::NotApproved | Code::AnsweredMeanwhile | Code::ApprovalRefused => {
            "see how it stands under Approvals"
        }
        Code::DeniedByPolicy => "ask under Policies which rule decided, and why",
        Code::RunEnded => "retry it, or fork it, on the page of the run",
        Code::ValidationFailed | Code::NotValidated => "see every fault in the editor of the blueprint",
        Code::MergeConflicts => "say whose is right, for each place or for all",
        Code::FilesMissing | Code::RunElsewhere | Code::NotRotating => "see who is connected under Mesh",
        Code::KeyChanging => "have it confirmed on a node above this one, under Mesh",
        Code::UnknownTicket | Code::TicketUsed | Code::TicketExpired => "make a new ticket under Mesh",
        Code::DraftOutdated | Code::TooSlow | Code::TimedOut => {
            "go back, see how it stands now, and do it again"
        }
        Code::UnsavedChanges => "take a snapshot first, or say that changes may be lost",
        Code::WorkspaceExists | Code::BranchExists => "choose another name, or use the one that is there",
        Code::BranchClosed => "take the branch out again, or name another",
        Code::CapsuleUntrusted => "name the keys that you trust, or put a key ring into force",
        Code::CapsuleElsewhere => "fetch it under Capsules",
        Code::ServiceMissing | Code::SecretMissing => "keep what is named here with: xyn secret put",
        Code::PortTaken => "name another port, or close what has it",
        Code::NothingBefore => "deploy another capsule",
        Code::ConfirmationRequired => "read what is about to happen, and confirm it",
        Code::Overloaded | Code::RateLimited | Code::TooManyStreams | Code::Unavailable => {
            "try again in a moment"
        }
        Code::Internal => "look in the node's log for the interaction named here",
        _ if ["`GET ", "`POST ", "details.", "Retry-After"].iter().any(|word| said.contains(word)) => "",
        _ => said,
    }
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
    fn what_to_do_is_said_in_words_of_the_pages() {
        for code in Code::ALL {
            let error = ApiError::new(*code, "no");
            let hint = hint(error.fault());
            for word in ["/api/", "details.", "Retry-After", "the request", "Idempotency-Key"] {
                assert!(!hint.contains(word), "{code:?}: {hint}");
            }
        }
        let of_the_case = ApiError::new(Code::NotFound, "no").hint("look there");
        assert_eq!(hint(of_the_case.fault()), "look there");
    }

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
