//! `xyn timeline`: what the team did, and going back to any moment of it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Context;
use super::output::Paint;
use super::table::{Column, Table, facts, instant, text};
use crate::client::{Client, Need};
use crate::failure::{Exit, Failure};

/// Moments of one page.
const PAGE: usize = 200;

/// What can be done with the timeline.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List moments, oldest first; with --json one a line, equal on every node in sync
    Log(Log),
    /// Show a moment and its state
    Show(Which),
    /// Show what two moments differ in, and what happened between them
    Diff(Diff),
    /// Begin a branch at a moment, or list the branches
    Branch(Branch),
    /// Join a branch into another
    Merge(Merge),
    /// Give a moment a name, or take a name away
    Label(Label),
    /// Keep a moment in sight
    Pin(Pin),
    /// Put a note on the timeline
    Note(Note),
}

#[derive(Debug, Args)]
pub(super) struct Log {
    /// Only moments on this branch
    #[arg(long)]
    branch: Option<String>,
    /// Only moments of this kind, such as run, gate, approve or note
    #[arg(long)]
    kind: Option<String>,
    /// Only moments at or after this instant
    #[arg(long, value_name = "INSTANT")]
    since: Option<String>,
    /// Only moments before this instant
    #[arg(long, value_name = "INSTANT")]
    until: Option<String>,
    /// The newest so many; without it 50, or all of them with --json
    #[arg(long)]
    limit: Option<usize>,
}

/// A moment.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The moment's id
    #[arg(value_name = "MOMENT")]
    entry_id: String,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The moment whose state is compared
    #[arg(value_name = "FROM")]
    from: String,
    /// The moment it is compared with
    #[arg(value_name = "TO")]
    to: String,
    /// How many moments between them at most
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct Branch {
    /// The new branch; without it, all branches are listed
    name: Option<String>,
    /// The moment it begins at; the newest one when it is left out
    #[arg(long, value_name = "MOMENT", requires = "name")]
    at: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Merge {
    /// The branch that is joined
    from: String,
    /// The branch it is joined into
    #[arg(long, default_value = "main")]
    into: String,
    /// What to say of it
    #[arg(long)]
    title: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Label {
    /// The name
    name: String,
    /// The moment that gets it
    #[arg(value_name = "MOMENT", required_unless_present = "remove")]
    entry_id: Option<String>,
    /// Take the name away
    #[arg(long, conflicts_with = "entry_id")]
    remove: bool,
}

#[derive(Debug, Args)]
pub(super) struct Pin {
    /// The moment's id
    #[arg(value_name = "MOMENT")]
    entry_id: String,
    /// No longer keep it in sight
    #[arg(long)]
    remove: bool,
}

#[derive(Debug, Args)]
pub(super) struct Note {
    /// What to say
    title: String,
    /// On which branch; main when it is left out
    #[arg(long)]
    branch: Option<String>,
    /// The moment it is about
    #[arg(long, value_name = "MOMENT")]
    about: Option<String>,
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Log(arguments) => log(arguments, context).await,
        Command::Show(Which { entry_id }) => show(&entry_id, context).await,
        Command::Diff(arguments) => diff(arguments, context).await,
        Command::Branch(Branch { name: None, .. }) => branches(context).await,
        Command::Branch(Branch { name, at }) => {
            let answer = say("branch", json!({ "name": name, "entry_id": at }), context).await?;
            let [name, base] = ["name", "base"].map(|key| text(&answer, key));
            context.out.answer(&answer, |_| format!("branch {name} begins at {base}"))?;
            Ok(Exit::Done)
        }
        Command::Merge(Merge { from, into, title }) => {
            said("merge", json!({ "from": from, "into": into, "title": title }), context).await
        }
        Command::Label(Label { name, entry_id, .. }) => {
            let answer = say("label", json!({ "name": name, "entry_id": entry_id }), context).await?;
            context.out.answer(&answer, |_| match &entry_id {
                Some(entry_id) => format!("{name} is {entry_id}"),
                None => format!("{name} names nothing any more"),
            })?;
            Ok(Exit::Done)
        }
        Command::Pin(Pin { entry_id, remove }) => {
            let answer = say("pin", json!({ "entry_id": entry_id, "pinned": !remove }), context).await?;
            let word = if remove { "no longer pinned" } else { "pinned" };
            context.out.answer(&answer, |_| format!("{entry_id} is {word}"))?;
            Ok(Exit::Done)
        }
        Command::Note(Note { title, branch, about }) => {
            said("note", json!({ "title": title, "branch": branch, "entry_id": about }), context).await
        }
    }
}

/// Says something that becomes a moment, and shows its id.
async fn said(verb: &str, body: Value, context: &Context) -> Result<Exit, Failure> {
    let answer = say(verb, body, context).await?;
    context.out.answer(&answer, |_| text(&answer, "entry_id"))?;
    Ok(Exit::Done)
}

async fn say(verb: &str, mut body: Value, context: &Context) -> Result<Value, Failure> {
    if let Value::Object(fields) = &mut body {
        fields.retain(|_, value| !value.is_null());
    }
    let client = context.client(Need::Node).await?;
    client.post(&format!("/timeline/{verb}"), &body).await
}

async fn log(arguments: Log, context: &Context) -> Result<Exit, Failure> {
    let Log { branch, kind, since, until, limit } = arguments;
    let said = [("branch", branch), ("kind", kind), ("since", since), ("until", until)];
    let query: Vec<_> = said.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let client = context.client(Need::Read).await?;
    if limit.is_none() && context.out.json {
        return all(&client, query, context).await;
    }
    let newest = client.list("/timeline", &query, limit.unwrap_or(50)).await?;
    let moments: Vec<&Value> = newest["items"].as_array().into_iter().flatten().rev().collect();
    if context.out.json {
        moments.iter().try_for_each(|moment| context.out.json_line(moment))?;
    } else if moments.is_empty() {
        context.out.note("nothing happened yet");
    } else {
        context.out.line(&table(moments).render(context.out.paint))?;
    }
    Ok(Exit::Done)
}

/// Every moment, page by page, so that a long timeline takes no memory.
async fn all(client: &Client, query: Vec<(&str, String)>, context: &Context) -> Result<Exit, Failure> {
    let mut cursor: Option<String> = None;
    loop {
        let mut query = query.clone();
        query.extend([("first", "oldest".to_owned()), ("limit", PAGE.to_string())]);
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page = client.get_with("/timeline", &query).await?;
        let moments = page["items"].as_array().into_iter().flatten();
        moments.into_iter().try_for_each(|moment| context.out.json_line(moment))?;
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(Exit::Done);
        }
    }
}

