//! `xyn audit`: verify the audit chain, and read who asked for what.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use xyn_store::audit::log::{self, Report};

use super::output::{Paint, Unit};
use super::table::{Column, Table, facts, instant, text};
use super::{Context, folder};
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
    #[arg(long, default_value_t = 50)]
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
    table.show(&intents, "nobody asked for anything", &context.out)?;
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
        ("BROUGHT ABOUT", Column::Text),
    ]);
    for intent in intents["items"].as_array().into_iter().flatten() {
        let [who, action, stage, status] =
            ["actor", "action", "stage", "status"].map(|key| text(intent, key));
        let subject = &intent["subject"];
        let about = [text(subject, "type"), text(subject, "id")].join(" ");
        let rule = rule(&intent["decision"]);
        table.row([instant(intent, "at"), who, action, stage, status, rule, about.trim().to_owned()]);
    }
    table
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
        ] });
        insta::assert_snapshot!(table(&intents).render(Paint::PLAIN), @r"
        AT                   WHO             ACTION      STAGE  STATUS    DECIDED BY     BROUGHT ABOUT
        2026-01-31 12:00:00  operator@local  runs.start  dev    accepted  dev@1/all      run r1
        2026-01-31 12:00:01  webhook:ci      http.call   prod   denied    stage default
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
