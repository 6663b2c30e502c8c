//! `xyn workspace`: folders whose trees are moments of the timeline.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use xyn_store::Digest;

use super::on_the_way::patiently;
use super::output::{Paint, Unit};
use super::table::{Column, Table, instant, text};
use super::{Context, moment};
use crate::cli::input::at_least_one;
use crate::client::{Client, Need, route};
use crate::failure::{Exit, Failure};

/// Workspaces that are looked through for the one that is meant.
const LOOKED_AT: usize = 10_000;

/// What can be done with workspaces.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Take a folder under Xyn's eye; prints its name
    Add(Add),
    /// List workspaces
    List(List),
    /// Keep a workspace as it is now; prints the moment
    Snapshot(Snapshot),
    /// Write the files of a workspace as they were
    Restore(Restore),
    /// Show what differs between moments, or between one and the folder as it is
    Diff(Diff),
    /// Forget a workspace; its folder and its moments stay
    Remove(Remove),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The folder
    dir: PathBuf,
    /// What to call it; the folder's own name when left out
    #[arg(long)]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = at_least_one)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct Snapshot {
    /// The workspace or its folder; the one of the current folder when left out
    #[arg(value_name = "NAME|DIR")]
    name: Option<String>,
    /// What was done; counted from the files when left out
    #[arg(short, long, value_name = "TITLE")]
    message: Option<String>,
    /// The branch that the moment goes to; that of the last one when left out
    #[arg(long)]
    branch: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "What the workspace becomes is a moment: on the branch of MOMENT where that has these files \
                        now, and else on the branch that the workspace is on."
)]
pub(super) struct Restore {
    /// The workspace or its folder
    #[arg(value_name = "NAME|DIR")]
    name: String,
    /// The moment, or the root of a tree
    #[arg(value_name = "MOMENT|ROOT")]
    place: String,
    /// Write it into this folder and leave the workspace alone
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Also overwrite what no snapshot holds
    #[arg(long)]
    force: bool,
    /// Remove what the moment has not
    #[arg(long)]
    remove: bool,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The workspace or its folder
    #[arg(value_name = "NAME|DIR")]
    name: String,
    /// The moment or tree to begin at; what was last kept when left out
    #[arg(value_name = "MOMENT|ROOT")]
    from: Option<String>,
    /// The moment or tree to compare with; the folder as it is when left out
    #[arg(value_name = "MOMENT|ROOT")]
    to: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The workspace or its folder
    #[arg(value_name = "NAME|DIR")]
    name: String,
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Add(arguments) => add(arguments, context).await,
        Command::List(arguments) => list(arguments, context).await,
        Command::Snapshot(arguments) => snapshot(arguments, context).await,
        Command::Restore(arguments) => restore(arguments, context).await,
        Command::Diff(arguments) => diff(arguments, context).await,
        Command::Remove(arguments) => remove(arguments, context).await,
    }
}

async fn add(arguments: Add, context: &Context) -> Result<Exit, Failure> {
    let body = json!({ "dir": absolute(&arguments.dir)?, "name": arguments.name });
    let answer = context.client(Need::Node).await?.post("/workspaces", &without_nulls(body)).await;
    let answer = answer.map_err(|failure| failure.typed(&[("name", "--name"), ("dir", "DIR")]))?;
    let name = text(&answer, "name");
    context.out.answer(&answer, |_| name.clone())?;
    if !context.out.json {
        context.out.hint(&format!("keep it as it is now with: xyn workspace snapshot {name} -m TITLE"));
    }
    Ok(Exit::Done)
}

async fn list(arguments: List, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let workspaces = client.list("/workspaces", &[], arguments.limit).await?;
    let mut table = Table::new(&[
        ("WORKSPACE", Column::Text),
        ("FOLDER", Column::Text),
        ("BRANCH", Column::Text),
        ("FILES", Column::Number),
        ("BYTES", Column::Number),
        ("KEPT", Column::Text),
        ("MOMENT", Column::Text),
    ]);
    for workspace in items(&workspaces) {
        let known = &workspace["known"];
        let [name, dir, branch] = ["name", "dir", "branch"].map(|key| text(workspace, key));
        let [files, bytes, moment] = ["files", "size_bytes", "entry_id"].map(|key| text(known, key));
        table.row([name, dir, branch, files, bytes, instant(known, "at"), moment]);
    }
    table.show(&workspaces, "no workspaces", &context.out)?;
    Ok(Exit::Done)
}

async fn snapshot(arguments: Snapshot, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Node).await?;
    let name = named(&client, arguments.name.as_deref()).await?;
    let body = json!({ "title": arguments.message, "branch": arguments.branch });
    let answer = act(&client, &name, "snapshot", body, context).await;
    let answer =
        answer.map_err(|failure| failure.typed(&[("title", "--message"), ("branch", "--branch")]))?;
    context.out.answer(&answer, |_| text(&answer, "entry_id"))?;
    if answer["changed"] == false {
        context.out.note(&format!("nothing changed in {name} since that moment; no new one was made"));
    }
    if let Some(skipped) = answer["skipped"].as_u64().filter(|skipped| *skipped > 0) {
        context.out.note(&format!("{skipped} devices, pipes or sockets are left out"));
    }
    Ok(Exit::Done)
}

