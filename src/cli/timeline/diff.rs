//! `xyn timeline diff`: what two moments differ in, and what happened between them.

use clap::Args;

use super::log::{PAGE, table};
use crate::cli::input::at_least_one;
use crate::cli::table::{Column, Table, text};
use crate::cli::{Context, moment};
use crate::client::Need;
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The moment whose state is compared
    #[arg(value_name = "FROM")]
    from: String,
    /// The moment it is compared with
    #[arg(value_name = "TO")]
    to: String,
    /// How many moments between them at most
    #[arg(long, default_value_t = 50, value_parser = at_least_one)]
    limit: usize,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let Arguments { from, to, limit } = arguments;
    let client = context.client(Need::Read).await?;
    let (from, to) = (moment::named(&client, &from).await?, moment::named(&client, &to).await?);
    let query = [("from", from), ("to", to), ("limit", limit.min(PAGE).to_string())];
    let diff = client.get_with("/timeline/diff", &query).await?;
    context.out.answer(&diff, |paint| {
        let mut changes =
            Table::new(&[("OF", Column::Text), ("BEFORE", Column::Text), ("AFTER", Column::Text)]);
        for change in diff["changes"].as_array().into_iter().flatten() {
            changes.row(["of", "before", "after"].map(|key| text(change, key)));
        }
        let between = table(diff["items"].as_array().into_iter().flatten());
        let more = if diff["next_cursor"].is_null() { "" } else { "\n… and more; see --limit" };
        let changes = changes.render_or("nothing differs", paint);
        let between = between.render_or("nothing happened between them", paint);
        format!("{changes}\n\n{between}{more}")
    })?;
    Ok(Exit::Done)
}
