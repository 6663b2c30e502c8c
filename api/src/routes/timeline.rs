//! The timeline: its moments, what each is the state of, and what lies between two.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::ids::EntryId;
use xyn_store::projection::{Cursor, Page};
use xyn_store::timeline::board::{Board, View};
use xyn_store::timeline::entry::{Branch, Kind};
use xyn_store::timeline::{BoardRow, EntryFilter, Facet};
use xyn_store::{Order, Reader, StoreError, Timestamp};

use super::{Fields, created};
use crate::dto::{BranchView, Moment, MomentDiff, MomentState, MomentView, Said, StateChange};
use crate::error::ApiError;
use crate::extract::{JsonBody, Params, Parsed, PathId};
use crate::headers::Caller;
use crate::page::{self, Limit, Listing, PageQuery};
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(branches))
        .routes(routes!(diff))
        .routes(routes!(get))
        .routes(routes!(note))
        .routes(routes!(label))
        .routes(routes!(pin))
        .routes(routes!(branch))
        .routes(routes!(merge))
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

/// Moments, newest first unless asked otherwise.
#[utoipa::path(
    get,
    path = "/api/v1/timeline",
    tag = "timeline",
    operation_id = "list_moments",
    params(ListQuery),
    responses((status = 200, body = Listing<Moment>))
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
    let page = state.scan(move |reader| reader.entries(&filter, order, cursor.as_ref(), limit)).await?;
    Ok(Json(Listing::of(page, Moment::from)))
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
    let view = state.scan(move |reader| view(reader, entry_id)).await?;
    view.map(Json).ok_or_else(|| missing(entry_id))
}

fn view(reader: &Reader, entry_id: EntryId) -> Result<Option<MomentView>, StoreError> {
    let (Some(entry), Some(state)) = (reader.entry(entry_id)?, reader.state_at(entry_id)?) else {
        return Ok(None);
    };
    let labels = match shown(reader, &Board::Labels)? {
        Some(View::Labels(labels)) => labels,
        _ => Default::default(),
    };
    let pins = match shown(reader, &Board::Pins)? {
        Some(View::Pins(pins)) => pins,
        _ => Default::default(),
    };
    let own = labels.into_iter().filter(|(_, labelled)| *labelled == entry_id);
    Ok(Some(MomentView {
        moment: Moment::from(entry),
        labels: own.map(|(label, _)| label).collect(),
        is_pinned: pins.contains(&entry_id),
        state: MomentState::from(state),
    }))
}

fn shown(reader: &Reader, board: &Board) -> Result<Option<View>, StoreError> {
    Ok(reader.board(board)?.map(|row| row.view))
}

fn missing(entry_id: EntryId) -> ApiError {
    ApiError::not_found("moment", &entry_id.to_string())
}

