//! `xyn timeline merge`, `label`, `pin` and `note`: what is said on the timeline.

use clap::Args;
use serde_json::{Value, json};

use super::log::table;
use crate::cli::on_the_way::patiently;
use crate::cli::table::{Column, Table, instant, text};
use crate::cli::{Context, moment};
use crate::client::{Need, route};
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Merge {
    /// The branch that is joined
    from: String,
    /// The branch it is joined into
    #[arg(long, default_value = "main")]
    into: String,
    /// What to say of it
    #[arg(long)]
    title: Option<String>,
    /// Where both changed the same place differently, take what the branch has that is joined into
    #[arg(long)]
    ours: bool,
    /// Where both changed the same place differently, take what the joined branch has
    #[arg(long, conflicts_with = "ours")]
    theirs: bool,
    /// The same for one place, before what is said of all; may be repeated
    #[arg(long = "side", value_name = "PLACE=ours|theirs", value_parser = side)]
    sides: Vec<(String, String)>,
}

/// A place and the side that is right there.
fn side(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((place, side @ ("ours" | "theirs"))) => Ok((place.to_owned(), side.to_owned())),
        _ => Err("a side is PLACE=ours or PLACE=theirs".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Label {
    /// The name; without it, all of them are listed
    name: Option<String>,
    /// The moment that gets it; without it, the one that has it is shown
    moment: Option<String>,
    /// Take the name away
    #[arg(long, requires = "name", conflicts_with = "moment")]
    remove: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Pin {
    /// The moment's id or label; without it, the pinned moments are listed
    moment: Option<String>,
    /// No longer keep it in sight
    #[arg(long, requires = "moment")]
    remove: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Note {
    /// What to say
    title: String,
    /// On which branch; main when it is left out
    #[arg(long)]
    branch: Option<String>,
    /// The moment it is about
    #[arg(long, value_name = "MOMENT")]
    about: Option<String>,
}

pub(super) async fn merge(arguments: Merge, context: &Context) -> Result<Exit, Failure> {
    let Merge { from, into, title, ours, theirs, sides } = arguments;
    let favour = if ours { Some("ours") } else { theirs.then_some("theirs") };
    let sides: serde_json::Map<String, Value> =
        sides.into_iter().map(|(place, side)| (place, side.into())).collect();
    let sides = (!sides.is_empty()).then_some(sides);
    let body = json!({ "from": from, "into": into, "title": title, "favour": favour, "sides": sides });
    said("merge", body, context).await
}

pub(super) async fn label(arguments: Label, context: &Context) -> Result<Exit, Failure> {
    let Label { name, moment, remove } = arguments;
    let name = match name {
        Some(name) if moment.is_some() || remove => name,
        asked => return labels(asked, context).await,
    };
    let entry_id = moment::optional(&context.client(Need::Node).await?, moment).await?;
    let answer = say("label", json!({ "name": name, "entry_id": entry_id }), context).await;
    let answer = answer.map_err(|failure| failure.typed(&[("name", "NAME")]))?;
    context.out.answer(&answer, |_| match entry_id.as_str() {
        Some(entry_id) => format!("{name} is {entry_id}"),
        None => format!("{name} names nothing any more"),
    })?;
    Ok(Exit::Done)
}

pub(super) async fn pin(arguments: Pin, context: &Context) -> Result<Exit, Failure> {
    let Pin { moment, remove } = arguments;
    let Some(moment) = moment else { return pins(context).await };
    let entry_id = moment::named(&context.client(Need::Node).await?, &moment).await?;
    let answer = say("pin", json!({ "entry_id": entry_id, "pinned": !remove }), context).await?;
    let word = if remove { "no longer pinned" } else { "pinned" };
    context.out.answer(&answer, |_| format!("{entry_id} is {word}"))?;
    Ok(Exit::Done)
}

pub(super) async fn note(arguments: Note, context: &Context) -> Result<Exit, Failure> {
    let Note { title, branch, about } = arguments;
    let about = moment::optional(&context.client(Need::Node).await?, about).await?;
    let body = json!({ "title": title, "branch": branch, "entry_id": about });
    let typed = |failure: Failure| failure.typed(&[("title", "TITLE"), ("branch", "--branch")]);
    said("note", body, context).await.map_err(typed)
}

/// Lists the labels, or shows the one that has this name.
async fn labels(name: Option<String>, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let query: Vec<_> = name.into_iter().map(|name| ("name", name)).collect();
    let labels = client.list("/timeline/labels", &query, 1000).await?;
    let columns = ["LABEL", "MOMENT", "AT", "WHAT"].map(|name| (name, Column::Text));
    let mut table = Table::new(&columns);
    for label in labels["items"].as_array().into_iter().flatten() {
        let ([name, id], moment) = (["name", "entry_id"].map(|key| text(label, key)), &label["moment"]);
        table.row([name, id, instant(moment, "at"), text(moment, "title")]);
    }
    table.show(&labels, "no moment has such a name", &context.out)?;
    Ok(Exit::Done)
}

/// Lists the moments that are kept in sight.
async fn pins(context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let pins = client.list("/timeline/pins", &[], 1000).await?;
    let moments = pins["items"].as_array().into_iter().flatten().map(|pin| match &pin["moment"] {
        Value::Null => pin,
        moment => moment,
    });
    table(moments).show(&pins, "no moment is pinned", &context.out)?;
    Ok(Exit::Done)
}

/// Says something that becomes a moment, and shows its id.
async fn said(verb: &str, body: Value, context: &Context) -> Result<Exit, Failure> {
    let answer = say(verb, body, context).await?;
    context.out.answer(&answer, |_| text(&answer, "entry_id"))?;
    Ok(Exit::Done)
}

/// Submits a word as an intent, and gives back what became of it.
pub(super) async fn say(verb: &str, mut body: Value, context: &Context) -> Result<Value, Failure> {
    if let Value::Object(fields) = &mut body {
        fields.retain(|_, value| !value.is_null());
    }
    let client = context.client(Need::Node).await?;
    let path = route(&["timeline", verb])?;
    patiently(context, async || client.post(&path, &body).await).await
}
