//! Workspaces: folders are taken under Xyn's eye, kept, laid out, compared and forgotten.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::services::workspace::{Comparison, Place};
use xyn_store::Order;
use xyn_store::projection::WorkspaceRow;
use xyn_store::tables::Key;

use super::{Fields, created, placed};
use crate::dto::{Kept, LaidOut, Workspace, WorkspaceDiff};
use crate::error::ApiError;
use crate::extract::{JsonBody, NamePath, OptionalJson, Params, Parsed};
use crate::headers::{Caller, Known};
use crate::limits::DIFF_MAX;
use crate::page::{Listing, PageQuery};
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(get))
        .routes(routes!(snapshot))
        .routes(routes!(restore))
        .routes(routes!(remove))
        .routes(routes!(diff))
}

/// Workspaces, by name.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces",
    tag = "workspaces",
    operation_id = "list_workspaces",
    params(PageQuery),
    responses((status = 200, body = Listing<Workspace>))
)]
async fn list(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Workspace>>, ApiError> {
    let (cursor, limit) = query.place();
    let page = state.scan(move |reader| {
        reader.page::<WorkspaceRow>(&Key::new(), Order::Ascending, cursor.as_ref(), limit, |_| true)
    });
    Ok(Json(Listing::of(page.await?, Workspace::from)))
}

/// Takes a folder of the node's machine under Xyn's eye; reads nothing of it yet.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces",
    tag = "workspaces",
    operation_id = "add_workspace",
    extensions(("x-xyn-action" = json!("workspace.add"))),
    responses((status = 201, body = Workspace), (status = 507))
)]
async fn add(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    let outcome = state.submit(caller.intent(&state, "workspace.add", fields.into())).await?;
    let name = outcome.output["name"].as_str().unwrap_or_default();
    Ok(created(&format!("/api/v1/workspaces/{name}"), Workspace::from(row(&state, name)?)))
}

/// One workspace.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{name}",
    tag = "workspaces",
    operation_id = "get_workspace",
    params(("name" = inline(schema::Name), Path, description = "The name of the workspace.")),
    responses((status = 200, body = Workspace), (status = 304), (status = 404))
)]
async fn get(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    known: Known,
) -> Result<Response, ApiError> {
    known.json(&Workspace::from(row(&state, &name)?))
}

/// Keeps a workspace as it is now: a moment of the timeline, when something changed.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{name}/snapshot",
    tag = "workspaces",
    operation_id = "snapshot_workspace",
    params(("name" = inline(schema::Name), Path, description = "The name of the workspace.")),
    extensions(("x-xyn-action" = json!("workspace.snapshot"))),
    responses((status = 200, body = Kept), (status = 507))
)]
async fn snapshot(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Json<Value>, ApiError> {
    act(&state, name, caller, "workspace.snapshot", fields).await
}

/// Writes the files of a workspace as they were at a moment, in its folder or another.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{name}/restore",
    tag = "workspaces",
    operation_id = "restore_workspace",
    params(("name" = inline(schema::Name), Path, description = "The name of the workspace.")),
    extensions(("x-xyn-action" = json!("workspace.restore"))),
    responses((status = 200, body = LaidOut), (status = 507))
)]
async fn restore(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Json<Value>, ApiError> {
    act(&state, name, caller, "workspace.restore", fields).await
}

/// Forgets a workspace; its folder and its moments stay.
#[utoipa::path(
    post,
    path = "/api/v1/workspaces/{name}/remove",
    tag = "workspaces",
    operation_id = "remove_workspace",
    params(("name" = inline(schema::Name), Path, description = "The name of the workspace.")),
    extensions(("x-xyn-action" = json!("workspace.remove"))),
    responses((status = 200, description = "The name of what was forgotten.", body = Object), (status = 507))
)]
async fn remove(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Json<Value>, ApiError> {
    act(&state, name, caller, "workspace.remove", fields).await
}

/// What is compared.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DiffQuery {
    /// A moment or the root of a tree; what the workspace was last known to be when left out.
    #[param(value_type = schema::TreePlace, inline, required = false)]
    from: Option<Parsed<Place>>,
    /// A moment or the root of a tree; the folder as it is when left out.
    #[param(value_type = schema::TreePlace, inline, required = false)]
    to: Option<Parsed<Place>>,
}

/// What differs between two trees of a workspace, or between one and its folder as it is.
/// What is not here of a tree is fetched from members who have it.
#[utoipa::path(
    get,
    path = "/api/v1/workspaces/{name}/diff",
    tag = "workspaces",
    operation_id = "diff_workspace",
    params(("name" = inline(schema::Name), Path, description = "The name of the workspace."), DiffQuery),
    responses((status = 200, body = WorkspaceDiff), (status = 404), (status = 409))
)]
async fn diff(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    Params(query): Params<DiffQuery>,
) -> Result<Json<WorkspaceDiff>, ApiError> {
    let comparison = Comparison { from: query.from.map(|from| from.0), to: query.to.map(|to| to.0) };
    let compared = state.runtime().compare_workspace(&name, comparison).await?;
    Ok(Json(WorkspaceDiff::of(compared, DIFF_MAX)))
}

async fn act(
    state: &AppState,
    name: String,
    caller: Caller,
    action: &str,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let input = placed(fields, "name", name)?;
    Ok(Json(state.submit(caller.intent(state, action, input.into())).await?.output))
}

pub(crate) fn row(state: &AppState, name: &str) -> Result<WorkspaceRow, ApiError> {
    state.row(&WorkspaceRow::key_of(name), "workspace", name)
}
