//! What may be asked about who belongs: invitations, newcomers, renewals, new keys and revocations.
//!
//! Owns the shapes of these intents. No secret of a ticket has a place in them.

use serde_json::{Value, json};
use xyn_store::trust::{PRINCIPAL_MAX_CHARS, REASON_MAX_CHARS, Role, STATEMENT_BYTES_MAX};

use super::Spec;
use super::builtin::{answers, line, object, service};
use crate::governance::Risk;
use crate::services::mesh::VALID_FOR_MAX;

fn hex(digits: u32) -> Value {
    json!({ "type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$") })
}

/// A statement that the root of the environment signed, whose key is kept elsewhere.
fn signed() -> Value {
    let pattern = "^([0-9a-f]{2})+$";
    json!({ "type": "string", "maxLength": 2 * STATEMENT_BYTES_MAX, "pattern": pattern })
}

fn role() -> Value {
    json!({ "enum": Role::ALL })
}

/// A role, also as intents have it that were parked before roles had one spelling.
fn role_or_former() -> Value {
    let former = Role::FORMER.into_iter().map(Value::from);
    let words: Vec<_> = Role::ALL.into_iter().map(|role| role.as_str().into()).chain(former).collect();
    json!({ "enum": words })
}

pub(super) fn invite() -> Spec {
    let input = object(
        &["ticket_id", "secret_hash", "principal", "role", "expires_at"],
        json!({
            "ticket_id": hex(16),
            "secret_hash": hex(64),
            "principal": line(PRINCIPAL_MAX_CHARS),
            "role": role_or_former(),
            "expires_at": { "type": "string", "format": "date-time" },
            "valid_for_seconds": { "type": "integer", "minimum": 1, "maximum": VALID_FOR_MAX.as_secs() }
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
    service("peer.rotate", Risk::High, description, object(&[], json!({ "signed": signed() })), output)
}

pub(super) fn confirm() -> Spec {
    let input = object(&["node"], json!({ "node": hex(64), "signed": signed() }));
    let output = answers(json!({ "node": hex(64) }));
    let description = "Confirms that a node takes the new key that it names in its last word.";
    service("peer.confirm", Risk::High, description, input, output)
}

pub(super) fn revoke() -> Spec {
    let reason = line(REASON_MAX_CHARS);
    let input = object(&["node", "reason"], json!({ "node": hex(64), "reason": reason, "signed": signed() }));
    let output = answers(json!({ "node": hex(64) }));
    let description = "Takes a node out of the environment; what it wrote until now still counts.";
    service("peer.revoke", Risk::High, description, input, output)
}

pub(super) fn renew() -> Spec {
    let input = object(
        &["node"],
        json!({
            "node": hex(64),
            "role": role(),
            "expires_at": { "type": ["string", "null"], "format": "date-time" },
            "signed": signed()
        }),
    );
    let output = answers(json!({ "node": hex(64) }));
    let description = "Gives a member its next certificate, with another end, another role, or both; without an end \
                       with `expires_at` null.";
    service("peer.renew", Risk::High, description, input, output)
}
