//! What is done to runs: they are stopped, done again from a step, and held against today's code.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::runtime::Outcome;
use xyn_store::ids::RunId;

use super::runs::{named, row, run_of};
use super::{Fields, created, placed};
use crate::dto::{ReplayReport, Run};
use crate::error::ApiError;
use crate::extract::{JsonBody, OptionalJson, PathId};
use crate::headers::Caller;
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(cancel))
        .routes(routes!(retry))
        .routes(routes!(fork))
        .routes(routes!(replay))
}

/// Asks a run to stop.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{run_id}/cancel",
    tag = "runs",
    operation_id = "cancel_run",
    params(("run_id" = inline(schema::Id), Path)),
    extensions(("x-xyn-action" = json!("runs.cancel"))),
    responses((status = 200, description = "The run as it is now.", body = Run), (status = 404))
)]
async fn cancel(
    State(state): State<AppState>,
    PathId(run_id): PathId<RunId>,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Response, ApiError> {
    act(&state, run_id, caller, "runs.cancel", fields).await?;
    let run = Run::from(row(&state, run_id)?);
    Ok(named(run_id, Json(run).into_response()))
}

/// Starts a new run that takes over this one's results up to a step, and does the rest anew.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{run_id}/retry",
    tag = "runs",
    operation_id = "retry_run",
    params(("run_id" = inline(schema::Id), Path)),
    extensions(("x-xyn-action" = json!("runs.retry"))),
    responses((status = 201, description = "The new run.", body = Run), (status = 404))
)]
async fn retry(
    State(state): State<AppState>,
    PathId(run_id): PathId<RunId>,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Response, ApiError> {
    let outcome = act(&state, run_id, caller, "runs.retry", fields).await?;
    another(&state, &outcome)
}

/// Starts a new run with other inputs that takes over this one's results of the steps before one.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{run_id}/fork",
    tag = "runs",
    operation_id = "fork_run",
    params(("run_id" = inline(schema::Id), Path)),
    extensions(("x-xyn-action" = json!("runs.fork"))),
    responses((status = 201, description = "The new run.", body = Run), (status = 404))
)]
async fn fork(
    State(state): State<AppState>,
    PathId(run_id): PathId<RunId>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    let outcome = act(&state, run_id, caller, "runs.fork", fields).await?;
    another(&state, &outcome)
}

/// Folds a run's history through today's code and says whether it decides the same. Has no effect.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{run_id}/replay",
    tag = "runs",
    operation_id = "replay_run",
    params(("run_id" = inline(schema::Id), Path)),
    extensions(("x-xyn-action" = json!("runs.replay"))),
    responses((status = 200, body = ReplayReport), (status = 404))
)]
async fn replay(
    State(state): State<AppState>,
    PathId(run_id): PathId<RunId>,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Response, ApiError> {
    let outcome = act(&state, run_id, caller, "runs.replay", fields).await?;
    Ok(named(run_id, Json(outcome.output).into_response()))
}

/// Submits an act on a run.
async fn act(
    state: &AppState,
    run_id: RunId,
    caller: Caller,
    action: &str,
    fields: Fields,
) -> Result<Outcome, ApiError> {
    let input = placed(fields, "run_id", run_id.to_string())?;
    state.submit(caller.intent(state, action, Value::Object(input))).await
}

/// Answers with the run that an act started.
fn another(state: &AppState, outcome: &Outcome) -> Result<Response, ApiError> {
    let run_id = run_of(outcome)?;
    let run = Run::from(row(state, run_id)?);
    Ok(named(run_id, created(&format!("/api/v1/runs/{run_id}"), run)))
}
