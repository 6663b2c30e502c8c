//! `xyn peer rotate`: give this node a new key, and wait until it goes by it.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Map;

use super::member::Member;
use super::root::{Asked, By};
use crate::cli::Context;
use crate::cli::table::text;
use crate::client::Need;
use crate::failure::{Exit, Failure};

/// How long a confirmation and the node's new start are waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked.
const GLANCE: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
#[command(
    after_help = "The node goes on under the new key once a node above it (the one that invited it, say) has \
                  confirmed it; until then it writes nothing to the timeline. A node in whose folder root.key \
                  lies needs nobody, and neither does one for which the root says so with --root. Members that are \
                  away hear of it from those that are here."
)]
pub(in crate::cli) struct Arguments {
    /// Do not wait until the node goes by the new key
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    by: By,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Node).await?;
    let own = text(&client.get("/mesh").await?, "node");
    let asked = Asked::Succession { member: Member::named(&client, &own).await? };
    let act = ("peer.rotate", "/peers/rotate");
    let answer = arguments.by.post((&client, context), act, Map::new(), &asked).await?;
    let (node, successor) = (text(&answer, "node"), text(&answer, "successor"));
    let deadline = Instant::now() + PATIENCE;
    let mut is_changed = false;
    while !arguments.no_wait && !is_changed && Instant::now() < deadline {
        tokio::time::sleep(GLANCE).await;
        is_changed = goes_by(&successor, context).await;
    }
    context.out.answer(&answer, |_| match is_changed {
        true => format!("this node goes by the key {successor} now"),
        false => format!("this node asks to go by the key {successor}"),
    })?;
    if is_changed {
        context
            .out
            .hint("what the old key signed until now still counts, nothing later does; its secret is gone");
    } else {
        let hint =
            "it does once a node above it has confirmed that; by itself where policies allow it, or with:";
        context.out.hint(&format!("{hint} xyn peer confirm {node}"));
    }
    Ok(Exit::Done)
}

/// Whether the node answers under `key`. While it starts anew it does not answer at all.
async fn goes_by(key: &str, context: &Context) -> bool {
    let Ok(client) = context.client(Need::Node).await else { return false };
    client.get("/mesh").await.is_ok_and(|mesh| text(&mesh, "node") == key)
}
