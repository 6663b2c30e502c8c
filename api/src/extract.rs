//! What handlers are given: bodies, queries and path parameters, read strictly.
//!
//! Owns the wording of what does not fit. Unknown fields and parameters are refused, limits hold while the
//! body is still arriving, and each error names the field. Invariant: a handler never sees input that does
//! not parse.

mod body;
mod query;

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use xyn_actors::wording;
use xyn_store::ids;
use xyn_store::legible::quoted;

pub(crate) use body::{in_time, read_body, too_large};
pub(crate) use query::takes;

use crate::error::{ApiError, Code};
use crate::limits::BODY_MAX_BYTES;

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A JSON body that may be left out.
pub(crate) struct OptionalJson<T>(pub(crate) T);

/// Query parameters.
pub(crate) struct Params<T>(pub(crate) T);

/// The only parameter of a path.
pub(crate) struct PathId<T>(pub(crate) T);

/// The only parameter of a path, when it is a name that somebody gave.
pub(crate) struct NamePath(pub(crate) String);

/// A value that is read from its text form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parsed<T>(pub(crate) T);

/// Begins the message of a fault within an [`Object`]; its place there follows, and then the message itself.
const BELOW: &str = "below ";

/// A JSON object below the top of a body; not a list of its values.
#[derive(Clone, Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = serde_json::Map::deserialize(deserializer)?;
        let read = serde_path_to_error::deserialize(serde_json::Value::Object(fields));
        // Whoever reads the whole knows the place of the object, and is told the place in it.
        read.map(Self)
            .map_err(|error| D::Error::custom(format!("{BELOW}{}: {}", error.path(), error.inner())))
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        require_json(&parts.headers)?;
        let bytes = read_body(&parts.headers, body, BODY_MAX_BYTES).await?;
        parse_object(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(&parts.headers, body, BODY_MAX_BYTES).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        require_json(&parts.headers)?;
        parse_object(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let query = serde_urlencoded::Deserializer::new(pairs);
        serde_path_to_error::deserialize(query).map(Self).map_err(|error| {
            let path = error.path().to_string();
            refused_at(&path, &error.into_inner().to_string())
        })
    }
}

impl<T: FromStr<Err: Display>, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = path_params(parts, state).await?;
        let (name, value) = params.iter().next().ok_or_else(|| ApiError::unexpected("a route without id"))?;
        value.parse().map(Self).map_err(|error: T::Err| ApiError::invalid(name, error.to_string()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NamePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let PathId(name) = PathId::<String>::from_request_parts(parts, state).await?;
        // Rows are found by a key that ends at a NUL, so a name that holds one is nobody's.
        if name.contains('\0') { Err(ApiError::not_found("name", "\\0")) } else { Ok(Self(name)) }
    }
}

/// The parameters of a path, percent-decoded.
pub(crate) async fn path_params<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
) -> Result<RawPathParams, ApiError> {
    let params = RawPathParams::from_request_parts(parts, state).await;
    params.map_err(|rejection| ApiError::invalid("path", rejection.body_text()))
}

/// A body of another type than the route takes.
pub(crate) fn unsupported(found: Option<&str>, wanted: &str) -> ApiError {
    let found = found.map_or("no content type".to_owned(), |found| format!("`{found}`"));
    let message = format!("the body is {found}; this route takes {wanted}");
    ApiError::new(Code::UnsupportedMediaType, message)
        .at("Content-Type")
        .hint(format!("send the header `Content-Type: {wanted}`"))
}

/// The media type of a body without its parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Whether a media type is one of JSON.
pub(crate) fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json")
}

fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    match media_type(headers) {
        Some(kind) if is_json(&kind) => Ok(()),
        other => Err(unsupported(other.as_deref(), "application/json")),
    }
}

