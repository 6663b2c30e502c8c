//! `xyn peer list`: members, whether they are here, and how far behind them this node is.

use clap::Args;
use serde_json::Value;

use crate::cli::Context;
use crate::cli::input::at_least_one;
use crate::cli::table::{Column, Table, instant, text};
use crate::client::Need;
use crate::failure::{Exit, Failure};

/// Digits of a key that a list shows.
pub(super) const KEY_DIGITS: usize = 12;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only members with this principal, or whose key begins so
    #[arg(conflicts_with = "invitations")]
    peer: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 200, value_parser = at_least_one)]
    limit: usize,
    /// Tickets that may still be used, instead of members
    #[arg(long)]
    invitations: bool,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    if arguments.invitations {
        let open = client.list("/peers/invitations", &[], arguments.limit).await?;
        invitations(&open).show(&open, "no ticket is open", &context.out)?;
        return Ok(Exit::Done);
    }
    let limit = if arguments.peer.is_some() { super::MEMBERS_MAX } else { arguments.limit };
    let mut peers = client.list("/peers", &[], limit).await?;
    if let (Some(name), Some(members)) = (&arguments.peer, peers["items"].as_array_mut()) {
        members.retain(|member| super::means(member, name));
        if members.is_empty() {
            return Err(super::stranger(name));
        }
        members.truncate(arguments.limit);
        context.out.answer(&peers, |paint| table(&peers).render(paint))?;
        return Ok(Exit::Done);
    }
    let is_alone =
        peers["next_cursor"].is_null() && peers["items"].as_array().is_some_and(|members| members.len() == 1);
    if table(&peers).show(&peers, "this folder belongs to no environment yet", &context.out)? && is_alone {
        context.out.hint("let somebody in with: xyn peer invite NAME@PLACE");
    }
    Ok(Exit::Done)
}

fn table(peers: &Value) -> Table {
    let mut table = Table::new(&[
        ("PEER", Column::Text),
        ("WHO", Column::Text),
        ("ROLE", Column::Text),
        ("STANDING", Column::Status),
        ("UNTIL", Column::Text),
        ("RECORDS", Column::Number),
        ("LAG", Column::Number),
        ("PING", Column::Number),
        ("SEEN", Column::Text),
    ]);
    for peer in peers["items"].as_array().into_iter().flatten() {
        let [key, who, role, standing, records] =
            ["node", "principal", "role", "standing", "records"].map(|field| text(peer, field));
        let connection = &peer["connection"];
        let lag = text(connection, "lag_records");
        let key = key.chars().take(KEY_DIGITS).collect();
        let until = instant(peer, "expires_at");
        table.row([key, who, role, standing, until, records, lag, ping(connection), seen(peer)]);
    }
    table
}

/// How long a ping takes, for people.
pub(super) fn ping(connection: &Value) -> String {
    connection["round_trip_ms"].as_f64().map(|ms| format!("{ms:.1} ms")).unwrap_or_default()
}

/// Whether a member is here, or when it was.
pub(super) fn seen(peer: &Value) -> String {
    if peer["is_self"] == true {
        "this node".to_owned()
    } else if !peer["connection"].is_null() {
        format!("connected since {}", instant(&peer["connection"], "since"))
    } else if !peer["last_seen_at"].is_null() {
        format!("offline since {}", instant(peer, "last_seen_at"))
    } else if peer["records"] == 0 {
        "never seen".to_owned()
    } else {
        "not seen since this node started".to_owned()
    }
}

fn invitations(open: &Value) -> Table {
    let mut table = Table::new(&[
        ("TICKET", Column::Text),
        ("FOR", Column::Text),
        ("ROLE", Column::Text),
        ("UNTIL", Column::Text),
    ]);
    for ticket in open["items"].as_array().into_iter().flatten() {
        let [id, who, role] = ["ticket_id", "principal", "role"].map(|field| text(ticket, field));
        table.row([id, who, role, instant(ticket, "expires_at")]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::Paint;

    #[test]
    fn each_member_says_whether_it_is_here_and_how_far_behind_it_this_node_is() {
        let at = "2026-01-31T12:00:00.000042Z";
        let peer = |key: &str, who: &str, records: u64, seen: Value, connection: Value| {
            let until = (key == "cc").then_some("2026-02-28T12:00:00.000042Z");
            json!({ "node": key.repeat(32), "principal": who, "role": "user", "standing": "active",
                "expires_at": until, "is_self": key == "aa", "records": records, "last_seen_at": seen, "connection": connection })
        };
        let here = json!({ "since": at, "lag_records": 3, "round_trip_ms": 1.234 });
        let peers = json!({ "items": [
            peer("aa", "ada@lab", 40, Value::Null, Value::Null),
            peer("bb", "bob@lab", 30, json!(at), here),
            peer("cc", "cyd@lab", 20, json!(at), Value::Null),
            peer("dd", "dan@lab", 10, Value::Null, Value::Null),
            peer("ee", "eve@lab", 0, Value::Null, Value::Null),
        ] });
        insta::assert_snapshot!(table(&peers).render(Paint::PLAIN), @r"
        PEER          WHO      ROLE  STANDING  UNTIL                RECORDS  LAG    PING  SEEN
        aaaaaaaaaaaa  ada@lab  user  active                              40               this node
        bbbbbbbbbbbb  bob@lab  user  active                              30    3  1.2 ms  connected since 2026-01-31 12:00:00
        cccccccccccc  cyd@lab  user  active    2026-02-28 12:00:00       20               offline since 2026-01-31 12:00:00
        dddddddddddd  dan@lab  user  active                              10               not seen since this node started
        eeeeeeeeeeee  eve@lab  user  active                               0               never seen
        ");
    }
}
