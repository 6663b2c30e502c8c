//! `xyn audit`: verify the audit chain, and read who asked for what.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use xyn_store::audit::log::{self, Report};

use super::output::{Paint, Unit};
use super::table::{Column, NOTHING, Table, facts, instant, plain, text};
use super::{Context, folder};
use crate::cli::input::at_least_one;
use crate::client::Need;
use crate::failure::{Exit, Failure};

/// What can be done with the audit chain.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check the whole journal of a stopped node, or of a copy of its folder: checksums, order, tree, signatures
    Verify,
    /// Show who asked for what, and how it was decided, newest first
    Show(Show),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Only what stands here
    #[arg(long, value_parser = ["parked", "approved", "accepted", "completed", "failed", "uncertain", "denied"])]
    status: Option<String>,
    /// Only this action, such as blueprints.promote
    #[arg(long)]
    action: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = at_least_one)]
    limit: usize,
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Verify => verify(context).await,
        Command::Show(arguments) => show(arguments, context).await,
    }
}

async fn verify(context: &Context) -> Result<Exit, Failure> {
    let data = context.data()?;
    let store = folder::open(&data)?;
    let node = store.key().public().to_string();
    let bar = context.out.progress("verifying", Some(folder::length(&store)?), Unit::Entries);
    let counted = bar.clone();
    let verified = folder::apart(move || log::verify(&store, |entry| counted.set_position(entry))).await?;
    bar.finish_and_clear();
    let report = verified.map_err(|error| folder::failure(&error, &data))?;
    context.out.answer(&document(&data, &node, &report), |paint| render(&data, &node, &report, paint))?;
    Ok(if report.is_sound() { Exit::Done } else { Exit::Failed })
}

fn document(data: &Path, node: &str, report: &Report) -> Value {
    json!({
        "data": data,
        "node": node,
        "is_sound": report.is_sound(),
        "entries": report.entries,
        "root": report.root.map(|root| root.to_string()),
        "checkpoints": report.checkpoints,
        "witnessed": report.witnessed,
        "fault_count": report.fault_count,
        "faults": report.faults,
    })
}

fn render(data: &Path, node: &str, report: &Report, paint: Paint) -> String {
    let verdict = if report.is_sound() {
        paint.good("sound: nothing was changed, left out or put in")
    } else {
        paint.bad(&format!("NOT sound: {} things do not fit", report.fault_count))
    };
    let pairs = [
        ("data", data.display().to_string()),
        ("node", node.to_owned()),
        ("entries", report.entries.to_string()),
        ("checkpoints", report.checkpoints.to_string()),
        (
            "witnessed",
            Some(report.witnessed).filter(|words| *words > 0).map_or(String::new(), |it| it.to_string()),
        ),
        ("root", report.root.map(|root| root.to_string()).unwrap_or_default()),
        ("verdict", verdict),
    ];
    let mut text = facts(&pairs, paint);
    for fault in &report.faults {
        text += &format!("\n  {}", paint.bad(fault));
    }
    let unnamed = report.fault_count.saturating_sub(report.faults.len() as u64);
    if unnamed > 0 {
        text += &format!("\n  and {unnamed} more");
    }
    text
}

async fn show(arguments: Show, context: &Context) -> Result<Exit, Failure> {
    let said = [("status", arguments.status), ("action", arguments.action)];
    let query: Vec<_> = said.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let client = context.client(Need::Read).await?;
    let intents = client.list("/intents", &query, arguments.limit).await?;
    let table = table(&intents);
    table.show(
        &intents,
        if query.is_empty() { "nobody asked for anything" } else { NOTHING },
        &context.out,
    )?;
    Ok(Exit::Done)
}

fn table(intents: &Value) -> Table {
    let mut table = Table::new(&[
        ("AT", Column::Text),
        ("WHO", Column::Text),
        ("ACTION", Column::Text),
        ("STAGE", Column::Text),
        ("STATUS", Column::Status),
        ("DECIDED BY", Column::Text),
        ("WHAT CAME OF IT", Column::Text),
    ]);
    for intent in intents["items"].as_array().into_iter().flatten() {
        let [who, action, stage, status] =
            ["actor", "action", "stage", "status"].map(|key| text(intent, key));
        let rule = rule(&intent["decision"]);
        table.row([instant(intent, "at"), who, action, stage, status, rule, outcome(intent)]);
    }
    table
}

