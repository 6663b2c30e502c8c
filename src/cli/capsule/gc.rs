//! `xyn capsule gc`.

use clap::Args;
use serde_json::{Value, json};

use super::Context;
use super::node::short;
use crate::cli::table::{Column, Table, text};
use crate::client::Need;
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Gc {
    /// The app; every app when left out
    app: Option<String>,
    /// How many of the newest of each app stay in any case; five when left out
    #[arg(long, value_name = "N")]
    keep: Option<u64>,
    /// Only show what would go, and what would stay because it is needed
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(arguments: &Gc, context: &Context) -> Result<Exit, Failure> {
    let Gc { app, keep, dry_run } = arguments;
    let mut input = json!({ "dry_run": dry_run });
    if let Some(app) = app {
        input["app"] = json!(app);
    }
    if let Some(keep) = keep {
        input["keep"] = json!(keep);
    }
    let client = context.client(Need::Node).await?;
    let body = json!({ "action": "capsule.gc", "input": input });
    let answer = client.post("/intents", &body).await?["output"].clone();
    let (removed, needed) = (&answer["removed"], &answer["needed"]);
    table(removed, needed).show(&answer, "nothing is old enough to go", &context.out)?;
    let count = removed.as_array().map_or(0, Vec::len);
    if count > 0 {
        let bytes = text(&answer, "size_bytes");
        match dry_run {
            true => context.out.note(&format!("{count} capsules in files of {bytes} bytes would go")),
            false => context.out.note(&format!(
                "{count} capsules in files of {bytes} bytes are gone; what nothing else needs of them is freed in time"
            )),
        }
    }
    if answer["goes_on"] == true && !dry_run {
        context.out.hint("there are more: run it again");
    }
    Ok(Exit::Done)
}

fn table(removed: &Value, needed: &Value) -> Table {
    let columns = [
        ("CAPSULE", Column::Text),
        ("GENERATION", Column::Number),
        ("WHAT BECOMES OF IT", Column::Text),
        ("DIGEST", Column::Text),
    ];
    let mut table = Table::new(&columns);
    let rows = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let gone = rows(removed).into_iter().map(|row| (row, "goes".to_owned()));
    let stays = rows(needed).into_iter().map(|row| {
        let why = format!("stays: {}", text(&row, "why"));
        (row, why)
    });
    for (row, what) in gone.chain(stays) {
        let digest = text(&row, "capsule").chars().take(12).collect();
        table.row([short(&text(&row, "id")).to_owned(), text(&row, "generation"), what, digest]);
    }
    table
}
