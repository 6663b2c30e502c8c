//! Moments as they arrive.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::events::Position;

use crate::error::ApiError;
use crate::extract::{Params, Parsed};
use crate::schema;
use crate::sse::{self, Resume};
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(follow))
}

/// Where a stream begins.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct FollowQuery {
    /// Go on behind this place, or `0.0` for all; the header `Last-Event-ID` wins.
    #[param(value_type = schema::Position, inline, required = false)]
    after: Option<Parsed<Position>>,
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
