//! `xyn peer join`: redeem a ticket for the folder of a node that was not started yet.

use clap::Args;
use serde_json::json;
use xyn_actors::services::mesh::{self, Joined};
use xyn_store::{Clock, Options, Store, StoreError};

use crate::cli::output::Unit;
use crate::cli::{Context, folder, up};
use crate::failure::{Exit, Failure};
use crate::shell;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The line that `xyn peer invite` printed on the other machine
    ticket: String,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let ticket = up::ticket(&arguments.ticket, "TICKET")?;
    if context.is_elsewhere() {
        return Err(Failure::usage("a ticket is redeemed where the node's folder is")
            .hint("leave out --url and XYN_URL, and name the folder with --data DIR"));
    }
    let data = context.data()?;
    let (env, issuer) = (ticket.env, ticket.issuer);
    let store = Store::open(&data, Options::default()).map_err(|error| match error {
        StoreError::InUse { .. } => {
            let message = format!("a node runs on `{}`, and it has its environment already", data.display());
            Failure::new(Exit::Conflict, "in_use", message)
                .hint("join with a new folder: xyn up --data DIR --join TICKET")
        }
        error => folder::failure(&error, &data),
    })?;
    let progress = context.out.progress("joining", None, Unit::Time);
    let joined = mesh::join(&store, &Clock::system(), ticket).await;
    progress.finish_and_clear();
    store.close();
    let joined = joined.map_err(|error| up::not_joined(&error, crate::failure::with_causes(&error)))?;
    let answer = json!({ "env": env, "issuer": issuer, "joined": joined == Joined::Now, "data": data });
    context.out.answer(&answer, |_| match joined {
        Joined::Now => format!("{} is a node of environment {env} now", data.display()),
        Joined::Before => format!("{} is a node of environment {env} already", data.display()),
    })?;
    context.out.hint(&format!("start it with: xyn up --mesh on --data {}", shell::word(&data)));
    Ok(Exit::Done)
}
