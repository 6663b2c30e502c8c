//! The actions that every node has.

use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::timeline::board::{COMMENT_MAX_CHARS, PLACE_PATH_MAX_CHARS};
use xyn_store::timeline::entry::{NAME_MAX_CHARS, TITLE_MAX_CHARS};

use crate::blueprint::schema;
use crate::governance::Risk;

use super::{Code, Idempotence, Registry, Spec, artifacts_put, events_emit, http_call, peers};

/// All built-in actions.
pub fn builtin() -> Registry {
    let mut registry = Registry::default();
    let services = [
        &SERVICES[..],
        &super::workspaces::SERVICES,
        &super::capsules::SERVICES,
        &super::deployments::SERVICES,
        &super::secrets::SERVICES,
    ]
    .concat();
    let services = services.into_iter().map(|service| (service(), Code::Service));
    let others = [
        (events_emit::spec(), Code::Inside(events_emit::run)),
        (artifacts_put::spec(), Code::Inside(artifacts_put::run)),
        (http_call::spec(), Code::Outside(Arc::new(http_call::HttpCall::default()))),
    ];
    for (spec, code) in others.into_iter().chain(services) {
        registry.register(spec, code).expect("the schemas of built-in actions are valid");
    }
    registry
}

/// Places that one merge takes a side for, each by itself.
const SIDES_MAX: u32 = 10_000;

/// Actions that services of the Runtime carry out.
const SERVICES: [fn() -> Spec; 25] = [
    runs_start,
    runs_cancel,
    runs_retry,
    runs_fork,
    runs_replay,
    gates_answer,
    intents_answer,
    drafts_save,
    blueprints_validate,
    blueprints_promote,
    policies_activate,
    timeline_note,
    timeline_label,
    timeline_pin,
    timeline_comment,
    timeline_review,
    timeline_approve,
    timeline_branch,
    timeline_merge,
    peers::invite,
    peers::join,
    peers::rotate,
    peers::confirm,
    peers::renew,
    peers::revoke,
];

pub(super) fn service(
    name: &'static str,
    risk: Risk,
    description: &'static str,
    input: Value,
    output: Value,
) -> Spec {
    Spec {
        name,
        description,
        input_schema: input,
        output_schema: output,
        // A service claims the call's key, so a second call is answered like the first.
        idempotent: Idempotence::Always,
        risk,
        redact: &[],
    }
}

pub(super) fn object(required: &[&str], properties: Value) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

pub(super) fn answers(properties: Value) -> Value {
    json!({ "type": "object", "properties": properties })
}

pub(super) fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

pub(super) fn text(max_length: u32) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": max_length })
}

/// A text of one line that somebody writes.
pub(super) fn line(max_length: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": max_length, "pattern": schema::LINE })
}

/// A text of any number of lines that somebody writes.
pub(super) fn words(max_length: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": max_length, "pattern": schema::WORDS })
}

/// The name of something that is there already, whoever gave it.
pub(super) fn known(max_length: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": max_length, "pattern": schema::KNOWN })
}

fn runs_start() -> Spec {
    let input = object(
        &["blueprint"],
        json!({
            "blueprint": text(200),
            "inputs": { "type": "object" },
            "labels": {
                "type": "object",
                "maxProperties": 32,
                "additionalProperties": { "type": "string", "maxLength": 200 }
            },
            "priority": { "type": "integer", "minimum": -100, "maximum": 100 }
        }),
    );
    service(
        "runs.start",
        Risk::Medium,
        "Starts a run of an active blueprint.",
        input,
        answers(json!({ "run_id": uuid() })),
    )
}

fn runs_cancel() -> Spec {
    let input = object(
        &["run_id"],
        json!({ "run_id": uuid(), "reason": words(1000), "compensate": { "type": "boolean" } }),
    );
    service("runs.cancel", Risk::Medium, "Asks a run to stop.", input, answers(json!({ "run_id": uuid() })))
}

fn runs_retry() -> Spec {
    let input = object(&["run_id"], json!({ "run_id": uuid(), "from_step": text(200) }));
    let description =
        "Starts a new run that takes over an ended run's results up to a step and does the rest anew.";
    service("runs.retry", Risk::Medium, description, input, answers(json!({ "run_id": uuid() })))
}

