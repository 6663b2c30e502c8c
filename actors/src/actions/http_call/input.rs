//! The shape of an input and how it becomes a request. Owns the limits an author cannot pass.
//!
//! Refuses what would change the framing of the request or smuggle a second one into it.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::request::Request;
use super::{IDEMPOTENCY_KEY, TRACEPARENT, trace};
use crate::actions::{Context, Failure};
use crate::blueprint::FailureKind;

/// Time a call may take when its input does not say.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time an input may ask for.
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);
/// Size an answer may have when the input does not say.
const DEFAULT_MAX_BYTES: u64 = 1 << 20;
/// Largest size of an answer or a request body.
const MAX_BYTES: u64 = 16 << 20;
/// Headers that belong to the connection, not to the author.
const OWN_HEADERS: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];
/// Method of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
pub(super) enum Verb {
    #[default]
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    /// Whether doing it twice is doing it once (RFC 9110 §9.2.2).
    pub(super) fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }
}

/// A value of a query or form field.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Field {
    Text(String),
    Number(serde_json::Number),
    Flag(bool),
    List(Vec<String>),
}

/// Input of `http.call`. A field that is null counts as absent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Method, GET by default.
    method: Option<Verb>,
    /// Absolute URL, http or https, without user name and password.
    url: String,
    /// Request headers.
    headers: Option<BTreeMap<String, String>>,
    /// Query fields, added to those of the URL.
    query: Option<BTreeMap<String, Field>>,
    /// JSON body. At most one of json, form, body and body_base64 may be given.
    json: Option<Value>,
    /// Form body.
    form: Option<BTreeMap<String, Field>>,
    /// Text body.
    body: Option<String>,
    /// Binary body in standard base64.
    body_base64: Option<String>,
    /// Time the whole call may take, redirects included, such as `30s`; 60s by default, at most 1h.
    timeout: Option<String>,
    /// Largest answer; 1 MiB by default, at most 16 MiB.
    #[schemars(range(min = 1, max = MAX_BYTES))]
    max_bytes: Option<u64>,
    /// Whether up to 5 redirects are followed; true by default.
    follow_redirects: Option<bool>,
    /// Status codes that count as success; by default 2xx, and 3xx when redirects are not followed.
    #[schemars(inner(range(min = 100, max = 599)))]
    expect_status: Option<Vec<u16>>,
}

/// Reads `input`. The call's key and trace are sent as `Idempotency-Key` and `traceparent` unless the author set them.
pub(super) fn parse(input: Value, context: &Context) -> Result<Request, Failure> {
    let mut input: Input = serde_json::from_value(input).map_err(|e| invalid(e.to_string()))?;
    let mut url = Url::parse(&input.url).map_err(|e| invalid(format!("`url` is no absolute URL: {e}")))?;
    if let Some(query) = input.query.take().filter(|query| !query.is_empty()) {
        url.query_pairs_mut().extend_pairs(pairs(&query));
    }
    url.set_fragment(None);
    let mut headers = author_headers(input.headers.take().unwrap_or_default())?;
    let body = body(&mut input, &mut headers)?;
    if !headers.contains_key(IDEMPOTENCY_KEY) {
        let key = HeaderValue::from_str(&context.idempotency_key);
        let key = key.map_err(|_| invalid("the idempotency key is no header value"))?;
        headers.insert(IDEMPOTENCY_KEY, key);
    }
    headers.entry(TRACEPARENT).or_insert_with(|| trace::parent(context));
    let max_bytes = input.max_bytes.unwrap_or(DEFAULT_MAX_BYTES);
    if !(1..=MAX_BYTES).contains(&max_bytes) {
        return Err(invalid(format!("`max_bytes` must be 1 to {MAX_BYTES}")));
    }
    Ok(Request {
        method: method(input.method.unwrap_or_default()),
        url,
        headers,
        body,
        timeout: input.timeout.as_deref().map_or(Ok(DEFAULT_TIMEOUT), timeout)?,
        max_bytes,
        follow_redirects: input.follow_redirects.unwrap_or(true),
        expect_status: input.expect_status,
        took_effect: false,
    })
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::certain(FailureKind::Other, "invalid_input", message)
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::GET,
        Verb::Head => Method::HEAD,
        Verb::Options => Method::OPTIONS,
        Verb::Post => Method::POST,
        Verb::Put => Method::PUT,
        Verb::Patch => Method::PATCH,
        Verb::Delete => Method::DELETE,
    }
}

fn author_headers(given: BTreeMap<String, String>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::with_capacity(given.len() + 2);
    for (name, value) in given {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| invalid(format!("`headers`: {name:?} is no header name")))?;
        if OWN_HEADERS.contains(&parsed.as_str()) {
            return Err(invalid(format!("`headers.{name}` is set by the connection and cannot be given")));
        }
        // The value may be a secret, so the message names the header only.
        let value = HeaderValue::from_str(&value).map_err(|_| {
            invalid(format!("`headers.{name}` holds a line break or another character no header may hold"))
        })?;
        if headers.insert(parsed, value).is_some() {
            return Err(invalid(format!("`headers.{name}` is given twice in different case")));
        }
    }
    Ok(headers)
}

fn body(input: &mut Input, headers: &mut HeaderMap) -> Result<Option<Vec<u8>>, Failure> {
    let mut bodies = Vec::new();
    if let Some(json) = input.json.take() {
        bodies.push((json.to_string().into_bytes(), "application/json"));
    }
    if let Some(form) = input.form.take() {
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs(&form)).finish();
        bodies.push((text.into_bytes(), "application/x-www-form-urlencoded"));
    }
    if let Some(text) = input.body.take() {
        bodies.push((text.into_bytes(), "text/plain; charset=utf-8"));
    }
    if let Some(text) = input.body_base64.take() {
        let bytes = STANDARD.decode(text).map_err(|e| invalid(format!("`body_base64` is no base64: {e}")))?;
        bodies.push((bytes, "application/octet-stream"));
    }
    if bodies.len() > 1 {
        return Err(invalid("give at most one of `json`, `form`, `body` and `body_base64`"));
    }
    let Some((bytes, content_type)) = bodies.pop() else {
        return Ok(None);
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(invalid(format!("the request body is larger than {MAX_BYTES} bytes")));
    }
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
    Ok(Some(bytes))
}

fn pairs(fields: &BTreeMap<String, Field>) -> Vec<(&str, String)> {
    let texts = |field: &Field| match field {
        Field::Text(text) => vec![text.clone()],
        Field::Number(number) => vec![number.to_string()],
        Field::Flag(flag) => vec![flag.to_string()],
        Field::List(items) => items.clone(),
    };
    fields
        .iter()
        .flat_map(|(name, field)| texts(field).into_iter().map(move |text| (name.as_str(), text)))
        .collect()
}

fn timeout(text: &str) -> Result<Duration, Failure> {
    let bad = || invalid(format!("`timeout`: `{text}` is no duration between 1ms and 1h, such as `30s`"));
    let signed: jiff::SignedDuration = text.parse().map_err(|_| bad())?;
    let duration = Duration::try_from(signed).map_err(|_| bad())?;
    if (Duration::from_millis(1)..=MAX_TIMEOUT).contains(&duration) { Ok(duration) } else { Err(bad()) }
}
