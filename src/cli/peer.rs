//! `xyn peer`: who belongs to the environment, who is here, whom to let in and whom to revoke.

mod confirm;
mod invite;
mod join;
mod list;
mod member;
mod renew;
mod revoke;
mod root;
mod rotate;
mod show;
mod term;
mod trace;

use clap::Subcommand;
use serde_json::Value;

use super::Context;
use super::table::text;
use crate::client::{Client, route};
use crate::failure::{Exit, Failure};

/// Members that are looked through for one.
const MEMBERS_MAX: usize = 10_000;
/// Members that are named where several may be meant.
const CANDIDATES_MAX: usize = 8;

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
    /// Give this node a new key
    Rotate(rotate::Arguments),
    /// Confirm that a member takes the new key that it asked for
    Confirm(confirm::Arguments),
    /// Give a member its next certificate, with another end or another role
    Renew(renew::Arguments),
    /// Revoke a member
    Revoke(revoke::Arguments),
    /// Take the key that ranks above everybody out of the node's folder
    #[command(subcommand)]
    Root(root::Command),
    /// Show who came, who left and who was refused, and why, until interrupted
    Trace(trace::Arguments),
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::List(arguments) => list::run(&arguments, context).await,
        Command::Show(arguments) => show::run(&arguments, context).await,
        Command::Invite(arguments) => invite::run(arguments, context).await,
        Command::Join(arguments) => join::run(&arguments, context).await,
        Command::Rotate(arguments) => rotate::run(&arguments, context).await,
        Command::Confirm(arguments) => confirm::run(&arguments, context).await,
        Command::Renew(arguments) => renew::run(&arguments, context).await,
        Command::Revoke(arguments) => revoke::run(&arguments, context).await,
        Command::Root(command) => root::run(&command, context),
        Command::Trace(arguments) => trace::run(&arguments, context).await,
    }
}

/// The one member that `name` means: by its key, the beginning of its key, or its principal.
async fn named(client: &Client, name: &str) -> Result<Value, Failure> {
    if name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let member = client.get(&route(&["peers", name])?).await?;
        // Whoever is asked for one must not give another.
        return one_of(vec![member], &name.to_ascii_lowercase());
    }
    let mut members = client.list("/peers", &[], MEMBERS_MAX).await?;
    let members = members["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
    one_of(members, name)
}

/// Whether `name` is the member's key, the beginning of it, or its principal.
fn means(member: &Value, name: &str) -> bool {
    !name.is_empty() && (text(member, "node").starts_with(name) || text(member, "principal") == name)
}

fn one_of(members: Vec<Value>, name: &str) -> Result<Value, Failure> {
    let mut found: Vec<Value> = members.into_iter().filter(|member| means(member, name)).collect();
    // A person who took another key is meant by that one, and one who came back by the one that counts.
    let is_in_force = |member: &Value| !matches!(member["standing"].as_str(), Some("retired" | "revoked"));
    if found.iter().filter(|member| is_in_force(member)).count() == 1 {
        found.retain(is_in_force);
    }
    match (found.pop(), found.as_slice()) {
        (Some(member), []) => Ok(member),
        (Some(last), others) => {
            let shown = |member: &Value| {
                let key: String = text(member, "node").chars().take(list::KEY_DIGITS).collect();
                format!("{key} ({}, {})", text(member, "principal"), text(member, "standing"))
            };
            let mut candidates: Vec<_> =
                others.iter().chain([&last]).take(CANDIDATES_MAX).map(shown).collect();
            if others.len() >= CANDIDATES_MAX {
                candidates.push(format!("{} more", others.len() + 1 - CANDIDATES_MAX));
            }
            let message =
                format!("`{name}` may mean {} members: {}", others.len() + 1, candidates.join(", "));
            Err(Failure::new(Exit::Usage, "ambiguous", message).hint("say the beginning of its key"))
        }
        (None, _) => Err(stranger(name)),
    }
}

/// Nobody here is called `name`.
fn stranger(name: &str) -> Failure {
    Failure::new(Exit::NotFound, "not_found", format!("there is no peer `{name}`"))
        .hint("see who belongs with: xyn peer list")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_is_named_by_the_beginning_of_its_key_or_by_its_principal() {
        let members = || {
            let member = |node: &str, principal: &str, standing: &str| json!({ "node": node, "principal": principal, "standing": standing });
            vec![
                member("ab12", "ada@lab", "active"),
                member("ab34", "ada@home", "active"),
                member("cd56", "ada@home", "expired"),
                member("cd78", "bob@lab", "retired"),
                member("cd90", "bob@lab", "active"),
            ]
        };
        let found = |name: &str| one_of(members(), name).map(|member| text(&member, "node"));
        assert_eq!(found("ab1").as_deref(), Ok("ab12"));
        assert_eq!(found("ada@lab").as_deref(), Ok("ab12"));
        assert_eq!(found("ab").map_err(|failure| failure.exit), Err(Exit::Usage));
        assert_eq!(found("bob@lab").as_deref(), Ok("cd90"), "the key that bob has now");
        assert_eq!(found("cd78").as_deref(), Ok("cd78"));
        let ambiguous = found("ada@home").expect_err("there are two");
        assert_eq!((ambiguous.exit, ambiguous.code.as_str()), (Exit::Usage, "ambiguous"));
        insta::assert_snapshot!(
            ambiguous.message,
            @"`ada@home` may mean 2 members: ab34 (ada@home, active), cd56 (ada@home, expired)"
        );
        assert_eq!(found("").map_err(|failure| failure.exit), Err(Exit::NotFound));
        assert_eq!(found("ef").map_err(|failure| failure.exit), Err(Exit::NotFound));
    }
}
