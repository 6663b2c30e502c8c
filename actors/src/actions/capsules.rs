//! The actions on capsules.

use serde_json::{Value, json};
use xyn_capsules::manifest::SLUG_MAX_BYTES;
use xyn_capsules::sign::RING_KEYS_MAX;
use xyn_store::timeline::entry::TITLE_MAX_CHARS;

use super::Spec;
use super::builtin::{answers, line, object, service, uuid};
use super::workspaces;
use crate::governance::Risk;
use crate::services::capsules::gc::KEEP;
use crate::services::capsules::{NAME_MAX_CHARS, NAME_PATTERN};

/// Actions that the service of capsules carries out.
pub(super) const SERVICES: [fn() -> Spec; 7] = [pack, import, pull, verify, report, trust, gc];

pub(super) fn digest() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
}

/// Whose signatures count; when nobody is named, those of the key ring in force, or of members.
pub(super) fn keys() -> Value {
    json!({ "type": "array", "minItems": 1, "maxItems": RING_KEYS_MAX, "uniqueItems": true, "items": digest() })
}

/// How many of them must have signed.
pub(super) fn threshold() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": RING_KEYS_MAX })
}

/// What is answered of a capsule that is here now, and `also`.
fn kept(also: Value) -> Value {
    let mut properties = json!({
        "capsule": digest(),
        "id": { "type": "string" },
        "generation": { "type": "integer" },
        "tree": digest(),
        "file": digest(),
        "size_bytes": { "type": "integer" },
        "delta_bytes": { "type": ["integer", "null"] },
        "entry_id": { "type": ["string", "null"], "format": "uuid" },
    });
    if let (Value::Object(properties), Value::Object(also)) = (&mut properties, also) {
        properties.extend(also);
    }
    answers(properties)
}

/// What is said of a capsule and does not count here, and why: a line for people each.
fn ignored() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

fn pack() -> Spec {
    let mut input = object(
        &[],
        json!({
            "workspace": workspaces::name(),
            "entry_id": uuid(),
            "root": digest(),
            "manifest": { "type": "object" },
            "generation": { "type": "integer", "minimum": 1 },
            "build": { "type": "boolean", "default": false },
            "message": line(TITLE_MAX_CHARS),
        }),
    );
    // A moment, a workspace as it is now, or a tree by itself.
    input["oneOf"] = json!([
        { "required": ["entry_id"], "properties": { "root": false } },
        { "required": ["workspace"], "properties": { "root": false, "entry_id": false } },
        { "required": ["root"], "properties": { "workspace": false, "entry_id": false } },
    ]);
    let output = kept(json!({
        "findings": { "type": "array", "items": { "type": "string" } },
        "build": { "type": ["string", "null"], "pattern": "^[0-9a-f]{64}$" },
    }));
    let description = "Seals the files of a moment, or of a workspace as it is now, into a capsule that this node \
        signs and offers to members; with `build` it builds them in a workcell first, so that the capsule says what a \
        build comes to. Stops on what looks like a secret.";
    service("capsule.pack", Risk::Medium, description, input, output)
}

fn import() -> Spec {
    let input = object(&["sha256"], json!({ "sha256": digest(), "keys": keys(), "threshold": threshold() }));
    let output = kept(json!({ "is_new": { "type": "boolean" }, "ignored": ignored() }));
    let description = "Proves an uploaded file that is a capsule, or what differs from one that is here, keeps it and \
        offers it to members.";
    service("capsule.import", Risk::Medium, description, input, output)
}

fn pull() -> Spec {
    let input = object(&["capsule"], json!({ "capsule": name(), "keys": keys(), "threshold": threshold() }));
    let output = kept(json!({
        "is_new": { "type": "boolean" },
        "fetched": { "type": "integer" },
        "fetched_bytes": { "type": "integer" },
        "ignored": ignored(),
    }));
    let description = "Fetches a capsule that members offer, proves it and keeps it; of one that follows another \
        which is here, only what differs.";
    service("capsule.pull", Risk::Low, description, input, output)
}

fn verify() -> Spec {
    let input = object(&["capsule"], json!({ "capsule": name(), "keys": keys(), "threshold": threshold() }));
    let output = answers(json!({
        "verified": { "type": "boolean" },
        "capsule": digest(),
        "id": { "type": "string" },
        "generation": { "type": "integer" },
        "tree": digest(),
        "files": { "type": "integer" },
        "size_bytes": { "type": "integer" },
        "stored_bytes": { "type": "integer" },
        "signers": { "type": "array", "items": digest() },
        "threshold": { "type": "integer" },
        "right": { "type": ["string", "null"] },
        "by": { "type": "object" },
        "attestations": {
            "type": "array",
            "items": { "type": "object", "required": ["type", "signers", "packed"] },
        },
        "ignored": ignored(),
    }));
    let description = "Proves a capsule that is here: who signed it, and every byte of it.";
    service("capsule.verify", Risk::Low, description, input, output)
}

fn report() -> Spec {
    let mut input = object(
        &["capsule", "did"],
        json!({
            "capsule": name(),
            "did": { "enum": ["rebuilt", "replayed", "exported"] },
            "matches": { "type": "boolean" },
            "build": digest(),
            "form": { "enum": ["zip", "oci"] },
        }),
    );
    input["oneOf"] = json!([
        { "required": ["matches", "build"], "properties": { "did": { "const": "rebuilt" }, "form": false } },
        { "required": ["matches"], "properties": { "did": { "const": "replayed" }, "build": false, "form": false } },
        { "required": ["form"], "properties": { "did": { "const": "exported" }, "matches": false, "build": false } },
    ]);
    let output = answers(json!({ "capsule": digest(), "id": { "type": "string" } }));
    let description = "Records what somebody did with a capsule that is here: that building it again came to what it \
        says or not, that it was replayed, or written in another form. Proves nothing; `capsule.import` takes what is \
        attested.";
    service("capsule.report", Risk::Low, description, input, output)
}

fn trust() -> Spec {
    let input =
        object(&["ring"], json!({ "ring": { "type": "object" }, "keys": keys(), "threshold": threshold() }));
    let output = answers(json!({
        "env": { "type": "string" },
        "version": { "type": "integer" },
        "file": digest(),
        "entry_id": { "type": "string", "format": "uuid" },
    }));
    let description = "Puts a signed key ring into force, which from then on says who counts: the first when the named \
        keys signed it, each that follows when the root of the one before did.";
    service("capsule.trust", Risk::High, description, input, output)
}

fn gc() -> Spec {
    let input = object(
        &[],
        json!({
            "app": line(SLUG_MAX_BYTES),
            "keep": { "type": "integer", "minimum": 1, "maximum": 1_000_000, "default": KEEP },
            "dry_run": { "type": "boolean", "default": false },
        }),
    );
    let shown = |also: &str| json!({ "type": "array", "items": { "type": "object", "required": ["capsule", "id", "generation", also] } });
    let output = answers(json!({
        "dry_run": { "type": "boolean" },
        "removed": shown("size_bytes"),
        "needed": shown("why"),
        "size_bytes": { "type": "integer" },
    }));
    let description = "Lets go of capsules behind the newest of each app that nothing needs: that neither serve nor \
        served before, are not pinned or named on the timeline, and are named by no intent that is not done. Their \
        bytes are freed in time.";
    service("capsule.gc", Risk::High, description, input, output)
}

/// A digest, an app in a version, or an app.
pub(super) fn name() -> Value {
    json!({ "type": "string", "maxLength": NAME_MAX_CHARS, "pattern": NAME_PATTERN })
}
