//! Drafts: working blueprints, revision by revision.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::Order;
use xyn_store::ids::DraftId;
use xyn_store::projection::{DraftRow, Subject};
use xyn_store::tables::Key;

use super::{Fields, created, placed};
use crate::dto::{Draft, Validation};
use crate::error::ApiError;
use crate::extract::{JsonBody, OptionalJson, Params, PathId};
use crate::headers::{Caller, Known};
use crate::page::{Listing, PageQuery};
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, save))
        .routes(routes!(get))
        .routes(routes!(validate))
        .routes(routes!(promote))
}

/// What a promoted draft became.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
struct Promoted {
    blueprint_id: String,
    version: u32,
    #[schema(schema_with = schema::version_status)]
    status: String,
}

/// Drafts, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/drafts",
    tag = "drafts",
    operation_id = "list_drafts",
    params(PageQuery),
    responses((status = 200, body = Listing<Draft>))
)]
async fn list(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Draft>>, ApiError> {
    let (cursor, limit) = query.place();
    let page = state.scan(move |reader| {
        reader.page::<DraftRow>(&Key::new(), Order::Descending, cursor.as_ref(), limit, |_| true)
    });
    Ok(Json(Listing::of(page.await?, Draft::from)))
}

/// Saves a new draft, or with `draft_id` the next revision of one.
#[utoipa::path(
    post,
    path = "/api/v1/drafts",
    tag = "drafts",
    operation_id = "save_draft",
    extensions(("x-xyn-action" = json!("drafts.save"))),
    responses((status = 201, body = Draft), (status = 404))
)]
async fn save(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    let outcome = state.submit(caller.intent(&state, "drafts.save", fields.into())).await?;
    let Subject::Draft(draft_id) = outcome.subject else {
        return Err(ApiError::unexpected("saving a draft brought about something else"));
    };
    let draft = Draft::from(row(&state, draft_id)?);
    Ok(created(&format!("/api/v1/drafts/{draft_id}"), draft))
}

/// One draft.
#[utoipa::path(
    get,
    path = "/api/v1/drafts/{draft_id}",
    tag = "drafts",
    operation_id = "get_draft",
    params(("draft_id" = inline(schema::Id), Path)),
    responses((status = 200, body = Draft), (status = 304), (status = 404))
)]
async fn get(
    State(state): State<AppState>,
    PathId(draft_id): PathId<DraftId>,
    known: Known,
) -> Result<Response, ApiError> {
    known.json(&Draft::from(row(&state, draft_id)?))
}

/// Checks a draft and reports every fault.
#[utoipa::path(
    post,
    path = "/api/v1/drafts/{draft_id}/validate",
    tag = "drafts",
    operation_id = "validate_draft",
    params(("draft_id" = inline(schema::Id), Path)),
    extensions(("x-xyn-action" = json!("blueprints.validate"))),
    responses((status = 200, body = Validation), (status = 404))
)]
async fn validate(
    State(state): State<AppState>,
    PathId(draft_id): PathId<DraftId>,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Json<Value>, ApiError> {
    act(&state, draft_id, caller, "blueprints.validate", fields).await
}

/// Makes a validated draft the active version of its blueprint.
#[utoipa::path(
    post,
    path = "/api/v1/drafts/{draft_id}/promote",
    tag = "drafts",
    operation_id = "promote_draft",
    params(("draft_id" = inline(schema::Id), Path)),
    extensions(("x-xyn-action" = json!("blueprints.promote"))),
    responses((status = 200, body = Promoted), (status = 404))
)]
async fn promote(
    State(state): State<AppState>,
    PathId(draft_id): PathId<DraftId>,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Json<Value>, ApiError> {
    act(&state, draft_id, caller, "blueprints.promote", fields).await
}

async fn act(
    state: &AppState,
    draft_id: DraftId,
    caller: Caller,
    action: &str,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let input = placed(fields, "draft_id", draft_id.to_string())?;
    Ok(Json(state.submit(caller.intent(state, action, input.into())).await?.output))
}

fn row(state: &AppState, draft_id: DraftId) -> Result<DraftRow, ApiError> {
    state.row(&DraftRow::key_of(draft_id), "draft", draft_id)
}
