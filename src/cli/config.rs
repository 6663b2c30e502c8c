//! `xyn config`: show the configuration that holds, and why.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Context;
use super::table::{Column, Table, plain};
use crate::config::{self, Entry};
use crate::failure::{Exit, Failure};

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show every value that holds
    Show(Show),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Also show where each value comes from
    #[arg(long)]
    origin: bool,
}

pub(super) fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    let Command::Show(Show { origin }) = command;
    let loaded = config::load(&context.flags(), &config::process_environment)?;
    context
        .out
        .answer(&document(&loaded.entries, origin), |paint| table(&loaded.entries, origin).render(paint))?;
    Ok(Exit::Done)
}

fn document(entries: &[Entry], origin: bool) -> Value {
    let value = |entry: &Entry| match origin {
        true => json!({ "value": entry.value, "origin": entry.origin }),
        false => entry.value.clone(),
    };
    entries.iter().map(|entry| (entry.key.clone(), value(entry))).collect::<serde_json::Map<_, _>>().into()
}

fn table(entries: &[Entry], origin: bool) -> Table {
    let columns = [("KEY", Column::Text), ("VALUE", Column::Text), ("ORIGIN", Column::Text)];
    let mut table = Table::new(&columns[..if origin { 3 } else { 2 }]);
    for entry in entries {
        let cells = [entry.key.clone(), plain(&entry.value), entry.origin.clone()];
        table.row(cells.into_iter().take(if origin { 3 } else { 2 }));
    }
    table
}
