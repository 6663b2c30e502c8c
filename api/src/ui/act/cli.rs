//! The command that does the same as an act, for those who go on in a shell.

/// Commands by action: fields in braces; what is in brackets is left out while a field of it is empty, and
/// `{field?yes:no}` is one word or the other, `{field=option}` the option for each name and value of an object.
pub(super) static LINES: [(&str, &str); 28] = [
    ("blueprints.promote", "xyn blueprint promote FILE"),
    (
        "capsule.deploy",
        "xyn capsule deploy {capsule} --stage {stage} [--target {target}] [--port {port}] [--health {health}] [--confirm {confirm}]",
    ),
    (
        "capsule.pack",
        "xyn capsule pack [--at {entry_id}] [--workspace {workspace}] [--generation {generation}]",
    ),
    ("capsule.pull", "xyn capsule pull {capsule}"),
    (
        "capsule.rollback",
        "xyn capsule rollback {app} --stage {stage} [--target {target}] [--confirm {confirm}]",
    ),
    ("capsule.verify", "xyn capsule verify {capsule}"),
    ("events.emit", "xyn event emit {event_name} [--data {data}]"),
    ("gates.answer", "xyn gate {approve?approve:reject} {run_id} {step_id} [--note {note}]"),
    ("intents.answer", "xyn gate {approve?approve:reject} {intent_id} [--note {note}]"),
    ("peer.confirm", "xyn peer confirm {node}"),
    ("peer.revoke", "xyn peer revoke {node} [--reason {reason}]"),
    ("peer.rotate", "xyn peer rotate"),
    ("policies.activate", "xyn policy activate FILE"),
    ("runs.cancel", "xyn run cancel {run_id} [--reason {reason}] [--{compensate?compensate:keep}]"),
    ("runs.fork", "xyn run fork {run_id} --from-step {from_step} [{inputs=input}]"),
    ("runs.replay", "xyn run replay {run_id}"),
    ("runs.retry", "xyn run retry {run_id} [--from-step {from_step}]"),
    (
        "runs.start",
        "xyn run start {blueprint} [--inputs-json {inputs}] [--priority {priority}] [{labels=label}]",
    ),
    ("timeline.branch", "xyn timeline branch {name} [--at {entry_id}]"),
    ("timeline.comment", "xyn timeline comment {entry_id} {text}"),
    ("timeline.label", "xyn timeline label {name} [{entry_id}]"),
    ("timeline.merge", "xyn timeline merge {from} [--into {into}] [--{favour}] [--title {title}]"),
    ("timeline.note", "xyn timeline note {title} [--branch {branch}] [--about {entry_id}]"),
    ("timeline.pin", "xyn timeline pin {entry_id}"),
    ("workspace.add", "xyn workspace add {dir} [--name {name}]"),
    ("workspace.remove", "xyn workspace remove {name}"),
    ("workspace.restore", "xyn workspace restore {name} {entry_id} [--to {to}]"),
    ("workspace.snapshot", "xyn workspace snapshot {name} [--message {title}] [--branch {branch}]"),
];

/// The command for `action`; empty when there is none.
pub(super) fn line(action: &str) -> &'static str {
    LINES.iter().find(|(name, _)| *name == action).map_or("", |(_, line)| line)
}
