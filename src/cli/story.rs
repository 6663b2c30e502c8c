//! The story of a run: a line for each thing that happens, and what it waits for meanwhile.
//!
//! Owns the words and the clock beside them. Asks nobody. Invariant: the line that moves is drawn on terminals only,
//! and never in the middle of another.

use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::Value;
use xyn_store::Timestamp;

use super::output::{Output, Paint, Unit};
use super::table::{plain, text};
use crate::failure::Failure;

/// Longest detail of a line, in characters.
const MAX_DETAIL_CHARS: usize = 72;

/// Tells what happens to a run.
pub(super) struct Teller<'o> {
    out: &'o Output,
    show: bool,
    bar: ProgressBar,
    began: Option<Timestamp>,
    wait: String,
}

impl<'o> Teller<'o> {
    /// A teller that shows each event where `show` says so, and on a terminal always what is waited for.
    pub(super) fn new(show: bool, out: &'o Output) -> Self {
        let bar = out.progress("working", None, Unit::Time);
        Self { out, show, bar, began: None, wait: String::new() }
    }

    /// Whether the run waits for something else than when it was last told.
    pub(super) fn has_news(&self, run: &Value) -> bool {
        wait(run) != self.wait
    }

    /// Tells what the run waits for, and how to answer it.
    pub(super) fn tell_of_wait(&mut self, run: &Value, hints: &[String]) {
        self.wait = wait(run);
        self.bar.set_message(if self.wait.is_empty() { "working".to_owned() } else { self.wait.clone() });
        // Asked before: a bar that is suspended answers nothing.
        let is_hidden = self.bar.is_hidden();
        self.bar.suspend(|| {
            if self.show && !self.out.json && !self.wait.is_empty() && is_hidden {
                self.out.note(&self.wait);
            }
            hints.iter().for_each(|hint| self.out.hint(hint));
        });
    }

    /// Tells of an event of the run; whether it is its last.
    pub(super) fn tell(&mut self, data: &str) -> Result<bool, Failure> {
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            return Ok(false);
        };
        let at = instant(&event, "occurred_at");
        self.began = self.began.or(at);
        let since = at.zip(self.began).map(|(at, began)| at.since(began));
        if self.show {
            self.bar.suspend(|| match self.out.json {
                true => self.out.json_line(&event),
                false => self.out.line(&line(&event, since.unwrap_or_default(), self.out.paint)),
            })?;
        }
        let name = event["event_name"].as_str().unwrap_or_default();
        Ok(matches!(name, "xyn.run.completed" | "xyn.run.failed" | "xyn.run.cancelled"))
    }
}

/// What a run waits for, in words; empty when it works or has ended.
fn wait(run: &Value) -> String {
    let waiting = &run["waiting_on"];
    let until = match super::table::instant(waiting, "until") {
        until if until.is_empty() => until,
        until => format!(", until {until} at the latest"),
    };
    match waiting["kind"].as_str() {
        None => String::new(),
        Some("gate") => format!("waits for a person to answer a gate{until}"),
        Some("approval") => format!("waits for an approval{until}"),
        Some("timer") => format!("waits for its time{until}"),
        Some("event") => format!("waits for an event{until}"),
        Some("rate_limit") => "waits for its turn".to_owned(),
        Some(other) => format!("waits for: {other}{until}"),
    }
}

/// How long a run took; empty while it is under way.
pub(super) fn took(run: &Value) -> String {
    let ended = instant(run, "completed_at").zip(instant(run, "created_at"));
    ended.map(|(ended, created)| span(ended.since(created))).unwrap_or_default()
}

fn instant(value: &Value, key: &str) -> Option<Timestamp> {
    value[key].as_str()?.parse().ok()
}

/// A short time for people.
fn span(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.3} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
        more => format!("{} h {} min", more / 3600, more / 60 % 60),
    }
}

