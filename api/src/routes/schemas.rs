//! JSON Schemas for editors, generated from the types that read the texts.

use std::sync::OnceLock;

use axum::response::Response;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::{blueprint, governance};

use crate::error::ApiError;
use crate::headers::Known;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(of_blueprints)).routes(routes!(of_policies))
}

/// The JSON Schema of blueprints.
#[utoipa::path(
    get,
    path = "/schemas/blueprint.v1.json",
    tag = "schemas",
    operation_id = "blueprint_schema",
    responses((status = 200, body = Object), (status = 304))
)]
async fn of_blueprints(known: Known) -> Result<Response, ApiError> {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    known.json(SCHEMA.get_or_init(blueprint::json_schema))
}

/// The JSON Schema of policies.
#[utoipa::path(
    get,
    path = "/schemas/policy.v1.json",
    tag = "schemas",
    operation_id = "policy_schema",
    responses((status = 200, body = Object), (status = 304))
)]
async fn of_policies(known: Known) -> Result<Response, ApiError> {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    known.json(SCHEMA.get_or_init(|| governance::policy_json_schema().to_value()))
}
