//! `xyn peer revoke`: a member belongs no more.

use std::io::{self, BufRead, IsTerminal};

use clap::Args;
use serde_json::{Map, json};

use super::member::Member;
use super::root::{Asked, By};
use crate::cli::Context;
use crate::client::{Need, route};
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The member's key, the beginning of it, or its principal
    peer: String,
    /// Why; asked for on a terminal when it is left out
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    by: By,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Node).await?;
    let member = Member::named(&client, &arguments.peer).await?;
    let (node, who) = (member.node.to_string(), member.principal.clone());
    let reason = match &arguments.reason {
        Some(reason) => reason.clone(),
        None => ask(who.as_str(), context)?,
    };
    let path = route(&["peers", &node, "revoke"])?;
    let input = Map::from_iter(
        [("node", &node), ("reason", &reason)].map(|(name, said)| (name.to_owned(), json!(said))),
    );
    let asked = Asked::Revocation { member, reason };
    let answer = arguments.by.post((&client, context), ("peer.revoke", &path), input, &asked).await?;
    context.out.answer(&answer, |_| format!("{who} is revoked with node {node}"))?;
    context.out.hint("what it wrote until now still counts; what comes later is refused everywhere");
    Ok(Exit::Done)
}

/// The reason, from the terminal.
fn ask(who: &str, context: &Context) -> Result<String, Failure> {
    let missing = || Failure::usage("a revocation needs a reason").hint("say why with: --reason TEXT");
    if context.out.json || !io::stdin().is_terminal() {
        return Err(missing());
    }
    context.out.note(&format!("Why is {who} revoked?"));
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|_| missing())?;
    Some(line.trim().to_owned()).filter(|reason| !reason.is_empty()).ok_or_else(missing)
}
