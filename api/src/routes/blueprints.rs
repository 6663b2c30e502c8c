//! Blueprints in force, texts that may become some, and the actions that both use.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::blueprint;
use xyn_store::Order;
use xyn_store::projection::{BlueprintRow, BlueprintStatus, Cursor};
use xyn_store::tables::Key;

use crate::dto::{ActionView, BlueprintView, Validation, ValidationIssue};
use crate::error::ApiError;
use crate::extract::{NamePath, Params, Parsed, read_body};
use crate::headers::Known;
use crate::limits::BODY_MAX_BYTES;
use crate::page::{self, Limit, Listing};
use crate::schema;
use crate::state::{AppState, blocking};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(validate))
        .routes(routes!(actions))
}

/// Which blueprints a list shows.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Rows of the page.
    #[param(schema_with = schema::limit)]
    limit: Option<Parsed<Limit>>,
    /// The `next_cursor` of the page before.
    #[param(schema_with = schema::cursor)]
    cursor: Option<Parsed<Cursor>>,
}

/// Which version is shown.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionQuery {
    /// From 1; the active one when left out.
    #[param(schema_with = schema::version)]
    pub(super) version: Option<Parsed<page::Version>>,
}

/// Active blueprints, by id.
#[utoipa::path(
    get,
    path = "/api/v1/blueprints",
    tag = "blueprints",
    operation_id = "list_blueprints",
    params(ListQuery),
    responses((status = 200, body = Listing<BlueprintView>))
)]
async fn list(
    State(state): State<AppState>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Listing<BlueprintView>>, ApiError> {
    let limit = page::rows(query.limit.as_ref());
    let cursor = query.cursor.map(|cursor| cursor.0);
    let is_active = |row: &BlueprintRow| row.status == BlueprintStatus::Active;
    let page = state
        .scan(move |reader| reader.page(&Key::new(), Order::Ascending, cursor.as_ref(), limit, is_active));
    Ok(Json(Listing::of(page.await?, BlueprintView::brief)))
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
    let prefix = BlueprintRow::prefix(&id);
    let row = state.read(|reader| match &query.version {
        Some(version) => reader.get(&prefix.u32(version.0.0)),
        None => {
            let is_active = |row: &BlueprintRow| row.status == BlueprintStatus::Active;
            Ok(reader.page(&prefix, Order::Descending, None, 1, is_active)?.items.pop())
        }
    })?;
    let row: BlueprintRow = row.ok_or_else(|| ApiError::not_found("blueprint", &id))?;
    known.json(&BlueprintView::from(row))
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
    tag = "blueprints",
    operation_id = "list_actions",
    responses((status = 200, body = Listing<ActionView>))
)]
async fn actions(State(state): State<AppState>) -> Json<Listing<ActionView>> {
    let items = state.runtime().registry().iter().map(|action| ActionView::from(&action.spec)).collect();
    Json(Listing { items, next_cursor: None })
}
