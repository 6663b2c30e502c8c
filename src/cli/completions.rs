//! `xyn completions`: completions for a shell, generated from the grammar.

use clap::Args;
use clap_complete::Shell;

use super::{Context, grammar};
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut grammar(), "xyn", &mut script);
    context.out.raw(&script)?;
    Ok(Exit::Done)
}
