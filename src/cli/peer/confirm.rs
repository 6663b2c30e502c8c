//! `xyn peer confirm`: let a member take the new key that it asked for.

use clap::Args;
use serde_json::json;

use crate::cli::Context;
use crate::cli::table::text;
use crate::client::{Need, route};
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The member's present key, the beginning of it, or its principal
    peer: String,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Node).await?;
    let peer = super::named(&client, &arguments.peer).await?;
    let (node, who) = (text(&peer, "node"), text(&peer, "principal"));
    let answer = client.post(&route(&["peers", &node, "confirm"])?, &json!({})).await?;
    context.out.answer(&answer, |_| format!("{who} has another key now, instead of {node}"))?;
    context.out.hint("see it with: xyn peer list");
    Ok(Exit::Done)
}
