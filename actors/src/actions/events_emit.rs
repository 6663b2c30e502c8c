//! `events.emit`: records an event.

use serde_json::{Value, json};
use xyn_store::Timestamp;
use xyn_store::ids::{self, EventId};

use super::{Context, Effects, Failure, Idempotence, NewEvent, Spec};
use crate::blueprint::{FailureKind, MAX_EVENT_NAME_BYTES, check_event_name};
use crate::governance::Risk;
use crate::intake::event::{MAX_RESOURCE_BYTES, RESERVED};

/// Its name.
pub(crate) const NAME: &str = "events.emit";

pub(super) fn spec() -> Spec {
    Spec {
        name: NAME,
        description: "Records an event; blueprints that listen to it start, gates that wait for it open.",
        input_schema: json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["event_name"],
            "properties": {
                "event_id": { "type": "string", "format": "uuid" },
                "event_name": { "type": "string", "minLength": 1, "maxLength": MAX_EVENT_NAME_BYTES },
                "occurred_at": { "type": "string", "format": "date-time" },
                "resource": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["type", "id"],
                    "properties": {
                        "type": { "type": "string", "minLength": 1, "maxLength": MAX_RESOURCE_BYTES },
                        "id": { "type": "string", "minLength": 1, "maxLength": MAX_RESOURCE_BYTES }
                    }
                },
                "data": {}
            }
        }),
        output_schema: json!({
            "type": "object",
            "required": ["event_id"],
            "properties": { "event_id": { "type": "string", "format": "uuid" } }
        }),
        idempotent: Idempotence::Always,
        risk: Risk::Low,
        redact: &[],
    }
}

pub(super) fn run(input: &Value, context: &Context) -> Result<Effects, Failure> {
    let invalid = |message: String| Failure::certain(FailureKind::Other, "invalid_input", message);
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let name = text("event_name").unwrap_or_default();
    check_event_name(name).map_err(|error| invalid(error.to_string()))?;
    if name.starts_with(RESERVED) {
        return Err(invalid(format!("`{name}`: names below `xyn.` are the node's own; choose another")));
    }
    let id = match text("event_id") {
        Some(id) => id.parse().map_err(|error: ids::InvalidId| invalid(error.to_string()))?,
        None => ids::derived::<EventId>(context.now, &[context.seed.as_bytes(), b"event"]),
    };
    let occurred_at = text("occurred_at").map(str::parse::<Timestamp>).transpose();
    let resource = input.get("resource").map(|resource| {
        let part = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
        (part("type"), part("id"))
    });
    let event = NewEvent {
        id,
        name: name.to_owned(),
        occurred_at: occurred_at.map_err(|error| invalid(error.to_string()))?,
        resource,
        data: input.get("data").cloned().unwrap_or_else(|| json!({})),
    };
    Ok(Effects { output: json!({ "event_id": id }), events: vec![event], ..Effects::default() })
}
