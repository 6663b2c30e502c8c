//! A run of another node: what that node tells of it when somebody looks.

use askama::Template;
use axum::response::Response;
use xyn_actors::services::runs::elsewhere::Teller;
use xyn_store::ids::RunId;
use xyn_store::projection::{Cursor, RunRow, StepRow};
use xyn_store::{Json, Timestamp};

use crate::error::ApiError;
use crate::state::AppState;
use crate::ui::filters;
use crate::ui::query::link;
use crate::ui::shell::{Shell, render};
use crate::ui::words::{self, State as Standing};

/// Steps on a page: what each gave stands beside it.
const STEPS: usize = 25;
/// Characters that are shown of what a run or a step was given or gave.
const SHOWN: usize = 400;

#[derive(Template)]
#[template(path = "run-elsewhere.html")]
struct Page {
    shell: Shell,
    run: RunRow,
    teller: Teller,
    state: Standing,
    took: String,
    inputs: String,
    outputs: Option<String>,
    steps: Vec<Line>,
    first: String,
    next: String,
}

/// A step in the list.
struct Line {
    name: String,
    kind: String,
    attempt: u32,
    state: Standing,
    took: String,
    /// What it gave, or why it failed.
    result: String,
}

/// The page of `run_id`, which is not here, with its steps behind `cursor`.
pub(super) async fn page(
    state: &AppState,
    shell: Shell,
    run_id: RunId,
    cursor: Option<Cursor>,
) -> Result<Response, ApiError> {
    let runtime = state.runtime();
    let (teller, run) = runtime.run_elsewhere(run_id).await?;
    let (_, page) = runtime.steps_elsewhere(run_id, cursor.as_ref(), STEPS).await?;
    let (now, place) = (runtime.clock().now(), format!("/ui/runs/{run_id}"));
    let first = if cursor.is_some() { place.clone() } else { String::new() };
    let next = page.next.as_ref().map(|next| link(&place, &[], Some(next))).unwrap_or_default();
    render(&Page {
        state: Standing::of_run(run.status, run.waiting_on.as_ref()),
        took: took(run.started_at, run.completed_at, now),
        inputs: excerpt(&run.inputs),
        outputs: run.outputs.as_ref().map(excerpt),
        steps: page.items.into_iter().map(|step| Line::of(step, now)).collect(),
        shell,
        run,
        teller,
        first,
        next,
    })
}

impl Line {
    fn of(step: StepRow, now: Timestamp) -> Self {
        Self {
            state: Standing::of_step(step.status, step.waiting_on.as_ref()),
            took: took(step.started_at, step.completed_at, now),
            result: match (step.error, step.outputs) {
                (Some(error), _) => error.message,
                (None, outputs) => outputs.as_ref().map(excerpt).unwrap_or_default(),
            },
            name: step.name,
            kind: step.kind,
            attempt: step.attempt,
        }
    }
}

/// The beginning of a JSON text.
fn excerpt(value: &Json) -> String {
    value.as_str().chars().take(SHOWN + 1).collect()
}

fn took(from: Option<Timestamp>, to: Option<Timestamp>, now: Timestamp) -> String {
    from.map(|from| words::took(from, to.unwrap_or(now))).unwrap_or_default()
}
