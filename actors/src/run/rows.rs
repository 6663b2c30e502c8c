//! The rows that show a run: a pure rendering of its state, the same when it runs and when it is rebuilt.

use std::collections::BTreeSet;

use xyn_store::Timestamp;
use xyn_store::ids::StreamId;
use xyn_store::projection::{
    Changes, Fault, GateMode, GateRow, GateStatus, Purpose, RunRow, RunStatus, StepKey, StepRow, TimerRow,
    WaitKind, Waiting,
};

use super::event::Event;
use super::state::{OpenGate, Phase, State, StepState};

/// What the rows showed before a move, as far as the move must take it back.
#[derive(Debug, Default)]
pub struct Shown {
    status: Option<RunStatus>,
    is_active: bool,
    timers: BTreeSet<(Timestamp, Purpose)>,
}

impl State {
    /// Renders the rows that `events`, just applied, have changed, and notes what they show.
    pub fn render(&self, seq: u64, events: &[Event], shown: &mut Shown, changes: &mut Changes) {
        let reused = events.iter().flat_map(|event| match event {
            Event::Created(created) => created.reused.as_slice(),
            _ => &[],
        });
        let reused = reused.map(|(index, _)| StepKey::step(*index));
        let touched: BTreeSet<StepKey> = events.iter().filter_map(Event::position).chain(reused).collect();
        for at in touched {
            if let Some(step) = self.at(at) {
                changes.put(&self.step_row(at, step));
            }
        }
        for event in events {
            self.render_gate(event, changes);
        }
        let Some(row) = self.run_row(seq) else { return };
        row.write(shown.status, changes);
        let is_active = super::decide::is_active(self);
        RunRow::mark_active(self.id, shown.is_active, is_active, changes);
        let timers = self.timers();
        let timer = |&(due, purpose): &(Timestamp, Purpose)| TimerRow { due, stream: self.stream(), purpose };
        shown.timers.difference(&timers).for_each(|gone| changes.remove_row(&timer(gone)));
        timers.difference(&shown.timers).for_each(|new| changes.put(&timer(new)));
        *shown = Shown { status: Some(self.status), is_active, timers };
    }

    /// What the rows of a run in this state show.
    pub fn shown(&self) -> Shown {
        match self.begin {
            Some(_) => Shown {
                status: Some(self.status),
                is_active: super::decide::is_active(self),
                timers: self.timers(),
            },
            None => Shown::default(),
        }
    }

    /// The run's stream.
    pub fn stream(&self) -> StreamId {
        StreamId::from(uuid::Uuid::from(self.id))
    }

    /// The run's row; none before it was created.
    pub fn run_row(&self, seq: u64) -> Option<RunRow> {
        let begin = self.begin.as_ref()?;
        Some(RunRow {
            run_id: self.id,
            seq,
            name: begin.created.name.clone(),
            blueprint_ref: begin.created.blueprint_id.clone(),
            blueprint_digest: begin.created.blueprint_digest,
            status: self.status,
            waiting_on: self.waiting(),
            created_at: begin.at,
            started_at: self.started_at,
            completed_at: self.completed_at,
            actor: begin.attribution.actor.clone(),
            correlation_id: begin.attribution.correlation_id.clone(),
            causation_id: begin.attribution.causation_id,
            lineage: begin.created.lineage.clone(),
            inputs: begin.created.inputs.clone(),
            outputs: self.outputs.clone(),
            error: self.fault.clone(),
            priority: begin.created.priority,
            labels: begin.created.labels.clone(),
        })
    }

    /// What the run waits for: the first wait, unless something is under way.
    fn waiting(&self) -> Option<Waiting> {
        if self.status.is_final() || self.is_working() {
            return None;
        }
        if self.is_held() {
            let since = self.begin.as_ref()?.at;
            return Some(Waiting { kind: WaitKind::Worker, since, until: None });
        }
        let backoff = self.undoing.as_ref().and_then(|undoing| undoing.backoff);
        let undoing = backoff.map(|(since, due)| Phase::Backoff { since, due });
        self.open().find_map(|(_, step)| waiting(&step.phase)).or_else(|| waiting(undoing.as_ref()?))
    }

