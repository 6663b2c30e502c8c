//! From an answer to an output or a failure. Owns the output's shape and what of an answer is shown.
//!
//! Refuses to hold more of a body than the call allowed. Invariant: a failure after an answer to an unsafe
//! method is uncertain unless the peer itself said that it refused or failed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{self, HeaderMap};
use reqwest::{Response, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;
use xyn_store::Timestamp;

use super::request::Request;
use super::{is_secret, retry_after, transport};
use crate::actions::{Failure, REDACTED};
use crate::blueprint::FailureKind;

/// Headers of an answer whose values are never shown.
const SECRET_HEADERS: [&str; 3] = ["set-cookie", "authorization", "proxy-authorization"];
/// How much of a refusal's body is quoted to people.
const EXCERPT_BYTES: usize = 300;
/// Longest wait for that quote.
const EXCERPT_WAIT: Duration = Duration::from_secs(1);
/// Tokens shorter than this are no secrets worth hiding in an excerpt.
const MIN_SECRET_CHARS: usize = 6;

/// JSON Schema of the output.
pub(super) fn output_schema() -> Value {
    json!({
        "type": "object",
        "required": ["status", "headers", "body", "bytes", "url"],
        "additionalProperties": false,
        "properties": {
            "status": {"type": "integer", "description": "Status code of the last answer."},
            "headers": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "Headers by lowercase name; repeated ones joined, secrets redacted.",
            },
            "body": {"description": "Parsed JSON, else text, null when the body is empty or binary."},
            "body_base64": {"type": "string", "description": "The body when it is neither JSON nor UTF-8."},
            "bytes": {"type": "integer", "description": "Size of the body."},
            "url": {"type": "string", "description": "The URL that answered, after redirects."},
        },
    })
}

/// Reads the answer to `request`, which was sent at `now`, into an output.
pub(super) async fn read(
    request: &Request,
    mut response: Response,
    now: Timestamp,
) -> Result<Value, Failure> {
    let status = response.status();
    if !request.expects(status) {
        let excerpt = excerpt(request, &mut response).await;
        let retry_after = retry_after::asked(status, response.headers(), now);
        return Err(Failure { retry_after, ..unexpected(request, status, &excerpt) });
    }
    let body = bounded_body(request, &mut response).await?;
    output(request, status, response.headers(), &body)
}

async fn bounded_body(request: &Request, response: &mut Response) -> Result<Vec<u8>, Failure> {
    let too_large = || {
        let message = format!("{} answered more than {} bytes", request.label(), request.max_bytes);
        request.after_answer(FailureKind::Other, "body_too_large", message)
    };
    if response.content_length().is_some_and(|length| length > request.max_bytes) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| transport::failure(request, e))? {
        if (body.len() + chunk.len()) as u64 > request.max_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn output(request: &Request, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Value, Failure> {
    let mut output = Map::new();
    output.insert("status".into(), status.as_u16().into());
    output.insert("headers".into(), shown_headers(headers));
    let text = std::str::from_utf8(body);
    let value = if body.is_empty() {
        Value::Null
    } else if is_json(headers) {
        serde_json::from_slice(body).map_err(|e| {
            let message = format!("{} answered JSON that does not parse: {e}", request.label());
            request.after_answer(FailureKind::Other, "invalid_json", message)
        })?
    } else {
        text.map_or(Value::Null, Value::from)
    };
    output.insert("body".into(), value);
    if text.is_err() {
        output.insert("body_base64".into(), STANDARD.encode(body).into());
    }
    output.insert("bytes".into(), body.len().into());
    output.insert("url".into(), shown_url(&request.url).into());
    Ok(Value::Object(output))
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

fn shown_headers(headers: &HeaderMap) -> Value {
    let joined = |name| {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.collect::<Vec<_>>().join(", ")
    };
    let shown = headers.keys().map(|name| {
        let secret = SECRET_HEADERS.contains(&name.as_str());
        (name.as_str().to_owned(), if secret { REDACTED.into() } else { joined(name).into() })
    });
    Value::Object(shown.collect())
}

/// The URL with the values of secret query fields replaced.
fn shown_url(url: &Url) -> String {
    let secret = |name: &str| is_secret("query", name);
    if !url.query_pairs().any(|(name, _)| secret(&name)) {
        return url.to_string();
    }
    let shown: Vec<_> = url
        .query_pairs()
        .map(|(name, value)| if secret(&name) { (name, REDACTED.into()) } else { (name, value) })
        .collect();
    let mut url = url.clone();
    url.query_pairs_mut().clear().extend_pairs(shown);
    url.to_string()
}

fn unexpected(request: &Request, status: StatusCode, excerpt: &str) -> Failure {
    let message = format!("{} answered {}{excerpt}", request.label(), status.as_u16());
    let certain = |kind, code: &str| Failure {
        uncertain: request.took_effect,
        ..Failure::certain(kind, code, message.as_str())
    };
    match status {
        StatusCode::TOO_MANY_REQUESTS => certain(FailureKind::RateLimit, "rate_limited"),
        // A gateway that lost the peer behind it knows as little about the effect as we do.
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
            request.after_answer(FailureKind::Server, "gateway_error", message)
        }
        _ if status.is_server_error() => certain(FailureKind::Server, "server_error"),
        _ if status.is_client_error() => certain(FailureKind::Client, "client_error"),
        _ => request.after_answer(FailureKind::Other, "unexpected_status", message),
    }
}

/// The beginning of a refusal's text, without the secrets that the request carried.
async fn excerpt(request: &Request, response: &mut Response) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > EXCERPT_BYTES {
                break;
            }
        }
    };
    // The status is what counts: a body that breaks off or dawdles is quoted as far as it came.
    let _ = tokio::time::timeout(EXCERPT_WAIT, reading).await;
    let shown: String =
        String::from_utf8_lossy(&bytes).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let secrets = secrets(request);
    let shown = secrets.iter().fold(shown, |text, secret| text.replace(secret.as_str(), REDACTED));
    let end = shown.char_indices().map(|(at, _)| at).find(|at| *at >= EXCERPT_BYTES).unwrap_or(shown.len());
    let shown = shown[..end].trim();
    if shown.is_empty() { String::new() } else { format!(": {shown}") }
}

fn secrets(request: &Request) -> Vec<String> {
    let in_headers = request
        .headers
        .iter()
        .filter(|(name, _)| is_secret("headers", name.as_str()))
        .filter_map(|(_, value)| value.to_str().ok())
        .flat_map(str::split_whitespace)
        .map(str::to_owned);
    let in_query = request
        .url
        .query_pairs()
        .filter(|(name, _)| is_secret("query", name))
        .map(|(_, value)| value.into_owned());
    in_headers.chain(in_query).filter(|secret| secret.len() >= MIN_SECRET_CHARS).collect()
}
