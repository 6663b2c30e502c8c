//! The hash by which timelines are compared.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::dto::TimelineDigest;
use crate::error::ApiError;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(digest))
}

/// The hash of the whole timeline, every moment and every board: equal on nodes that show the same, whatever came in
/// which order. Reads all of it, each time.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/digest",
    tag = "timeline",
    operation_id = "get_timeline_digest",
    responses((status = 200, body = TimelineDigest))
)]
async fn digest(State(state): State<AppState>) -> Result<Json<TimelineDigest>, ApiError> {
    let sum = state.scan(|reader| reader.timeline_sum()).await?;
    Ok(Json(sum.into()))
}
