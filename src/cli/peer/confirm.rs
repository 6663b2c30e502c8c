//! `xyn peer confirm`: let a member take the new key that it asked for.

use clap::Args;
use serde_json::{Map, json};

use super::member::Member;
use super::root::{Asked, By};
use crate::cli::Context;
use crate::client::{Need, route};
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The member's present key, the beginning of it, or its principal
    peer: String,
    #[command(flatten)]
    by: By,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Node).await?;
    let member = Member::named(&client, &arguments.peer).await?;
    let (node, who) = (member.node.to_string(), member.principal.clone());
    let path = route(&["peers", &node, "confirm"])?;
    let input = Map::from_iter([("node".to_owned(), json!(node))]);
    let asked = Asked::Succession { member };
    let answer = arguments.by.post((&client, context), ("peer.confirm", &path), input, &asked).await?;
    context.out.answer(&answer, |_| format!("{who} has another key now, instead of {node}"))?;
    context.out.hint("see it with: xyn peer list");
    Ok(Exit::Done)
}
