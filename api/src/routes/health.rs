//! Whether the node is well, and what it counts.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::Timestamp;

use crate::error::{ApiError, Code};
use crate::limits::STREAMS_MAX;
use crate::metrics;
use crate::schema;
use crate::state::AppState;

/// How the node is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    pub(crate) status: &'static str,
    /// The program's version.
    pub(crate) version: &'static str,
    pub(crate) uptime_seconds: u64,
    #[schema(schema_with = schema::instant)]
    pub(crate) now: Timestamp,
    pub(crate) figures: Figures,
}

/// What the node holds and has still to do, at this instant.
#[derive(Serialize, ToSchema)]
pub(crate) struct Figures {
    /// Entries of the journal.
    pub(crate) journal_entries: u64,
    /// Entries of which no trigger and no gate has heard yet.
    pub(crate) event_backlog: u64,
    /// Runs that work at this instant; one that waits is only on disk.
    pub(crate) runs_in_memory: usize,
    /// Readers of event streams.
    pub(crate) event_streams: usize,
    /// Content that is kept as files.
    pub(crate) artifact_bytes: u64,
}

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(alive))
        .routes(routes!(ready))
        .routes(routes!(counters))
}

/// Whether the node answers.
#[utoipa::path(
    get,
    path = "/api/v1/health",
    tag = "health",
    operation_id = "health",
    responses((status = 200, body = Health))
)]
async fn health(State(state): State<AppState>) -> Json<Health> {
    Json(of(&state))
}

/// Whether the process lives: for supervisors.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    operation_id = "alive",
    responses((status = 200, body = Health))
)]
async fn alive(State(state): State<AppState>) -> Json<Health> {
    Json(of(&state))
}

/// Whether the store can be read: for load balancers.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    operation_id = "ready",
    responses((status = 200, body = Health))
)]
async fn ready(State(state): State<AppState>) -> Result<Json<Health>, ApiError> {
    if *state.stopping().borrow() {
        return Err(ApiError::new(Code::Stopping, "the node is stopping"));
    }
    state.read(|_| Ok(()))?;
    Ok(Json(of(&state)))
}

/// What the node counts, as OpenMetrics text.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    operation_id = "metrics",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"))
)]
async fn counters(State(state): State<AppState>) -> Result<Response, ApiError> {
    let mesh = state.mesh_status().await;
    let text = state.metrics().render(state.runtime(), state.uptime(), mesh.as_ref());
    let text = text.map_err(|error| ApiError::unexpected(&error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

/// How the node is at this instant.
pub(crate) fn of(state: &AppState) -> Health {
    let (now, uptime_seconds) = (state.runtime().clock().now(), state.uptime().as_secs());
    Health { status: "ok", version: env!("CARGO_PKG_VERSION"), uptime_seconds, now, figures: figures(state) }
}

fn figures(state: &AppState) -> Figures {
    let runtime = state.runtime();
    let (journal_entries, event_backlog) = metrics::journal(runtime).unwrap_or_default();
    Figures {
        journal_entries,
        event_backlog,
        runs_in_memory: runtime.runs_in_memory(),
        event_streams: STREAMS_MAX - state.streams().available_permits(),
        artifact_bytes: runtime.store().blobs().used_bytes(),
    }
}
