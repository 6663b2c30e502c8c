//! Settings: keys, limits, theme. What is set in the configuration is shown here and changed there.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};

use super::act::{Act, Directory};
use super::shell::{Shell, render};
use super::words;
use crate::error::ApiError;
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/ui/settings", get(page))
}

#[derive(Template)]
#[template(path = "settings.html")]
struct Page {
    shell: Shell,
    key: String,
    fingerprint: String,
    root: String,
    stage: &'static str,
    limits: Vec<(&'static str, String)>,
    rotate: Act,
}

async fn page(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
) -> Result<Response, ApiError> {
    let runtime = state.runtime();
    let key = runtime.store().key().public();
    let root = state.read(|reader| reader.environment())?.map(|env| env.to_string()).unwrap_or_default();
    let limits = runtime.limits();
    let seconds = |time: std::time::Duration| format!("{} s", time.as_secs());
    let rate = match limits.requests_per_second {
        0 => "none".to_owned(),
        rate => format!("{rate} a second, {} at once", limits.request_burst),
    };
    let limits = vec![
        ("Steps of a plan", limits.max_steps.to_string()),
        ("Time a run may work", seconds(limits.wall_clock)),
        ("Runs that work at once", limits.concurrency.to_string()),
        ("Runs in one line", limits.run_line.to_string()),
        ("Items of a step at once", limits.max_parallel.to_string()),
        ("Attempts of a step", limits.max_attempts.to_string()),
        ("Longest wait", seconds(limits.max_wait)),
        ("Entries that may wait for dispatch", limits.event_backlog.to_string()),
        ("Limit of requests", rate),
        ("Content kept as files", words::size(runtime.store().blobs().used_bytes())),
    ];
    render(&Page {
        shell,
        fingerprint: key.fingerprint(),
        key: key.to_string(),
        root,
        stage: runtime.env().stage.as_str(),
        limits,
        rotate: directory.act("peer.rotate", &[], "/ui/settings"),
    })
}