/// A line of the story: when, what, to which step, and what came of it.
fn line(event: &Value, since: Duration, paint: Paint) -> String {
    let name = text(event, "event_name");
    let mut parts = name.trim_start_matches("xyn.").splitn(2, '.');
    let (noun, verb) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let about = match event["step_id"].as_str() {
        Some(step) => step.to_owned(),
        None => noun.to_owned(),
    };
    let gap = " ".repeat(10_usize.saturating_sub(verb.chars().count()));
    let mut line =
        format!("{}  {}{gap}  {}", paint.dim(&format!("{:>10}", span(since))), paint.status(verb), about);
    let detail = detail(noun, verb, &event["data"]);
    if !detail.is_empty() {
        line += &format!("  {}", paint.dim(&detail));
    }
    line
}

/// What is worth saying about an event.
fn detail(noun: &str, verb: &str, data: &Value) -> String {
    let said = match (noun, verb) {
        ("run", "created") => text(data, "blueprint_ref"),
        ("step", "started") => match data["attempt"].as_u64() {
            None | Some(1) => String::new(),
            Some(attempt) => format!("attempt {attempt}"),
        },
        ("step" | "run", "completed") => text(data, "outputs"),
        ("gate", "requested") => text(data, "prompt"),
        ("gate", "approved" | "rejected") => plain(&data["answer"]["principal"]),
        ("artifact", "created") => text(data, "name"),
        (_, "failed") => match data["error"]["message"].as_str() {
            Some(message) => message.to_owned(),
            None => plain(data),
        },
        _ => plain(data),
    };
    let said = if matches!(said.as_str(), "{}" | "null") { String::new() } else { said.replace('\n', " ") };
    match said.char_indices().nth(MAX_DETAIL_CHARS) {
        Some((end, _)) => format!("{}…", &said[..end]),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_when_what_and_what_came_of_it() {
        let lines = [
            (0, json!({ "event_name": "xyn.run.created", "data": { "blueprint_ref": "bp.ship", "x": 1 } })),
            (2, json!({ "event_name": "xyn.step.started", "step_id": "build", "data": { "attempt": 2 } })),
            (
                61_000,
                json!({ "event_name": "xyn.step.completed", "step_id": "build",
                "data": { "outputs": { "size": 3 } } }),
            ),
            (
                61_002,
                json!({ "event_name": "xyn.gate.requested", "step_id": "ask",
                "data": { "mode": "manual", "prompt": "Ship it?" } }),
            ),
            (
                7_300_000,
                json!({ "event_name": "xyn.run.failed",
                "data": { "error": { "code": "rejected", "message": "ada said no" } } }),
            ),
        ];
        let story = lines.map(|(ms, event)| line(&event, Duration::from_millis(ms), Paint::PLAIN));
        insta::assert_snapshot!(story.join("\n"), @r#"
           0.000 s  created     run  bp.ship
           0.002 s  started     build  attempt 2
         1 min 1 s  completed   build  {"size":3}
         1 min 1 s  requested   ask  Ship it?
         2 h 1 min  failed      run  ada said no
        "#);
    }

    #[test]
    fn what_a_run_waits_for_is_said_in_words() {
        let waits = |kind: &str| wait(&json!({ "waiting_on": { "kind": kind } }));
        assert_eq!(waits("gate"), "waits for a person to answer a gate");
        assert_eq!(wait(&json!({ "waiting_on": null })), "");
        let timer = json!({ "waiting_on": { "kind": "timer", "until": "2026-01-31T12:00:00.5Z" } });
        assert_eq!(wait(&timer), "waits for its time, until 2026-01-31 12:00:00 at the latest");
    }

    #[test]
    fn what_took_how_long_is_known_when_it_has_ended() {
        let run = json!({ "created_at": "2026-01-31T12:00:00.000000Z", "completed_at": "2026-01-31T12:00:01.250000Z" });
        assert_eq!(took(&run), "1.250 s");
        assert_eq!(took(&json!({ "created_at": "2026-01-31T12:00:00.000000Z" })), "");
    }
}
