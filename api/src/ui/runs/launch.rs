//! Starting a run: a blueprint is chosen, and a form asks for what it takes. A fork is started by the same
//! form, filled in with what the run was given.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use xyn_actors::blueprint::Plan;
use xyn_store::ids::RunId;
use xyn_store::projection::RunRow;

use super::detail::Choices;
use super::field::{Control, Field};
use crate::error::ApiError;
use crate::extract::{Params, PathId};
use crate::routes::run_row;
use crate::state::{AppState, blocking};
use crate::ui::act::{Act, Directory};
use crate::ui::filters;
use crate::ui::query::ROWS;
use crate::ui::shell::{Shell, render};

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct LaunchQuery {
    /// A word in the names of the blueprints that are shown.
    q: String,
    blueprint: String,
}

/// A blueprint that can be started.
struct Choice {
    id: String,
    name: String,
    trigger: String,
}

/// A form that starts a run.
struct Form {
    id: String,
    name: String,
    fields: Vec<Field>,
    act: Act,
    /// The steps from which a fork does the work anew; empty for a start.
    steps: Choices,
}

#[derive(Template)]
#[template(path = "run_new.html")]
struct Page {
    shell: Shell,
    query: LaunchQuery,
    choices: Vec<Choice>,
    /// Blueprints that fit and are not shown.
    more: usize,
    form: Option<Form>,
    origin: Option<RunRow>,
}

/// `GET /ui/runs/new`
pub(super) async fn start(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    Params(query): Params<LaunchQuery>,
) -> Result<Response, ApiError> {
    let catalog = state.runtime().catalog();
    let word = query.q.trim().to_lowercase();
    let fits =
        |plan: &Plan| plan.id.to_lowercase().contains(&word) || plan.name.to_lowercase().contains(&word);
    let fitting = || catalog.blueprints().filter(|active| fits(&active.plan));
    let choices: Vec<_> = fitting().take(ROWS).map(|active| Choice::of(&active.plan)).collect();
    let more = fitting().count() - choices.len();
    let form = if query.blueprint.is_empty() {
        None
    } else {
        let active = catalog.blueprint(&query.blueprint);
        let active = active.ok_or_else(|| ApiError::not_found("active blueprint", &query.blueprint))?;
        let act = directory.act("runs.start", &[("blueprint", &active.plan.id)], "/ui/runs/{run_id}");
        Some(Form::of(&active.plan, act, &Value::Null, Choices::default()))
    };
    render(&Page { shell, query, choices, more, form, origin: None })
}

/// `GET /ui/runs/{run_id}/fork`
pub(super) async fn fork(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    PathId(run_id): PathId<RunId>,
) -> Result<Response, ApiError> {
    let run = run_row(&state, run_id)?;
    let plan = plan(&state, &run).await?;
    let steps = Choices::of(&plan);
    let act = directory.act("runs.fork", &[("run_id", &run_id.to_string())], "/ui/runs/{run_id}");
    let form = Some(Form::of(&plan, act, &run.inputs.to_value(), steps));
    let (query, choices) = (LaunchQuery::default(), Vec::new());
    render(&Page { shell, query, choices, more: 0, form, origin: Some(run) })
}

/// The plan that `run` follows; it may have to be compiled.
pub(super) async fn plan(state: &AppState, run: &RunRow) -> Result<Arc<Plan>, ApiError> {
    let (runtime, digest) = (state.runtime().clone(), run.blueprint_digest);
    blocking(move || Ok(runtime.plan(&digest)?)).await
}

impl Choice {
    fn of(plan: &Plan) -> Self {
        let trigger = plan.trigger.event_type.to_string();
        Self { id: plan.id.clone(), name: plan.name.clone(), trigger }
    }
}

impl Form {
    fn of(plan: &Plan, act: Act, inputs: &Value, steps: Choices) -> Self {
        let fields = plan.inputs.iter().map(|input| Field::of(input, inputs.get(&input.name)));
        Self { id: plan.id.clone(), name: plan.name.clone(), fields: fields.collect(), act, steps }
    }
}
