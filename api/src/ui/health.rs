//! Health: how the node is, in figures, and where to look when one of them is not as it should be.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::filters;
use super::shell::{Shell, render};
use super::words::State as Standing;
use crate::error::ApiError;
use crate::routes::health::{self, Health};
use crate::state::AppState;

/// Entries not yet dispatched from which on a node is said to be behind.
const BACKLOG: u64 = 1_000;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/ui/health", get(page)).route("/ui/health/_status", get(page))
}

#[derive(Template)]
#[template(path = "health.html")]
struct Page {
    shell: Shell,
    status: Status,
}

#[derive(Template)]
#[template(path = "health.html", block = "status")]
struct Part {
    status: Status,
}

struct Status {
    health: Health,
    state: Standing,
    uptime: String,
    timeline_backlog: u64,
    runs_in_line: usize,
    intents: [(&'static str, u64); 3],
}

async fn page(State(state): State<AppState>, shell: Shell) -> Result<Response, ApiError> {
    let status = Status::of(&state);
    if shell.is_part { render(&Part { status }) } else { render(&Page { shell, status }) }
}

impl Status {
    fn of(state: &AppState) -> Self {
        let (health, runtime) = (health::of(state), state.runtime());
        let metrics = runtime.metrics();
        let standing = match health.figures.event_backlog {
            0..BACKLOG => Standing::new("well", "ok"),
            waiting => Standing::new(format!("behind: {waiting} entries are not dispatched yet"), "wait"),
        };
        Self {
            uptime: uptime(health.uptime_seconds),
            state: standing,
            health,
            timeline_backlog: runtime.milestone_backlog(),
            runs_in_line: runtime.runs_in_line(),
            intents: [
                ("Intents allowed", metrics.intents_accepted.get()),
                ("Intents denied", metrics.intents_denied.get()),
                ("Intents that wait for approval", metrics.intents_parked.get()),
            ],
        }
    }
}

/// Seconds as days, hours and minutes.
fn uptime(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_said_in_its_two_largest_units() {
        assert_eq!([0, 59, 60, 3_661, 90_061].map(uptime), ["0 s", "59 s", "1 min", "1 h 1 min", "1 d 1 h"]);
    }
}
