//! Following one run: what happens to it, until it ends or waits for people.
//!
//! Owns when to stop looking. Invariant: the run's own row decides how it stands; the stream only says when to look.

use std::time::Duration;

use serde_json::Value;

use super::output::{Output, Paint};
use super::story::{Teller, took};
use super::table::{facts, instant, plain, standing, text};
use crate::client::sse::Follow;
use crate::client::{Client, route};
use crate::failure::{Exit, Failure};

/// How often to look at the run when its stream is silent.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What to do when the run waits for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtGate {
    /// Stop with exit code 5.
    Stop,
    /// Go on following; somebody may answer.
    Stay,
}

/// Follows `run_id` and tells its story where `show` says so; gives the run's last row and how to end.
pub(super) async fn follow(
    client: &Client,
    run_id: &str,
    at_gate: AtGate,
    show: bool,
    out: &Output,
) -> Result<(Value, Exit), Failure> {
    let path = route(&["runs", run_id])?;
    let mut stream = Follow::open(client, &format!("{path}/stream"), &[], None).await?;
    let mut teller = Teller::new(show, out);
    loop {
        let run = client.get(&path).await?;
        let ended = ending(&run);
        if let Some(exit) = ended
            && !show
        {
            return Ok((run, exit));
        }
        if waits_for_people(&run) && at_gate == AtGate::Stop {
            return Ok((run, Exit::Waiting));
        }
        if teller.has_news(&run) {
            let hints = if waits_for_people(&run) { gate_hints(client, run_id).await } else { Vec::new() };
            teller.tell_of_wait(&run, &hints);
        }
        // What the stream still holds of a run that has ended is shown before the end is.
        let patience = if ended.is_some() { Duration::from_millis(500) } else { LOOK_EVERY };
        let is_last = match tokio::time::timeout(patience, stream.next()).await {
            Ok(event) => teller.tell(&event?.data)?,
            Err(_) => ended.is_some(),
        };
        if is_last {
            let run = client.get(&path).await?;
            if let Some(exit) = ending(&run) {
                return Ok((run, exit));
            }
        }
    }
}

/// Which steps of the run wait for people, and how to answer them. A courtesy: without it the run still waits.
pub(super) async fn gate_hints(client: &Client, run_id: &str) -> Vec<String> {
    let Ok(path) = route(&["runs", run_id, "steps"]) else { return Vec::new() };
    let steps = client.list(&path, &[], 200).await.unwrap_or_default();
    let waiting = steps["items"].as_array().into_iter().flatten().filter(|step| waits_for_people(step));
    let hint = |step: &Value| {
        let name = text(step, "name");
        format!("step `{name}` waits for an answer: xyn gate approve {run_id} {name}")
    };
    waiting.map(hint).collect()
}

/// An event on one line.
pub(super) fn event_line(event: &Value, paint: Paint) -> String {
    let name = text(event, "event_name");
    let verb = name.rsplit('.').next().unwrap_or_default();
    let name = match verb {
        "failed" | "rejected" | "denied" | "expired" | "uncertain" => paint.bad(&name),
        "completed" | "approved" | "promoted" | "activated" => paint.good(&name),
        "requested" | "waiting" | "parked" | "retried" => paint.warn(&name),
        _ => paint.busy(&name),
    };
    let mut line = format!("{}  {name}", paint.dim(&instant(event, "occurred_at")));
    for key in ["run_id", "step_id"] {
        if let Some(value) = event[key].as_str() {
            line += &format!("  {}{value}", paint.dim(&format!("{}=", key.trim_end_matches("_id"))));
        }
    }
    let data = event["data"].to_string();
    match data.char_indices().nth(MAX_DATA_CHARS) {
        Some((end, _)) => line + "  " + &data[..end] + "…",
        None if matches!(data.as_str(), "{}" | "null") => line,
        None => line + "  " + &data,
    }
}

/// Longest data shown of an event, in characters.
const MAX_DATA_CHARS: usize = 120;

/// How a program that waited for this run ends; none while the run is under way.
pub(super) fn ending(run: &Value) -> Option<Exit> {
    match run["status"].as_str() {
        Some("completed") => Some(Exit::Done),
        Some("failed" | "cancelled") => Some(Exit::Failed),
        _ => None,
    }
}

/// Whether the run waits for somebody to say something.
pub(super) fn waits_for_people(run: &Value) -> bool {
    matches!(run["waiting_on"]["kind"].as_str(), Some("gate" | "approval"))
}

/// A run for people.
pub(super) fn run_facts(run: &Value, paint: Paint) -> String {
    let error = &run["error"];
    let error = error["message"].as_str().map_or_else(|| plain(error), str::to_owned);
    let blueprint = text(run, "blueprint_ref");
    let pairs = [
        ("run", text(run, "run_id")),
        ("blueprint", blueprint),
        ("status", paint.status(&standing(run))),
        ("created", instant(run, "created_at")),
        ("started", instant(run, "started_at")),
        ("ended", instant(run, "completed_at")),
        ("took", took(run)),
        ("by", text(run, "actor")),
        ("told by", told_by(run)),
        ("inputs", plain(&run["inputs"])),
        ("outputs", plain(&run["outputs"])),
        ("error", if error.is_empty() { error } else { paint.bad(&error) }),
    ];
    facts(&pairs, paint)
}

/// Who tells of a run that another node ran; empty of one of this node.
fn told_by(run: &Value) -> String {
    let teller = &run["told_by"];
    match teller["node"].as_str() {
        Some(node) => {
            let key: String = node.chars().take(12).collect();
            format!("{} ({key})", text(teller, "principal")).trim_start().to_owned()
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_ends_the_program_as_it_ended() {
        let table = [("completed", Some(0)), ("failed", Some(1)), ("cancelled", Some(1)), ("running", None)];
        for (status, exit) in table {
            assert_eq!(ending(&json!({ "status": status })).map(|exit| exit as u8), exit);
        }
    }

    #[test]
    fn timers_and_events_are_not_people() {
        for (kind, people) in [("gate", true), ("approval", true), ("timer", false), ("event", false)] {
            assert_eq!(waits_for_people(&json!({ "waiting_on": { "kind": kind } })), people, "{kind}");
        }
        assert!(!waits_for_people(&json!({ "waiting_on": null })));
    }

    #[test]
    fn an_event_fits_on_a_line() {
        let event = json!({ "event_name": "xyn.step.completed", "occurred_at": "2026-01-31T12:00:00.000001Z",
            "run_id": "r", "step_id": "greet", "data": { "output": "x".repeat(300) } });
        let line = event_line(&event, Paint::PLAIN);
        assert!(
            line.starts_with("2026-01-31 12:00:00  xyn.step.completed  run=r  step=greet  {\"output\":\"xxx")
        );
        assert!(line.ends_with('…') && line.chars().count() < 200);
    }
}
