//! `xyn run`: start, watch and steer runs.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use xyn_store::Timestamp;

use super::Context;
use super::input;
use super::table::{Column, NOTHING, Table, instant, standing, text};
use super::watch::{self, AtGate, gate_hints, run_facts};
use crate::cli::input::{at_least_one, instant as instant_or_ago};
use crate::client::{Client, Need, route};
use crate::failure::{Exit, Failure};

/// What can be done with runs.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start a run of a blueprint
    Start(Start),
    /// List runs, newest first
    List(List),
    /// Show a run and its steps
    Show(Which),
    /// Follow a run until it ends; exit code 0 completed, 1 failed or cancelled
    Watch(Which),
    /// Cancel a run
    Cancel(Cancel),
    /// Do a run again, with what it did before the step it starts from
    Retry(Retry),
    /// Start a new run from a step of another one, with changed inputs
    Fork(Fork),
    /// Fold a run's history through today's code and say whether it decides the same; has no effect
    Replay(Which),
}

/// A run.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The run's id
    #[arg(value_name = "RUN")]
    run_id: String,
}

#[derive(Debug, Args)]
pub(super) struct Start {
    /// The blueprint's id
    blueprint: String,
    /// An input; a value that is JSON counts as such, any other as text
    #[arg(short, long = "input", value_name = "KEY=VALUE")]
    inputs: Vec<String>,
    /// All inputs as a JSON object: itself, @FILE, or - for stdin
    #[arg(long, value_name = "JSON", conflicts_with = "inputs")]
    inputs_json: Option<String>,
    /// A label
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,
    /// Higher goes first
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i8>,
    /// Wait for the end; exit code 0 completed, 1 failed, 5 when it waits for people
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only runs that stand here
    #[arg(long, value_parser = ["created", "running", "completed", "failed", "cancelled"])]
    status: Option<String>,
    /// Only runs of this blueprint
    #[arg(long)]
    blueprint: Option<String>,
    /// Only runs with this label
    #[arg(long, value_name = "KEY=VALUE")]
    label: Option<String>,
    /// Only runs accepted at or after this instant
    #[arg(long, value_name = "INSTANT", value_parser = instant_or_ago)]
    since: Option<Timestamp>,
    /// Only runs accepted before this instant
    #[arg(long, value_name = "INSTANT", value_parser = instant_or_ago)]
    until: Option<Timestamp>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = at_least_one)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The run's id
    #[arg(value_name = "RUN")]
    run_id: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// Undo what has been done, where the blueprint says how
    #[arg(long)]
    compensate: bool,
}

#[derive(Debug, Args)]
pub(super) struct Retry {
    /// The run's id
    #[arg(value_name = "RUN")]
    run_id: String,
    /// The step to start from; the first that failed when it is left out
    #[arg(long, value_name = "STEP")]
    from_step: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Fork {
    /// The run's id
    #[arg(value_name = "RUN")]
    run_id: String,
    /// The step to start from
    #[arg(long, value_name = "STEP")]
    from_step: String,
    /// An input that is changed; a value that is JSON counts as such, any other as text
    #[arg(short, long = "input", value_name = "KEY=VALUE")]
    inputs: Vec<String>,
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Start(arguments) => start(arguments, context).await,
        Command::List(arguments) => list(arguments, context).await,
        Command::Show(Which { run_id }) => show(&run_id, context).await,
        Command::Watch(Which { run_id }) => watch(&run_id, context).await,
        Command::Cancel(Cancel { run_id, reason, compensate }) => {
            let body = json!({ "reason": reason, "compensate": compensate });
            let answer = steer(&run_id, "cancel", body, context).await?;
            context.out.answer(&answer, |_| format!("run {run_id} is being cancelled"))?;
            Ok(Exit::Done)
        }
        Command::Retry(Retry { run_id, from_step }) => {
            let answer = steer(&run_id, "retry", json!({ "from_step": from_step }), context).await?;
            started(&answer, context)
        }
        Command::Fork(Fork { run_id, from_step, inputs }) => {
            let inputs = input::object("--input", &inputs)?;
            let body = json!({ "from_step": from_step, "inputs": inputs });
            let answer = steer(&run_id, "fork", body, context).await?;
            started(&answer, context)
        }
        Command::Replay(Which { run_id }) => replay(&run_id, context).await,
    }
}