fn runs_fork() -> Spec {
    let input = object(
        &["run_id", "from_step"],
        json!({ "run_id": uuid(), "from_step": text(200), "inputs": { "type": "object" } }),
    );
    let description =
        "Starts a new run with other inputs that takes over a run's results of the steps before one.";
    service("runs.fork", Risk::Medium, description, input, answers(json!({ "run_id": uuid() })))
}

fn runs_replay() -> Spec {
    let input = object(&["run_id"], json!({ "run_id": uuid() }));
    let output = answers(json!({
        "deterministic": { "type": "boolean" },
        "events": { "type": "integer" },
        "differences": { "type": "array", "items": { "type": "string" } }
    }));
    service(
        "runs.replay",
        Risk::Low,
        "Folds a run's history through today's code and compares; has no effect.",
        input,
        output,
    )
}

/// The name of what a member elsewhere asks for that would see what a run of this node did.
pub const READ_RUN: &str = "runs.read";

/// What policies decide on when a member elsewhere would see what a run of this node did. Nobody submits it: it changes
/// nothing, and whoever asks here is answered by a route.
pub(crate) fn read_run() -> Spec {
    let input = object(&["run_id", "entry_id"], json!({ "run_id": uuid(), "entry_id": uuid() }));
    service(READ_RUN, Risk::Low, "Shows a run and its steps to a member elsewhere.", input, json!({}))
}

fn gates_answer() -> Spec {
    let input = object(
        &["run_id", "step_id", "approve"],
        json!({ "run_id": uuid(), "step_id": text(200), "approve": { "type": "boolean" }, "note": words(1000) }),
    );
    service("gates.answer", Risk::Medium, "Approves or rejects at a gate.", input, word())
}

fn intents_answer() -> Spec {
    let input = object(
        &["intent_id", "approve"],
        json!({ "intent_id": uuid(), "approve": { "type": "boolean" }, "note": words(1000) }),
    );
    service("intents.answer", Risk::Medium, "Approves or rejects a parked intent.", input, word())
}

/// What a word comes to; one on what another node asks is a moment, and comes to nothing before it is there.
fn word() -> Value {
    answers(json!({
        "status": { "type": "string" },
        "remaining": { "type": "integer" },
        "entry_id": uuid(),
        "nodes": { "type": "array", "items": { "type": "string" } }
    }))
}

fn drafts_save() -> Spec {
    let input = object(
        &["draft_type", "name", "definition"],
        json!({
            "draft_type": { "enum": ["blueprint", "pack"] },
            "name": text(200),
            "trigger_event_type": text(200),
            "definition": { "type": ["string", "object"] },
            "notes": { "type": "string", "maxLength": 4000 },
            "source_run_id": uuid(),
            "draft_id": uuid()
        }),
    );
    let output = answers(json!({
        "draft_id": uuid(), "revision": { "type": "integer" }, "status": { "type": "string" }
    }));
    service("drafts.save", Risk::Low, "Saves a new draft, or the next revision of one.", input, output)
}

fn blueprints_validate() -> Spec {
    let input = object(&["draft_id"], json!({ "draft_id": uuid() }));
    let output = answers(json!({ "is_valid": { "type": "boolean" }, "issues": { "type": "array" } }));
    service("blueprints.validate", Risk::Low, "Checks a draft and reports every fault.", input, output)
}

fn blueprints_promote() -> Spec {
    let input = object(&["draft_id"], json!({ "draft_id": uuid() }));
    let output = answers(json!({
        "blueprint_id": { "type": "string" },
        "version": { "type": "integer" },
        "status": { "type": "string" }
    }));
    service(
        "blueprints.promote",
        Risk::High,
        "Makes a validated draft the active version of its blueprint.",
        input,
        output,
    )
}

fn policies_activate() -> Spec {
    let input = object(&["source"], json!({ "source": { "type": "string", "minLength": 1 } }));
    let output = answers(json!({ "policy_id": { "type": "string" }, "version": { "type": "integer" } }));
    service("policies.activate", Risk::High, "Puts a new version of a policy in force.", input, output)
}

fn timeline_note() -> Spec {
    let input = object(
        &["title"],
        json!({ "title": line(TITLE_MAX_CHARS), "branch": known(NAME_MAX_CHARS), "entry_id": uuid(), "run_id": uuid() }),
    );
    let description = "Puts a note on the timeline, where the whole team sees it.";
    service("timeline.note", Risk::Low, description, input, answers(json!({ "entry_id": uuid() })))
}

