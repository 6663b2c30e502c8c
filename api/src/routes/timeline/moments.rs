//! Moments: a page of them, and one with the state it is.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::ids::EntryId;
use xyn_store::projection::Cursor;
use xyn_store::timeline::EntryFilter;
use xyn_store::timeline::entry::{Branch, Kind};
use xyn_store::trust::Roster;
use xyn_store::{Order, Reader, StoreError, Timestamp};

use super::{missing, of_branch, roster};
use crate::dto::{Moment, MomentState, MomentView};
use crate::error::ApiError;
use crate::extract::{Params, Parsed, PathId};
use crate::page::{self, Limit, Listing};
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// Which end of the timeline comes first.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum First {
    #[default]
    Newest,
    Oldest,
}

/// Which moments a list shows.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only moments on this branch.
    #[param(value_type = schema::BranchName, inline, required = false)]
    branch: Option<Parsed<Branch>>,
    /// Only moments of this kind.
    #[param(value_type = schema::MomentKind, inline, required = false)]
    kind: Option<Kind>,
    /// Only moments at this instant or later.
    #[param(value_type = schema::Instant, inline, required = false)]
    since: Option<Parsed<Timestamp>>,
    /// Only moments before this instant.
    #[param(value_type = schema::Instant, inline, required = false)]
    until: Option<Parsed<Timestamp>>,
    /// Which end comes first.
    #[param(value_type = schema::First, inline, required = false)]
    first: Option<First>,
    /// Rows of the page.
    #[param(value_type = schema::Limit, inline, required = false)]
    limit: Option<Parsed<Limit>>,
    /// The `next_cursor` of the page before.
    #[param(value_type = schema::Cursor, inline, required = false)]
    cursor: Option<Parsed<Cursor>>,
}

/// Moments, newest first unless asked otherwise.
#[utoipa::path(
    get,
    path = "/api/v1/timeline",
    tag = "timeline",
    operation_id = "list_moments",
    params(ListQuery),
    responses((status = 200, body = Listing<Moment>), (status = 404))
)]
async fn list(
    State(state): State<AppState>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Listing<Moment>>, ApiError> {
    let limit = page::rows(query.limit.as_ref());
    let filter = EntryFilter {
        branch: query.branch.map(|branch| branch.0),
        kind: query.kind,
        since: query.since.map(|at| at.0),
        until: query.until.map(|at| at.0),
    };
    let order = match query.first.unwrap_or_default() {
        First::Newest => Order::Descending,
        First::Oldest => Order::Ascending,
    };
    let cursor = query.cursor.map(|cursor| cursor.0);
    let runtime = state.runtime().clone();
    let read = move |reader: &Reader| {
        let page = reader.entries(&filter, order, cursor.as_ref(), limit)?;
        let page = of_branch(reader, filter.branch.as_ref(), cursor.as_ref(), page)?;
        Ok((page, roster(&runtime, reader)?))
    };
    let (page, roster) = state.scan(read).await?;
    Ok(Json(Listing::of(page?, |entry| Moment::of(entry, &roster))))
}

/// One moment, what people attached to it, and the state it is.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/{entry_id}",
    tag = "timeline",
    operation_id = "get_moment",
    params(("entry_id" = inline(schema::Id), Path)),
    responses((status = 200, body = MomentView), (status = 404))
)]
async fn get(
    State(state): State<AppState>,
    PathId(entry_id): PathId<EntryId>,
) -> Result<Json<MomentView>, ApiError> {
    let runtime = state.runtime().clone();
    let now = runtime.clock().now();
    let read = move |reader: &Reader| view(reader, entry_id, roster(&runtime, reader)?.as_ref(), now);
    let view = state.scan(read).await?;
    view.map(Json).ok_or_else(|| missing(entry_id))
}

pub(crate) fn view(
    reader: &Reader,
    entry_id: EntryId,
    roster: &Roster,
    now: Timestamp,
) -> Result<Option<MomentView>, StoreError> {
    let (Some(entry), Some(state)) = (reader.entry(entry_id)?, reader.state_at(entry_id)?) else {
        return Ok(None);
    };
    Ok(Some(MomentView {
        is_from_future: entry.at.is_future(now),
        moment: Moment::of(entry, roster),
        labels: reader.labels_of(&[entry_id].into())?.remove(&entry_id).unwrap_or_default(),
        is_pinned: reader.is_pinned(entry_id)?,
        state: MomentState::from(state),
    }))
}
