//! `xyn timeline log`: moments, oldest first.

use clap::Args;
use serde_json::Value;
use xyn_store::Timestamp;

use crate::cli::Context;
use crate::cli::input::{at_least_one, instant as instant_or_ago};
use crate::cli::table::{Column, NOTHING, Table, instant, tell_more, text};
use crate::client::{Client, Need};
use crate::failure::{Exit, Failure};

/// Moments of one page.
pub(super) const PAGE: usize = 200;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only moments on this branch
    #[arg(long)]
    branch: Option<String>,
    /// Only moments of this kind, such as run, gate, approve or note
    #[arg(long)]
    kind: Option<String>,
    /// Only moments at or after this instant
    #[arg(long, value_name = "INSTANT", value_parser = instant_or_ago)]
    since: Option<Timestamp>,
    /// Only moments before this instant
    #[arg(long, value_name = "INSTANT", value_parser = instant_or_ago)]
    until: Option<Timestamp>,
    /// The newest so many; without it 50, or all of them with --json
    #[arg(long, value_parser = at_least_one)]
    limit: Option<usize>,
    /// What is kept and does not count instead, and why
    #[arg(long, conflicts_with_all = ["branch", "kind", "since", "until"])]
    excluded: bool,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let Arguments { branch, kind, since, until, limit, excluded } = arguments;
    if excluded {
        return hidden(limit.unwrap_or(1000), context).await;
    }
    let [since, until] = [since, until].map(|at| at.map(|at| at.to_string()));
    let said = [("branch", branch), ("kind", kind), ("since", since), ("until", until)];
    let query: Vec<_> = said.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let client = context.client(Need::Read).await?;
    if limit.is_none() && context.out.json {
        return all(&client, query, context).await;
    }
    let newest = client.list("/timeline", &query, limit.unwrap_or(50)).await?;
    let moments: Vec<&Value> = newest["items"].as_array().into_iter().flatten().rev().collect();
    if context.out.json {
        moments.into_iter().try_for_each(|moment| context.out.json_line(moment))?;
    } else if moments.is_empty() {
        context.out.note(if query.is_empty() { "nothing happened yet" } else { NOTHING });
    } else {
        context.out.line(&table(moments).render(context.out.paint))?;
        tell_more(&newest, &context.out);
    }
    Ok(Exit::Done)
}

async fn hidden(limit: usize, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let excluded = client.list("/timeline/excluded", &[], limit).await?;
    let records: Vec<&Value> = excluded["items"].as_array().into_iter().flatten().collect();
    if context.out.json {
        records.iter().try_for_each(|record| context.out.json_line(record))?;
    } else if records.is_empty() {
        context.out.note("nothing is excluded");
    } else {
        context.out.line(&excluded_table(records).render(context.out.paint))?;
        tell_more(&excluded, &context.out);
    }
    Ok(Exit::Done)
}

/// Records that do not count, one a row.
fn excluded_table<'a>(records: impl IntoIterator<Item = &'a Value>) -> Table {
    let columns = [
        ("NODE", Column::Text),
        ("RECORD", Column::Number),
        ("AT", Column::Text),
        ("WHAT", Column::Text),
        ("WHY", Column::Text),
    ];
    let mut table = Table::new(&columns);
    for record in records {
        let [node, seq, what, why, since] =
            ["node", "seq", "what", "why", "since"].map(|key| text(record, key));
        let title = text(&record["moment"], "title");
        let what = if title.is_empty() { what } else { title };
        let why = match why.as_str() {
            "equivocation" => format!("its author wrote two records under number {since}"),
            "revoked" => format!("its author was revoked before record {since}"),
            "retired" => format!("its author took another key before record {since}"),
            _ => "its author is no member".to_owned(),
        };
        table.row([node.chars().take(8).collect(), seq, instant(record, "at"), what, why]);
    }
    table
}

/// Every moment, page by page, so that a long timeline takes no memory.
async fn all(client: &Client, query: Vec<(&str, String)>, context: &Context) -> Result<Exit, Failure> {
    let mut cursor: Option<String> = None;
    loop {
        let mut query = query.clone();
        query.extend([("first", "oldest".to_owned()), ("limit", PAGE.to_string())]);
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page = client.get_with("/timeline", &query).await?;
        let moments = page["items"].as_array().into_iter().flatten();
        moments.into_iter().try_for_each(|moment| context.out.json_line(moment))?;
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(Exit::Done);
        }
    }
}

/// Who did what `moment` tells: with whose node says so, where that is another's.
pub(super) fn who(moment: &Value) -> String {
    let [principal, by_node] = ["principal", "by_node"].map(|key| text(moment, key));
    if by_node.is_empty() { principal } else { format!("{principal}, by {by_node}'s node") }
}

/// Moments, one a row.
pub(super) fn table<'a>(moments: impl IntoIterator<Item = &'a Value>) -> Table {
    let mut table = Table::new(&[
        ("MOMENT", Column::Text),
        ("AT", Column::Text),
        ("KIND", Column::Text),
        ("BRANCH", Column::Text),
        ("WHO", Column::Text),
        ("WHAT", Column::Text),
    ]);
    for moment in moments {
        let [id, kind, branch, what] = ["entry_id", "kind", "branch", "title"].map(|key| text(moment, key));
        table.row([id, instant(moment, "at"), kind, branch, who(moment), what]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::Paint;

    #[test]
    fn a_moment_reads_on_one_line() {
        let moment = json!({
            "entry_id": "e1", "at": "2026-01-31T12:00:00.000042Z", "kind": "approve", "branch": "main",
            "principal": "ada@lab", "title": "Deploy: approved `go` by ada@lab", "refs": { "run_id": "r1" },
        });
        let forged = json!({
            "entry_id": "e2", "at": "2026-01-31T12:01:00Z", "kind": "note", "branch": "main",
            "principal": "ada@lab", "by_node": "eve@lab", "title": "all is well", "refs": {},
        });
        insta::assert_snapshot!(table([&moment, &forged]).render(Paint::PLAIN), @r"
        MOMENT  AT                   KIND     BRANCH  WHO                         WHAT
        e1      2026-01-31 12:00:00  approve  main    ada@lab                     Deploy: approved `go` by ada@lab
        e2      2026-01-31 12:01:00  note     main    ada@lab, by eve@lab's node  all is well
        ");
    }

    #[test]
    fn what_is_excluded_says_why() {
        let record = |seq: u64, why: &str| {
            json!({
                "node": "0123456789", "seq": seq, "at": "2026-01-31T12:00:00Z", "what": "board", "why": why,
                "since": 4,
            })
        };
        let mut moment = record(4, "equivocation");
        moment["moment"] = json!({ "title": "mine" });
        let records = [moment, record(5, "revoked"), record(6, "not_a_member")];
        insta::assert_snapshot!(excluded_table(&records).render(Paint::PLAIN), @r"
        NODE      RECORD  AT                   WHAT   WHY
        01234567       4  2026-01-31 12:00:00  mine   its author wrote two records under number 4
        01234567       5  2026-01-31 12:00:00  board  its author was revoked before record 4
        01234567       6  2026-01-31 12:00:00  board  its author is no member
        ");
    }
}
