//! The actions on deployments.

use serde_json::{Value, json};
use xyn_capsules::manifest::SLUG_MAX_BYTES;

use super::Spec;
use super::builtin::{answers, line, object, service, uuid};
use super::capsules::{digest, keys, name, threshold};
use crate::governance::Risk;
use crate::services::deploy::SERVICES_MAX;

/// Characters of a path that a healthy app answers.
const PATH_MAX: u32 = 1_024;

/// Actions that the service of deployments carries out.
pub(super) const SERVICES: [fn() -> Spec; 2] = [deploy, rollback];

fn stage() -> Value {
    json!({ "type": "string", "enum": ["dev", "staging", "test", "prod"] })
}

fn target() -> Value {
    json!({ "type": "string", "enum": ["static", "process"] })
}

/// What confirms an act in production: shown with what is about to happen.
fn confirm() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{16}$" })
}

fn answered(also: Value) -> Value {
    let mut properties = json!({
        "deployment": { "type": "string" },
        "url": { "type": "string" },
        "capsule": digest(),
        "id": { "type": "string" },
        "generation": { "type": "integer" },
        "entry_id": uuid(),
        "before": { "type": ["string", "null"] },
    });
    if let (Value::Object(properties), Value::Object(also)) = (&mut properties, also) {
        properties.extend(also);
    }
    answers(properties)
}

fn deploy() -> Spec {
    let input = object(
        &["capsule", "stage"],
        json!({
            "capsule": name(),
            "stage": stage(),
            "target": target(),
            "port": { "type": "integer", "minimum": 1, "maximum": 65_535 },
            "health": { "type": "string", "pattern": "^/[!-~]*$", "maxLength": PATH_MAX },
            "confirm": confirm(),
            "keys": keys(),
            "threshold": threshold(),
            "services": {
                "type": "object",
                "maxProperties": SERVICES_MAX,
                "propertyNames": line(SLUG_MAX_BYTES),
                "additionalProperties": super::secrets::name(),
            },
        }),
    );
    let output = answered(json!({ "gates": { "type": "array", "items": { "type": "object" } } }));
    let description = "Leads a capsule that is here through the gates and lets it serve in a stage, in place of what \
        served there; that goes on until this one is well.";
    service("capsule.deploy", Risk::High, description, input, output)
}

fn rollback() -> Spec {
    let input = object(
        &["app", "stage"],
        json!({
            "app": line(SLUG_MAX_BYTES), "stage": stage(), "target": target(), "confirm": confirm(),
            "seeds": { "type": "boolean" },
        }),
    );
    let description = "Lets the capsule serve again that served before in a stage; data stays as it is, unless its \
        `seeds` are to be applied again.";
    let output = answered(json!({ "seeds_again": { "type": "boolean" } }));
    service("capsule.rollback", Risk::High, description, input, output)
}
