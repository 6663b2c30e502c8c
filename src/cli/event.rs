//! `xyn event`: emit events and watch them come.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::table::text;
use super::watch::event_line;
use super::{Context, FOLDER, input};
use crate::client::sse::Follow;
use crate::client::{Client, Need, route};
use crate::failure::{Exit, Failure};

/// How long an emit waits to see which runs its event starts.
const DISPATCH_PATIENCE: Duration = Duration::from_millis(500);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How many of the runs it names.
const MAX_RUNS_SHOWN: usize = 20;

/// What can be done with events.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Emit an event; blueprints whose trigger matches start runs
    Emit(Emit),
    /// Show events as they come, until interrupted
    Tail(Tail),
}

#[derive(Debug, Args)]
pub(super) struct Emit {
    /// Its name, such as checkmk.alert
    name: String,
    /// What it says: JSON, @FILE, or - for stdin
    #[arg(id = "event_data", long = "data", value_name = "JSON", default_value = "{}")]
    data: String,
    /// The node's data folder, which other commands call --data
    #[arg(id = FOLDER, long = "data-dir", value_name = "DIR", help_heading = "Global options")]
    folder: Option<PathBuf>,
    /// Its id; a second event with the same id is answered like the first
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
    /// When it happened, when that is not now
    #[arg(long, value_name = "INSTANT")]
    occurred_at: Option<String>,
    /// What it is about
    #[arg(long, value_name = "TYPE:ID")]
    resource: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Tail {
    /// Only events with this name; `*` is one part of it, `**` any number
    #[arg(long, value_name = "PATTERN")]
    name: Option<String>,
    /// Only events of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only events of this interaction
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// Go on behind the event whose stream id this is
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// First show so many events of the past
    #[arg(short = 'n', long, default_value_t = 10, value_name = "COUNT")]
    lines: usize,
    /// Do not wait for more
    #[arg(long)]
    no_follow: bool,
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Emit(arguments) => emit(arguments, context).await,
        Command::Tail(arguments) => tail(arguments, context).await,
    }
}

async fn emit(arguments: Emit, context: &Context) -> Result<Exit, Failure> {
    let mut body = json!({ "event_name": arguments.name, "data": input::json("--data", &arguments.data)? });
    if let Some(id) = arguments.id {
        body["event_id"] = id.into();
    }
    if let Some(at) = arguments.occurred_at {
        body["occurred_at"] = at.into();
    }
    if let Some(resource) = &arguments.resource {
        let (kind, id) = resource
            .split_once(':')
            .ok_or_else(|| Failure::usage(format!("`{resource}` is not TYPE:ID")).at("--resource"))?;
        body["resource"] = json!({ "type": kind, "id": id });
    }
    let client = context.client(Need::Node).await?;
    let mut answer = client.post("/events", &body).await?;
    let event_id = text(&answer, "event_id");
    let started = runs_started(&client, &event_id).await;
    if let Some(runs) = &started {
        answer["runs"] = runs.clone().into();
    }
    context.out.answer(&answer, |_| event_id)?;
    tell_of_runs(started.as_deref(), context);
    Ok(Exit::Done)
}

/// The runs that an event started, once the node has dispatched it; none when that takes longer than a moment.
async fn runs_started(client: &Client, event_id: &str) -> Option<Vec<Value>> {
    let began = Instant::now();
    while client.get("/health").await.ok()?["figures"]["event_backlog"].as_u64()? > 0 {
        if began.elapsed() > DISPATCH_PATIENCE {
            return None;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let event = client.get(&route(&["events", event_id]).ok()?).await.ok()?;
    let query =
        [("event_name", "xyn.run.created".to_owned()), ("correlation_id", text(&event, "correlation_id"))];
    let created = client.list("/events", &query, MAX_RUNS_SHOWN).await.ok()?;
    let created = created["items"].as_array()?.iter().filter(|run| run["causation_id"] == event_id);
    let run =
        |event: &Value| json!({ "run_id": event["run_id"], "blueprint": event["data"]["blueprint_ref"] });
    Some(created.map(run).collect())
}

/// Says beside the result which runs an event started.
fn tell_of_runs(started: Option<&[Value]>, context: &Context) {
    match started {
        None => context.out.hint("see the runs it starts with: xyn run list"),
        Some([]) => {
            context.out.hint("it started no run; see what listens to which event: xyn blueprint list")
        }
        Some(runs) => {
            for run in runs {
                let (run_id, blueprint) = (text(run, "run_id"), text(run, "blueprint"));
                context.out.hint(&format!("it started a run of {blueprint}: xyn run watch {run_id}"));
            }
        }
    }
}

async fn tail(arguments: Tail, context: &Context) -> Result<Exit, Failure> {
    let said = [
        ("event_name", arguments.name),
        ("run_id", arguments.run),
        ("correlation_id", arguments.correlation),
    ];
    let query: Vec<_> = said.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let client = context.client(if arguments.no_follow { Need::Read } else { Need::Node }).await?;
    // The stream begins before the past is read, so that nothing falls between; what both hold is shown once.
    let mut stream = match arguments.no_follow {
        true => None,
        false => Some(Follow::open(&client, "/events/stream", &query, arguments.after.clone()).await?),
    };
    let mut shown = Vec::new();
    if arguments.lines > 0 && arguments.after.is_none() {
        let mut past = client.list("/events", &query, arguments.lines).await?;
        let items = past["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        for event in items.iter().rev() {
            show(event, context)?;
            shown.push(event["event_id"].clone());
        }
    }
    while let Some(stream) = &mut stream {
        let data = stream.next().await?.data;
        let Ok(event) = serde_json::from_str::<Value>(&data) else {
            continue;
        };
        if !shown.contains(&event["event_id"]) {
            show(&event, context)?;
        }
    }
    Ok(Exit::Done)
}

fn show(event: &Value, context: &Context) -> Result<(), Failure> {
    if context.out.json {
        context.out.json_line(event)
    } else {
        context.out.line(&event_line(event, context.out.paint))
    }
}
