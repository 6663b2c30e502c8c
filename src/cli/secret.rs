//! `xyn secret`: values that the node keeps for apps, and never shows.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use xyn_actors::services::secrets::SecretName;

use super::table::{Column, Table, instant, text};
use super::{Context, input};
use crate::client::{Need, route};
use crate::failure::{Exit, Failure};

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Keep a value, read from stdin or a file, never from the command line
    Put(Put),
    /// List secrets by name; values are not shown
    List,
    /// Forget a secret
    Remove(Remove),
}

#[derive(Debug, Args)]
pub(super) struct Put {
    /// Its name, such as app/shop/API_KEY: what the variable API_KEY of the app `shop` is set to
    name: SecretName,
    /// The file with the value; stdin when left out. One line feed at its end is not part of it
    #[arg(long, value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// Its name
    name: SecretName,
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Put(arguments) => put(&arguments, context).await,
        Command::List => list(context).await,
        Command::Remove(arguments) => remove(&arguments, context).await,
    }
}

async fn put(arguments: &Put, context: &Context) -> Result<Exit, Failure> {
    let value = input::text(&arguments.file)?;
    let value = value.strip_suffix('\n').unwrap_or(&value);
    if value.is_empty() {
        return Err(Failure::failed("empty_secret", "there is no value")
            .hint("hand it in on stdin: printf %s VALUE | xyn secret put NAME"));
    }
    let client = context.client(Need::Node).await?;
    let answer = client.post("/secrets", &json!({ "name": arguments.name, "value": value })).await?;
    context
        .out
        .answer(&answer, |_| format!("{} version {}", text(&answer, "name"), text(&answer, "version")))?;
    Ok(Exit::Done)
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let secrets = context.client(Need::Read).await?.get("/secrets").await?;
    let columns =
        [("NAME", Column::Text), ("VERSION", Column::Number), ("SINCE", Column::Text), ("BY", Column::Text)];
    let mut table = Table::new(&columns);
    for secret in secrets["items"].as_array().into_iter().flatten() {
        let [name, version, by] = ["name", "version", "by"].map(|field| text(secret, field));
        table.row([name, version, instant(secret, "at"), by]);
    }
    if !table.show(&secrets, "no secrets", &context.out)? {
        context.out.hint("keep one with: xyn secret put app/APP/VARIABLE, and type its value");
    }
    Ok(Exit::Done)
}

async fn remove(arguments: &Remove, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Node).await?;
    let path = route(&["secrets", arguments.name.as_str(), "remove"])?;
    let answer = client.post(&path, &json!({})).await?;
    context.out.answer(&answer, |_| format!("forgot {}", text(&answer, "name")))?;
    Ok(Exit::Done)
}