/// Reads a JSON document, and says where it does not fit.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut document = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut document).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        // What is no JSON at all is said first, wherever the reader stopped.
        let broken = serde_json::from_slice::<IgnoredAny>(bytes).err();
        match broken.filter(|_| error.is_data()) {
            None if error.is_data() => refused_at(&path, &error.to_string()),
            broken => malformed(&broken.unwrap_or(error)),
        }
    })?;
    document.end().map_err(|error| malformed(&error))?;
    Ok(parsed)
}

/// Reads a JSON object. Without this a list would pass for a structure, by the order of its fields.
pub(crate) fn parse_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    match bytes.trim_ascii_start().first() {
        Some(b'[' | b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => {
            // What is no JSON at all is said first.
            let value: serde_json::Value = parse_json(bytes)?;
            Err(ApiError::invalid("body", wording::other_kind(wording::kind(&value), "an object")))
        }
        _ => parse_json(bytes),
    }
}

fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::new(Code::MalformedJson, format!("the body is not JSON: {error}"))
        .at("body")
        .with("line", error.line())
        .with("column", error.column())
}

/// An error of a deserializer at `path`, which is `.` for the whole. Of a field that is missing or not known
/// the deserializer names the structure it belongs to, and the field itself in its words.
fn refused_at(path: &str, message: &str) -> ApiError {
    let path = path.trim_end_matches(".?").trim_matches('.').trim_matches('?');
    let joined = |below: &str| match path {
        "" => below.to_owned(),
        _ if below == path || path.ends_with(&format!(".{below}")) => path.to_owned(),
        _ => format!("{path}.{below}"),
    };
    if let Some((below, message)) = message.strip_prefix(BELOW).and_then(|rest| rest.split_once(": ")) {
        return refused_at(&if below == "." { path.to_owned() } else { joined(below) }, message);
    }
    let said = |before: &str| Some(message.strip_prefix(before)?.split_once('`')?.0);
    let named = ["missing field `", "unknown field `", "duplicate field `"].into_iter().find_map(said);
    ApiError::invalid(named.map_or_else(|| path.to_owned(), joined), worded(message))
}

/// A deserializer's message in the words of this API.
fn worded(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let quoted_in = |before: &str| message.strip_prefix(before)?.split_once('`');
    let known = |rest: &str| {
        let names: Vec<_> = rest.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        names
    };
    if let Some((word, rest)) = quoted_in("unknown variant `") {
        let known = rest.strip_prefix(", expected ").unwrap_or_default().trim_start_matches("one of ");
        return format!("`{}` is none of {known}", quoted(word));
    }
    if let Some((field, rest)) = quoted_in("unknown field `") {
        return wording::unknown(field, known(rest).iter().map(String::as_str));
    }
    if let Some((field, _)) = quoted_in("missing field `") {
        return wording::missing(field);
    }
    if let Some((field, _)) = quoted_in("duplicate field `") {
        return wording::twice(field);
    }
    if message.starts_with("UUID parsing failed") {
        return format!("the value is not a UUID, which looks like `{}`", ids::EXAMPLE);
    }
    let faults = |before: &str| message.strip_prefix(before)?.rsplit_once(", expected ");
    match (faults("invalid type: "), faults("invalid value: ")) {
        (Some((given, wanted)), _) => wording::other_kind(given_kind(given), wanted_kind(wanted)),
        (_, Some((_, wanted))) => format!("the value is not {}", wanted_kind(wanted)),
        _ => message.to_owned(),
    }
}

/// The kind of a value that a deserializer did not expect, without the value.
fn given_kind(said: &str) -> &'static str {
    match said.split(' ').next().unwrap_or_default() {
        "boolean" => "a boolean",
        "integer" | "floating" => "a number",
        "string" => "a string",
        "sequence" => "a list",
        "map" => "an object",
        "null" | "unit" => "null",
        _ => "of another kind",
    }
}

