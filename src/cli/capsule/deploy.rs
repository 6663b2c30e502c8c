//! `xyn capsule deploy` and `rollback`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Context;
use super::hand_in::hand_in;
use super::keys::Trust;
use super::node::{self, short};
use super::source::named;
use crate::cli::input;
use crate::cli::on_the_way::at_length;
use crate::cli::output::Unit;
use crate::cli::table::text;
use crate::client::{Need, route};
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Deploy {
    /// The file of a capsule; or one that the node has: its digest, APP@VERSION, or APP
    #[arg(value_name = "FILE|CAPSULE")]
    capsule: PathBuf,
    #[command(flatten)]
    place: Place,
    /// The port that it is served at; the one it has, or any that is free when left out
    #[arg(long)]
    port: Option<u16>,
    /// A page that is answered well when the app is well
    #[arg(long, value_name = "PATH", default_value = "/")]
    health: String,
    /// The secret that is the address of a service which the app needs, kept with `xyn secret put`
    #[arg(long = "service", value_name = "NAME=SECRET")]
    services: Vec<String>,
    #[command(flatten)]
    trust: Trust,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Rollback {
    /// The app
    app: String,
    #[command(flatten)]
    place: Place,
    /// Apply its seeds again: files in place of what is there, which is kept aside, statements once more, documents merged
    #[arg(long)]
    seeds: bool,
}

/// Where to, and the word that production asks for.
#[derive(Debug, Args)]
struct Place {
    /// The stage
    #[arg(long, value_enum)]
    stage: Stage,
    /// How it is served; by what the app is when left out
    #[arg(long, value_enum)]
    target: Option<Target>,
    /// What confirms an act in production: it is shown with what is about to happen
    #[arg(long, value_name = "WORD")]
    confirm: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Stage {
    Dev,
    #[value(alias = "test")]
    Staging,
    Prod,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    Static,
    Process,
}

impl Place {
    /// What it adds to an input.
    fn write(&self, body: &mut Value) {
        let stage = match self.stage {
            Stage::Dev => "dev",
            Stage::Staging => "staging",
            Stage::Prod => "prod",
        };
        body["stage"] = json!(stage);
        if let Some(confirm) = &self.confirm {
            body["confirm"] = json!(confirm);
        }
    }

    fn target(&self) -> Option<&'static str> {
        self.target.map(|target| match target {
            Target::Static => "static",
            Target::Process => "process",
        })
    }
}

pub(super) async fn deploy(arguments: &Deploy, context: &Context) -> Result<Exit, Failure> {
    let Deploy { capsule, place, port, health, services, trust } = arguments;
    let services = input::labels("--service", services)?;
    let client = context.client(Need::Node).await?;
    let mut body = trust.fields()?;
    let bar = context.out.progress("deploying", None, Unit::Time);
    let name = match named(capsule) {
        Some(name) => Ok(json!(name.to_string())),
        None => hand_in(&client, capsule, trust, context).await.map(|answer| {
            node::tell_ignored(&answer, context);
            answer["capsule"].clone()
        }),
    };
    let answer = match name {
        Ok(name) => {
            body["capsule"] = name;
            body["health"] = json!(health);
            place.write(&mut body);
            if !services.is_empty() {
                body["services"] = Value::Object(services);
            }
            if let Some(port) = port {
                body["port"] = json!(port);
            }
            if let Some(target) = place.target() {
                body["target"] = json!(target);
            }
            at_length(context, "deploying it", client.post_at_length("/deployments", &body)).await
        }
        Err(failure) => Err(failure),
    };
    bar.finish_and_clear();
    told(&answer?, context)
}

pub(super) async fn rollback(arguments: &Rollback, context: &Context) -> Result<Exit, Failure> {
    let Rollback { app, place, seeds } = arguments;
    let (mut body, mut input) = (json!({}), json!({}));
    if *seeds {
        body["seeds"] = json!(true);
    }
    place.write(&mut input);
    let mut name = format!("{app}.{}", text(&input, "stage"));
    if let Some(target) = place.target() {
        name = format!("{name}.{target}");
    }
    if let Some(confirm) = input.get("confirm") {
        body["confirm"] = confirm.clone();
    }
    let client = context.client(Need::Node).await?;
    let answer = client.post(&route(&["deployments", &name, "rollback"])?, &body).await?;
    told(&answer, context)
}

/// What serves now, and where.
fn told(answer: &Value, context: &Context) -> Result<Exit, Failure> {
    context.out.answer(answer, |_| text(answer, "url"))?;
    let before = text(answer, "before");
    let serves = format!(
        "{} serves {} generation {}",
        text(answer, "deployment"),
        short(&text(answer, "id")),
        text(answer, "generation")
    );
    let seeds = if answer["seeds_again"] == true { "; its seeds were applied again" } else { "" };
    match before.as_str() {
        "" => context.out.note(&serves),
        before => context.out.note(&format!("{serves}, in place of {}{seeds}", short(before))),
    }
    Ok(Exit::Done)
}
