//! What two moments differ in.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::ids::EntryId;
use xyn_store::projection::Cursor;
use xyn_store::trust::Roster;
use xyn_store::{Reader, StoreError};

use super::{missing, roster};
use crate::dto::{Moment, MomentDiff, StateChange};
use crate::error::ApiError;
use crate::extract::{Params, Parsed};
use crate::page::{self, Limit, Listing};
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(diff))
}

/// Between which moments to look.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DiffQuery {
    /// The moment whose state is compared.
    #[param(value_type = schema::Id, inline)]
    from: Parsed<EntryId>,
    /// The moment it is compared with.
    #[param(value_type = schema::Id, inline)]
    to: Parsed<EntryId>,
    /// Rows of the page.
    #[param(value_type = schema::Limit, inline, required = false)]
    limit: Option<Parsed<Limit>>,
    /// The `next_cursor` of the page before.
    #[param(value_type = schema::Cursor, inline, required = false)]
    cursor: Option<Parsed<Cursor>>,
}

/// What two moments differ in, and what happened between them.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/diff",
    tag = "timeline",
    operation_id = "diff_moments",
    params(DiffQuery),
    responses((status = 200, body = MomentDiff), (status = 404))
)]
async fn diff(
    State(state): State<AppState>,
    Params(query): Params<DiffQuery>,
) -> Result<Json<MomentDiff>, ApiError> {
    let DiffQuery { from: Parsed(from), to: Parsed(to), .. } = query;
    let limit = page::rows(query.limit.as_ref());
    let cursor = query.cursor.map(|cursor| cursor.0);
    let runtime = state.runtime().clone();
    let read = move |reader: &Reader| {
        let roster = roster(&runtime, reader)?;
        difference(reader, from, to, cursor.as_ref(), limit, &roster)
    };
    match state.scan(read).await? {
        Ok(diff) => Ok(Json(diff)),
        Err(absent) => Err(missing(absent)),
    }
}

fn difference(
    reader: &Reader,
    from: EntryId,
    to: EntryId,
    cursor: Option<&Cursor>,
    limit: usize,
    roster: &Roster,
) -> Result<Result<MomentDiff, EntryId>, StoreError> {
    let Some((one, before)) = reader.entry(from)?.zip(reader.state_at(from)?) else { return Ok(Err(from)) };
    let Some((other, after)) = reader.entry(to)?.zip(reader.state_at(to)?) else { return Ok(Err(to)) };
    let Some(page) = reader.entries_between(from, to, cursor, limit)? else { return Ok(Err(to)) };
    let changes = StateChange::between(&before, &after);
    let is_cut_short = before.is_cut_short || after.is_cut_short;
    let Listing { items, next_cursor } = Listing::of(page, |entry| Moment::of(entry, roster));
    let [from, to] = [one, other].map(|entry| Moment::of(entry, roster));
    Ok(Ok(MomentDiff { from, to, changes, is_cut_short, items, next_cursor }))
}