/// What a deserializer expects, in words of JSON.
fn wanted_kind(said: &str) -> &str {
    match said {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0 on",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        "a formatted UUID string" => "a UUID",
        _ if said.starts_with("struct ") => "an object",
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        #[serde(default)]
        count: u8,
        #[serde(default)]
        labels: BTreeMap<String, String>,
        inner: Option<Inner>,
        object: Option<Object<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        size: u8,
    }

    fn refused(body: &[u8]) -> (Code, Option<String>) {
        let error = parse_object::<Thing>(body).expect_err("does not fit");
        let path = error.fault().details.get("path").and_then(|path| path.as_str().map(str::to_owned));
        (error.fault().code, path)
    }

    #[test]
    fn a_body_that_does_not_fit_names_the_field() {
        assert_eq!(refused(br#"{"count":"x"}"#), (Code::Invalid, Some("count".into())));
        assert_eq!(refused(br#"{"labels":{"a":1}}"#), (Code::Invalid, Some("labels.a".into())));
        assert_eq!(refused(br#"{"colour":1}"#), (Code::Invalid, Some("colour".into())));
        for body in ["[]", "[1, {}]", "null", "1", "\"x\"", "true"] {
            assert_eq!(refused(body.as_bytes()), (Code::Invalid, Some("body".into())), "{body}");
        }
        assert_eq!(refused(br#"{"inner":{"colour":1}}"#), (Code::Invalid, Some("inner.colour".into())));
        assert_eq!(refused(br#"{"inner":{}}"#), (Code::Invalid, Some("inner.size".into())));
        assert_eq!(refused(br#"{"object":{"size":"x"}}"#), (Code::Invalid, Some("object.size".into())));
        assert_eq!(refused(br#"{"object":{"colour":1}}"#), (Code::Invalid, Some("object.colour".into())));
        assert_eq!(refused(br#"{"object":[]}"#), (Code::Invalid, Some("object".into())));
        assert_eq!(refused(br#"{"count":1,"count":2}"#), (Code::Invalid, Some("count".into())));
        let text = br#" {"count":1,"labels":{"a":"b"},"inner":{"size":2},"object":{"size":3}}"#;
        let thing: Thing = parse_object(text).expect("fits");
        assert_eq!((thing.count, thing.labels.len(), thing.inner.map(|inner| inner.size)), (1, 1, Some(2)));
        assert_eq!(thing.object.map(|Object(inner)| inner.size), Some(3));
    }

    #[test]
    fn what_does_not_fit_is_said_in_words_of_the_api() {
        for (said, worded_as) in [
            ("unknown variant `x`, expected `a` or `b`", "`x` is none of `a` or `b`"),
            ("unknown variant `x`, expected one of `a`, `b`, `c`", "`x` is none of `a`, `b`, `c`"),
            ("unknown field `x`, expected `a`", "`x` is not known here; what may be said: `a`"),
            ("missing field `a` at line 1 column 2", "`a` is missing"),
            ("duplicate field `a`", "`a` is said twice"),
            (
                "UUID parsing failed: invalid length",
                "the value is not a UUID, which looks like `0190f5fe-7c00-7a00-8000-000000000001`",
            ),
            (
                "invalid type: string \"x, expected y\", expected u8 at line 1 column 9",
                "the value is a string, and not a whole number from 0 to 255",
            ),
            ("invalid type: integer `7`, expected a string", "the value is a number, and not a string"),
            ("invalid type: sequence, expected struct Thing", "the value is a list, and not an object"),
            ("invalid value: integer `300`, expected u8", "the value is not a whole number from 0 to 255"),
            ("a limit is a number from 1 to 200", "a limit is a number from 1 to 200"),
        ] {
            assert_eq!(worded(said), worded_as);
        }
    }

    #[test]
    fn a_body_that_is_no_json_says_where() {
        let nested = [vec![b'['; 500], vec![b']'; 500]].concat();
        for body in [&b"{"[..], b"", b"{} {}", b"{\"count\":NaN}", b"{\"\xff\":1}", &nested] {
            let error = parse_json::<serde_json::Value>(body).expect_err("no JSON");
            assert_eq!(error.fault().code, Code::MalformedJson, "{body:?}");
            assert!(error.fault().details.contains_key("line"));
        }
    }
}
