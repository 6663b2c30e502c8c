//! `xyn deploy`: what serves where. Capsules are deployed and rolled back with `xyn capsule deploy` and `rollback`.

use clap::{Args, Subcommand};
use futures::TryStreamExt;
use serde_json::Value;
use xyn_actors::services::deploy::DeploymentName;

use super::Context;
use super::capsule::short;
use super::table::{Column, Table, facts, instant, text};
use crate::cli::input::at_least_one;
use crate::client::{Need, route};
use crate::failure::{Exit, Failure};

/// What can be done with deployments.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what serves where
    List(List),
    /// Show a deployment
    Show(Show),
    /// Print the last that the process of a deployment said
    Logs(Show),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = at_least_one)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// APP.STAGE, or APP.STAGE.TARGET where there are several
    deployment: DeploymentName,
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::List(arguments) => list(&arguments, context).await,
        Command::Show(arguments) => show(&arguments, context).await,
        Command::Logs(arguments) => logs(&arguments, context).await,
    }
}

async fn list(arguments: &List, context: &Context) -> Result<Exit, Failure> {
    let deployments = context.client(Need::Read).await?.list("/deployments", &[], arguments.limit).await?;
    let mut table = Table::new(&[
        ("DEPLOYMENT", Column::Text),
        ("SERVES", Column::Text),
        ("GENERATION", Column::Number),
        ("SINCE", Column::Text),
        ("AT", Column::Text),
        ("BEFORE", Column::Text),
    ]);
    for deployment in deployments["items"].as_array().into_iter().flatten() {
        let current = &deployment["current"];
        table.row([
            text(deployment, "deployment"),
            short(&text(current, "id")).to_owned(),
            text(current, "generation"),
            instant(current, "at"),
            place(deployment),
            short(&text(&deployment["previous"], "id")).to_owned(),
        ]);
    }
    let is_shown = table.show(&deployments, "no deployments", &context.out)?;
    if !is_shown {
        context.out.hint("deploy a capsule with: xyn capsule deploy FILE --stage dev");
    }
    Ok(Exit::Done)
}

async fn show(arguments: &Show, context: &Context) -> Result<Exit, Failure> {
    let path = route(&["deployments", &arguments.deployment.to_string()])?;
    let deployment = context.client(Need::Read).await?.get(&path).await?;
    let (current, previous) = (&deployment["current"], &deployment["previous"]);
    context.out.answer(&deployment, |paint| {
        let pairs = [
            ("deployment", text(&deployment, "deployment")),
            ("at", place(&deployment)),
            ("serves", short(&text(current, "id")).to_owned()),
            ("name", text(current, "name")),
            ("generation", text(current, "generation")),
            ("since", instant(current, "at")),
            ("by", text(current, "by")),
            ("health", text(current, "health")),
            ("capsule", text(current, "capsule")),
            ("moment", text(current, "entry_id")),
            ("before", short(&text(previous, "id")).to_owned()),
            ("services", services(&deployment)),
        ];
        facts(&pairs, paint)
    })?;
    Ok(Exit::Done)
}

async fn logs(arguments: &Show, context: &Context) -> Result<Exit, Failure> {
    let path = route(&["deployments", &arguments.deployment.to_string(), "logs"])?;
    let body = context.client(Need::Read).await?.download(&path).await?.body;
    let said: Vec<u8> = body.try_concat().await?;
    // By lines: a program may end them as terminals do.
    String::from_utf8_lossy(&said).lines().try_for_each(|line| context.out.line(line))?;
    Ok(Exit::Done)
}

/// Which secret is the address of which service.
fn services(deployment: &Value) -> String {
    let pairs = deployment["services"].as_object().into_iter().flatten();
    let pairs = pairs.map(|(name, secret)| format!("{name}={}", secret.as_str().unwrap_or_default()));
    pairs.collect::<Vec<_>>().join(" ")
}

/// Where it is served, or why it is not.
fn place(deployment: &Value) -> String {
    match deployment["is_served"] == true {
        true => text(deployment, "url"),
        false => format!("not served: {}", text(deployment, "fault")),
    }
}