/// Branches by name; the one that every timeline has comes first.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/branches",
    tag = "timeline",
    operation_id = "list_branches",
    params(PageQuery),
    responses((status = 200, body = Listing<BranchView>))
)]
async fn branches(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<BranchView>>, ApiError> {
    let (cursor, limit) = query.place();
    let read = move |reader: &Reader| branch_page(reader, cursor.as_ref(), limit);
    Ok(Json(Listing::of(state.scan(read).await?, |branch| branch)))
}

fn branch_page(
    reader: &Reader,
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<Page<BranchView>, StoreError> {
    let mut items = Vec::new();
    if cursor.is_none() {
        let main = View::Branch { base: None, head: None, contenders: Default::default(), is_closed: false };
        let opened = shown(reader, &Board::Branch(Branch::main()))?;
        items.extend(branch_view(reader, Branch::main(), opened.unwrap_or(main))?);
    }
    let Page { items: rows, mut next } = reader.boards(cursor, limit.saturating_sub(items.len()).max(1))?;
    for BoardRow { board, view, .. } in rows {
        match board {
            Board::Branch(name) if name == Branch::main() => {}
            Board::Branch(name) => items.extend(branch_view(reader, name, view)?),
            // Branches sort before all other boards.
            _ => {
                next = None;
                break;
            }
        }
    }
    Ok(Page { items, next })
}

fn branch_view(reader: &Reader, name: Branch, view: View) -> Result<Option<BranchView>, StoreError> {
    let View::Branch { base, head, contenders, is_closed } = view else { return Ok(None) };
    let filter = EntryFilter { branch: Some(name.clone()), ..EntryFilter::default() };
    let newest = reader.entries(&filter, Order::Descending, None, 1)?.items.pop();
    let head = newest.map(|entry| entry.entry_id).or(head);
    Ok(Some(BranchView { name, base, head, contenders, is_closed }))
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
    let read = move |reader: &Reader| difference(reader, from, to, cursor.as_ref(), limit);
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
) -> Result<Result<MomentDiff, EntryId>, StoreError> {
    let Some((one, before)) = reader.entry(from)?.zip(reader.state_at(from)?) else { return Ok(Err(from)) };
    let Some((other, after)) = reader.entry(to)?.zip(reader.state_at(to)?) else { return Ok(Err(to)) };
    let Some(page) = reader.entries_between(from, to, cursor, limit)? else { return Ok(Err(to)) };
    let facets: std::collections::BTreeSet<&Facet> = before.keys().chain(after.keys()).collect();
    let changes = facets.into_iter().filter_map(|facet| StateChange::of(facet, &before, &after)).collect();
    let Listing { items, next_cursor } = Listing::of(page, Moment::from);
    Ok(Ok(MomentDiff { from: one.into(), to: other.into(), changes, items, next_cursor }))
}

/// Puts a note on the timeline.
#[utoipa::path(
    post,
    path = "/api/v1/timeline/note",
    tag = "timeline",
    operation_id = "note_moment",
    extensions(("x-xyn-action" = json!("timeline.note"))),
    responses((status = 201, body = Said), (status = 404))
)]
async fn note(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    act(&state, caller, "timeline.note", fields).await
}

/// Gives a moment a name; without a moment, takes the name away.
#[utoipa::path(
    post,
    path = "/api/v1/timeline/label",
    tag = "timeline",
    operation_id = "label_moment",
    extensions(("x-xyn-action" = json!("timeline.label"))),
    responses((status = 201, description = "The name and its moment.", body = Object), (status = 404))
)]
async fn label(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    act(&state, caller, "timeline.label", fields).await
}

/// Keeps a moment in sight, or no longer does.
#[utoipa::path(
    post,
    path = "/api/v1/timeline/pin",
    tag = "timeline",
    operation_id = "pin_moment",
    extensions(("x-xyn-action" = json!("timeline.pin"))),
    responses((status = 201, description = "The moment, and whether it is pinned.", body = Object), (status = 404))
)]
async fn pin(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    act(&state, caller, "timeline.pin", fields).await
}

/// Begins a branch at a moment; at the newest one when none is named.
#[utoipa::path(
    post,
    path = "/api/v1/timeline/branch",
    tag = "timeline",
    operation_id = "begin_branch",
    extensions(("x-xyn-action" = json!("timeline.branch"))),
    responses((status = 201, description = "The branch and its base.", body = Object), (status = 404))
)]
async fn branch(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    act(&state, caller, "timeline.branch", fields).await
}

/// Joins a branch into another one.
#[utoipa::path(
    post,
    path = "/api/v1/timeline/merge",
    tag = "timeline",
    operation_id = "merge_branch",
    extensions(("x-xyn-action" = json!("timeline.merge"))),
    responses((status = 201, body = Said), (status = 404))
)]
async fn merge(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    act(&state, caller, "timeline.merge", fields).await
}

/// Submits something that is said on the timeline; answers with where it stands.
async fn act(state: &AppState, caller: Caller, action: &str, fields: Fields) -> Result<Response, ApiError> {
    let outcome = state.submit(caller.intent(state, action, fields.into())).await?;
    let location = match outcome.output.get("entry_id").and_then(serde_json::Value::as_str) {
        Some(entry_id) => format!("/api/v1/timeline/{entry_id}"),
        None => "/api/v1/timeline/branches".to_owned(),
    };
    Ok(created(&location, &outcome.output))
}