fn table<'a>(moments: impl IntoIterator<Item = &'a Value>) -> Table {
    let mut table = Table::new(&[
        ("MOMENT", Column::Text),
        ("AT", Column::Text),
        ("KIND", Column::Text),
        ("BRANCH", Column::Text),
        ("WHO", Column::Text),
        ("WHAT", Column::Text),
    ]);
    for moment in moments {
        let [id, kind, branch, who, what] =
            ["entry_id", "kind", "branch", "principal", "title"].map(|key| text(moment, key));
        table.row([id, instant(moment, "at"), kind, branch, who, what]);
    }
    table
}

async fn show(entry_id: &str, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let view = client.get(&format!("/timeline/{entry_id}")).await?;
    context.out.answer(&view, |paint| render(&view, paint))?;
    Ok(Exit::Done)
}

fn render(view: &Value, paint: Paint) -> String {
    let (moment, state) = (&view["moment"], &view["state"]);
    let labels = view["labels"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut pairs = vec![
        ("moment", text(moment, "entry_id")),
        ("at", instant(moment, "at")),
        ("kind", text(moment, "kind")),
        ("branch", text(moment, "branch")),
        ("who", text(moment, "principal")),
        ("what", text(moment, "title")),
        ("node", text(moment, "node")),
        ("run", text(&moment["refs"], "run_id")),
        ("labels", labels.collect::<Vec<_>>().join(", ")),
        ("pinned", if view["is_pinned"] == true { "yes".to_owned() } else { String::new() }),
        ("workspace", text(state, "workspace")),
    ];
    for deployed in state["deployed"].as_array().into_iter().flatten() {
        let [env, stage, capsule] = ["env", "stage", "capsule"].map(|key| text(deployed, key));
        pairs.push(("deployed", format!("{env}/{stage} {capsule}")));
    }
    for mapped in state["domains"].as_array().into_iter().flatten() {
        let [domain, capsule] = ["domain", "capsule"].map(|key| text(mapped, key));
        pairs.push(("domain", format!("{domain} {capsule}")));
    }
    facts(&pairs, paint)
}

async fn diff(arguments: Diff, context: &Context) -> Result<Exit, Failure> {
    let Diff { from, to, limit } = arguments;
    let client = context.client(Need::Read).await?;
    let query = [("from", from), ("to", to), ("limit", limit.clamp(1, PAGE).to_string())];
    let diff = client.get_with("/timeline/diff", &query).await?;
    context.out.answer(&diff, |paint| {
        let mut changes =
            Table::new(&[("OF", Column::Text), ("BEFORE", Column::Text), ("AFTER", Column::Text)]);
        for change in diff["changes"].as_array().into_iter().flatten() {
            changes.row(["of", "before", "after"].map(|key| text(change, key)));
        }
        let between = table(diff["items"].as_array().into_iter().flatten());
        let more = if diff["next_cursor"].is_null() { "" } else { "\n… and more; see --limit" };
        format!("{}\n\n{}{more}", changes.render(paint), between.render(paint))
    })?;
    Ok(Exit::Done)
}

async fn branches(context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let branches = client.list("/timeline/branches", &[], 1000).await?;
    let mut table = Table::new(&[("BRANCH", Column::Text), ("BASE", Column::Text), ("HEAD", Column::Text)]);
    for branch in branches["items"].as_array().into_iter().flatten() {
        table.row(["name", "base", "head"].map(|key| text(branch, key)));
    }
    table.show(&branches, "no branches", &context.out)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_on_one_line_and_its_state_on_many() {
        let moment = json!({
            "entry_id": "e1", "at": "2026-01-31T12:00:00.000042Z", "kind": "approve", "branch": "main",
            "principal": "ada@lab", "title": "Deploy: approved `go` by ada@lab", "refs": { "run_id": "r1" },
        });
        insta::assert_snapshot!(table([&moment]).render(Paint::PLAIN), @r"
        MOMENT  AT                   KIND     BRANCH  WHO      WHAT
        e1      2026-01-31 12:00:00  approve  main    ada@lab  Deploy: approved `go` by ada@lab
        ");
        let view = json!({
            "moment": moment, "labels": ["v1"], "is_pinned": true,
            "state": { "deployed": [{ "env": "shop", "stage": "prod", "capsule": "c1" }], "domains": [] },
        });
        insta::assert_snapshot!(render(&view, Paint::PLAIN), @r"
        moment    e1
        at        2026-01-31 12:00:00
        kind      approve
        branch    main
        who       ada@lab
        what      Deploy: approved `go` by ada@lab
        run       r1
        labels    v1
        pinned    yes
        deployed  shop/prod c1
        ");
    }
}