    fn step_row(&self, at: StepKey, step: &StepState) -> StepRow {
        let (outputs, error) = match &step.phase {
            Phase::Completed(output) => (Some(output.clone()), None),
            Phase::Failed(fault) => (None, Some(fault.clone())),
            _ => (None, None::<Fault>),
        };
        StepRow {
            run_id: self.id,
            position: at,
            name: self.step_name(at),
            kind: self.plan.steps[usize::from(at.step)].kind.as_str().into(),
            attempt: step.attempt,
            status: step.phase.status(),
            waiting_on: waiting(&step.phase),
            started_at: step.started_at,
            completed_at: step.completed_at,
            logs_artifact_id: None,
            inputs: step.input.clone(),
            outputs,
            error,
        }
    }

    /// The step's id in the blueprint; an item adds `.index`.
    pub fn step_name(&self, at: StepKey) -> String {
        let name = &self.plan.steps[usize::from(at.step)].id;
        match at.item {
            Some(item) => format!("{name}.{item}"),
            None => name.clone(),
        }
    }

    fn render_gate(&self, event: &Event, changes: &mut Changes) {
        let (at, status, word) = match event {
            Event::GateRequested { at, .. } => (*at, GateStatus::Requested, None),
            Event::GateAnswered { at, .. } => (*at, GateStatus::Requested, None),
            Event::GateApproved { at, answer } => (*at, GateStatus::Approved, answer.clone()),
            Event::GateRejected { at, answer } => (*at, GateStatus::Rejected, Some(answer.clone())),
            Event::GateExpired { at } => (*at, GateStatus::Expired, None),
            _ => return,
        };
        let step = self.at(at);
        let gate = step.and_then(|step| match &step.phase {
            Phase::Gated(gate) => Some(gate),
            _ => step.last_gate.as_ref(),
        });
        if let Some(row) = gate.and_then(|gate| self.gate_row(at, gate, status)) {
            let mut row = row;
            row.approvals.extend(word.filter(|word| !row.approvals.contains(word)));
            row.write(changes);
        }
    }

    fn gate_row(&self, at: StepKey, gate: &OpenGate, status: GateStatus) -> Option<GateRow> {
        let begin = self.begin.as_ref()?;
        Some(GateRow {
            run_id: self.id,
            position: at,
            step: self.plan.steps[usize::from(at.step)].id.clone(),
            mode: gate.request.mode.clone(),
            status,
            requested_at: gate.since,
            expires_at: gate.request.expires_at,
            approvers: gate.request.approvers.iter().map(ToString::to_string).collect(),
            min: gate.request.min,
            allow_requester: gate.request.allow_requester,
            requester: begin.attribution.actor.clone(),
            stage: super::decide::stage_at(self, at),
            prompt: gate.request.prompt.clone(),
            approvals: gate.answers.clone(),
        })
    }

    /// The durable timers that the run's waits need.
    pub(super) fn timers(&self) -> BTreeSet<(Timestamp, Purpose)> {
        if self.status.is_final() {
            return BTreeSet::new();
        }
        let timer = |(at, step): (StepKey, &StepState)| match &step.phase {
            Phase::Gated(gate) if gate.request.mode == GateMode::Timer => {
                Some((gate.request.expires_at?, Purpose::Delay(at)))
            }
            Phase::Gated(gate) => Some((gate.request.expires_at?, Purpose::Expiry(at))),
            Phase::Backoff { due, .. } => Some((*due, Purpose::Retry(at))),
            _ => None,
        };
        let undoing = self.undoing.as_ref().and_then(|undoing| {
            let (_, due) = undoing.backoff?;
            Some((due, Purpose::Retry(*self.completion.last()?)))
        });
        self.open().filter_map(timer).chain(undoing).collect()
    }
}

fn waiting(phase: &Phase) -> Option<Waiting> {
    match phase {
        Phase::Gated(gate) => {
            let kind = match gate.request.mode {
                GateMode::Manual | GateMode::Uncertain => WaitKind::Gate,
                GateMode::Policy => WaitKind::Approval,
                GateMode::Timer => WaitKind::Timer,
                GateMode::Event(_) => WaitKind::Event,
            };
            Some(Waiting { kind, since: gate.since, until: gate.request.expires_at })
        }
        Phase::Backoff { since, due } => {
            Some(Waiting { kind: WaitKind::RateLimit, since: *since, until: Some(*due) })
        }
        _ => None,
    }
}
