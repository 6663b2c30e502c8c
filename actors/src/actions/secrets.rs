//! The actions on secrets.

use serde_json::{Value, json};

use super::Spec;
use super::builtin::{answers, object, service};
use crate::governance::Risk;
use crate::services::secrets::{NAME_MAX_CHARS, NAME_PATTERN, VALUE_MAX_BYTES};

/// Actions that the service of secrets carries out.
pub(super) const SERVICES: [fn() -> Spec; 2] = [put, remove];

/// The name of a secret.
pub(super) fn name() -> Value {
    json!({ "type": "string", "maxLength": NAME_MAX_CHARS, "pattern": NAME_PATTERN })
}

fn put() -> Spec {
    let value = json!({ "type": "string", "minLength": 1, "maxLength": VALUE_MAX_BYTES / 4 });
    let input = object(&["name", "value"], json!({ "name": name(), "value": value }));
    let output = answers(json!({ "name": { "type": "string" }, "version": { "type": "integer" } }));
    let description = "Keeps a value that is never shown, in place of the one of this name; apps are given it when \
        they are deployed.";
    Spec { redact: &["/value"], ..service("secret.put", Risk::High, description, input, output) }
}

fn remove() -> Spec {
    let input = object(&["name"], json!({ "name": name() }));
    let output = answers(json!({ "name": { "type": "string" } }));
    let description = "Forgets a secret. What runs keeps what it was given until it is started again.";
    service("secret.remove", Risk::High, description, input, output)
}
