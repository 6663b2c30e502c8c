//! An event as it comes in, and its plain JSON shape.
//!
//! Owns the names and bounds of an incoming event's fields. Refuses unknown fields and the node's own event
//! names, because what the node says about itself must not be said by others.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use xyn_store::Timestamp;
use xyn_store::ids::EventId;
use xyn_store::scope::CorrelationId;

use crate::blueprint::check_event_name;
use crate::wording;

/// How far in the future a sender may say that something occurred.
pub const MAX_AHEAD: Duration = Duration::from_secs(24 * 3600);
/// Longest type or id of a resource.
pub const MAX_RESOURCE_BYTES: usize = 256;
/// Event names that only the node itself uses begin with this.
pub(crate) const RESERVED: &str = "xyn.";
const FIELDS: [&str; 6] = ["event_id", "event_name", "occurred_at", "data", "resource", "correlation_id"];

/// An event that asks to be accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// The sender's id; none means that the node gives one and cannot know a duplicate.
    pub event_id: Option<EventId>,
    /// Its name: parts joined by dots.
    pub event_name: String,
    /// When it happened; none means when it arrived.
    pub occurred_at: Option<Timestamp>,
    /// What it says.
    pub data: Value,
    /// What it is about.
    pub resource: Option<Resource>,
    /// The interaction it belongs to.
    pub correlation_id: Option<CorrelationId>,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// Kind of thing, without `/`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which one.
    pub id: String,
}

/// An event that does not fit its shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", if path.is_empty() { String::new() } else { format!("`{path}`: ") })]
pub struct InvalidEvent {
    /// The field or attribute, parts joined by dots; empty for the event as a whole.
    pub path: String,
    /// What is wrong.
    pub reason: String,
}

impl InvalidEvent {
    pub(super) fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), reason: reason.into() }
    }
}

/// Reads the plain shape `{event_id?, event_name, occurred_at?, data?, resource?, correlation_id?}`. A field
/// that is null counts as absent.
pub fn parse(body: &[u8], now: Timestamp) -> Result<Incoming, InvalidEvent> {
    let mut fields = object(body)?;
    if let Some(unknown) = fields.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(InvalidEvent::new(unknown, wording::unknown(unknown, FIELDS)));
    }
    let event_name = text(&mut fields, "event_name")?
        .ok_or_else(|| InvalidEvent::new("event_name", wording::missing("event_name")))?;
    check_incoming_name("event_name", &event_name)?;
    let event_id = text(&mut fields, "event_id")?
        .map(|id| id.parse().map_err(|e| InvalidEvent::new("event_id", format!("{e}"))))
        .transpose()?;
    let occurred_at =
        text(&mut fields, "occurred_at")?.map(|time| check_time("occurred_at", &time, now)).transpose()?;
    let correlation_id = text(&mut fields, "correlation_id")?
        .map(|id| check_correlation("correlation_id", &id))
        .transpose()?;
    Ok(Incoming {
        event_id,
        event_name,
        occurred_at,
        data: fields.remove("data").unwrap_or_default(),
        resource: fields.remove("resource").filter(|value| !value.is_null()).map(resource).transpose()?,
        correlation_id,
    })
}

pub(super) fn check_incoming_name(path: &str, name: &str) -> Result<(), InvalidEvent> {
    check_event_name(name).map_err(|error| InvalidEvent::new(path, error.to_string()))?;
    if name.starts_with(RESERVED) {
        return Err(InvalidEvent::new(path, "names below `xyn.` are the node's own"));
    }
    Ok(())
}

pub(super) fn check_time(path: &str, text: &str, now: Timestamp) -> Result<Timestamp, InvalidEvent> {
    let time: Timestamp = text.parse().map_err(|e| InvalidEvent::new(path, format!("{e}")))?;
    if time > now.after(MAX_AHEAD) {
        return Err(InvalidEvent::new(path, format!("`{time}` is more than 24 h in the future")));
    }
    Ok(time)
}

pub(super) fn check_correlation(path: &str, text: &str) -> Result<CorrelationId, InvalidEvent> {
    CorrelationId::parse(text).map_err(|e| InvalidEvent::new(path, e.to_string()))
}

pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, InvalidEvent> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(InvalidEvent::new("", "the event is not a JSON object")),
        Err(error) => Err(InvalidEvent::new("", format!("the event is not JSON: {error}"))),
    }
}

/// Takes a text out of `fields`; none when it is absent or null.
pub(super) fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, InvalidEvent> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(InvalidEvent::new(name, wording::other_kind(wording::kind(&other), "a string"))),
    }
}

fn resource(value: Value) -> Result<Resource, InvalidEvent> {
    let mut fields = match value {
        Value::Object(fields) => fields,
        other => {
            let fault = wording::other_kind(wording::kind(&other), "an object with `type` and `id`");
            return Err(InvalidEvent::new("resource", fault));
        }
    };
    let mut part = |name: &str| {
        let below = |fault: InvalidEvent| InvalidEvent::new(format!("resource.{}", fault.path), fault.reason);
        let text = text(&mut fields, name).map_err(below)?;
        text.ok_or_else(|| InvalidEvent::new(format!("resource.{name}"), wording::missing(name)))
    };
    let resource = Resource { kind: part("type")?, id: part("id")? };
    if let Some(unknown) = fields.keys().next() {
        return Err(InvalidEvent::new(
            format!("resource.{unknown}"),
            wording::unknown(unknown, ["type", "id"]),
        ));
    }
    check_resource(&resource)
        .map_err(|(name, reason)| InvalidEvent::new(format!("resource.{name}"), reason))?;
    Ok(resource)
}

pub(super) fn check_resource(resource: &Resource) -> Result<(), (&'static str, &'static str)> {
    for (name, text) in [("type", &resource.kind), ("id", &resource.id)] {
        if text.is_empty() || text.len() > MAX_RESOURCE_BYTES {
            return Err((name, "1 to 256 bytes are allowed"));
        }
        if text.chars().any(char::is_control) {
            return Err((name, "control characters are not allowed"));
        }
    }
    if resource.kind.contains('/') { Err(("type", "`/` is not allowed")) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
