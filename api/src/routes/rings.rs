//! The key ring of the environment: who counts, once there is one.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Fields, created};
use crate::dto::{KeyRing, KeyRingTaken};
use crate::error::ApiError;
use crate::extract::JsonBody;
use crate::headers::Caller;
use crate::state::{AppState, blocking};

/// Where the ring is.
const PATH: &str = "/api/v1/key-ring";

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get, put))
}

/// The key ring that is in force; where there is none, members of the environment count.
#[utoipa::path(
    get,
    path = "/api/v1/key-ring",
    tag = "capsules",
    operation_id = "get_key_ring",
    responses((status = 200, body = KeyRing), (status = 404))
)]
async fn get(State(state): State<AppState>) -> Result<Json<KeyRing>, ApiError> {
    let runtime = state.runtime().clone();
    let known = blocking(move || runtime.key_ring().map_err(ApiError::from)).await?;
    let known = known.ok_or_else(|| ApiError::not_found("key ring", "in force"))?;
    Ok(Json(known.try_into()?))
}

/// Puts a signed key ring into force: the first when the named keys signed it, each that follows when the root of the
/// one before did.
#[utoipa::path(
    post,
    path = "/api/v1/key-ring",
    tag = "capsules",
    operation_id = "put_key_ring",
    extensions(("x-xyn-action" = json!("capsule.trust"))),
    responses((status = 201, body = KeyRingTaken), (status = 507))
)]
async fn put(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    let output = state.submit(caller.intent(&state, "capsule.trust", fields.into())).await?.output;
    Ok(created(PATH, &output))
}
