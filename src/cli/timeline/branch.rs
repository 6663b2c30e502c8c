//! `xyn timeline branch`: begin a branch, or list those there are.

use clap::Args;
use serde_json::{Value, json};

use super::words::say;
use crate::cli::Context;
use crate::cli::table::{Column, Table, text};
use crate::client::Need;
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The new branch; without it, all branches are listed
    name: Option<String>,
    /// The moment it begins at; the newest one when it is left out
    #[arg(long, value_name = "MOMENT", requires = "name")]
    at: Option<String>,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let Arguments { name: Some(name), at } = arguments else { return branches(context).await };
    let answer = say("branch", json!({ "name": name, "entry_id": at }), context).await?;
    let [name, base] = ["name", "base"].map(|key| text(&answer, key));
    context.out.answer(&answer, |_| format!("branch {name} begins at {base}"))?;
    Ok(Exit::Done)
}

async fn branches(context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let branches = client.list("/timeline/branches", &[], 1000).await?;
    let mut table = Table::new(&[("BRANCH", Column::Text), ("BASE", Column::Text), ("HEAD", Column::Text)]);
    let mut is_contended = false;
    for branch in branches["items"].as_array().into_iter().flatten() {
        let [name, base, head] = ["name", "base", "head"].map(|key| text(branch, key));
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
