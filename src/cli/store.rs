//! `xyn store`: mend the store of a stopped node.

use clap::Subcommand;
use serde_json::json;
use xyn_actors::actions;
use xyn_actors::projector::Fold;

use super::output::Unit;
use super::{Context, folder};
use crate::failure::{Exit, Failure};

/// What can be done with a store.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Throw away everything derived and make it anew from the journal; the node must be stopped
    Rebuild,
}

pub(super) async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    let Command::Rebuild = command;
    let data = context.data()?;
    let store = folder::open(&data)?;
    let entries = folder::length(&store)?;
    let bar = context.out.progress("rebuilding", Some(entries), Unit::Entries);
    let counted = bar.clone();
    let rebuilt = folder::apart(move || {
        let mut fold = Fold::new(store.clone(), actions::builtin());
        store.rebuild(&mut fold, |entry| counted.set_position(entry))
    });
    let rebuilt = rebuilt.await?;
    bar.finish_and_clear();
    let entries = rebuilt.map_err(|error| folder::failure(&error, &data))?;
    let document = json!({ "data": data, "entries": entries });
    context
        .out
        .answer(&document, |paint| paint.good(&format!("rebuilt from {entries} entries of the journal")))?;
    Ok(Exit::Done)
}
