//! Runs: which there are and where they stand; how one is started, and how one went.

mod acts;
mod detail;
mod elsewhere;
mod field;
mod gantt;
mod graph;
mod launch;
mod reason;
mod step;
mod steps;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use xyn_store::Timestamp;
use xyn_store::projection::{Cursor, RunFilter, RunRow, RunStatus};

use super::filters;
use super::query::{Pager, ROWS, parsed};
use super::shell::{Shell, render};
use super::words::{self, State as Standing};
use crate::error::ApiError;
use crate::extract::Params;
use crate::page::Label;
use crate::state::AppState;

pub(super) use acts::GateForm;

/// Labels of a run that its row shows.
const LABELS: usize = 3;
/// Characters of a reason that a row holds.
const WHY_MAX: usize = 120;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ui/runs", get(list))
        .route("/ui/runs/_list", get(list))
        .route("/ui/runs/new", get(launch::start))
        .route("/ui/runs/{run_id}", get(detail::one))
        .route("/ui/runs/{run_id}/_status", get(detail::status))
        .route("/ui/runs/{run_id}/data", get(step::data))
        .route("/ui/runs/{run_id}/fork", get(launch::fork))
        .route("/ui/runs/{run_id}/steps/{step_id}", get(step::one))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListQuery {
    status: String,
    blueprint: String,
    label: String,
    since: String,
    until: String,
    cursor: String,
}

struct List {
    items: Vec<Row>,
    pager: Pager,
    is_filtered: bool,
}

struct Row {
    run: RunRow,
    state: Standing,
    /// Why it failed, or what it waits for and until when.
    why: String,
    took: String,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct Page {
    shell: Shell,
    query: ListQuery,
    list: List,
}

#[derive(Template)]
#[template(path = "runs.html", block = "list")]
struct Part {
    list: List,
}

async fn list(
    State(state): State<AppState>,
    shell: Shell,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    let filter = RunFilter {
        status: status(&query.status)?,
        blueprint: parsed("blueprint", &query.blueprint)?,
        since: parsed::<Timestamp>("since", &query.since)?,
        until: parsed::<Timestamp>("until", &query.until)?,
        label: parsed::<Label>("label", &query.label)?.map(|label| (label.0, label.1)),
    };
    let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
    let at = cursor.clone();
    let read = state.scan(move |reader| {
        let page = reader.runs(&filter, at.as_ref(), ROWS)?;
        let awaited = page.items.iter().map(|run| reason::awaited(reader, run));
        Ok((awaited.collect::<Result<Vec<_>, _>>()?, page))
    });
    let (awaited, page) = read.await?;
    let filters = [
        ("status", query.status.as_str()),
        ("blueprint", &query.blueprint),
        ("label", &query.label),
        ("since", &query.since),
        ("until", &query.until),
    ];
    let is_filtered = filters.iter().any(|(_, value)| !value.is_empty());
    let pager = Pager::of("/ui/runs", &filters, cursor.as_ref(), &page);
    let items = page.items.into_iter().zip(awaited).map(|(run, awaited)| Row::of(run, &awaited)).collect();
    let list = List { items, pager, is_filtered };
    if shell.is_part { render(&Part { list }) } else { render(&Page { shell, query, list }) }
}

/// The status called `word`; none when it was left empty.
fn status(word: &str) -> Result<Option<RunStatus>, ApiError> {
    if word.is_empty() {
        return Ok(None);
    }
    let found = RunStatus::ALL.into_iter().find(|status| status.as_str() == word);
    found.map(Some).ok_or_else(|| ApiError::invalid("status", format!("`{word}` is no status of a run")))
}

impl Row {
    /// `run`, which waits for the event `awaited`, if for any.
    fn of(run: RunRow, awaited: &str) -> Self {
        let state = Standing::of_run(run.status, run.waiting_on.as_ref());
        let took = run.started_at.zip(run.completed_at).map(|(from, to)| words::took(from, to));
        let until = run.waiting_on.as_ref().and_then(|waiting| waiting.until);
        let until = until.map(|until| {
            format!("until {}", until.to_string().get(..16).unwrap_or_default().replace('T', " "))
        });
        let why = match &run.error {
            Some(error) => error.message.clone(),
            None => [awaited, &until.unwrap_or_default()].join(" ").trim().to_owned(),
        };
        let why = why.chars().take(WHY_MAX).collect();
        Self { state, why, took: took.unwrap_or_default(), run }
    }
    /// The labels that a row has room for.
    fn labels(&self) -> impl Iterator<Item = (&String, &String)> {
        self.run.labels.iter().take(LABELS)
    }
}
