//! What people say on the timeline, each an intent.

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::{Fields, created};
use crate::dto::Said;
use crate::error::ApiError;
use crate::extract::JsonBody;
use crate::headers::Caller;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(note))
        .routes(routes!(label))
        .routes(routes!(pin))
        .routes(routes!(comment))
        .routes(routes!(review))
        .routes(routes!(approve))
        .routes(routes!(branch))
        .routes(routes!(merge))
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

/// Comments on a moment, or in its review; with the id of a comment, rewrites that one.
#[utoipa::path(
    post,
    path = "/api/v1/timeline/comment",
    tag = "timeline",
    operation_id = "comment_moment",
    extensions(("x-xyn-action" = json!("timeline.comment"))),
    responses((status = 201, description = "The moment and the comment.", body = Object), (status = 404))
)]
async fn comment(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    act(&state, caller, "timeline.comment", fields).await
}

/// Opens a review of a moment, settles it, or opens it again.
#[utoipa::path(
    post,
    path = "/api/v1/timeline/review",
    tag = "timeline",
    operation_id = "review_moment",
    extensions(("x-xyn-action" = json!("timeline.review"))),
    responses((status = 201, description = "The moment, and how its review stands.", body = Object), (status = 404))
)]
async fn review(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    act(&state, caller, "timeline.review", fields).await
}

/// Approves a moment or rejects it, by a moment about it.
#[utoipa::path(
    post,
    path = "/api/v1/timeline/approve",
    tag = "timeline",
    operation_id = "approve_moment",
    extensions(("x-xyn-action" = json!("timeline.approve"))),
    responses((status = 201, body = Said), (status = 404))
)]
async fn approve(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    act(&state, caller, "timeline.approve", fields).await
}

/// Begins a branch at a moment; at the newest one when none is named. A branch that is there keeps its base: beginning
/// it elsewhere is refused; beginning it there again takes it out where it was put away, settles it where its base is
/// contended, and changes nothing else. With `closed`, puts it away or takes it out again.
#[utoipa::path(
    post,
    path = "/api/v1/timeline/branch",
    tag = "timeline",
    operation_id = "begin_branch",
    extensions(("x-xyn-action" = json!("timeline.branch"))),
    responses((status = 201, description = "The branch, its base, and whether it is put away.", body = Object), (status = 404))
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
