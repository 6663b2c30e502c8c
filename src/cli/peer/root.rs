//! `xyn peer root`: the key that the environment is rooted in, out of the node's folder.
//!
//! What it signs of there is in [`by`], and whether that was asked for in [`draft`]. Invariant: the key is copied into
//! a file that was not there before, and sent nowhere.

mod by;
mod draft;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use xyn_store::audit::key::{KeyError, NodeKey};
use xyn_store::trust::EnvId;

use crate::cli::Context;
use crate::failure::{Exit, Failure, with_causes};

pub(super) use by::By;
pub(super) use draft::Asked;

/// What can be done with the root key.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Copy the root key of the environment into a file, to be kept offline
    Export(Export),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Whoever has this key is above every member, the founder too. Take it out of the folder of the \
                  node and keep the file apart from the machine, in two places: it cannot be made again. It is not \
                  encrypted. With --root FILE it revokes, renews and confirms whom no member ranks above."
)]
pub(in crate::cli) struct Export {
    /// Where it goes: a file that is not there yet
    file: PathBuf,
    /// Take it out of the node's folder
    #[arg(long)]
    remove: bool,
}

pub(super) fn run(command: &Command, context: &Context) -> Result<Exit, Failure> {
    let Command::Export(Export { file, remove }) = command;
    if context.is_elsewhere() {
        return Err(Failure::usage("the root key is exported where the node's folder is")
            .hint("leave out --url and XYN_URL, and name the folder with --data DIR"));
    }
    let data = context.data()?;
    let root = NodeKey::export_root(&data, file, *remove).map_err(|error| not_exported(&error, &data))?;
    let env = EnvId::rooted_in(root.public());
    let answer = json!({ "env": env, "file": file, "removed": remove });
    context.out.answer(&answer, |_| format!("the root key of environment {env} is in {}", file.display()))?;
    context.out.hint(match remove {
        true => "keep it apart from this machine, in two places: nobody can make it again",
        false => "it is in the node's folder as well: whoever has that ranks above everybody; take it out with --remove",
    });
    Ok(Exit::Done)
}

fn not_exported(error: &KeyError, data: &Path) -> Failure {
    match error {
        KeyError::Missing(_) => {
            let message = format!("there is no root key in `{}`", data.display());
            Failure::new(Exit::NotFound, "no_root", message).hint(
                "it is with the node that founded the environment, or was taken out of its folder before",
            )
        }
        KeyError::Exists(path) => {
            let message = format!("`{}` is there already, and a key is never overwritten", path.display());
            Failure::new(Exit::Conflict, "exists", message).hint("name another file")
        }
        error => {
            Failure::failed("key", with_causes(error)).hint("see who may read and write there with: ls -l")
        }
    }
}