/// What came of an intent: why it failed, the moment it became, or what it is about. Nothing where that is no more than
/// the intent itself.
fn outcome(intent: &Value) -> String {
    let (subject, moment) = (&intent["subject"], &intent["output"]["entry_id"]);
    let [kind, id] = ["type", "id"].map(|key| text(subject, key));
    match (kind.as_str(), id.split_once('/')) {
        _ if intent["error"].is_object() => text(&intent["error"], "message"),
        ("intent", _) if moment.is_string() => format!("moment {}", plain(moment)),
        ("intent", _) => text(&intent["output"], "name"),
        ("gate", Some((run, step))) => match &intent["gate"] {
            Value::Null => format!("gate {step} of run {run}"),
            gate => asked(gate),
        },
        _ => format!("{kind} {id}").trim().to_owned(),
    }
}

/// What a gate asked that a word was given on, and of whose run it is.
fn asked(gate: &Value) -> String {
    let [run, who, step, prompt] = ["run_id", "requester", "step_id", "prompt"].map(|key| text(gate, key));
    match prompt.is_empty() {
        true => format!("run {run} of {who}: gate {step}"),
        false => format!("run {run} of {who}: {prompt} (gate {step})"),
    }
}

/// The rule that decided, as `policy@version/rule`; the stage's default when there is none.
fn rule(decision: &Value) -> String {
    let matched = &decision["matched"];
    match matched["rule_id"].as_str() {
        Some(rule) => format!("{}@{}/{rule}", text(matched, "policy_id"), text(matched, "version")),
        None => "stage default".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intents_show_who_decided() {
        let intents = json!({ "items": [
            { "at": "2026-01-31T12:00:00Z", "actor": "operator@local", "action": "runs.start", "stage": "dev",
              "status": "accepted", "subject": { "type": "run", "id": "r1" },
              "decision": { "matched": { "policy_id": "dev", "version": 1, "rule_id": "all" } } },
            { "at": "2026-01-31T12:00:01Z", "actor": "webhook:ci", "action": "http.call", "stage": "prod",
              "status": "denied", "decision": { "matched": null } },
            { "at": "2026-01-31T12:00:02Z", "actor": "ada@lab", "action": "timeline.note", "stage": "dev",
              "status": "completed", "subject": { "type": "intent", "id": "i3" }, "output": { "entry_id": "e1" } },
            { "at": "2026-01-31T12:00:03Z", "actor": "ada@lab", "action": "capsule.pack", "stage": "dev",
              "status": "failed", "subject": { "type": "intent", "id": "i4" },
              "error": { "code": "x", "message": "the folder is gone" } },
            { "at": "2026-01-31T12:00:04Z", "actor": "ada@lab", "action": "gates.answer", "stage": "dev",
              "status": "completed", "subject": { "type": "gate", "id": "r1/1" } },
            { "at": "2026-01-31T12:00:05Z", "actor": "ada@lab", "action": "gates.answer", "stage": "dev",
              "status": "completed", "subject": { "type": "gate", "id": "r1/1" },
              "gate": { "run_id": "r1", "run_name": "Ship", "step_id": "go", "requester": "bo@lab" } },
            { "at": "2026-01-31T12:00:06Z", "actor": "ada@lab", "action": "gates.answer", "stage": "dev",
              "status": "completed", "subject": { "type": "gate", "id": "r1/1" },
              "gate": { "run_id": "r1", "run_name": "Ship", "step_id": "go", "requester": "bo@lab",
                        "prompt": "Ship it?" } },
        ] });
        insta::assert_snapshot!(table(&intents).render(Paint::PLAIN), @r"
        AT                   WHO             ACTION         STAGE  STATUS     DECIDED BY     WHAT CAME OF IT
        2026-01-31 12:00:00  operator@local  runs.start     dev    accepted   dev@1/all      run r1
        2026-01-31 12:00:01  webhook:ci      http.call      prod   denied     stage default
        2026-01-31 12:00:02  ada@lab         timeline.note  dev    completed  stage default  moment e1
        2026-01-31 12:00:03  ada@lab         capsule.pack   dev    failed     stage default  the folder is gone
        2026-01-31 12:00:04  ada@lab         gates.answer   dev    completed  stage default  gate 1 of run r1
        2026-01-31 12:00:05  ada@lab         gates.answer   dev    completed  stage default  run r1 of bo@lab: gate go
        2026-01-31 12:00:06  ada@lab         gates.answer   dev    completed  stage default  run r1 of bo@lab: Ship it? (gate go)
        ");
    }

    #[test]
    fn a_chain_that_does_not_fit_says_so() {
        let report = Report {
            entries: 7,
            fault_count: 3,
            faults: vec!["entry 4: the leaf differs".into()],
            ..Report::default()
        };
        insta::assert_snapshot!(render(Path::new("/srv/xyn"), "key", &report, Paint::PLAIN), @r"
        data         /srv/xyn
        node         key
        entries      7
        checkpoints  0
        verdict      NOT sound: 3 things do not fit
          entry 4: the leaf differs
          and 2 more
        ");
    }
}
