//! `xyn timeline branch`: begin a branch, put one away, or list those there are.

use clap::Args;
use serde_json::{Value, json};

use super::words::say;
use crate::cli::table::{Column, Table, text};
use crate::cli::{Context, moment};
use crate::client::Need;
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The new branch; without it, all branches are listed
    name: Option<String>,
    /// The moment it begins at; the newest one when it is left out
    #[arg(long, value_name = "MOMENT", requires = "name")]
    at: Option<String>,
    /// Put the branch away: it is no longer listed, and nothing more is put on it
    #[arg(long, requires = "name", conflicts_with = "at")]
    close: bool,
    /// Take a branch out again that was put away
    #[arg(long, requires = "name", conflicts_with_all = ["at", "close"])]
    reopen: bool,
    /// List branches that were put away too
    #[arg(long, conflicts_with = "name")]
    all: bool,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let Arguments { name, at, close, reopen, all } = arguments;
    let Some(name) = name else { return branches(all, context).await };
    let closed = (close || reopen).then_some(close);
    let at = moment::optional(&context.client(Need::Node).await?, at).await?;
    let answer = say("branch", json!({ "name": name, "entry_id": at, "closed": closed }), context).await;
    let answer = answer.map_err(|failure| failure.typed(&[("name", "NAME")]))?;
    let [name, base] = ["name", "base"].map(|key| text(&answer, key));
    context.out.answer(&answer, |_| match closed {
        Some(true) => format!("branch {name} is put away"),
        Some(false) => format!("branch {name} is open again"),
        None => format!("branch {name} begins at {base}"),
    })?;
    Ok(Exit::Done)
}

async fn branches(all: bool, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let mut branches = client.list("/timeline/branches", &[], 1000).await?;
    if let Some(items) = branches["items"].as_array_mut().filter(|_| !all) {
        items.retain(|branch| branch["is_closed"] != true);
    }
    let mut table = Table::new(&[("BRANCH", Column::Text), ("BASE", Column::Text), ("HEAD", Column::Text)]);
    let mut is_contended = false;
    for branch in branches["items"].as_array().into_iter().flatten() {
        let [mut name, base, head] = ["name", "base", "head"].map(|key| text(branch, key));
        if branch["is_closed"] == true {
            name += " (put away)";
        }
        let others = branch["contenders"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let others = others.map(|other| format!(" or {other}")).collect::<String>();
        is_contended |= !others.is_empty();
        table.row([name, base + &others, head]);
    }
    table.show(&branches, "no branches", &context.out)?;
    if is_contended {
        let how = "settle it for the first with: xyn timeline branch NAME --at MOMENT";
        context.out.hint(&format!("a branch was begun at several moments by people who were apart; {how}"));
    }
    Ok(Exit::Done)
}
