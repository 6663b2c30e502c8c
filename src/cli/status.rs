//! `xyn status`: how the node is, on one screen.

use clap::Args;
use serde_json::{Value, json};

use super::Context;
use super::doctor::turned_out;
use super::output::Paint;
use super::table::{facts, instant, text};
use crate::client::{Client, Need};
use crate::failure::{Exit, Failure};

/// Up to how many rows are counted.
const COUNT_LIMIT: usize = 1000;
/// Members among whom this node is looked for.
const PEERS_LIMIT: usize = 10_000;
/// How many of what waits for people are shown.
const SHOWN_GATES: usize = 5;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) async fn run(_: Arguments, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Read).await?;
    let document = gather(&client).await?;
    context.out.answer(&document, |paint| render(&document, paint))?;
    Ok(Exit::Done)
}

async fn gather(client: &Client) -> Result<Value, Failure> {
    let mut runs = serde_json::Map::new();
    for status in ["created", "running", "completed", "failed", "cancelled"] {
        let query = [("status", status.to_owned())];
        runs.insert(status.to_owned(), count(client.list("/runs", &query, COUNT_LIMIT).await?));
    }
    let waiting = client.list("/approvals", &[], COUNT_LIMIT).await?;
    let last = client.list("/events", &[], 1).await?;
    Ok(json!({
        "node": if client.address().is_some() { client.get("/health").await? } else { json!({ "status": "stopped" }) },
        "address": client.address(),
        "mesh": client.get("/mesh").await?,
        "turned_out": turned_out(&client.list("/peers", &[], PEERS_LIMIT).await?),
        "runs": runs,
        "waits_for_people": waiting["items"],
        "last_event": last["items"][0],
    }))
}

/// How many items a list has, and whether there are more than were counted.
fn count(list: Value) -> Value {
    let items = list["items"].as_array().map_or(0, Vec::len);
    json!({ "count": items, "or_more": !list["next_cursor"].is_null() })
}

fn render(document: &Value, paint: Paint) -> String {
    let node = &document["node"];
    let address = document["address"].as_str();
    let state = match address {
        Some(address) => format!("{} at {address}", paint.good("running")),
        None => format!("{}; this is what its folder says", paint.warn("stopped")),
    };
    let uptime = node["uptime_seconds"].as_u64().map(span).unwrap_or_default();
    let runs = document["runs"].as_object().into_iter().flatten().map(|(status, count)| {
        let more = if count["or_more"] == true { "+" } else { "" };
        format!("{}{more} {}", count["count"], paint.status(status))
    });
    let last = &document["last_event"];
    let last = format!("{} {}", text(last, "event_name"), paint.dim(&instant(last, "occurred_at")));
    let waiting: &[Value] = document["waits_for_people"].as_array().map_or(&[], Vec::as_slice);
    let pairs = [
        ("node", state),
        ("version", text(node, "version")),
        ("up for", uptime),
        ("runs", runs.collect::<Vec<_>>().join(", ")),
        ("event backlog", figure(node, "event_backlog", "entries not yet dispatched")),
        ("at work", figure(node, "runs_in_memory", "runs")),
        ("journal", figure(node, "journal_entries", "entries")),
        ("mesh", mesh(&document["mesh"])),
        ("membership", text(document, "turned_out")),
        ("waits for people", waiting.len().to_string()),
        ("last event", last.trim().to_owned()),
    ];
    let mut shown = facts(&pairs, paint);
    for item in waiting.iter().take(SHOWN_GATES) {
        let what = if item["intent_id"].is_string() {
            format!("xyn gate approve {}", text(item, "intent_id"))
        } else {
            format!("xyn gate approve {} {}", text(item, "run_id"), text(item, "step_id"))
        };
        shown += &format!("\n  {}", paint.warn(&what));
    }
    if waiting.len() > SHOWN_GATES {
        shown += "\n  and more: xyn gate list";
    }
    shown
}

/// How the node takes part in the mesh; nothing for a folder, which takes no part.
fn mesh(mesh: &Value) -> String {
    let (mode, lag) = (text(mesh, "mode"), mesh["lag_records"].as_u64().unwrap_or_default());
    let behind = if lag == 0 { String::new() } else { format!(", {lag} records behind") };
    match (mode.as_str(), mesh["peers_connected"].as_u64().unwrap_or_default()) {
        ("" | "off", _) => mode,
        (_, 1) => format!("{mode}, 1 peer connected{behind}"),
        (_, peers) => format!("{mode}, {peers} peers connected{behind}"),
    }
}

/// A figure of a running node with its unit.
fn figure(node: &Value, name: &str, unit: &str) -> String {
    node["figures"][name].as_u64().map(|count| format!("{count} {unit}")).unwrap_or_default()
}

/// A length of time for people.
fn span(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_fits_on_a_screen() {
        let document = json!({
            "node": { "status": "ok", "version": "0.1.0", "uptime_seconds": 93_784,
                "figures": { "event_backlog": 3, "runs_in_memory": 2, "journal_entries": 70_000 } },
            "address": "http://127.0.0.1:4310",
            "mesh": { "mode": "lan", "peers_connected": 2, "lag_records": 5 },
            "runs": { "running": { "count": 2, "or_more": false }, "completed": { "count": 1000, "or_more": true } },
            "waits_for_people": [{ "kind": "gate", "run_id": "r1", "step_id": "approve" },
                { "kind": "intent", "intent_id": "i1" }],
            "last_event": { "event_name": "xyn.run.completed", "occurred_at": "2026-01-31T12:00:00.000001Z" },
        });
        insta::assert_snapshot!(render(&document, Paint::PLAIN), @r"
        node              running at http://127.0.0.1:4310
        version           0.1.0
        up for            1 d 2 h
        runs              2 running, 1000+ completed
        event backlog     3 entries not yet dispatched
        at work           2 runs
        journal           70000 entries
        mesh              lan, 2 peers connected, 5 records behind
        waits for people  2
        last event        xyn.run.completed 2026-01-31 12:00:00
          xyn gate approve r1 approve
          xyn gate approve i1
        ");
    }
}
