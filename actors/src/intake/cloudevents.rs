//! CloudEvents 1.0, structured and binary mode over HTTP, to and from the node's event shape.
//!
//! `type` is the event name, `time` when it occurred, `subject` the resource (`type/id`), and the extension
//! `correlationid` the correlation. Refuses other spec versions and batches; extensions that mean nothing
//! here are let through and not kept. Invariant: the same `source` and `id` are the same event.
//!
//! Source: CloudEvents 1.0.2, JSON format and HTTP protocol binding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use xyn_store::Timestamp;
use xyn_store::ids::{EventId, derived};

use self::percent::decoded;
use super::event::{self, Incoming, InvalidEvent, Resource};
use crate::blueprint::MAX_EVENT_NAME_BYTES;
use crate::wording;

mod outgoing;
mod percent;
#[cfg(test)]
mod tests;

pub use outgoing::Outgoing;

/// Longest `id`.
const MAX_ID_BYTES: usize = 256;
/// Longest `source`.
const MAX_SOURCE_BYTES: usize = 1024;
/// Resource type of a `subject` that has no `/`.
const PLAIN_SUBJECT: &str = "subject";
const STRUCTURED: &str = "application/cloudevents+json";
const HEADER_PREFIX: &str = "ce-";

/// How an HTTP request carries an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The node's own JSON shape.
    Plain,
    /// A CloudEvent as one JSON document.
    Structured,
    /// A CloudEvent with its attributes in `ce-` headers and its data as the body.
    Binary,
    /// Several CloudEvents at once.
    Batch,
}

impl Mode {
    /// What `headers` (lowercase names) announce.
    pub fn of(headers: &[(&str, &[u8])]) -> Self {
        let content_type = header(headers, "content-type").map(String::from_utf8_lossy);
        match content_type.as_deref().map(essence).as_deref() {
            Some(STRUCTURED) => Self::Structured,
            Some("application/cloudevents-batch+json") => Self::Batch,
            _ if header(headers, "ce-specversion").is_some() => Self::Binary,
            _ => Self::Plain,
        }
    }
}

/// Reads a CloudEvent in structured mode.
pub fn parse_structured(body: &[u8], now: Timestamp) -> Result<Incoming, InvalidEvent> {
    let mut attributes = event::object(body)?;
    let plain = attributes.remove("data").filter(|data| !data.is_null());
    let encoded = event::text(&mut attributes, "data_base64")?;
    let data = match (plain, encoded) {
        (Some(_), Some(_)) => {
            return Err(InvalidEvent::new("data_base64", "`data` and `data_base64` exclude each other"));
        }
        (Some(data), None) => data,
        (None, Some(text)) => {
            STANDARD.decode(&text).map_err(|e| InvalidEvent::new("data_base64", e.to_string()))?;
            let content_type = attributes.get("datacontenttype").and_then(Value::as_str);
            binary_data(content_type.unwrap_or_default(), text)
        }
        (None, None) => Value::Null,
    };
    from_attributes(attributes, data, now)
}

/// Reads a CloudEvent in binary mode from `headers` with lowercase names.
pub fn parse_binary(
    headers: &[(&str, &[u8])],
    body: &[u8],
    now: Timestamp,
) -> Result<Incoming, InvalidEvent> {
    let mut attributes = Map::new();
    for (name, value) in headers {
        let Some(attribute) = name.strip_prefix(HEADER_PREFIX) else {
            continue;
        };
        let value = decoded(value).ok_or_else(|| InvalidEvent::new(*name, "not UTF-8"))?;
        if attributes.insert(attribute.to_owned(), value.into()).is_some() {
            return Err(InvalidEvent::new(*name, wording::twice(name)));
        }
    }
    let content_type = header(headers, "content-type").map(String::from_utf8_lossy).unwrap_or_default();
    from_attributes(attributes, data_of(&content_type, body)?, now)
}

fn data_of(content_type: &str, body: &[u8]) -> Result<Value, InvalidEvent> {
    let essence = essence(content_type);
    if body.is_empty() {
        return Ok(Value::Null);
    }
    if essence.is_empty() || essence == "application/json" || essence.ends_with("+json") {
        return serde_json::from_slice(body).map_err(|e| InvalidEvent::new("data", format!("not JSON: {e}")));
    }
    match std::str::from_utf8(body) {
        Ok(text) if essence.starts_with("text/") => Ok(text.into()),
        _ => Ok(binary_data(content_type, STANDARD.encode(body))),
    }
}

/// How data that is neither JSON nor text looks in an event.
fn binary_data(content_type: &str, base64: String) -> Value {
    json!({"content_type": content_type, "base64": base64})
}

fn from_attributes(
    mut attributes: Map<String, Value>,
    data: Value,
    now: Timestamp,
) -> Result<Incoming, InvalidEvent> {
    check_extensions(&attributes)?;
    let mut required = |name: &str, max: usize| {
        let text = event::text(&mut attributes, name)?.unwrap_or_default();
        match text.len() {
            0 => Err(InvalidEvent::new(name, wording::missing(name))),
            length if length > max => {
                Err(InvalidEvent::new(name, format!("at most {max} bytes are allowed")))
            }
            _ => Ok(text),
        }
    };
    let version = required("specversion", MAX_ID_BYTES)?;
    if version != "1.0" {
        return Err(InvalidEvent::new("specversion", format!("`{version}` is not 1.0")));
    }
    let (id, source) = (required("id", MAX_ID_BYTES)?, required("source", MAX_SOURCE_BYTES)?);
    let event_name = required("type", MAX_EVENT_NAME_BYTES)?;
    event::check_incoming_name("type", &event_name)?;
    let time = event::text(&mut attributes, "time")?;
    let subject = event::text(&mut attributes, "subject")?;
    let correlation = event::text(&mut attributes, "correlationid")?;
    Ok(Incoming {
        event_id: Some(event_id(&source, &id)),
        event_name,
        occurred_at: time.map(|time| event::check_time("time", &time, now)).transpose()?,
        data,
        resource: subject.map(resource).transpose()?,
        correlation_id: correlation.map(|id| event::check_correlation("correlationid", &id)).transpose()?,
    })
}

/// A UUID is itself; any other id is made one, together with its source.
fn event_id(source: &str, id: &str) -> EventId {
    let parts: [&[u8]; 3] = [b"cloudevents", source.as_bytes(), id.as_bytes()];
    id.parse().unwrap_or_else(|_| derived(Timestamp::EPOCH, &parts))
}

fn check_extensions(attributes: &Map<String, Value>) -> Result<(), InvalidEvent> {
    for (name, value) in attributes {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            return Err(InvalidEvent::new(name, "attribute names are lowercase letters and digits"));
        }
        if value.is_object() || value.is_array() {
            return Err(InvalidEvent::new(name, "attributes are strings, numbers or booleans"));
        }
    }
    Ok(())
}

fn resource(subject: String) -> Result<Resource, InvalidEvent> {
    let (kind, id) = subject.split_once('/').unwrap_or((PLAIN_SUBJECT, &subject));
    let resource = Resource { kind: kind.to_owned(), id: id.to_owned() };
    event::check_resource(&resource).map_err(|(_, reason)| InvalidEvent::new("subject", reason))?;
    Ok(resource)
}

fn header<'a>(headers: &[(&str, &'a [u8])], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
