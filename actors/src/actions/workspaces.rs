//! The actions on workspaces.

use serde_json::{Value, json};

use super::Spec;
use xyn_store::timeline::entry::{NAME_MAX_CHARS, TITLE_MAX_CHARS};

use super::builtin::{answers, known, line, object, service, uuid};
use crate::blueprint::schema;
use crate::governance::Risk;

/// Characters of the path of a folder.
const PATH_MAX: u32 = 4_096;

/// Actions that the service of workspaces carries out.
pub(super) const SERVICES: [fn() -> Spec; 4] =
    [workspace_add, workspace_snapshot, workspace_restore, workspace_remove];

/// A path of this machine: nothing is relative to a node.
fn path() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": PATH_MAX, "pattern": "^/" })
}

pub(super) fn name() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": NAME_MAX_CHARS, "pattern": schema::WORD })
}

fn workspace_add() -> Spec {
    let input = object(&["dir"], json!({ "dir": path(), "name": name() }));
    let output = answers(json!({ "name": { "type": "string" }, "dir": { "type": "string" } }));
    let description = "Takes a folder of this machine under Xyn's eye; reads nothing of it yet.";
    service("workspace.add", Risk::Medium, description, input, output)
}

fn workspace_snapshot() -> Spec {
    let input = object(
        &["name"],
        json!({ "name": name(), "title": line(TITLE_MAX_CHARS), "branch": known(NAME_MAX_CHARS) }),
    );
    let output = answers(json!({
        "changed": { "type": "boolean" },
        "root": { "type": "string" },
        "entry_id": uuid(),
        "files": { "type": "integer" },
        "size_bytes": { "type": "integer" },
        "skipped": { "type": "integer" }
    }));
    let description = "Keeps a workspace as it is now: a moment of the timeline, when something changed.";
    service("workspace.snapshot", Risk::Low, description, input, output)
}

fn workspace_restore() -> Spec {
    let input = object(
        &["name"],
        json!({
            "name": name(),
            "entry_id": uuid(),
            "root": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
            "to": path(),
            "force": { "type": "boolean" },
            "remove": { "type": "boolean" }
        }),
    );
    let output = answers(json!({
        "root": { "type": "string" },
        "written": { "type": "integer" },
        "removed": { "type": "integer" },
        "size_bytes": { "type": "integer" },
        "fetched": { "type": "integer" },
        "fetched_bytes": { "type": "integer" },
        "entry_id": { "type": ["string", "null"] }
    }));
    let description = "Writes the files of a workspace as they were at a moment, in its folder or another; \
        what of them is not here is fetched from members who have it.";
    service("workspace.restore", Risk::High, description, input, output)
}

fn workspace_remove() -> Spec {
    let input = object(&["name"], json!({ "name": name() }));
    let description = "Forgets a workspace; its folder and its moments stay.";
    let output = answers(json!({ "name": { "type": "string" } }));
    service("workspace.remove", Risk::Medium, description, input, output)
}
