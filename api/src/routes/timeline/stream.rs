//! Moments as they arrive.

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::extract::Params;
use crate::sse::{self, FollowQuery, Resume};
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(follow))
}

/// Moments as they come to this node (server-sent events), its own and those of others; not by time, for what was done
/// offline comes late. Each carries its place as `id`; `Last-Event-ID` goes on behind it.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/stream",
    tag = "timeline",
    operation_id = "follow_moments",
    params(FollowQuery),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 429))
)]
async fn follow(
    State(state): State<AppState>,
    Params(query): Params<FollowQuery>,
    resume: Resume,
) -> Result<Response, ApiError> {
    sse::moments(&state, resume.0.or(query.after.map(|after| after.0)))
}
