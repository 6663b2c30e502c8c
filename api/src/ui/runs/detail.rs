//! One run: where it stands and why, its steps as a graph and in time, what waits for a word, what it left.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use xyn_actors::blueprint::Plan;
use xyn_actors::events::{self, EventFilter};
use xyn_store::ids::{IntentId, RunId};
use xyn_store::projection::{ArtifactRow, IntentRow, Payload, RunRow, Subject};
use xyn_store::{Order, Reader, StoreError};

use super::acts::{Acts, GateForm, gates};
use super::launch::plan;
use super::reason::{self, Cancelled};
use super::steps::{Chart, chart};
use super::{elsewhere, gantt, graph};
use crate::error::ApiError;
use crate::extract::{Params, PathId};
use crate::routes::{run_here, run_row};
use crate::state::AppState;
use crate::ui::act::Directory;
use crate::ui::events::Row as EventRow;
use crate::ui::filters;
use crate::ui::query::parsed;
use crate::ui::shell::{Shell, render};
use crate::ui::words::{self, State as Standing};

/// Events of the run that its page shows; the console has all of them.
const EVENTS: usize = 12;
/// Differences of a replay that its report shows.
const DIFFERENCES: usize = 50;
/// Artifacts of the run that its page shows.
const ARTIFACTS: usize = 12;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RunQuery {
    /// The first step of the list.
    steps: usize,
    /// Behind which step of a run of another node the list begins.
    cursor: String,
    /// A replay whose report is shown.
    replay: String,
    /// What a part of the page shows already.
    seq: String,
}

/// What the page shows, and shows anew while the run is under way.
struct View {
    run: RunRow,
    state: Standing,
    took: String,
    chart: Chart,
    /// Who cancelled it, and why.
    cancelled: Option<Cancelled>,
    /// The event that it waits for; empty when it waits for none.
    awaited: String,
    gates: Vec<GateForm>,
    has_more_gates: bool,
    events: Vec<EventRow>,
    artifacts: Vec<ArtifactRow>,
    acts: Acts,
    /// Where it comes from again; empty at the end of the run.
    live: String,
}

/// What a replay found.
struct Report {
    is_same: bool,
    events: u64,
    differences: Vec<String>,
}

#[derive(Template)]
#[template(path = "run.html")]
struct Page {
    shell: Shell,
    view: View,
    report: Option<Report>,
}

#[derive(Template)]
#[template(path = "run.html", block = "status")]
struct StatusPart {
    view: View,
}

/// `GET /ui/runs/{run_id}`
pub(super) async fn one(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    PathId(run_id): PathId<RunId>,
    Params(query): Params<RunQuery>,
) -> Result<Response, ApiError> {
    let Some(run) = run_here(&state, run_id)? else {
        return elsewhere::page(&state, shell, run_id, parsed("cursor", &query.cursor)?).await;
    };
    let report = report(&state, run_id, &query)?;
    let view = read(&state, &directory, run, query.steps).await?;
    render(&Page { shell, view, report })
}

/// `GET /ui/runs/{run_id}/_status`
pub(super) async fn status(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    PathId(run_id): PathId<RunId>,
    Params(query): Params<RunQuery>,
) -> Result<Response, ApiError> {
    let run = run_row(&state, run_id)?;
    // Whatever moved in the journal was not this run.
    if parsed::<u64>("seq", &query.seq)? == Some(run.seq) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let view = read(&state, &directory, run, query.steps).await?;
    render(&StatusPart { view })
}

async fn read(state: &AppState, directory: &Directory, run: RunRow, from: usize) -> Result<View, ApiError> {
    let plan = plan(state, &run).await?;
    let (runtime, now) = (state.runtime().clone(), state.runtime().clock().now());
    let (row, steps) = (run.clone(), plan.clone());
    let read = state.scan(move |reader| {
        let filter = EventFilter { run_id: Some(row.run_id), ..EventFilter::default() };
        let mut page = events::page(reader, &filter, None, EVENTS)?;
        runtime.name_steps(reader, &mut page.items)?;
        let chart = chart(reader, &row, &steps, from, now)?;
        let artifacts = reader.artifacts(Some(row.run_id), Order::Ascending, None, ARTIFACTS)?.items;
        let reasons = (reason::cancelled(reader, &row)?, reason::awaited(reader, &row)?);
        Ok((chart, gates(reader, row.run_id)?, page.items, artifacts, reasons))
    });
    let (chart, (gates, has_more_gates), events, artifacts, (cancelled, awaited)) = read.await?;
    let end = run.completed_at.unwrap_or(now);
    let took = run.started_at.map(|started| words::took(started, end)).unwrap_or_default();
    let live = if run.status.is_final() {
        String::new()
    } else {
        format!("/ui/runs/{}/_status?steps={from}&seq={}", run.run_id, run.seq)
    };
    Ok(View {
        state: Standing::of_run(run.status, run.waiting_on.as_ref()),
        took,
        cancelled,
        awaited,
        has_more_gates,
        chart,
        gates: gates.into_iter().map(|gate| GateForm::of(directory, gate)).collect(),
        events: events.into_iter().map(EventRow::of).collect(),
        artifacts,
        acts: Acts::of(directory, &run, &plan),
        live,
        run,
    })
}

/// What the replay that `query` names found about `run_id`.
fn report(state: &AppState, run_id: RunId, query: &RunQuery) -> Result<Option<Report>, ApiError> {
    let Some(intent_id) = parsed::<IntentId>("replay", &query.replay)? else { return Ok(None) };
    let read = |reader: &Reader| -> Result<_, StoreError> {
        let row = reader.get::<IntentRow>(&IntentRow::key_of(intent_id))?;
        Ok(row.filter(|row| row.subject == Some(Subject::Run(run_id))))
    };
    let Some(Payload::Json(output)) = state.read(read)?.and_then(|row| row.output) else { return Ok(None) };
    let output = output.to_value();
    let differences = output["differences"].as_array().into_iter().flatten();
    Ok(output["deterministic"].as_bool().map(|is_same| Report {
        is_same,
        events: output["events"].as_u64().unwrap_or_default(),
        differences: differences.filter_map(Value::as_str).take(DIFFERENCES).map(str::to_owned).collect(),
    }))
}

/// Steps that a form lets choose from.
const CHOICES: usize = 50;

/// The steps from which a run may be done anew.
#[derive(Default)]
pub(super) struct Choices {
    pub(super) names: Vec<String>,
    /// Whether there are others, which are written.
    pub(super) is_cut: bool,
}

impl Choices {
    /// The first steps of `plan`.
    pub(super) fn of(plan: &Plan) -> Self {
        let names = plan.steps.iter().take(CHOICES).map(|step| step.id.clone()).collect();
        Self { names, is_cut: plan.steps.len() > CHOICES }
    }
}
