//! Records that are kept and do not count, each with why.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use xyn_store::projection::{Cursor, Page as Rows};

use super::super::filters;
use super::super::query::{Pager, ROWS, parsed};
use super::super::shell::{Shell, render};
use crate::dto::ExcludedRecord;
use crate::error::ApiError;
use crate::extract::Params;
use crate::routes::timeline::roster;
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/ui/timeline/excluded", get(excluded))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Query {
    cursor: String,
}

#[derive(Template)]
#[template(path = "timeline_excluded.html")]
struct Page {
    shell: Shell,
    items: Vec<ExcludedRecord>,
    pager: Pager,
}

async fn excluded(
    State(state): State<AppState>,
    shell: Shell,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
    let (at, runtime) = (cursor.clone(), state.runtime().clone());
    let page = state.scan(move |reader| {
        let (page, roster) = (reader.excluded(at.as_ref(), ROWS)?, roster(&runtime, reader)?);
        let items = page.items.into_iter().map(|it| ExcludedRecord::of(it, &roster)).collect();
        Ok(Rows { items, next: page.next })
    });
    let page = page.await?;
    let pager = Pager::of("/ui/timeline/excluded", &[], cursor.as_ref(), &page);
    render(&Page { shell, items: page.items, pager })
}
