//! Why a run or a step stands where it does, where its own row does not say so.

use xyn_actors::blueprint::EventPattern;
use xyn_actors::events::{self, EventFilter};
use xyn_store::projection::{
    GateMode, GateRow, GateStatus, RunRow, RunStatus, StepRow, StepStatus, WaitKind,
};
use xyn_store::tables::Key;
use xyn_store::{Order, Reader, StoreError};

/// What a person said who cancelled a run.
pub(super) struct Cancelled {
    pub(super) by: String,
    /// Empty when nothing was said.
    pub(super) reason: String,
}

/// Who cancelled `run`, and why; none of a run that is not.
pub(super) fn cancelled(reader: &Reader, run: &RunRow) -> Result<Option<Cancelled>, StoreError> {
    if run.status != RunStatus::Cancelled {
        return Ok(None);
    }
    let name = "xyn.run.cancel_requested".parse::<EventPattern>().ok();
    let filter = EventFilter { run_id: Some(run.run_id), name, ..EventFilter::default() };
    let asked = events::page(reader, &filter, None, 1)?.items.pop();
    Ok(asked.map(|event| {
        let said = event.data.to_value();
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        Cancelled { by: text("by"), reason: text("reason") }
    }))
}

/// The event that `run` waits for, as its gate names it; empty when it waits for none.
pub(super) fn awaited(reader: &Reader, run: &RunRow) -> Result<String, StoreError> {
    if run.waiting_on.as_ref().is_none_or(|waiting| waiting.kind != WaitKind::Event) {
        return Ok(String::new());
    }
    let prefix = Key::new().bytes(run.run_id.as_bytes());
    let is_event =
        |row: &GateRow| row.status == GateStatus::Requested && matches!(row.mode, GateMode::Event(_));
    let gate = reader.page(&prefix, Order::Ascending, None, 1, is_event)?.items.pop();
    Ok(gate.map(event_of).unwrap_or_default())
}

/// Why a step was skipped, or the event that it waits for; empty of others.
pub(super) fn of_step(reader: &Reader, row: &StepRow) -> Result<String, StoreError> {
    let waits = row.waiting_on.as_ref().is_some_and(|waiting| waiting.kind == WaitKind::Event);
    if !waits && row.status != StepStatus::Skipped {
        return Ok(String::new());
    }
    let gate = reader.get::<GateRow>(&GateRow::key_of(row.run_id, row.position))?;
    Ok(match gate {
        Some(gate) if waits => event_of(gate),
        Some(gate) if gate.status == GateStatus::Expired => "nobody decided in time".to_owned(),
        _ => "its condition was false".to_owned(),
    })
}

fn event_of(gate: GateRow) -> String {
    match gate.mode {
        GateMode::Event(pattern) => pattern,
        _ => String::new(),
    }
}
