//! Steps of runs.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::HeaderValue;
use http::request::Parts;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::ids::RunId;
use xyn_store::projection::RunRow;

use super::run_here;
use crate::dto::Step;
use crate::error::ApiError;
use crate::extract::{Params, PathId, path_params};
use crate::headers::{Known, RUN_ID, STEP_ID};
use crate::page::{Listing, PageQuery};
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// A run and a step of it, as a path names them.
pub(crate) struct StepPath {
    pub(crate) run_id: RunId,
    pub(crate) step_id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for StepPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = path_params(parts, state).await?;
        let value = |wanted: &str| params.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let run_id = value("run_id").unwrap_or_default().parse();
        let run_id = run_id
            .map_err(|error: xyn_store::ids::InvalidId| ApiError::invalid("run_id", error.to_string()))?;
        Ok(Self { run_id, step_id: value("step_id").unwrap_or_default().to_owned() })
    }
}

/// Steps of a run in the plan's order, each followed by the items of its fan-out; of a run that another node ran, what
/// that node tells.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{run_id}/steps",
    tag = "steps",
    operation_id = "list_steps",
    params(("run_id" = inline(schema::Id), Path), PageQuery),
    responses((status = 200, body = Listing<Step>), (status = 404), (status = 409), (status = 429))
)]
async fn list(
    State(state): State<AppState>,
    PathId(run_id): PathId<RunId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Step>>, ApiError> {
    let (cursor, limit) = query.place();
    let after = cursor.clone();
    let page = state.scan(move |reader| {
        let run = reader.get::<RunRow>(&RunRow::key_of(run_id))?;
        run.map(|_| reader.steps(run_id, after.as_ref(), limit)).transpose()
    });
    if let Some(page) = page.await? {
        return Ok(Json(Listing::of(page, Step::from)));
    }
    let (teller, page) = state.runtime().steps_elsewhere(run_id, cursor.as_ref(), limit).await?;
    Ok(Json(Listing::of(page, |row| Step::told(teller.clone(), row))))
}

/// One step, or one item of its fan-out as `step.index`.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{run_id}/steps/{step_id}",
    tag = "steps",
    operation_id = "get_step",
    params(("run_id" = inline(schema::Id), Path), ("step_id" = inline(schema::Name), Path)),
    responses((status = 200, body = Step), (status = 304), (status = 404), (status = 409), (status = 429))
)]
async fn get(State(state): State<AppState>, path: StepPath, known: Known) -> Result<Response, ApiError> {
    let StepPath { run_id, step_id } = path;
    let step = match state.read(|reader| reader.step(run_id, &step_id))? {
        Some(row) => Step::from(row),
        None if run_here(&state, run_id)?.is_some() => return Err(ApiError::not_found("step", &step_id)),
        None => {
            let (teller, row) = state.runtime().step_elsewhere(run_id, &step_id).await?;
            Step::told(teller, row)
        }
    };
    let mut response = known.json(&step)?;
    let names = [(RUN_ID, run_id.to_string()), (STEP_ID, step_id)];
    for (name, value) in names {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