fn timeline_label() -> Spec {
    let input = object(&["name"], json!({ "name": known(NAME_MAX_CHARS), "entry_id": uuid() }));
    let output = answers(json!({ "name": { "type": "string" }, "entry_id": { "type": ["string", "null"] } }));
    let description = "Gives a moment of the timeline a name; without a moment, takes the name away.";
    service("timeline.label", Risk::Low, description, input, output)
}

fn timeline_pin() -> Spec {
    let input = object(&["entry_id"], json!({ "entry_id": uuid(), "pinned": { "type": "boolean" } }));
    let output = answers(json!({ "entry_id": uuid(), "is_pinned": { "type": "boolean" } }));
    let description = "Keeps a moment of the timeline in sight, or no longer does.";
    service("timeline.pin", Risk::Low, description, input, output)
}

fn timeline_comment() -> Spec {
    let place = object(
        &["path", "line"],
        json!({
            "workspace": known(NAME_MAX_CHARS),
            "path": known(PLACE_PATH_MAX_CHARS),
            "side": { "type": "string", "enum": ["before", "after"] },
            "line": { "type": "integer", "minimum": 1, "maximum": u32::MAX },
        }),
    );
    let input = object(
        &["entry_id", "text"],
        json!({
            "entry_id": uuid(),
            "text": words(COMMENT_MAX_CHARS),
            "on": { "type": "string", "enum": ["moment", "review"] },
            "place": place,
            "comment_id": uuid(),
        }),
    );
    let output = answers(json!({ "entry_id": uuid(), "comment_id": uuid() }));
    let description = "Comments on a moment of the timeline, on a line that it changed, or in its review; \
                       with a comment's id, rewrites that one.";
    service("timeline.comment", Risk::Low, description, input, output)
}

fn timeline_review() -> Spec {
    let status = json!({ "type": "string", "enum": ["open", "resolved"] });
    let input = object(
        &["entry_id", "status"],
        json!({ "entry_id": uuid(), "status": status, "text": words(COMMENT_MAX_CHARS) }),
    );
    let output = answers(json!({ "entry_id": uuid(), "status": status }));
    let description = "Opens a review of a moment of the timeline, settles it, or opens it again.";
    service("timeline.review", Risk::Low, description, input, output)
}

fn timeline_approve() -> Spec {
    let input = object(
        &["entry_id", "approve"],
        json!({ "entry_id": uuid(), "approve": { "type": "boolean" }, "note": line(TITLE_MAX_CHARS) }),
    );
    let description = "Approves a moment of the timeline or rejects it, for the whole team to see.";
    service("timeline.approve", Risk::Medium, description, input, answers(json!({ "entry_id": uuid() })))
}

fn timeline_branch() -> Spec {
    let closed = json!({ "type": "boolean" });
    let input =
        object(&["name"], json!({ "name": known(NAME_MAX_CHARS), "entry_id": uuid(), "closed": closed }));
    let output = answers(json!({ "name": { "type": "string" }, "base": uuid(), "is_closed": closed }));
    let description = "Begins a branch at a moment of the timeline, at the newest one when none is named; or with \
                       `closed`, puts one away or takes it out again.";
    service("timeline.branch", Risk::Low, description, input, output)
}

fn timeline_merge() -> Spec {
    let side = json!({ "type": "string", "enum": ["ours", "theirs"] });
    let input = object(
        &["from"],
        json!({
            "from": known(NAME_MAX_CHARS),
            "into": known(NAME_MAX_CHARS),
            "title": line(TITLE_MAX_CHARS),
            "favour": side,
            "sides": { "type": "object", "maxProperties": SIDES_MAX, "additionalProperties": side },
        }),
    );
    let output = answers(json!({
        "entry_id": uuid(),
        "base": { "type": ["string", "null"] },
        "changes": { "type": "array", "items": { "type": "object" } },
    }));
    let description = "Joins a branch of the timeline into another, main when none is named. Where both changed the \
        same place differently it is refused, unless `favour` or `sides` say whose is right.";
    service("timeline.merge", Risk::Medium, description, input, output)
}
