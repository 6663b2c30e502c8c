//! Secrets: values are kept and forgotten, and never read back.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::services::secrets::SecretName;

use super::{Fields, created, placed};
use crate::dto::{Secret, SecretPut, SecretRemoved};
use crate::error::ApiError;
use crate::extract::{JsonBody, OptionalJson, PathId};
use crate::headers::Caller;
use crate::page::Listing;
use crate::schema;
use crate::state::{AppState, blocking};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, put)).routes(routes!(remove))
}

/// Secrets of this node, by name, without their values. They are few: there is one page.
#[utoipa::path(
    get,
    path = "/api/v1/secrets",
    tag = "secrets",
    operation_id = "list_secrets",
    responses((status = 200, body = Listing<Secret>))
)]
async fn list(State(state): State<AppState>) -> Result<Json<Listing<Secret>>, ApiError> {
    let runtime = state.runtime().clone();
    let known = blocking(move || runtime.secrets().map_err(ApiError::from)).await?;
    Ok(Json(Listing { items: known.into_iter().map(Secret::from).collect(), next_cursor: None }))
}

/// Keeps a value, in place of the one of this name. It is never shown: apps are given it when they are deployed.
#[utoipa::path(
    post,
    path = "/api/v1/secrets",
    tag = "secrets",
    operation_id = "put_secret",
    extensions(("x-xyn-action" = json!("secret.put"))),
    responses((status = 201, body = SecretPut), (status = 507))
)]
async fn put(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    let output = state.submit(caller.intent(&state, "secret.put", fields.into())).await?.output;
    Ok(created("/api/v1/secrets", &output))
}

/// Forgets a secret. What runs keeps what it was given until it is started again.
#[utoipa::path(
    post,
    path = "/api/v1/secrets/{name}/remove",
    tag = "secrets",
    operation_id = "remove_secret",
    params((
        "name" = inline(schema::SecretName), Path,
        description = "The name of the secret; a slash in it is written as `%2F`."
    )),
    extensions(("x-xyn-action" = json!("secret.remove"))),
    responses((status = 200, body = SecretRemoved), (status = 404), (status = 507))
)]
async fn remove(
    State(state): State<AppState>,
    PathId(name): PathId<SecretName>,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Json<Value>, ApiError> {
    let input = placed(fields, "name", name.to_string())?;
    Ok(Json(state.submit(caller.intent(&state, "secret.remove", input.into())).await?.output))
}
