//! One step of a run, and what a run was given and gave: beside the run, or on a page of their own.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use xyn_actors::events::{self, EventFilter};
use xyn_store::Order;
use xyn_store::ids::RunId;
use xyn_store::projection::{ArtifactRow, Cursor, RunRow, StepRow, StepStatus};

use super::reason;
use super::steps::{is_item, items_of, standing};
use crate::error::ApiError;
use crate::extract::{Params, PathId};
use crate::routes::{StepPath, run_row};
use crate::state::AppState;
use crate::ui::artifacts::{Part, Preview, preview};
use crate::ui::events::Row as EventRow;
use crate::ui::filters;
use crate::ui::query::{Pager, link, parsed};
use crate::ui::shell::{Shell, render};
use crate::ui::words::{self, Excerpt, State as Standing};

/// Events of the run among which those of a step are looked for.
const EVENTS_SEEN: usize = 500;
/// Events of a step that are shown.
const EVENTS: usize = 12;
/// Items of a fan-out that are shown: the step may stand beside its run, which has many rows already.
const ITEMS: usize = 25;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ItemsQuery {
    cursor: String,
    /// What a part of the page shows already.
    seq: String,
}

struct View {
    run: RunRow,
    step: StepRow,
    state: Standing,
    /// Why it was skipped, or the event that it waits for; empty of others.
    why: String,
    took: String,
    inputs: Option<Excerpt>,
    outputs: Option<Excerpt>,
    events: Vec<EventRow>,
    items: Vec<Item>,
    pager: Pager,
    log: Option<(ArtifactRow, Preview)>,
    /// Where it comes from again; empty once it has ended.
    live: String,
}

impl View {
    /// Whether the step was given or gave more than is shown.
    fn has_more(&self) -> bool {
        [&self.inputs, &self.outputs].into_iter().flatten().any(|excerpt| excerpt.is_cut)
    }
}

/// An item of a fan-out.
struct Item {
    name: String,
    state: Standing,
    attempt: u32,
    took: String,
}

#[derive(Template)]
#[template(path = "step.html")]
struct Page {
    shell: Shell,
    view: View,
}

#[derive(Template)]
#[template(path = "step.html", block = "step")]
struct StepPart {
    view: View,
}

/// `GET /ui/runs/{run_id}/steps/{step_id}`
pub(super) async fn one(
    State(state): State<AppState>,
    shell: Shell,
    path: StepPath,
    Params(query): Params<ItemsQuery>,
) -> Result<Response, ApiError> {
    let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
    let run = run_row(&state, path.run_id)?;
    // Whatever moved in the journal was not this run.
    if parsed::<u64>("seq", &query.seq)? == Some(run.seq) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let view = read(&state, run, path.step_id, cursor).await?;
    if shell.is_part { render(&StepPart { view }) } else { render(&Page { shell, view }) }
}

async fn read(
    state: &AppState,
    run: RunRow,
    step_id: String,
    cursor: Option<Cursor>,
) -> Result<View, ApiError> {
    let run_id = run.run_id;
    let (runtime, name, at) = (state.runtime().clone(), step_id.clone(), cursor.clone());
    let found = state.scan(move |reader| {
        let Some(step) = reader.step(run_id, &name)? else { return Ok(None) };
        let filter = EventFilter { run_id: Some(run_id), ..EventFilter::default() };
        let mut page = events::page(reader, &filter, None, EVENTS_SEEN)?;
        runtime.name_steps(reader, &mut page.items)?;
        page.items.retain(|event| event.step_id.as_ref() == Some(&step.name));
        page.items.truncate(EVENTS);
        let prefix = items_of(run_id, step.position.step);
        let is_shown = |row: &StepRow| step.position.item.is_none() && is_item(row);
        let items = reader.page::<StepRow>(&prefix, Order::Ascending, at.as_ref(), ITEMS, is_shown)?;
        let log = step.logs_artifact_id.map(|id| reader.artifact(id)).transpose()?.flatten();
        let why = reason::of_step(reader, &step)?;
        Ok(Some((step, page.items, items, log, why)))
    });
    let found = found.await?.ok_or_else(|| ApiError::not_found("step that has begun", &step_id))?;
    let (step, events, items, log, why) = found;
    let log = match log {
        Some(row) => Some((preview(state, &row, Part::End).await?, row)).map(|(shown, row)| (row, shown)),
        None => None,
    };
    let now = state.runtime().clock().now();
    let took = |row: &StepRow| {
        let took = row.started_at.map(|started| words::took(started, row.completed_at.unwrap_or(now)));
        took.unwrap_or_default()
    };
    let place = format!("/ui/runs/{run_id}/steps/{step_id}");
    let has_ended = matches!(step.status, StepStatus::Completed | StepStatus::Failed | StepStatus::Skipped);
    let live = if has_ended || run.status.is_final() {
        String::new()
    } else {
        link(&place, &[("seq", &run.seq.to_string())], cursor.as_ref())
    };
    let pager = Pager::of(&place, &[], cursor.as_ref(), &items);
    let item = |row: StepRow| Item {
        state: standing(Some(&row), false),
        attempt: row.attempt,
        took: took(&row),
        name: row.name,
    };
    Ok(View {
        state: standing(Some(&step), false),
        took: took(&step),
        inputs: step.inputs.as_ref().map(Excerpt::of_json),
        outputs: step.outputs.as_ref().map(Excerpt::of_json),
        events: events.into_iter().map(EventRow::of).collect(),
        items: items.items.into_iter().map(item).collect(),
        pager,
        why,
        live,
        log,
        run,
        step,
    })
}

#[derive(Template)]
#[template(path = "run_data.html")]
struct DataPage {
    shell: Shell,
    run: RunRow,
    inputs: Excerpt,
    outputs: Option<Excerpt>,
    has_more: bool,
}

#[derive(Template)]
#[template(path = "run_data.html", block = "data")]
struct DataPart {
    run: RunRow,
    inputs: Excerpt,
    outputs: Option<Excerpt>,
    has_more: bool,
}

/// `GET /ui/runs/{run_id}/data`
pub(super) async fn data(
    State(state): State<AppState>,
    shell: Shell,
    PathId(run_id): PathId<RunId>,
) -> Result<Response, ApiError> {
    let run = run_row(&state, run_id)?;
    let inputs = Excerpt::of_json(&run.inputs);
    let outputs = run.outputs.as_ref().map(Excerpt::of_json);
    let has_more = inputs.is_cut || outputs.as_ref().is_some_and(|outputs| outputs.is_cut);
    if shell.is_part {
        render(&DataPart { run, inputs, outputs, has_more })
    } else {
        render(&DataPage { shell, run, inputs, outputs, has_more })
    }
}
