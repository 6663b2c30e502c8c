//! Runs: started, watched, stopped, done again.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::runtime::Outcome;
use xyn_store::Timestamp;
use xyn_store::ids::RunId;
use xyn_store::projection::{Cursor, RunFilter, RunRow, RunStatus, Subject};

use super::{Fields, created};
use crate::dto::Run;
use crate::error::ApiError;
use crate::extract::{JsonBody, Params, Parsed, PathId};
use crate::headers::{Caller, Known, RUN_ID};
use crate::page::{self, Label, Limit, Listing, Wait};
use crate::schema;
use crate::sse::{self, FollowQuery, Resume};
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, start)).routes(routes!(get)).routes(routes!(follow))
}

/// Which runs a list shows.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only runs that stand here.
    #[param(value_type = schema::RunStatus, inline, required = false)]
    status: Option<RunStatus>,
    /// Only runs of this blueprint.
    blueprint: Option<String>,
    /// Only runs accepted at this instant or later.
    #[param(value_type = schema::Instant, inline, required = false)]
    since: Option<Parsed<Timestamp>>,
    /// Only runs accepted before this instant.
    #[param(value_type = schema::Instant, inline, required = false)]
    until: Option<Parsed<Timestamp>>,
    /// Only runs with this label, `key:value`.
    #[param(value_type = schema::Label, inline, required = false)]
    label: Option<Parsed<Label>>,
    /// Rows of the page.
    #[param(value_type = schema::Limit, inline, required = false)]
    limit: Option<Parsed<Limit>>,
    /// The `next_cursor` of the page before.
    #[param(value_type = schema::Cursor, inline, required = false)]
    cursor: Option<Parsed<Cursor>>,
}

/// How a start is answered.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct StartQuery {
    /// Wait so long for the end of the run, such as `30s`. A run that has not ended by then is shown as it
    /// is.
    #[param(value_type = schema::Wait, inline, required = false)]
    wait: Option<Parsed<Wait>>,
}

/// Runs, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/runs",
    tag = "runs",
    operation_id = "list_runs",
    params(ListQuery),
    responses((status = 200, body = Listing<Run>))
)]
async fn list(
    State(state): State<AppState>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Listing<Run>>, ApiError> {
    let limit = page::rows(query.limit.as_ref());
    let filter = RunFilter {
        status: query.status,
        blueprint: query.blueprint,
        since: query.since.map(|at| at.0),
        until: query.until.map(|at| at.0),
        label: query.label.map(|label| (label.0.0, label.0.1)),
    };
    let cursor = query.cursor.map(|cursor| cursor.0);
    let page = state.scan(move |reader| reader.runs(&filter, cursor.as_ref(), limit)).await?;
    Ok(Json(Listing::of(page, Run::from)))
}

/// Starts a run of an active blueprint.
#[utoipa::path(
    post,
    path = "/api/v1/runs",
    tag = "runs",
    operation_id = "start_run",
    params(StartQuery),
    extensions(("x-xyn-action" = json!("runs.start"))),
    responses(
        (status = 201, description = "The run is durable.", body = Run),
        (status = 404)
    )
)]
async fn start(
    State(state): State<AppState>,
    Params(query): Params<StartQuery>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    let outcome = state.submit(caller.intent(&state, "runs.start", fields.into())).await?;
    let run_id = run_of(&outcome)?;
    let ended = match query.wait {
        Some(wait) => state.runtime().ended(run_id, wait.0.0).await?,
        None => None,
    };
    let row = match ended {
        Some(row) => row,
        None => row(&state, run_id)?,
    };
    Ok(named(run_id, created(&format!("/api/v1/runs/{run_id}"), Run::from(row))))
}

/// One run; of one that a moment of the timeline names and another node ran, what that node tells.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{run_id}",
    tag = "runs",
    operation_id = "get_run",
    params(("run_id" = inline(schema::Id), Path)),
    responses((status = 200, body = Run), (status = 304), (status = 404), (status = 409), (status = 429))
)]
async fn get(
    State(state): State<AppState>,
    PathId(run_id): PathId<RunId>,
    known: Known,
) -> Result<Response, ApiError> {
    let Some(row) = here(&state, run_id)? else {
        let (teller, row) = state.runtime().run_elsewhere(run_id).await?;
        return Ok(named(run_id, known.json(&Run::told(teller, row))?));
    };
    let tag = row.seq.to_string();
    Ok(named(run_id, known.answer(&tag, || Json(Run::from(row)).into_response())))
}

/// A run's events from its beginning, as they happen (server-sent events). The stream ends when the run has. Those of a
/// run of another node stay there.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{run_id}/stream",
    tag = "runs",
    operation_id = "follow_run",
    params(("run_id" = inline(schema::Id), Path), FollowQuery),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 404),
        (status = 409),
        (status = 429)
    )
)]
async fn follow(
    State(state): State<AppState>,
    PathId(run_id): PathId<RunId>,
    Params(query): Params<FollowQuery>,
    resume: Resume,
) -> Result<Response, ApiError> {
    if here(&state, run_id)?.is_none() {
        return Err(state.runtime().run_not_here(run_id).await.into());
    }
    sse::run(&state, run_id, resume.0.or(query.after.map(|after| after.0)))
}

/// The run that an act brought about.
pub(super) fn run_of(outcome: &Outcome) -> Result<RunId, ApiError> {
    match outcome.subject {
        Subject::Run(run_id) => Ok(run_id),
        _ => Err(ApiError::unexpected("an act on a run brought about something else")),
    }
}

/// The row of a run of this node; none of another one.
pub(crate) fn here(state: &AppState, run_id: RunId) -> Result<Option<RunRow>, ApiError> {
    state.read(|reader| reader.get(&RunRow::key_of(run_id)))
}

/// The row of a run.
pub(crate) fn row(state: &AppState, run_id: RunId) -> Result<RunRow, ApiError> {
    state.row(&RunRow::key_of(run_id), "run", run_id)
}

/// Says in a header which run `response` is about.
pub(super) fn named(run_id: RunId, mut response: Response) -> Response {
    if let Ok(value) = HeaderValue::from_str(&run_id.to_string()) {
        response.headers_mut().insert(RUN_ID, value);
    }
    response
}