async fn restore(arguments: Restore, context: &Context) -> Result<Exit, Failure> {
    let Restore { name, place, to, force, remove } = arguments;
    let client = context.client(Need::Node).await?;
    let name = named(&client, Some(&name)).await?;
    let is_root = place.parse::<Digest>().is_ok();
    let place = if is_root { place } else { moment::named(&client, &place).await? };
    let body = json!({
        "root": is_root.then_some(&place), "entry_id": (!is_root).then_some(&place),
        "to": to.as_deref().map(absolute).transpose()?, "force": force, "remove": remove,
    });
    let answer = act(&client, &name, "restore", body, context).await?;
    context.out.answer(&answer, |_| {
        let moment = match answer["branch"].as_str() {
            Some(branch) => format!("; moment {} on branch {branch}", text(&answer, "entry_id")),
            None => String::new(),
        };
        format!("{} written, {} removed{moment}", text(&answer, "written"), text(&answer, "removed"))
    })?;
    Ok(Exit::Done)
}

async fn diff(arguments: Diff, context: &Context) -> Result<Exit, Failure> {
    let Diff { name, from, to } = arguments;
    let client = context.client(Need::Read).await?;
    let name = named(&client, Some(&name)).await?;
    let mut query = Vec::new();
    for (key, place) in [("from", from), ("to", to)] {
        match place {
            Some(root) if root.parse::<Digest>().is_ok() => query.push((key, root)),
            Some(place) => query.push((key, moment::named(&client, &place).await?)),
            None => {}
        }
    }
    let bar = context.out.progress("comparing", None, Unit::Time);
    let path = route(&["workspaces", &name, "diff"])?;
    let answer = patiently(context, async || client.get_with(&path, &query).await).await;
    bar.finish_and_clear();
    let answer = answer?;
    context.out.answer(&answer, |paint| changes(&answer, paint))?;
    Ok(Exit::Done)
}

async fn remove(arguments: Remove, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Node).await?;
    let name = named(&client, Some(&arguments.name)).await?;
    let answer = client.post(&route(&["workspaces", &name, "remove"])?, &json!({})).await?;
    context.out.answer(&answer, |_| format!("{name} is forgotten; its folder and its moments stay"))?;
    Ok(Exit::Done)
}

/// Has something done that reads or writes the whole folder.
async fn act(
    client: &Client,
    name: &str,
    verb: &str,
    body: Value,
    context: &Context,
) -> Result<Value, Failure> {
    let bar = context.out.progress(&format!("{verb} {name}"), None, Unit::Time);
    let (path, body) = (route(&["workspaces", name, verb])?, without_nulls(body));
    let answer = patiently(context, async || client.post(&path, &body).await).await;
    bar.finish_and_clear();
    answer
}

/// The name of the workspace that `given` names or is the folder of; without it, that of the current folder.
async fn named(client: &Client, given: Option<&str>) -> Result<String, Failure> {
    let workspaces = client.list("/workspaces", &[], LOOKED_AT).await?;
    let here = given.map_or_else(std::env::current_dir, |given| Path::new(given).canonicalize()).ok();
    let found = items(&workspaces)
        .find(|workspace| given.is_some() && workspace["name"].as_str() == given)
        .or_else(|| items(&workspaces).find(|workspace| is_of(workspace, here.as_deref(), given.is_none())));
    match (found, given) {
        (Some(workspace), _) => Ok(text(workspace, "name")),
        (None, Some(given)) => {
            let message = format!("`{given}` is neither the name nor the folder of a workspace");
            let failure = Failure::new(Exit::NotFound, "not_found", message);
            Err(failure.hint("see what there is with: xyn workspace list"))
        }
        (None, None) => Err(Failure::usage("the current folder lies in no workspace; name one")),
    }
}

/// Whether `path` is the folder of `workspace`, or lies in it where that is enough.
fn is_of(workspace: &Value, path: Option<&Path>, is_enough_inside: bool) -> bool {
    let dir = workspace["dir"].as_str().map(Path::new);
    path.zip(dir).is_some_and(|(path, dir)| path == dir || is_enough_inside && path.starts_with(dir))
}

fn changes(answer: &Value, paint: Paint) -> String {
    let mut lines: Vec<String> = items(answer)
        .map(|item| {
            let word = format!("{:<8}", text(item, "change"));
            let word = match item["change"].as_str() {
                Some("added") => paint.good(&word),
                Some("removed") => paint.bad(&word),
                _ => paint.warn(&word),
            };
            let from = item["renamed_from"].as_str().map(|from| format!("{from} -> ")).unwrap_or_default();
            format!("{word} {from}{}", text(item, "path"))
        })
        .collect();
    let more = answer["count"].as_u64().unwrap_or_default().saturating_sub(lines.len() as u64);
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    if lines.is_empty() { "nothing differs".to_owned() } else { lines.join("\n") }
}

fn items(document: &Value) -> impl Iterator<Item = &Value> {
    document["items"].as_array().into_iter().flatten()
}

/// A path as the node understands it, which runs elsewhere.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::file("find", path, &error))
}

fn without_nulls(mut body: Value) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.retain(|_, value| !value.is_null());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_a_line_each_and_what_is_left_out_is_counted() {
        let answer = json!({ "count": 4, "items": [
            { "change": "added", "path": "a" },
            { "change": "renamed", "path": "new", "renamed_from": "old" },
            { "change": "mode", "path": "run" },
        ] });
        insta::assert_snapshot!(changes(&answer, Paint::PLAIN), @r"
        added    a
        renamed  old -> new
        mode     run
        … and 1 more
        ");
        assert_eq!(changes(&json!({ "count": 0, "items": [] }), Paint::PLAIN), "nothing differs");
    }

    #[test]
    fn a_workspace_is_found_by_its_folder_and_from_within_it() {
        let workspace = json!({ "name": "shop", "dir": "/home/ada/shop" });
        let is_of = |path: &str, inside| is_of(&workspace, Some(Path::new(path)), inside);
        assert!(is_of("/home/ada/shop", false) && is_of("/home/ada/shop/src", true));
        assert!(!is_of("/home/ada/shop/src", false) && !is_of("/home/ada/shopping", true));
    }
}
