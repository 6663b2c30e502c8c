//! What may be asked about who belongs: invitations, newcomers, new keys and revocations.
//!
//! Owns the shapes of these intents. No secret of a ticket has a place in them.

use serde_json::{Value, json};
use xyn_store::trust::{PRINCIPAL_MAX_CHARS, REASON_MAX_CHARS};

use super::Spec;
use super::builtin::{answers, line, object, service};
use crate::governance::Risk;

fn hex(digits: u32) -> Value {
    json!({ "type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$") })
}

fn role() -> Value {
    json!({ "enum": ["User", "Operator", "OwnerAdmin"] })
}

pub(super) fn invite() -> Spec {
    let input = object(
        &["ticket_id", "secret_hash", "principal", "role", "expires_at"],
        json!({
            "ticket_id": hex(16),
            "secret_hash": hex(64),
            "principal": line(PRINCIPAL_MAX_CHARS),
            "role": role(),
            "expires_at": { "type": "string", "format": "date-time" }
        }),
    );
    let output = answers(json!({ "ticket_id": hex(16), "expires_at": { "type": "string" } }));
    let description = "Makes a ticket good with which one more node may join the environment.";
    service("peer.invite", Risk::High, description, input, output)
}

pub(super) fn join() -> Spec {
    let input = object(
        &["ticket_id", "node", "consent"],
        json!({ "ticket_id": hex(16), "node": hex(64), "consent": hex(128) }),
    );
    let output = answers(json!({ "node": hex(64), "ticket_id": hex(16) }));
    let description = "Certifies a node that showed a ticket as a member of the environment.";
    service("peer.join", Risk::High, description, input, output)
}

pub(super) fn rotate() -> Spec {
    let output = answers(json!({ "node": hex(64), "successor": hex(64) }));
    let description = "Gives this node a new key, which counts once a node above it has confirmed it.";
    service("peer.rotate", Risk::High, description, object(&[], json!({})), output)
}

pub(super) fn confirm() -> Spec {
    let input = object(&["node"], json!({ "node": hex(64) }));
    let output = answers(json!({ "node": hex(64) }));
    let description = "Confirms that a node takes the new key that it names in its last word.";
    service("peer.confirm", Risk::High, description, input, output)
}

pub(super) fn revoke() -> Spec {
    let input = object(&["node", "reason"], json!({ "node": hex(64), "reason": line(REASON_MAX_CHARS) }));
    let output = answers(json!({ "node": hex(64) }));
    let description = "Takes a node out of the environment; what it wrote until now still counts.";
    service("peer.revoke", Risk::High, description, input, output)
}
