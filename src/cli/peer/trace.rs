//! `xyn peer trace`: who came, who left and who was refused, and why.

use clap::Args;
use serde_json::Value;
use xyn_actors::services::mesh::TRACE_MAX;

use crate::cli::Context;
use crate::cli::output::Paint;
use crate::cli::table::{instant, text};
use crate::client::Need;
use crate::client::sse::Follow;
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only what is about this node: a member's key, the beginning of it, or its principal; or any other key
    peer: Option<String>,
    /// First show so many lines of the past
    #[arg(short = 'n', long, default_value_t = 20, value_name = "COUNT")]
    lines: usize,
    /// Do not wait for more
    #[arg(long)]
    no_follow: bool,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Need::Node).await?;
    let about = match &arguments.peer {
        // Somebody who is no member has a whole key only.
        Some(key) if key.len() == 64 => Some(key.clone()),
        Some(name) => Some(text(&super::named(&client, name).await?, "node")),
        None => None,
    };
    let is_meant = |line: &Value| about.as_ref().is_none_or(|node| text(line, "node") == *node);
    let lines = if about.is_some() { TRACE_MAX } else { arguments.lines };
    let past = client.list("/peers/trace", &[], lines).await?;
    let lines: Vec<&Value> = past["items"].as_array().into_iter().flatten().collect();
    let shown: Vec<&Value> =
        lines.iter().copied().filter(|line| is_meant(line)).take(arguments.lines).collect();
    let is_silent = shown.is_empty();
    for line in shown.into_iter().rev() {
        show(line, context)?;
    }
    if arguments.no_follow {
        if is_silent {
            context.out.note("nobody came or left since the node started");
        }
        return Ok(Exit::Done);
    }
    // The stream goes on behind the last line of the past, so that nothing falls between.
    let after = lines.first().map(|line| text(line, "seq"));
    let query: Vec<_> = after.into_iter().map(|seq| ("after", seq)).collect();
    let mut stream = Follow::open(&client, "/peers/trace/stream", &query, None).await?;
    loop {
        let event = stream.next().await?;
        if let Ok(line) = serde_json::from_str::<Value>(&event.data)
            && is_meant(&line)
        {
            show(&line, context)?;
        }
    }
}

fn show(line: &Value, context: &Context) -> Result<(), Failure> {
    if context.out.json {
        context.out.json_line(line)
    } else {
        context.out.line(&render(line, context.out.paint))
    }
}

fn render(line: &Value, paint: Paint) -> String {
    let what = text(line, "what");
    let padded = format!("{what:12}");
    let what = match what.as_str() {
        "refused" | "alarm" => paint.bad(&padded),
        "connected" | "witnessed" => paint.good(&padded),
        "disconnected" => paint.warn(&padded),
        _ => paint.busy(&padded),
    };
    let [node, reason, message] = ["node", "reason", "message"].map(|field| text(line, field));
    let reason = if reason.is_empty() { reason } else { format!("{reason}: ") };
    // What strangers say ends up here: it stays on its line.
    let message: String = message.chars().filter(|c| !c.is_control()).collect();
    let at = paint.dim(&instant(line, "at"));
    let parts = [node, format!("{reason}{message}")];
    let told: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{at}  {what}  {}", told.join("  ")).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_says_who_and_why_on_one_line() {
        let line = |what: &str, node: Value, reason: Value, message: &str| {
            let at = "2026-01-31T12:00:00.000042Z";
            let line = json!({ "at": at, "what": what, "node": node, "reason": reason, "message": message });
            render(&line, Paint::PLAIN)
        };
        let told = [
            line("connected", json!("ab12"), Value::Null, ""),
            line("refused", json!("cd34"), json!("revoked"), "node `cd34` was\u{1b}\n revoked"),
            line("listening", Value::Null, Value::Null, "/ip6/::1/tcp/4311"),
        ];
        insta::assert_snapshot!(told.join("\n"), @r"
        2026-01-31 12:00:00  connected     ab12
        2026-01-31 12:00:00  refused       cd34  revoked: node `cd34` was revoked
        2026-01-31 12:00:00  listening     /ip6/::1/tcp/4311
        ");
    }
}
