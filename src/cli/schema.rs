//! `xyn schema`: the JSON Schema of what people write, generated from the types.

use clap::Subcommand;
use xyn_actors::{blueprint, governance};
use xyn_capsules::manifest;

use super::Context;
use crate::failure::{Exit, Failure};

/// What people write.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Of a blueprint
    Blueprint,
    /// Of a policy
    Policy,
    /// Of what an author says of an app: `capsule.json`
    Capsule,
    /// Of the manifest that a capsule is signed by
    Manifest,
}

pub(super) fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    let schema = match command {
        Command::Blueprint => blueprint::json_schema(),
        Command::Policy => governance::policy_json_schema().to_value(),
        Command::Capsule => manifest::authored_json_schema().to_value(),
        Command::Manifest => manifest::manifest_json_schema().to_value(),
    };
    context.out.document(&schema)?;
    Ok(Exit::Done)
}
