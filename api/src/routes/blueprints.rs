//! Blueprints in force, texts that may become some, and the actions that both use.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::blueprint;
use xyn_store::projection::BlueprintRow;

use super::versions::{self, VersionQuery};
use crate::dto::{ActionView, BlueprintView, Validation, ValidationIssue};
use crate::error::ApiError;
use crate::extract::{NamePath, Params, read_body};
use crate::headers::Known;
use crate::limits::BODY_MAX_BYTES;
use crate::page::{Listing, PageQuery};
use crate::schema;
use crate::state::{AppState, blocking};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(validate))
        .routes(routes!(actions))
}

/// Active blueprints, by id.
#[utoipa::path(
    get,
    path = "/api/v1/blueprints",
    tag = "blueprints",
    operation_id = "list_blueprints",
    params(PageQuery),
    responses((status = 200, body = Listing<BlueprintView>))
)]
async fn list(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<BlueprintView>>, ApiError> {
    Ok(Json(versions::list(&state, query, BlueprintView::brief).await?))
}

/// The active version of a blueprint with its source, or the version asked for.
#[utoipa::path(
    get,
    path = "/api/v1/blueprints/{blueprint_id}",
    tag = "blueprints",
    operation_id = "get_blueprint",
    params(("blueprint_id" = inline(schema::Name), Path), VersionQuery),
    responses(
        (status = 200, body = BlueprintView),
        (status = 304),
        (status = 404)
    )
)]
async fn get(
    State(state): State<AppState>,
    NamePath(id): NamePath,
    Params(query): Params<VersionQuery>,
    known: Known,
) -> Result<Response, ApiError> {
    versions::get::<BlueprintRow, BlueprintView>(&state, &id, &query, &known)
}

/// Checks the text of a blueprint, YAML or JSON, and reports every fault. Keeps nothing.
#[utoipa::path(
    post,
    path = "/api/v1/blueprints/validate",
    tag = "blueprints",
    operation_id = "validate_blueprint",
    extensions(("x-xyn-empty-body" = json!(true))),
    request_body(content(
        (inline(schema::Anything) = "application/yaml"),
        (inline(schema::Anything) = "application/json")
    )),
    responses((status = 200, body = Validation), (status = 413))
)]
async fn validate(State(state): State<AppState>, request: Request) -> Result<Json<Validation>, ApiError> {
    let (parts, body) = request.into_parts();
    let source = read_body(&parts.headers, body, BODY_MAX_BYTES).await?;
    let runtime = state.runtime().clone();
    let issues = blocking(move || {
        let compiled = blueprint::compile(&source, runtime.registry(), runtime.limits());
        Ok(compiled.err().unwrap_or_default())
    });
    let issues: Vec<_> = issues.await?.into_iter().map(ValidationIssue::from).collect();
    Ok(Json(Validation { is_valid: issues.is_empty(), issues }))
}

/// Every action that steps and intents can name.
#[utoipa::path(
    get,
    path = "/api/v1/actions",
    tag = "actions",
    operation_id = "list_actions",
    responses((status = 200, body = Listing<ActionView>))
)]
async fn actions(State(state): State<AppState>) -> Json<Listing<ActionView>> {
    let items = state.runtime().registry().iter().map(|action| ActionView::from(&action.spec)).collect();
    Json(Listing { items, next_cursor: None })
}
