//! Facts and rows in short words.

use std::collections::BTreeMap;

use xyn_store::projection::{Changes, GateMode};

use super::super::{Event, State};

/// Rows by table and key.
pub(super) type Rows = BTreeMap<(String, String), String>;

/// Puts and removes rows as the store would.
pub(super) fn keep(changes: &Changes, rows: &mut Rows) {
    // Changes are opaque outside the store, but they show what they are.
    let shown = format!("{changes:?}");
    for change in shown.split("Change { table: ").skip(1) {
        let (table, rest) = change.split_once(", key: ").expect("a change shows its key");
        let (key, value) = rest.split_once(", value: ").expect("a change shows its value");
        let place = (table.to_owned(), key.to_owned());
        if value.starts_with("None") {
            rows.remove(&place);
        } else {
            rows.insert(place, value.trim_end_matches([' ', '}', ',', ']', ')']).to_owned());
        }
    }
}

/// A fact in short words.
pub(super) fn tell(state: &State, event: &Event) -> String {
    let at = event.position().map(|at| state.step_name(at)).unwrap_or_default();
    let again = |attempt: &u32| if *attempt > 1 { format!(" ({attempt})") } else { String::new() };
    match event {
        Event::Created(_) => "created".into(),
        Event::Started => "started".into(),
        Event::StepStarted { attempt, .. } => format!("{at} started{}", again(attempt)),
        Event::StepCompleted { .. } => format!("{at} completed"),
        Event::StepFailed { fault, .. } => format!("{at} failed: {}", fault.code),
        Event::StepSkipped { .. } => format!("{at} skipped"),
        Event::StepRetried { .. } => format!("{at} retried"),
        Event::StepFannedOut { .. } => format!("{at} fanned out"),
        Event::StepUncertain { .. } => format!("{at} uncertain"),
        Event::GateRequested { gate, .. } => match &gate.mode {
            GateMode::Manual => format!("{at} asks people"),
            GateMode::Timer => format!("{at} waits for a time"),
            GateMode::Event(name) => format!("{at} waits for {name}"),
            GateMode::Uncertain => format!("{at} asks about its effect"),
            GateMode::Policy => format!("{at} asks for approval"),
        },
        Event::GateAnswered { .. } => format!("{at} answered"),
        Event::GateApproved { .. } => format!("{at} approved"),
        Event::GateRejected { .. } => format!("{at} rejected"),
        Event::GateExpired { .. } => format!("{at} expired"),
        Event::CancelRequested { .. } => "cancel requested".into(),
        Event::CompensationStarted { attempt, .. } => format!("{at} undoing{}", again(attempt)),
        Event::CompensationRetried { .. } => format!("{at} undoing retried"),
        Event::StepCompensated { .. } => format!("{at} undone"),
        Event::CompensationFailed { fault, .. } => format!("{at} not undone: {}", fault.code),
        Event::Completed { outputs } => format!("completed {}", outputs.as_str()),
        Event::Failed { fault } => format!("run failed: {}", fault.code),
        Event::Cancelled => "cancelled".into(),
        Event::LimitExceeded { fault } => format!("limit: {}", fault.code),
        Event::OutputsFailed { fault } => format!("outputs: {}", fault.code),
    }
}
