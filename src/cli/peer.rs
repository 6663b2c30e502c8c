//! `xyn peer`: who belongs to the environment, who is here, whom to let in and whom to turn out.

mod invite;
mod join;
mod list;
mod revoke;
mod show;
mod trace;

use clap::Subcommand;
use serde_json::Value;

use super::Context;
use super::table::text;
use crate::client::Client;
use crate::failure::{Exit, Failure};

/// Members that are looked through for one.
const MEMBERS_MAX: usize = 10_000;

/// What can be done with peers.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the members of the environment, and how far behind each of them this node is
    List(list::Arguments),
    /// Show a member
    Show(show::Arguments),
    /// Print a ticket with which one more node joins
    Invite(invite::Arguments),
    /// Join an environment with a ticket, in a folder where no node was started yet
    Join(join::Arguments),
    /// Turn a member out
    Revoke(revoke::Arguments),
    /// Show who came, who left and who was refused, and why, until interrupted
    Trace(trace::Arguments),
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::List(arguments) => list::run(&arguments, context).await,
        Command::Show(arguments) => show::run(&arguments, context).await,
        Command::Invite(arguments) => invite::run(arguments, context).await,
        Command::Join(arguments) => join::run(&arguments, context).await,
        Command::Revoke(arguments) => revoke::run(&arguments, context).await,
        Command::Trace(arguments) => trace::run(&arguments, context).await,
    }
}

/// The one member that `name` means: by its key, the beginning of its key, or its principal.
async fn named(client: &Client, name: &str) -> Result<Value, Failure> {
    if name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return client.get(&format!("/peers/{name}")).await;
    }
    let mut members = client.list("/peers", &[], MEMBERS_MAX).await?;
    let members = members["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
    one_of(members, name)
}

fn one_of(members: Vec<Value>, name: &str) -> Result<Value, Failure> {
    let means = |member: &Value| text(member, "node").starts_with(name) || text(member, "principal") == name;
    let mut found: Vec<Value> = members.into_iter().filter(means).collect();
    match (found.pop(), found.as_slice()) {
        (Some(member), []) if !name.is_empty() => Ok(member),
        (Some(_), _) => {
            let message = format!("`{name}` may mean {} members", found.len() + 1);
            Err(Failure::usage(message).hint("say more of its key; see them with: xyn peer list"))
        }
        (None, _) => Err(Failure::new(Exit::NotFound, "not_found", format!("there is no peer `{name}`"))
            .hint("see who belongs with: xyn peer list")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_is_named_by_the_beginning_of_its_key_or_by_its_principal() {
        let members = || {
            let member = |node: &str, principal: &str| json!({ "node": node, "principal": principal });
            vec![member("ab12", "ada@lab"), member("ab34", "ada@home"), member("cd56", "ada@home")]
        };
        let found = |name: &str| one_of(members(), name).map(|member| text(&member, "node"));
        assert_eq!(found("ab1").as_deref(), Ok("ab12"));
        assert_eq!(found("ada@lab").as_deref(), Ok("ab12"));
        assert_eq!(found("ab").map_err(|failure| failure.exit), Err(Exit::Usage));
        assert_eq!(found("ada@home").map_err(|failure| failure.exit), Err(Exit::Usage));
        assert_eq!(found("ef").map_err(|failure| failure.exit), Err(Exit::NotFound));
    }
}
