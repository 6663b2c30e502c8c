//! `xyn peer renew`: a member's next certificate, with another end or another role.

use clap::{ArgGroup, Args};
use serde_json::{Map, Value, json};
use xyn_store::Clock;

use super::member::Member;
use super::root::{Asked, By};
use super::term::{Role, Term};
use crate::cli::Context;
use crate::client::{Need, route};
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("change").args(["valid_for", "role"]).required(true).multiple(true),
    after_help = "The newest certificate by whoever ranks above the member is in force. A node whose certificate ran \
                  out is refused by the others until it is renewed; what it wrote counts all the same."
)]
pub(in crate::cli) struct Arguments {
    /// The member's key, the beginning of it, or its principal
    peer: String,
    /// How long it belongs from now on, such as 30d, or `ever`; as before when left out
    #[arg(long, value_name = "TIME")]
    valid_for: Option<Term>,
    /// What its principal may do from now on; as before when left out
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// Its seat is directly below the root, as the founder's is: only the root can revoke it
    #[arg(long, requires = "root")]
    below_root: bool,
    #[command(flatten)]
    by: By,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    if arguments.by.is_root() && (arguments.valid_for.is_none() || arguments.role.is_none()) {
        return Err(Failure::usage("the root signs what you say, and not what a node says of a member")
            .hint("say both: --valid-for TIME, or `ever`, and --role ROLE"));
    }
    let client = context.client(Need::Node).await?;
    let member = Member::named(&client, &arguments.peer).await?;
    let (node, who) = (member.node.to_string(), member.principal.clone());
    let until = arguments.valid_for.map(|term| term.from(Clock::system().now()));
    let mut input = Map::from_iter([("node".to_owned(), Value::from(node.as_str()))]);
    input.extend(until.map(|until| ("expires_at".to_owned(), json!(until))));
    input.extend(arguments.role.map(|role| ("role".to_owned(), json!(role.0))));
    let asked = Asked::Renewal {
        member,
        role: arguments.role.map(|role| role.0),
        expires: until,
        is_below_root: arguments.below_root,
    };
    let path = route(&["peers", &node, "renew"])?;
    let answer = arguments.by.post((&client, context), ("peer.renew", &path), input, &asked).await?;
    context.out.answer(&answer, |_| format!("{who} has another certificate for node {node}"))?;
    context.out.hint(&format!("see it with: xyn peer show {}", arguments.peer));
    Ok(Exit::Done)
}
