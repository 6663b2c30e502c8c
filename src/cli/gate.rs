//! `xyn gate`: answer what waits for people, be it a gate of a run or an intent that a policy parked, here or on
//! another node.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Context;
use super::table::{Column, Table, instant, text};
use crate::cli::input::at_least_one;
use crate::client::Need;
use crate::failure::{Exit, Failure};

/// Characters of a node's key that tell it from the others of a team.
const NODE_CHARS: usize = 8;

/// What can be done with gates.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Approve
    Approve(Answer),
    /// Reject
    Reject(Answer),
    /// List what waits for people
    List(List),
}

#[derive(Debug, Args)]
pub(super) struct Answer {
    /// The run's id, or the id of a waiting intent
    #[arg(value_name = "RUN|INTENT")]
    id: String,
    /// The step's id; an intent has none
    step: Option<String>,
    /// Why
    #[arg(long)]
    note: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = at_least_one)]
    limit: usize,
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Approve(arguments) => answer(arguments, true, context).await,
        Command::Reject(arguments) => answer(arguments, false, context).await,
        Command::List(arguments) => list(arguments, context).await,
    }
}

async fn answer(arguments: Answer, approve: bool, context: &Context) -> Result<Exit, Failure> {
    let mut body = match &arguments.step {
        Some(step) => json!({ "gate": { "run_id": arguments.id, "step_id": step }, "approve": approve }),
        None => json!({ "intent_id": arguments.id, "approve": approve }),
    };
    if let Some(note) = arguments.note {
        body["note"] = note.into();
    }
    let client = context.client(Need::Node).await?;
    let answer = client.post("/approvals", &body).await?;
    let remaining = answer["remaining"].as_u64().unwrap_or_default();
    context.out.answer(&answer, |paint| {
        let status = paint.status(&text(&answer, "status"));
        match remaining {
            0 => status,
            1 => format!("{status}: one more approval is needed"),
            more => format!("{status}: {more} more approvals are needed"),
        }
    })?;
    if answer["entry_id"].is_string() {
        context.out.hint("another node asks: your word counts when it comes there");
    } else if arguments.step.is_some() && remaining == 0 {
        context.out.hint(&format!("follow the run with: xyn run watch {}", arguments.id));
    }
    Ok(Exit::Done)
}

async fn list(arguments: List, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let waiting = client.list("/approvals", &[], arguments.limit).await?;
    let table = table(&waiting);
    if table.show(&waiting, "nothing waits for people", &context.out)? {
        context
            .out
            .hint("answer a gate with: xyn gate approve RUN STEP, an intent with: xyn gate approve INTENT");
    }
    Ok(Exit::Done)
}

fn table(waiting: &Value) -> Table {
    let mut columns = vec![
        ("RUN OR INTENT", Column::Text),
        ("STEP", Column::Text),
        ("ASKS", Column::Text),
        ("BY", Column::Text),
        ("SINCE", Column::Text),
        ("APPROVALS", Column::Number),
    ];
    let items = || waiting["items"].as_array().into_iter().flatten();
    let are_elsewhere = items().any(|item| item["node"].is_string());
    columns.extend(are_elsewhere.then_some(("NODE", Column::Text)));
    let mut table = Table::new(&columns);
    for item in items() {
        let given =
            item["approvals"].as_array().into_iter().flatten().filter(|word| word["approve"] == true).count();
        let is_intent = item["kind"] == "intent";
        let id = if item["intent_id"].is_string() { text(item, "intent_id") } else { text(item, "run_id") };
        let min = if is_intent { &item["decision"]["approvals"]["min"] } else { &item["min"] };
        let by = text(item, if is_intent { "actor" } else { "requester" });
        let since = instant(item, if is_intent { "at" } else { "requested_at" });
        let asks = ["prompt", "title", "action", "mode"].map(|name| text(item, name));
        let asks = asks.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        let approvals = format!("{given}/{}", min.as_u64().unwrap_or(1));
        // What this node asks itself names none.
        let node: String = text(item, "node").chars().take(NODE_CHARS).collect();
        let node = are_elsewhere.then_some(node);
        table.row([id, text(item, "step_id"), asks, by, since, approvals].into_iter().chain(node));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Paint;

    #[test]
    fn gates_intents_and_what_other_nodes_ask_stand_in_one_table() {
        let waiting = json!({ "items": [
            { "kind": "gate", "run_id": "r1", "step_id": "approve", "mode": "manual", "min": 2, "prompt": "Ship it?",
              "requester": "operator@local", "requested_at": "2026-01-31T12:00:00.5Z",
              "approvals": [{ "approve": true }] },
            { "kind": "intent", "intent_id": "i1", "action": "policies.activate", "actor": "ada@home",
              "at": "2026-01-31T12:00:00Z", "approvals": [], "decision": {} },
            { "kind": "question", "run_id": "r2", "step_id": "ok", "title": "Deploy?", "mode": "manual", "min": 1,
              "requester": "ada@lab", "requested_at": "2026-01-31T12:00:00Z", "approvals": [],
              "node": "65b47a54fdf8a37f52c2b011aae98b4ba0675004171d60a6bd8ce4a04b4749f1" },
        ] });
        insta::assert_snapshot!(table(&waiting).render(Paint::PLAIN), @r"
        RUN OR INTENT  STEP     ASKS               BY              SINCE                APPROVALS  NODE
        r1             approve  Ship it?           operator@local  2026-01-31 12:00:00        1/2
        i1                      policies.activate  ada@home        2026-01-31 12:00:00        0/1
        r2             ok       Deploy?            ada@lab         2026-01-31 12:00:00        0/1  65b47a54
        ");
    }
}
