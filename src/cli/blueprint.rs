//! `xyn blueprint`: write, check and activate blueprints.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use xyn_actors::actions;
use xyn_actors::blueprint::{self, sample};

use super::faults::{self, Fault};
use super::table::{Column, Table, instant, text};
use super::{Context, input};
use crate::cli::input::at_least_one;
use crate::client::{Client, Need, route};
use crate::config;
use crate::failure::{Exit, Failure};
use crate::shell;

/// What can be done with blueprints.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a commented blueprint to start from; never overwrites a file
    New(New),
    /// Check a file and show every fault in its place; needs no node
    Validate(Which),
    /// Check a file and make it active
    Promote(Which),
    /// List blueprints
    List(List),
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// Its name: the file is NAME.yaml and the id bp.NAME
    #[arg(default_value = "example")]
    name: String,
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The file; - is stdin
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = at_least_one)]
    limit: usize,
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::New(arguments) => new(&arguments.name, context),
        Command::Validate(arguments) => validate(&arguments.file, context),
        Command::Promote(arguments) => promote(&arguments.file, context).await,
        Command::List(arguments) => list(arguments, context).await,
    }
}

fn new(name: &str, context: &Context) -> Result<Exit, Failure> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(fits) {
        let message =
            format!("`{name}` is no name: use lowercase letters, digits, `_`, `-` and `.`, a letter first");
        return Err(Failure::usage(message));
    }
    let path = PathBuf::from(format!("{name}.yaml"));
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::new(Exit::Conflict, "exists", format!("`{}` is there already", path.display()))
                    .hint("choose another name: xyn blueprint new NAME")
            }
            _ => Failure::file("write", &path, &error),
        })?;
    file.write_all(named(sample::TEMPLATE, name).as_bytes())
        .map_err(|error| Failure::file("write", &path, &error))?;
    let document = json!({ "file": path, "blueprint_id": format!("bp.{name}") });
    context.out.answer(&document, |_| path.display().to_string())?;
    context.out.hint(&format!("check it with: xyn blueprint validate {}", shell::word(&path)));
    Ok(Exit::Done)
}

/// The template under another name.
fn named(template: &str, name: &str) -> String {
    template.replace("bp.example", &format!("bp.{name}"))
}

/// The faults that the checker finds in `source`, without a node.
pub(super) fn check(source: &str, context: &Context) -> Result<Vec<Fault>, Failure> {
    let loaded = config::load(&context.flags(), &config::process_environment)?;
    let limits = loaded.settings.limits.node_limits()?;
    match blueprint::compile(source.as_bytes(), &actions::builtin(), &limits) {
        Ok(_) => Ok(Vec::new()),
        Err(issues) => Ok(issues.into_iter().map(Fault::from).collect()),
    }
}

fn validate(file: &Path, context: &Context) -> Result<Exit, Failure> {
    let source = input::text(file)?;
    let faults = check(&source, context)?;
    context.out.answer(&faults::report(&faults), |paint| {
        if faults.is_empty() {
            return format!("{} {}", file.display(), paint.good("is valid"));
        }
        faults::render(file, &source, &faults, paint)
    })?;
    if !faults.is_empty() {
        return Ok(Exit::Failed);
    }
    context.out.hint(&format!("make it active with: xyn blueprint promote {}", shell::word(file)));
    Ok(Exit::Done)
}

async fn promote(file: &Path, context: &Context) -> Result<Exit, Failure> {
    let source = input::text(file)?;
    let client = context.client(Need::Node).await?;
    let name = file.file_stem().map_or_else(|| "stdin".into(), |stem| stem.to_string_lossy().into_owned());
    let draft = json!({ "draft_type": "blueprint", "name": name, "definition": source });
    let draft_id = text(&client.post("/drafts", &draft).await?, "draft_id");
    let report = client.post(&route(&["drafts", &draft_id, "validate"])?, &json!({})).await?;
    if report["is_valid"] != true {
        let faults: Vec<_> = report["issues"].as_array().into_iter().flatten().map(Fault::from).collect();
        context.out.answer(&report, |paint| faults::render(file, &source, &faults, paint))?;
        return Ok(Exit::Failed);
    }
    let answer = client.post(&route(&["drafts", &draft_id, "promote"])?, &json!({})).await?;
    let id = text(&answer, "blueprint_id");
    context.out.answer(&answer, |paint| {
        format!("{id} version {} is {}", text(&answer, "version"), paint.status(&text(&answer, "status")))
    })?;
    context.out.hint(&next_step(&client, &id).await);
    Ok(Exit::Done)
}

/// What to type after a promotion: the event that the blueprint waits for, where the node tells it.
async fn next_step(client: &Client, id: &str) -> String {
    let blueprint = match route(&["blueprints", id]) {
        Ok(path) => client.get(&path).await.unwrap_or_default(),
        Err(_) => Value::Null,
    };
    match blueprint["trigger"].as_str() {
        Some(trigger) if !trigger.contains('*') => {
            format!("start a run with: xyn event emit {trigger} --data JSON, or: xyn run start {id}")
        }
        _ => format!("start a run with: xyn run start {id}"),
    }
}

async fn list(arguments: List, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let blueprints = client.list("/blueprints", &[], arguments.limit).await?;
    let table = table(&blueprints);
    if !table.show(&blueprints, "no blueprints", &context.out)? {
        context.out.hint("write one with: xyn blueprint new");
    }
    Ok(Exit::Done)
}

fn table(blueprints: &Value) -> Table {
    let mut table = Table::new(&[
        ("BLUEPRINT", Column::Text),
        ("VERSION", Column::Number),
        ("STATUS", Column::Status),
        ("TRIGGER", Column::Text),
        ("NAME", Column::Text),
        ("SINCE", Column::Text),
    ]);
    for row in blueprints["items"].as_array().into_iter().flatten() {
        let [id, version, status, trigger, name] =
            ["blueprint_id", "version", "status", "trigger", "name"].map(|key| text(row, key));
        table.row([id, version, status, trigger, name, instant(row, "activated_at")]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_valid_under_any_name() {
        let source = named(sample::TEMPLATE, "nightly.backup-2");
        assert!(source.contains("id: bp.nightly.backup-2 "));
        let plan =
            blueprint::compile(source.as_bytes(), &actions::builtin(), &blueprint::NodeLimits::default());
        assert!(plan.is_ok(), "{plan:?}");
    }
}
