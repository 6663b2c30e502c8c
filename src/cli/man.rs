//! `xyn man`: the manual pages, generated from the grammar.

use std::path::PathBuf;

use clap::Args;
use clap_mangen::Man;

use super::{Context, grammar};
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Write a page for each command into this folder, instead of the first page to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let Some(folder) = &arguments.out else {
        let mut page = Vec::new();
        Man::new(grammar()).render(&mut page).map_err(|error| {
            Failure::failed("man", error.to_string())
                .hint("write the pages into a folder with: xyn man --out DIR")
        })?;
        context.out.raw(&page)?;
        return Ok(Exit::Done);
    };
    let fail = |error: std::io::Error| Failure::file("write the pages into", folder, &error);
    std::fs::create_dir_all(folder).map_err(fail)?;
    clap_mangen::generate_to(grammar(), folder).map_err(fail)?;
    context.out.note(&format!("pages written; read them with: man {}/xyn.1", folder.display()));
    Ok(Exit::Done)
}
