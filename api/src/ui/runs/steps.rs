//! The steps of a run as its page shows them: a list with a bar for each, and a graph of a plan that fits.

use xyn_actors::blueprint::Plan;
use xyn_store::ids::RunId;
use xyn_store::projection::{RunRow, StepKey, StepRow, StepStatus};
use xyn_store::tables::Key;
use xyn_store::{Json, Order, Reader, StoreError, Timestamp};

use super::gantt::{Axis, Bar};
use super::graph::{self, Layout};
use super::reason;
use crate::ui::query::ROWS;
use crate::ui::words::{self, State as Standing};

/// Items of a fan-out that are counted.
const ITEMS_MAX: usize = 2_000;
/// Characters of a step's name that fit into its box.
const NAME_MAX: usize = 17;

/// The steps of a run.
pub(super) struct Chart {
    /// The graph; none of a plan that a page cannot hold, or that has a single step.
    pub(super) graph: Option<Graph>,
    /// The steps of this page of the list.
    pub(super) lines: Vec<Line>,
    /// What stands at the axis of the bars.
    pub(super) marks: Vec<String>,
    /// Steps of the plan.
    pub(super) count: usize,
    /// The index behind the last step of this page, when there are more.
    pub(super) next: Option<usize>,
    /// The first step of this page.
    pub(super) from: usize,
}

/// A graph of steps.
pub(super) struct Graph {
    pub(super) layout: Layout,
    pub(super) nodes: Vec<Node>,
}

/// A step in the graph.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) state: Standing,
    /// Only then there is something to show of it.
    pub(super) has_begun: bool,
    pub(super) at: (u32, u32),
}

/// A step in the list.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) state: Standing,
    /// Why it was skipped, or the event that it waits for; empty of others.
    pub(super) why: String,
    /// Only then there is something to show of it.
    pub(super) has_begun: bool,
    pub(super) attempt: u32,
    pub(super) took: String,
    /// How far a fan-out has come; empty for others.
    pub(super) items: String,
    pub(super) bar: Option<Bar>,
}

/// Reads the steps of `run`, which follows `plan`; the list begins with step `from`.
pub(super) fn chart(
    reader: &Reader,
    run: &RunRow,
    plan: &Plan,
    from: usize,
    now: Timestamp,
) -> Result<Chart, StoreError> {
    let count = plan.steps.len();
    let from = from.min(count.saturating_sub(1));
    let page = from..count.min(from + ROWS);
    let has_graph = graph::fits(plan.steps.iter().map(|step| step.needs.len()));
    let wanted = if has_graph { 0..count } else { page.clone() };
    let mut rows = Vec::with_capacity(count);
    for index in 0..count {
        let row = if wanted.contains(&index) { step(reader, run.run_id, index)? } else { None };
        rows.push(row);
    }
    let is_over = run.status.is_final();
    let axis = Axis::new(run.started_at.unwrap_or(run.created_at), run.completed_at.unwrap_or(now));
    let mut lines = Vec::with_capacity(page.len());
    for index in page.clone() {
        let row = rows[index].as_ref();
        let items = match &plan.steps[index].foreach {
            Some(_) => items(reader, run.run_id, index, row)?,
            None => String::new(),
        };
        let took = row.and_then(|row| Some(words::took(row.started_at?, row.completed_at.unwrap_or(now))));
        lines.push(Line {
            name: plan.steps[index].id.clone(),
            kind: plan.steps[index].kind.as_str(),
            state: standing(row, is_over),
            why: row.map(|row| reason::of_step(reader, row)).transpose()?.unwrap_or_default(),
            has_begun: row.is_some(),
            attempt: row.map_or(0, |row| row.attempt),
            took: took.unwrap_or_default(),
            items,
            bar: row.and_then(|row| axis.bar(row)),
        });
    }
    let graph = has_graph.then(|| draw(plan, &rows, is_over));
    let next = Some(page.end).filter(|end| *end < count);
    Ok(Chart { graph, lines, marks: axis.marks(), count, next, from })
}

fn draw(plan: &Plan, rows: &[Option<StepRow>], is_over: bool) -> Graph {
    let needs: Vec<_> = plan.steps.iter().map(|step| step.needs.clone()).collect();
    let layout = graph::layout(&needs);
    let drawn = plan.steps.iter().zip(rows).zip(&layout.boxes);
    let nodes = drawn.map(|((step, row), at)| Node {
        name: step.id.clone(),
        label: label(&step.id),
        state: standing(row.as_ref(), is_over),
        has_begun: row.is_some(),
        at: *at,
    });
    Graph { nodes: nodes.collect(), layout }
}

/// A name that fits into a box.
fn label(name: &str) -> String {
    if name.chars().count() <= NAME_MAX {
        return name.to_owned();
    }
    name.chars().take(NAME_MAX - 1).chain(['…']).collect()
}

/// Where a step stands; one without a row has not begun, and will not once the run `is_over`.
pub(super) fn standing(row: Option<&StepRow>, is_over: bool) -> Standing {
    row.map_or_else(
        || Standing::new(if is_over { "not reached" } else { "to come" }, "idle"),
        |row| Standing::of_step(row.status, row.waiting_on.as_ref()),
    )
}

fn step(reader: &Reader, run_id: RunId, index: usize) -> Result<Option<StepRow>, StoreError> {
    let Ok(index) = u16::try_from(index) else { return Ok(None) };
    reader.get(&StepRow::key_of(run_id, StepKey::step(index)))
}

/// How many items of the fan-out of step `index` have ended, in words.
fn items(reader: &Reader, run_id: RunId, index: usize, row: Option<&StepRow>) -> Result<String, StoreError> {
    let Ok(index) = u16::try_from(index) else { return Ok(String::new()) };
    let page =
        reader.page::<StepRow>(&items_of(run_id, index), Order::Ascending, None, ITEMS_MAX, is_item)?;
    let ended = |row: &&StepRow| !matches!(row.status, StepStatus::Created | StepStatus::Running);
    let ended = page.items.iter().filter(ended).count();
    let given = row.and_then(|row| row.inputs.as_ref()).map(Json::to_value);
    let all = given.and_then(|given| given["items"].as_u64());
    let all = all.map_or_else(String::new, |all| format!(" of {all}"));
    Ok(match page.next {
        Some(_) => format!("more than {ended}{all}"),
        None => format!("{ended}{all}"),
    })
}

/// The prefix of a step's row and those of its items.
pub(super) fn items_of(run_id: RunId, index: u16) -> Key {
    Key::new().bytes(run_id.as_bytes()).u16(index)
}

/// Whether `row` is an item of a fan-out.
pub(super) fn is_item(row: &StepRow) -> bool {
    row.position.item.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_so_that_it_fits() {
        assert_eq!(label("short"), "short");
        assert_eq!(label(&"ä".repeat(40)).chars().count(), NAME_MAX);
    }

    #[test]
    fn a_step_without_a_row_is_to_come_until_the_run_is_over() {
        assert_eq!(standing(None, false), Standing::new("to come", "idle"));
        assert_eq!(standing(None, true), Standing::new("not reached", "idle"));
    }
}
