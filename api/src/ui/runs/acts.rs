//! What can be done to a run: it is stopped, done again, held against today's code, and answered at its gates.

use xyn_actors::blueprint::Plan;
use xyn_store::ids::RunId;
use xyn_store::projection::{GateMode, GateRow, GateStatus, RunRow};
use xyn_store::tables::Key;
use xyn_store::{Order, Reader, StoreError};

use super::detail::Choices;
use crate::dto::GateView;
use crate::ui::act::{Act, Directory};
use crate::ui::words::Excerpt;

/// Open gates of a run that its page shows.
const GATES: usize = 5;

/// The acts that a run allows now.
pub(super) struct Acts {
    /// None once it has ended.
    pub(super) cancel: Option<Act>,
    /// None before it has ended.
    pub(super) retry: Option<Act>,
    pub(super) replay: Act,
    /// The steps from which a retry may begin.
    pub(super) steps: Choices,
}

impl Acts {
    pub(super) fn of(directory: &Directory, run: &RunRow, plan: &Plan) -> Self {
        let (id, page) = (run.run_id.to_string(), format!("/ui/runs/{}", run.run_id));
        let act = |action, next: String| directory.act(action, &[("run_id", &id)], next);
        let is_over = run.status.is_final();
        Self {
            cancel: (!is_over).then(|| act("runs.cancel", page.clone())),
            retry: is_over.then(|| act("runs.retry", "/ui/runs/{run_id}".to_owned())),
            replay: act("runs.replay", format!("{page}?replay={{intent_id}}#replay")),
            steps: Choices::of(plan),
        }
    }
}

/// A gate, what it shows, and the form for a word on it.
pub(in crate::ui) struct GateForm {
    pub(in crate::ui) view: GateView,
    pub(in crate::ui) prompt: Option<Excerpt>,
    pub(in crate::ui) act: Act,
}

impl GateForm {
    /// The form for the gate `view`, which leads back to its run.
    pub(in crate::ui) fn of(directory: &Directory, view: GateView) -> Self {
        let (run_id, page) = (view.run_id.to_string(), format!("/ui/runs/{}", view.run_id));
        let act = directory.act("gates.answer", &[("run_id", &run_id), ("step_id", &view.step_id)], page);
        let prompt = view.prompt.as_ref().map(|prompt| match prompt.read::<String>() {
            Ok(text) => Excerpt::of(text),
            Err(_) => Excerpt::of_json(prompt),
        });
        Self { view, prompt, act }
    }
}

/// The first gates of `run_id` that wait for people, and whether there are more.
pub(super) fn gates(reader: &Reader, run_id: RunId) -> Result<(Vec<GateView>, bool), StoreError> {
    let prefix = Key::new().bytes(run_id.as_bytes());
    let is_open = |row: &GateRow| {
        row.status == GateStatus::Requested
            && matches!(row.mode, GateMode::Manual | GateMode::Uncertain | GateMode::Policy)
    };
    let page = reader.page::<GateRow>(&prefix, Order::Ascending, None, GATES, is_open)?;
    Ok((page.items.into_iter().map(GateView::from).collect(), page.next.is_some()))
}
