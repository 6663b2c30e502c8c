//! Deployments: what serves where; a capsule is deployed, and rolled back.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::runtime::Intent;
use xyn_actors::services::deploy::{DeploymentName, Place};
use xyn_store::Order;
use xyn_store::projection::DeploymentRow;
use xyn_store::tables::Key;

use super::{Fields, created, placed};
use crate::dto::{Deployment, Switched};
use crate::error::{ApiError, Code};
use crate::extract::{JsonBody, OptionalJson, Params, PathId};
use crate::headers::Caller;
use crate::limits::LOG_SHOWN_MAX_BYTES;
use crate::page::{Listing, PageQuery};
use crate::schema;
use crate::state::{AppState, blocking};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, deploy))
        .routes(routes!(get))
        .routes(routes!(logs))
        .routes(routes!(rollback))
}

/// Deployments of this node, by app.
#[utoipa::path(
    get,
    path = "/api/v1/deployments",
    tag = "deployments",
    operation_id = "list_deployments",
    params(PageQuery),
    responses((status = 200, body = Listing<Deployment>))
)]
async fn list(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Deployment>>, ApiError> {
    let (cursor, limit) = query.place();
    let page = state.scan(move |reader| {
        reader.page(&Key::new(), Order::Ascending, cursor.as_ref(), limit, |_: &DeploymentRow| true)
    });
    Ok(Json(Listing::of(page.await?, |row| shown(&state, row))))
}

/// Leads a capsule that is here through the gates and lets it serve in a stage, in place of what served there. In
/// production it is first answered with what is about to happen, and asked again with what confirms that.
#[utoipa::path(
    post,
    path = "/api/v1/deployments",
    tag = "deployments",
    operation_id = "deploy_capsule",
    extensions(("x-xyn-action" = json!("capsule.deploy"))),
    responses((status = 201, body = Switched), (status = 507))
)]
async fn deploy(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    switch(&state, caller.intent(&state, "capsule.deploy", fields.into())).await
}

/// Submits `deploy`; answers with where it serves.
pub(super) async fn switch(state: &AppState, deploy: Intent) -> Result<Response, ApiError> {
    let output = state.submit(deploy).await?.output;
    let name = output["deployment"].as_str().unwrap_or_default();
    Ok(created(&format!("/api/v1/deployments/{name}"), &output))
}

/// One deployment.
#[utoipa::path(
    get,
    path = "/api/v1/deployments/{deployment}",
    tag = "deployments",
    operation_id = "get_deployment",
    params((
        "deployment" = inline(schema::DeploymentName), Path,
        description = "`APP.STAGE`, or `APP.STAGE.TARGET` where there are several."
    )),
    responses((status = 200, body = Deployment), (status = 404))
)]
async fn get(
    State(state): State<AppState>,
    PathId(name): PathId<DeploymentName>,
) -> Result<Json<Deployment>, ApiError> {
    let row = row(&state, &name)?;
    Ok(Json(shown(&state, row)))
}

/// The last that the processes of a deployment said; nothing of one that has none.
#[utoipa::path(
    get,
    path = "/api/v1/deployments/{deployment}/logs",
    tag = "deployments",
    operation_id = "get_deployment_logs",
    params((
        "deployment" = inline(schema::DeploymentName), Path,
        description = "`APP.STAGE`, or `APP.STAGE.TARGET` where there are several."
    )),
    responses((status = 200, description = "Lines of text.", body = String, content_type = "text/plain"), (status = 404))
)]
async fn logs(
    State(state): State<AppState>,
    PathId(name): PathId<DeploymentName>,
) -> Result<String, ApiError> {
    let place = Place::of(&row(&state, &name)?);
    log_of(&state, place, LOG_SHOWN_MAX_BYTES).await
}

/// The last `limit_bytes` that the processes at `place` said.
pub(crate) async fn log_of(state: &AppState, place: Place, limit_bytes: usize) -> Result<String, ApiError> {
    let runtime = state.runtime().clone();
    blocking(move || {
        let said = runtime.app_log(&place, limit_bytes);
        said.map_err(|error| ApiError::new(Code::Unavailable, format!("its log cannot be read: {error}")))
    })
    .await
}

/// Lets the capsule serve again that served before; data stays as it is. With `seeds`, its seeds are applied again: files
/// are put in place of what is there, which is kept aside, statements are run once more, and documents are merged.
/// Production asks for a word, as it does when something is deployed.
#[utoipa::path(
    post,
    path = "/api/v1/deployments/{deployment}/rollback",
    tag = "deployments",
    operation_id = "roll_back_deployment",
    params((
        "deployment" = inline(schema::DeploymentName), Path,
        description = "`APP.STAGE`, or `APP.STAGE.TARGET` where there are several."
    )),
    extensions(("x-xyn-action" = json!("capsule.rollback"))),
    responses((status = 200, body = Switched), (status = 507))
)]
async fn rollback(
    State(state): State<AppState>,
    PathId(name): PathId<DeploymentName>,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Json<Value>, ApiError> {
    let row = row(&state, &name)?;
    let input = placed(fields, "app", row.app)?;
    let input = placed(input, "stage", row.stage.as_str())?;
    let input = placed(input, "target", row.target.as_str())?;
    Ok(Json(state.submit(caller.intent(&state, "capsule.rollback", input.into())).await?.output))
}

fn shown(state: &AppState, row: DeploymentRow) -> Deployment {
    let served = state.runtime().served(&Place::of(&row));
    Deployment::of(row, served)
}

pub(crate) fn row(state: &AppState, name: &DeploymentName) -> Result<DeploymentRow, ApiError> {
    let row = state.read(|reader| name.find(reader))?;
    row.ok_or_else(|| ApiError::not_found("deployment", &name.to_string()))
}