async fn start(arguments: Start, context: &Context) -> Result<Exit, Failure> {
    let inputs = match &arguments.inputs_json {
        Some(argument) => input::json("--inputs-json", argument)?,
        None => Value::Object(input::object("--input", &arguments.inputs)?),
    };
    let labels = input::labels("--label", &arguments.labels)?;
    let mut body = json!({ "blueprint": arguments.blueprint, "inputs": inputs, "labels": labels });
    if let Some(priority) = arguments.priority {
        body["priority"] = priority.into();
    }
    let client = context.client(Need::Node).await?;
    let answer = client.post("/runs", &body).await?;
    if !arguments.wait {
        return started(&answer, context);
    }
    let run_id = text(&answer, "run_id");
    let (run, exit) = watch::follow(&client, &run_id, AtGate::Stop, false, &context.out).await?;
    context.out.answer(&run, |paint| run_facts(&run, paint))?;
    if exit == Exit::Waiting {
        gate_hints(&client, &run_id).await.iter().for_each(|hint| context.out.hint(hint));
    }
    Ok(exit)
}

fn started(answer: &Value, context: &Context) -> Result<Exit, Failure> {
    let run_id = text(answer, "run_id");
    context.out.answer(answer, |_| run_id.clone())?;
    context.out.hint(&format!("follow it with: xyn run watch {run_id}"));
    Ok(Exit::Done)
}

async fn steer(run_id: &str, verb: &str, mut body: Value, context: &Context) -> Result<Value, Failure> {
    if let Value::Object(fields) = &mut body {
        fields.retain(|_, value| !value.is_null());
    }
    let client = context.client(Need::Node).await?;
    client.post(&route(&["runs", run_id, verb])?, &body).await
}

async fn list(arguments: List, context: &Context) -> Result<Exit, Failure> {
    let said = [
        ("status", arguments.status),
        ("blueprint", arguments.blueprint),
        ("label", arguments.label),
        ("since", arguments.since.map(|at| at.to_string())),
        ("until", arguments.until.map(|at| at.to_string())),
    ];
    let query: Vec<_> = said.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let client = context.client(Need::Read).await?;
    let runs = client.list("/runs", &query, arguments.limit).await?;
    let mut table = Table::new(&[
        ("RUN", Column::Text),
        ("STATUS", Column::Status),
        ("BLUEPRINT", Column::Text),
        ("CREATED", Column::Text),
        ("ENDED", Column::Text),
    ]);
    for run in runs["items"].as_array().into_iter().flatten() {
        let blueprint = text(run, "blueprint_ref");
        let (created, ended) = (instant(run, "created_at"), instant(run, "completed_at"));
        table.row([text(run, "run_id"), standing(run), blueprint, created, ended]);
    }
    table.show(&runs, if query.is_empty() { "no runs" } else { NOTHING }, &context.out)?;
    Ok(Exit::Done)
}

async fn show(run_id: &str, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let mut run = client.get(&route(&["runs", run_id])?).await?;
    let mut steps = client.list(&route(&["runs", run_id, "steps"])?, &[], 1000).await?;
    let table = steps_table(&steps);
    run["steps"] = steps["items"].take();
    context.out.answer(&run, |paint| format!("{}\n\n{}", run_facts(&run, paint), table.render(paint)))?;
    Ok(Exit::Done)
}

fn steps_table(steps: &Value) -> Table {
    let mut table = Table::new(&[
        ("STEP", Column::Text),
        ("KIND", Column::Text),
        ("STATUS", Column::Status),
        ("ATTEMPT", Column::Number),
        ("STARTED", Column::Text),
        ("RESULT", Column::Text),
    ]);
    for step in steps["items"].as_array().into_iter().flatten() {
        let result = match step["error"]["message"].as_str() {
            Some(message) => message.to_owned(),
            None => text(step, "outputs"),
        };
        let (name, kind) = (text(step, "name"), text(step, "kind"));
        table.row([name, kind, standing(step), text(step, "attempt"), instant(step, "started_at"), result]);
    }
    table
}

async fn watch(run_id: &str, context: &Context) -> Result<Exit, Failure> {
    let client: Client = context.client(Need::Node).await?;
    let (run, exit) = watch::follow(&client, run_id, AtGate::Stay, true, &context.out).await?;
    if !context.out.json {
        context.out.line(&format!("\n{}", run_facts(&run, context.out.paint)))?;
    }
    Ok(exit)
}

async fn replay(run_id: &str, context: &Context) -> Result<Exit, Failure> {
    let report = steer(run_id, "replay", json!({}), context).await?;
    let same = report["deterministic"] == true;
    context.out.answer(&report, |paint| {
        let events = text(&report, "events");
        if same {
            return paint.good(&format!("run {run_id} decides the same today: {events} events"));
        }
        let differences = report["differences"].as_array().into_iter().flatten();
        let lines = differences.map(|difference| format!("\n  {}", super::table::plain(difference)));
        paint.bad(&format!("run {run_id} would decide otherwise today")) + &lines.collect::<String>()
    })?;
    Ok(if same { Exit::Done } else { Exit::Failed })
}
