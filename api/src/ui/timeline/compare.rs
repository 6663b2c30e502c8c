//! What two moments differ in, file by file.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use xyn_store::ids::EntryId;
use xyn_store::{Reader, StoreError};

use super::super::change::{self, Changes, Open};
use super::super::file::Sight;
use super::super::filters;
use super::super::query::parsed;
use super::super::shell::{Shell, render};
use super::shapes::drawing;
use crate::dto::Moment;
use crate::error::ApiError;
use crate::extract::Params;
use crate::routes::timeline::{missing, roster};
use crate::state::AppState;

/// Moments between the two that are named.
const BETWEEN_MAX: usize = 20;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/ui/timeline/diff", get(diff))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Query {
    /// `none` is what was before everything.
    from: String,
    to: String,
    workspace: String,
    path: String,
    view: String,
    part: String,
}

#[derive(Template)]
#[template(path = "timeline_diff.html")]
struct Page {
    shell: Shell,
    query: Query,
    two: Option<Two>,
}

/// Two moments and what lies between them.
struct Two {
    from: Option<Side>,
    to: Side,
    changes: Changes,
    between: Vec<Side>,
    has_more: bool,
    is_cut_short: bool,
}

struct Side {
    moment: Moment,
    kind: &'static str,
}

async fn diff(
    State(state): State<AppState>,
    shell: Shell,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let from = if query.from == "none" { None } else { parsed::<EntryId>("from", &query.from)? };
    let Some(to) = parsed::<EntryId>("to", &query.to)? else {
        return render(&Page { shell, query, two: None });
    };
    let open = Open {
        workspace: query.workspace.clone(),
        path: query.path.clone(),
        view: Sight::asked(&query.view, &query.part, false)?,
    };
    let runtime = state.runtime().clone();
    let blobs = runtime.store().blobs().clone();
    let read = move |reader: &Reader| -> Result<Result<Two, EntryId>, StoreError> {
        let roster = roster(&runtime, reader)?;
        let side = |entry: xyn_store::timeline::entry::Entry| Side {
            kind: drawing(entry.note.kind).0,
            moment: Moment::of(entry, &roster),
        };
        let named = |id: EntryId| Ok::<_, StoreError>(reader.entry(id)?.map(side).ok_or(id));
        let first = match from.map(named).transpose()?.transpose() {
            Ok(first) => first,
            Err(absent) => return Ok(Err(absent)),
        };
        let last = match named(to)? {
            Ok(last) => last,
            Err(absent) => return Ok(Err(absent)),
        };
        let (before, after) = (change::state_at(reader, from)?, change::state_at(reader, Some(to))?);
        let from_id = from.map_or_else(|| "none".to_owned(), |from| from.to_string());
        let page = format!("/ui/timeline/diff?from={from_id}&to={to}");
        let changes = change::between(&blobs, &before, &after, &page, Some(&open));
        let between = from.map(|from| reader.entries_between(from, to, None, BETWEEN_MAX)).transpose()?;
        let between = between.flatten();
        Ok(Ok(Two {
            is_cut_short: before.is_cut_short || after.is_cut_short,
            has_more: between.as_ref().is_some_and(|page| page.next.is_some()),
            between: between.map(|page| page.items.into_iter().map(side).collect()).unwrap_or_default(),
            from: first,
            to: last,
            changes,
        }))
    };
    let two = state.scan(read).await?.map_err(missing)?;
    render(&Page { shell, query, two: Some(two) })
}
