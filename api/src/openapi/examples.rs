//! Examples of what the main routes take, by operation; shown on the page of the document.
//!
//! Invariant: each is a body that its route understands.

use serde_json::{Value, json};

/// A blueprint on a few lines.
const BLUEPRINT: &str = "\
id: bp.greet
name: Greet
trigger: { event_type: demo.greet }
inputs:
  - { name: who, schema: { type: string }, required: true }
plan:
  - { kind: transform, id: say, set: { text: \"hello {{ inputs.who }}\" } }
";

/// A policy on a few lines.
const POLICY: &str = "\
policy_id: pol.calls
policy_type: governance
name: Ask before calls to the outside in prod
evaluation_mode: first_match
rules:
  - { rule_id: ask, priority: 1, match: { action: http.call, stage: prod }, effect: require_approval }
";

/// The id of something; the text is that of no real one.
const ID: &str = "01a1fc90-60f8-7fec-9a7c-7419f45098b0";

/// The digest of no real file, and a public key (RFC 8032 §7.1, test 2).
const DIGEST: &str = "7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730";
const KEY: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";

/// A body that `operation` takes.
pub(super) fn of(operation: &str) -> Option<Value> {
    Some(match operation {
        "emit_event" => json!({
            "event_name": "shop.order_placed",
            "data": { "order": 17, "total": "12.50" },
            "resource": { "type": "order", "id": "17" },
        }),
        "receive_hook" => json!({ "order": 17 }),
        "start_run" => json!({
            "blueprint": "bp.hello",
            "inputs": { "name": "ada lovelace" },
            "labels": { "team": "shop" },
        }),
        "cancel_run" => json!({ "reason": "asked for twice" }),
        "retry_run" => json!({ "from_step": "greet" }),
        "fork_run" => json!({ "from_step": "greet", "inputs": { "name": "grace hopper" } }),
        "put_artifact" => json!({
            "name": "report.txt", "kind": "report", "content_type": "text/plain", "content": "all is well",
        }),
        "save_draft" => json!({ "draft_type": "blueprint", "name": "greet", "definition": BLUEPRINT }),
        "validate_blueprint" => json!(BLUEPRINT),
        "promote_moment" => json!({ "entry_id": ID, "stage": "staging" }),
        "submit_intent" => json!({
            "action": "events.emit",
            "input": { "event_name": "shop.order_placed", "data": { "order": 17 } },
        }),
        "answer_approval" => json!({
            "gate": { "run_id": ID, "step_id": "approve" }, "approve": true, "note": "looks good",
        }),
        "note_moment" => json!({ "title": "the demo went well" }),
        "label_moment" => json!({ "name": "demo", "entry_id": ID }),
        "pin_moment" => json!({ "entry_id": ID, "pinned": true }),
        "begin_branch" => json!({ "name": "try-out", "entry_id": ID }),
        "merge_branch" => json!({ "from": "try-out", "into": "main" }),
        "invite_peer" => json!({ "principal": "grace@laptop", "role": "user", "lifetime_seconds": 3600 }),
        "add_workspace" => json!({ "dir": "/home/ada/shop", "name": "shop" }),
        "snapshot_workspace" => json!({ "title": "the cart works" }),
        "restore_workspace" => json!({ "entry_id": ID, "remove": true }),
        "pack_capsule" => json!({ "workspace": "shop", "entry_id": ID }),
        "import_capsule" => json!({ "sha256": DIGEST, "keys": [KEY] }),
        "deploy_capsule" => json!({ "capsule": "shop@1.4.2", "stage": "staging", "target": "static" }),
        "put_key_ring" => json!({
            "ring": {
                "payloadType": "application/vnd.xyn.keyring.v1+json",
                "payload": "e30=",
                "signatures": [{ "keyid": DIGEST, "sig": "MEUCIQ==" }],
            },
            "keys": [KEY],
        }),
        "put_secret" => json!({ "name": "app/shop/API_KEY", "value": "what nobody else should know" }),
        "activate_policy" => json!({ "source": POLICY }),
        "explain_policy" => json!({ "action": "http.call", "stage": "prod" }),
        _ => return None,
    })
}
