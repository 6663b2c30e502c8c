//! The Time Machine: every moment of every branch, its state, and what can be done from it.
//!
//! The page draws the moments around a chosen one ([`lanes`]) and tells what that one is ([`moment`]).
//! Invariant: however long the timeline is, a page holds [`window::SPAN_MAX`] moments on either side at most.

mod compare;
mod excluded;
mod files;
mod lanes;
mod moment;
mod shapes;
mod window;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::StatusCode;
use serde::Deserialize;
use xyn_store::Timestamp;
use xyn_store::ids::EntryId;
use xyn_store::timeline::EntryFilter;
use xyn_store::timeline::entry::Branch;
use xyn_store::{Order, Reader, StoreError};

use super::act::{Act, Directory};
use super::filters;
use super::query::parsed;
use super::shell::{Shell, render};
use crate::error::ApiError;
use crate::extract::{Params, PathId};
use crate::routes::timeline::branches::branch_page;
use crate::routes::timeline::{is_branch, missing, no_branch};
use crate::state::AppState;
use moment::Look;
use window::{SPAN, SPAN_MAX, Wanted, Window, window};

/// Branches that can be chosen from.
const BRANCHES_MAX: usize = 100;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ui/timeline", get(page))
        .route("/ui/timeline/_lanes", get(drawing))
        .route("/ui/timeline/_moment", get(side))
        .route("/ui/timeline/{entry_id}", get(one))
        .merge(compare::routes())
        .merge(excluded::routes())
        .merge(files::routes())
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Query {
    /// The chosen moment; the newest when empty.
    at: String,
    branch: String,
    /// The newest moment before this instant is chosen.
    until: String,
    /// A moment that others are compared with.
    from: String,
    /// The newest moment that is drawn already.
    newest: String,
}

/// The moments as they are drawn, with the links that lead on.
struct Stage {
    window: Option<Window>,
    /// The query of links to other moments, behind `at`.
    rest: String,
    /// Whether only some moments are asked for.
    is_filtered: bool,
}

#[derive(Template)]
#[template(path = "timeline.html")]
struct Page {
    shell: Shell,
    query: Query,
    branches: Vec<String>,
    stage: Stage,
    look: Option<Look>,
    note: Act,
}

#[derive(Template)]
#[template(path = "timeline.html", block = "lanes")]
struct Lanes {
    stage: Stage,
}

#[derive(Template)]
#[template(path = "timeline.html", block = "moment")]
struct Side {
    look: Option<Look>,
}

/// What a query asks for.
struct Asked {
    at: Option<EntryId>,
    branch: Option<Branch>,
    until: Option<Timestamp>,
    from: Option<EntryId>,
    newest: Option<EntryId>,
    rest: String,
    is_filtered: bool,
}

impl Asked {
    fn of(query: &Query) -> Result<Self, ApiError> {
        let mut rest = form_urlencoded::Serializer::new(String::new());
        let kept = [("branch", &query.branch), ("from", &query.from)];
        rest.extend_pairs(kept.into_iter().filter(|(_, value)| !value.is_empty()));
        let rest = rest.finish();
        Ok(Self {
            at: parsed("at", &query.at)?,
            branch: parsed("branch", &query.branch)?,
            until: parsed("until", &query.until)?,
            from: parsed("from", &query.from)?,
            newest: parsed("newest", &query.newest)?,
            rest: if rest.is_empty() { rest } else { format!("&{rest}") },
            is_filtered: !(query.branch.is_empty() && query.until.is_empty()),
        })
    }

    /// The moments around the one that is asked for.
    fn window(&self, reader: &Reader, span: usize, now: Timestamp) -> Result<Option<Window>, StoreError> {
        let mut wanted = Wanted { at: self.at, branch: self.branch.clone(), span };
        if self.until.is_some() {
            let filter =
                EntryFilter { branch: self.branch.clone(), until: self.until, ..EntryFilter::default() };
            let found = reader.entries(&filter, Order::Descending, None, 1)?.items.pop();
            wanted.at = found.map(|entry| entry.entry_id).or(wanted.at);
        }
        window(reader, &wanted, now)
    }
}

async fn page(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let asked = Asked::of(&query)?;
    let (rest, is_filtered) = (asked.rest.clone(), asked.is_filtered);
    let (at, from) = (asked.at, asked.from);
    let look = moment::Reading::of(&state, directory.clone());
    let now = state.runtime().clock().now();
    let read = state.scan(move |reader| {
        let window = asked.window(reader, SPAN, now)?;
        let chosen = window.as_ref().map(|window| window.chosen.clone());
        let look = chosen.map(|entry| look.look(reader, entry, from)).transpose()?;
        let unknown = match &asked.branch {
            Some(branch) if window.is_none() && !is_branch(reader, branch)? => Some(branch.clone()),
            _ => None,
        };
        Ok((window, look, branch_page(reader, None, BRANCHES_MAX, now)?, unknown))
    });
    let (window, look, branches, unknown) = read.await?;
    if let Some(branch) = unknown {
        return Err(no_branch(&branch));
    }
    if let (None, Some(at)) = (&window, at) {
        return Err(missing(at));
    }
    // One that was put away is there for whoever asks for it.
    let offered = branches.items.into_iter();
    let offered = offered.filter(|branch| !branch.is_closed || branch.name.as_str() == query.branch);
    let branches = offered.map(|branch| branch.name.to_string()).collect();
    let note = directory.act("timeline.note", &[], "/ui/timeline?at={entry_id}");
    render(&Page { shell, query, branches, stage: Stage { window, rest, is_filtered }, look, note })
}

async fn drawing(State(state): State<AppState>, Params(query): Params<Query>) -> Result<Response, ApiError> {
    let asked = Asked::of(&query)?;
    let (rest, is_filtered) = (asked.rest.clone(), asked.is_filtered);
    let now = state.runtime().clock().now();
    let drawn = state.scan(move |reader| {
        let newest = reader.newest_entry(asked.branch.as_ref(), now)?.map(|entry| entry.entry_id);
        let is_drawn = asked.newest.is_some() && asked.newest == newest;
        Ok(if is_drawn { None } else { Some(asked.window(reader, SPAN_MAX, now)?) })
    });
    // Where nothing is newer than what is drawn already, there is nothing to draw.
    let Some(window) = drawn.await? else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    render(&Lanes { stage: Stage { window, rest, is_filtered } })
}

async fn side(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let asked = Asked::of(&query)?;
    let look = moment::Reading::of(&state, directory);
    let at = asked.at.ok_or_else(|| ApiError::invalid("at", "which moment is not said"))?;
    let read = state
        .scan(move |reader| reader.entry(at)?.map(|entry| look.look(reader, entry, asked.from)).transpose());
    let look = read.await?.ok_or_else(|| missing(at))?;
    render(&Side { look: Some(look) })
}

/// A moment by its own address is the page that shows it among the others.
async fn one(PathId(entry_id): PathId<EntryId>) -> Response {
    Redirect::to(&format!("/ui/timeline?at={entry_id}")).into_response()
}
