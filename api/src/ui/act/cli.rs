//! The command that does the same as an act, for those who go on in a shell.

/// Commands by action, with fields in braces, with a dot before one that lies in another. `{field?value=word,…}` is the word of the field's value,
/// `{field=option}` the option for each name and value of an object. What is in brackets is left out while a
/// field of it is empty or has no word.
static LINES: [(&str, &str); 33] = [
    ("artifacts.put", "xyn artifact put FILE [--kind {kind}]"),
    ("blueprints.promote", "xyn blueprint promote FILE"),
    (
        "capsule.deploy",
        "xyn capsule deploy {capsule} --stage {stage} [--target {target}] [--port {port}] [--health {health}] [--confirm {confirm}]",
    ),
    ("capsule.gc", "xyn capsule gc [{app}] [--keep {keep}] [--{dry_run?true=dry-run}]"),
    ("capsule.import", "xyn capsule push FILE"),
    (
        "capsule.pack",
        "xyn capsule pack [--at {entry_id}] [--workspace {workspace}] [--message {message}] [--{build?true=build}]",
    ),
    ("capsule.pull", "xyn capsule pull {capsule}"),
    (
        "capsule.rollback",
        "xyn capsule rollback {app} --stage {stage} [--target {target}] [--{seeds?true=seeds}] [--confirm {confirm}]",
    ),
    ("capsule.verify", "xyn capsule verify {capsule}"),
    ("events.emit", "xyn event emit {event_name} [--data {data}]"),
    ("gates.answer", "xyn gate {approve?true=approve,false=reject} {run_id} {step_id} [--note {note}]"),
    ("intents.answer", "xyn gate {approve?true=approve,false=reject} {intent_id} [--note {note}]"),
    ("peer.confirm", "xyn peer confirm {node}"),
    ("peer.revoke", "xyn peer revoke {node} [--reason {reason}]"),
    ("peer.rotate", "xyn peer rotate"),
    ("policies.activate", "xyn policy activate FILE"),
    (
        "runs.cancel",
        "xyn run cancel {run_id} [--reason {reason}] [--{compensate?true=compensate,false=keep}]",
    ),
    ("runs.fork", "xyn run fork {run_id} --from-step {from_step} [{inputs=input}]"),
    ("runs.replay", "xyn run replay {run_id}"),
    ("runs.retry", "xyn run retry {run_id} [--from-step {from_step}]"),
    (
        "runs.start",
        "xyn run start {blueprint} [--inputs-json {inputs}] [--priority {priority}] [{labels=label}]",
    ),
    ("timeline.approve", "xyn timeline review {entry_id} --{approve?true=approve,false=reject}[={note}]"),
    ("timeline.branch", "xyn timeline branch {name} [--at {entry_id}] [--{closed?true=close,false=reopen}]"),
    (
        "timeline.comment",
        "xyn timeline {on?review=review,=comment} {entry_id} [--{on?review=say}] {text} [--file {place.path}:{place.line}] [--workspace {place.workspace}] [--{place.side?before=before}]",
    ),
    ("timeline.label", "xyn timeline label {name} [{entry_id}]"),
    (
        "timeline.merge",
        "xyn timeline merge {from} [--into {into}] [--{favour}] [{sides=side}] [--title {title}]",
    ),
    ("timeline.note", "xyn timeline note {title} [--branch {branch}] [--about {entry_id}]"),
    ("timeline.pin", "xyn timeline pin {entry_id} [--{pinned?false=remove}]"),
    ("timeline.review", "xyn timeline review {entry_id} --{status?open=open,resolved=resolve}[={text}]"),
    ("workspace.add", "xyn workspace add {dir} [--name {name}]"),
    ("workspace.remove", "xyn workspace remove {name}"),
    (
        "workspace.restore",
        "xyn workspace restore {name} {entry_id} [--to {to}] [--{force?true=force}] [--{remove?true=remove}]",
    ),
    ("workspace.snapshot", "xyn workspace snapshot {name} [--message {title}] [--branch {branch}]"),
];

/// The command for `action`; empty when there is none.
pub(super) fn line(action: &str) -> &'static str {
    LINES.iter().find(|(name, _)| *name == action).map_or("", |(_, line)| line)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What pages name and has no command: the shell has a file where a page has a draft, and calls are for
    /// steps of runs.
    const WITHOUT: [&str; 3] = ["blueprints.validate", "drafts.save", "http.call"];

    fn sources(folder: &Path, found: &mut String) {
        for entry in fs::read_dir(folder).expect("the sources are beside the tests") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                sources(&path, found);
            } else if !path.ends_with("act/cli.rs") {
                *found += &fs::read_to_string(&path).expect("sources are text");
            }
        }
    }

    #[test]
    fn every_act_of_a_page_has_a_command_or_is_known_to_have_none() {
        let mut pages = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui"), &mut pages);
        let registry = xyn_actors::actions::builtin();
        let named = registry.iter().filter(|action| pages.contains(&format!("\"{}\"", action.spec.name)));
        let named: Vec<_> = named.map(|action| action.spec.name).collect();
        assert!(named.len() > 20, "{named:?}");
        for name in named {
            assert_ne!(line(name).is_empty(), !WITHOUT.contains(&name), "{name}");
        }
    }

    #[test]
    fn a_command_names_fields_that_its_action_has() {
        let registry = xyn_actors::actions::builtin();
        for (name, line) in LINES {
            let action = registry.get(name).expect("lines are of actions");
            for field in line.split('{').skip(1) {
                let end = field.find(['}', '?', '=']).expect("braces are closed");
                let mut deeper = field[..end].split('.');
                let known =
                    deeper.try_fold(&action.spec.input_schema, |schema, name| schema["properties"].get(name));
                let known = known.unwrap_or(&serde_json::Value::Null);
                assert!(known.is_object(), "{name} takes no `{}`", &field[..end]);
            }
        }
    }
}
