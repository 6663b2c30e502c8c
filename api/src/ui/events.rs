//! The console: what happens, as it happens, and what failed.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use xyn_actors::blueprint::EventPattern;
use xyn_actors::events::{self, EventFilter};
use xyn_actors::record::EventView;
use xyn_store::Timestamp;
use xyn_store::ids::{EventId, RunId};
use xyn_store::projection::{Cursor, RunFilter, RunRow, RunStatus};

use super::act::{Act, Directory};
use super::filters;
use super::query::{self, Pager, ROWS, parsed};
use super::shell::{Shell, render};
use super::words::Excerpt;
use crate::error::ApiError;
use crate::extract::{Params, PathId};
use crate::state::AppState;

/// Failed runs that stay pinned above the events.
const PINNED: usize = 3;
/// Characters of an event's data that a row shows.
const GLANCE: usize = 120;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ui/events", get(list))
        .route("/ui/events/_list", get(list))
        .route("/ui/events/{event_id}", get(one))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListQuery {
    name: String,
    run_id: String,
    correlation_id: String,
    since: String,
    until: String,
    cursor: String,
}

struct List {
    items: Vec<Row>,
    pager: Pager,
    pinned: Vec<RunRow>,
    is_filtered: bool,
    /// Where the list stands still as it is now, or goes on; empty on pages behind the first.
    hold: String,
    is_held: bool,
}

/// An event in a list.
pub(super) struct Row {
    pub(super) event: EventView,
    /// The beginning of its data.
    pub(super) glance: String,
    pub(super) tone: &'static str,
}

#[derive(Template)]
#[template(path = "events.html")]
struct Page {
    shell: Shell,
    query: ListQuery,
    list: List,
    emit: Act,
}

#[derive(Template)]
#[template(path = "events.html", block = "list")]
struct Part {
    list: List,
}

async fn list(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    let filter = EventFilter {
        name: parsed::<EventPattern>("name", &query.name)?,
        run_id: parsed::<RunId>("run_id", &query.run_id)?,
        correlation_id: parsed("correlation_id", &query.correlation_id)?,
        since: parsed::<Timestamp>("since", &query.since)?,
        until: parsed::<Timestamp>("until", &query.until)?,
    };
    let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
    let list = read(&state, &query, filter, cursor).await?;
    if shell.is_part {
        return render(&Part { list });
    }
    let emit = directory.act("events.emit", &[], "/ui/events");
    render(&Page { shell, query, list, emit })
}

async fn read(
    state: &AppState,
    query: &ListQuery,
    filter: EventFilter,
    cursor: Option<Cursor>,
) -> Result<List, ApiError> {
    let runtime = state.runtime().clone();
    let at = cursor.clone();
    let read = state.scan(move |reader| {
        let mut page = events::page(reader, &filter, at.as_ref(), ROWS)?;
        runtime.name_steps(reader, &mut page.items)?;
        let failed = RunFilter { status: Some(RunStatus::Failed), ..RunFilter::default() };
        Ok((page, reader.runs(&failed, None, PINNED)?.items))
    });
    let (page, pinned) = read.await?;
    let filters = [
        ("name", query.name.as_str()),
        ("run_id", &query.run_id),
        ("correlation_id", &query.correlation_id),
        ("since", &query.since),
        ("until", &query.until),
    ];
    let is_filtered = filters[..4].iter().any(|(_, value)| !value.is_empty());
    let is_held = !query.until.is_empty();
    let mut pager = Pager::of("/ui/events", &filters, cursor.as_ref(), &page);
    // Of what ends at an instant nothing comes anew.
    if is_held {
        pager.live.clear();
    }
    let now = state.runtime().clock().now().to_string();
    let until = if is_held { "" } else { now.as_str() };
    let here = [&filters[..4], &[("until", until)]].concat();
    let hold = if cursor.is_some() { String::new() } else { query::link("/ui/events", &here, None) };
    let items = page.items.into_iter().map(Row::of).collect();
    let pinned = if is_filtered || cursor.is_some() { Vec::new() } else { pinned };
    Ok(List { items, pager, pinned, is_filtered, hold, is_held })
}

impl Row {
    pub(super) fn of(event: EventView) -> Self {
        let data = event.data.as_str().to_owned();
        let glance: String = data.chars().take(GLANCE).collect();
        let glance = if glance.len() < data.len() { format!("{glance}…") } else { glance };
        Self { tone: tone(&event.event_name), glance, event }
    }
}

/// The tone of an event by the last word of its name.
fn tone(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "failed" | "rejected" | "refused" | "denied" | "uncertain" => "bad",
        "completed" | "approved" | "succeeded" | "verified" => "ok",
        "started" | "running" => "work",
        "waiting" | "requested" => "wait",
        _ => "idle",
    }
}

#[derive(Template)]
#[template(path = "event.html")]
struct OnePage {
    shell: Shell,
    one: One,
}

#[derive(Template)]
#[template(path = "event.html", block = "one")]
struct OnePart {
    one: One,
}

struct One {
    event: EventView,
    data: Excerpt,
}

async fn one(
    State(state): State<AppState>,
    shell: Shell,
    PathId(event_id): PathId<EventId>,
) -> Result<Response, ApiError> {
    let runtime = state.runtime().clone();
    let read = state.scan(move |reader| {
        let mut found = events::find(reader, event_id)?;
        runtime.name_steps(reader, &mut found)?;
        Ok(found)
    });
    let event = read.await?.ok_or_else(|| ApiError::not_found("event", &event_id.to_string()))?;
    let data = Excerpt::of_json(&event.data);
    let one = One { event, data };
    if shell.is_part { render(&OnePart { one }) } else { render(&OnePage { shell, one }) }
}
