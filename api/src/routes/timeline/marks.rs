//! What people marked: moments with a name, and moments that are kept in sight.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::ids::EntryId;
use xyn_store::projection::{Cursor, Page};
use xyn_store::trust::Roster;
use xyn_store::{Reader, StoreError};

use super::roster;
use crate::dto::{LabelView, Moment, PinView};
use crate::error::ApiError;
use crate::extract::{Params, Parsed};
use crate::page::{self, Limit, Listing, PageQuery};
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(labels)).routes(routes!(pins))
}

/// Which labels a list shows.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct LabelQuery {
    /// Only this one.
    name: Option<String>,
    /// Rows of the page.
    #[param(value_type = schema::Limit, inline, required = false)]
    limit: Option<Parsed<Limit>>,
    /// The `next_cursor` of the page before.
    #[param(value_type = schema::Cursor, inline, required = false)]
    cursor: Option<Parsed<Cursor>>,
}

/// Labels by name, each with the moment that it names.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/labels",
    tag = "timeline",
    operation_id = "list_labels",
    params(LabelQuery),
    responses((status = 200, body = Listing<LabelView>))
)]
async fn labels(
    State(state): State<AppState>,
    Params(query): Params<LabelQuery>,
) -> Result<Json<Listing<LabelView>>, ApiError> {
    let (limit, cursor) = (page::rows(query.limit.as_ref()), query.cursor.map(|cursor| cursor.0));
    let runtime = state.runtime().clone();
    let read = move |reader: &Reader| {
        let roster = roster(&runtime, reader)?;
        let page = match &query.name {
            Some(name) => {
                let found = reader.label(name)?.map(|entry_id| (name.clone(), entry_id));
                Page { items: Vec::from_iter(found), next: None }
            }
            None => reader.labels(cursor.as_ref(), limit)?,
        };
        let view =
            |(name, entry_id)| Ok(LabelView { name, entry_id, moment: moment(reader, entry_id, &roster)? });
        viewed(page, view)
    };
    Ok(Json(Listing::of(state.scan(read).await?, |label| label)))
}

/// Moments that are kept in sight, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/pins",
    tag = "timeline",
    operation_id = "list_pins",
    params(PageQuery),
    responses((status = 200, body = Listing<PinView>))
)]
async fn pins(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<PinView>>, ApiError> {
    let ((cursor, limit), runtime) = (query.place(), state.runtime().clone());
    let read = move |reader: &Reader| {
        let roster = roster(&runtime, reader)?;
        viewed(reader.pins(cursor.as_ref(), limit)?, |entry_id| {
            Ok(PinView { entry_id, moment: moment(reader, entry_id, &roster)? })
        })
    };
    Ok(Json(Listing::of(state.scan(read).await?, |pin| pin)))
}

fn viewed<T, V>(page: Page<T>, view: impl Fn(T) -> Result<V, StoreError>) -> Result<Page<V>, StoreError> {
    let items = page.items.into_iter().map(view).collect::<Result<_, _>>()?;
    Ok(Page { items, next: page.next })
}

fn moment(reader: &Reader, entry_id: EntryId, roster: &Roster) -> Result<Option<Moment>, StoreError> {
    Ok(reader.entry(entry_id)?.map(|entry| Moment::of(entry, roster)))
}
