//! Comments and reviews, and what is hidden of the timeline.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::runtime::Runtime;
use xyn_store::ids::EntryId;
use xyn_store::projection::Cursor;
use xyn_store::timeline::BoardRow;
use xyn_store::timeline::board::{Board, View};
use xyn_store::timeline::entry::{Entry, Kind};
use xyn_store::trust::Roster;
use xyn_store::{Order, Reader, StoreError};

use super::{missing, roster, shown};
use crate::dto::{Comment, Comments, ExcludedRecord, Moment, Review, ReviewSummary, review_status};
use crate::error::ApiError;
use crate::extract::{Params, Parsed, PathId};
use crate::page::{self, Limit, Listing, PageQuery};
use crate::schema;
use crate::state::AppState;

/// Verdicts that one review shows.
const VERDICTS_MAX: usize = 200;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(comments))
        .routes(routes!(review))
        .routes(routes!(reviews))
        .routes(routes!(excluded))
}

/// What people say of a moment.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/{entry_id}/comments",
    tag = "timeline",
    operation_id = "list_comments",
    params(("entry_id" = inline(schema::Id), Path)),
    responses((status = 200, body = Comments), (status = 404))
)]
async fn comments(
    State(state): State<AppState>,
    PathId(entry_id): PathId<EntryId>,
) -> Result<Json<Comments>, ApiError> {
    let runtime = state.runtime().clone();
    let read = move |reader: &Reader| {
        if reader.entry(entry_id)?.is_none() {
            return Ok(None);
        }
        let view = shown(reader, &Board::Comments(entry_id))?;
        Ok(Some((view, roster(&runtime, reader)?)))
    };
    let (view, roster) = state.scan(read).await?.ok_or_else(|| missing(entry_id))?;
    let comments = view.map(|view| Comment::all(view, &roster)).unwrap_or_default();
    Ok(Json(Comments { entry_id, comments }))
}

/// The review of a moment: what people say in it, how it stands, and who approved or rejected the moment.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/{entry_id}/review",
    tag = "timeline",
    operation_id = "get_review",
    params(("entry_id" = inline(schema::Id), Path)),
    responses((status = 200, body = Review), (status = 404))
)]
async fn review(
    State(state): State<AppState>,
    PathId(entry_id): PathId<EntryId>,
) -> Result<Json<Review>, ApiError> {
    let runtime = state.runtime().clone();
    let review = state.scan(move |reader| one_review(reader, &runtime, entry_id)).await?;
    review.map(Json).ok_or_else(|| ApiError::not_found("review", &entry_id.to_string()))
}

pub(crate) fn one_review(
    reader: &Reader,
    runtime: &Runtime,
    entry_id: EntryId,
) -> Result<Option<Review>, StoreError> {
    let Some(view) = shown(reader, &Board::Review(entry_id))? else { return Ok(None) };
    let roster = roster(runtime, reader)?;
    let is_verdict = |entry: &Entry| matches!(entry.note.kind, Kind::Approve | Kind::Reject);
    let verdicts = reader.entries_about(entry_id, None, VERDICTS_MAX, is_verdict)?.items.into_iter();
    Ok(Some(Review {
        entry_id,
        status: review_status(&view),
        comments: Comment::all(view, &roster),
        verdicts: verdicts.filter_map(|entry| Moment::verdict(entry, &roster)).collect(),
    }))
}

/// How a review stands.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Open,
    Resolved,
}

/// Which reviews a list shows.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ReviewQuery {
    /// Only reviews that stand so.
    #[param(value_type = schema::ReviewStatus, inline, required = false)]
    status: Option<Status>,
    /// Rows of the page.
    #[param(value_type = schema::Limit, inline, required = false)]
    limit: Option<Parsed<Limit>>,
    /// The `next_cursor` of the page before.
    #[param(value_type = schema::Cursor, inline, required = false)]
    cursor: Option<Parsed<Cursor>>,
}

/// Reviews that were opened, in the order of the moments they are about.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/reviews",
    tag = "timeline",
    operation_id = "list_reviews",
    params(ReviewQuery),
    responses((status = 200, body = Listing<ReviewSummary>))
)]
async fn reviews(
    State(state): State<AppState>,
    Params(query): Params<ReviewQuery>,
) -> Result<Json<Listing<ReviewSummary>>, ApiError> {
    let (limit, wanted) = (page::rows(query.limit.as_ref()), query.status);
    let (cursor, runtime) = (query.cursor.map(|cursor| cursor.0), state.runtime().clone());
    let read = move |reader: &Reader| {
        let page = reader.reviews(Order::Ascending, cursor.as_ref(), limit)?;
        let roster = roster(&runtime, reader)?;
        let mut items = Vec::with_capacity(page.items.len());
        for row in page.items {
            items.extend(summary(reader, row, wanted, &roster)?);
        }
        Ok(xyn_store::projection::Page { items, next: page.next })
    };
    Ok(Json(Listing::of(state.scan(read).await?, |review| review)))
}

pub(crate) fn summary(
    reader: &Reader,
    row: BoardRow,
    wanted: Option<Status>,
    roster: &Roster,
) -> Result<Option<ReviewSummary>, StoreError> {
    let (Board::Review(entry_id), View::Thread { comments, is_resolved }) = (&row.board, &row.view) else {
        return Ok(None);
    };
    if wanted.is_some_and(|wanted| matches!(wanted, Status::Resolved) != *is_resolved) {
        return Ok(None);
    }
    let moment = reader.entry(*entry_id)?.map(|entry| Moment::of(entry, roster));
    let (entry_id, status) = (*entry_id, review_status(&row.view));
    Ok(Some(ReviewSummary { entry_id, status, comments: comments.len(), moment }))
}

/// Records that are kept and do not count, each with why: its author was revoked, or wrote two records under one
/// number.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/excluded",
    tag = "timeline",
    operation_id = "list_excluded",
    params(PageQuery),
    responses((status = 200, body = Listing<ExcludedRecord>))
)]
pub(crate) async fn excluded(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<ExcludedRecord>>, ApiError> {
    let ((cursor, limit), runtime) = (query.place(), state.runtime().clone());
    let read =
        move |reader: &Reader| Ok((reader.excluded(cursor.as_ref(), limit)?, roster(&runtime, reader)?));
    let (page, roster) = state.scan(read).await?;
    Ok(Json(Listing::of(page, |excluded| ExcludedRecord::of(excluded, &roster))))
}
