//! Snapshots: the state of a long run as bytes, so that it need not be folded from its beginning.
//!
//! Owns when one is due, what is in it and reading it back. It does not repeat what may be large and stands
//! in the journal: how the run began, and the lists it fans out over. A snapshot is a hint: one that cannot
//! be read is as good as none. Invariant: a snapshot and the entries behind it give the state that all
//! entries give.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use xyn_store::ids::RunId;
use xyn_store::projection::{Changes, Fault, RunStatus, SnapshotRow, StepKey};
use xyn_store::{Json, Timestamp};

use super::event::Event;
use super::state::{Begin, Course, State, StepState, Undoing};
use crate::blueprint::Plan;

/// Entries that a stream grows by, at least, between two snapshots. To fold so many takes about as long as a
/// few durable appends; most runs end long before and never pay for a snapshot.
pub(super) const INTERVAL: u64 = 256;
/// A larger state is written more rarely, so that snapshots add no more than this to an entry.
const BYTES_PER_ENTRY: usize = 1024;
/// A state that is larger is not written.
const MAX_BYTES: usize = 4 << 20;

/// The first byte: how to read the rest. Any change to the state's types is a new version; a snapshot of
/// another one is not read.
const VERSION: u8 = 1;

/// What a snapshot holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Snapshot<'a> {
    status: RunStatus,
    course: Cow<'a, Course>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    steps: Cow<'a, [StepState]>,
    completion: Cow<'a, [StepKey]>,
    undoing: Cow<'a, Option<Undoing>>,
    outputs: Cow<'a, Option<Json>>,
    fault: Cow<'a, Option<Fault>>,
    worked: Duration,
    last_at: Timestamp,
    /// The entry in which a step, by its index, fanned out.
    fanned_out: Cow<'a, BTreeMap<u16, u64>>,
}

impl Snapshot<'_> {
    /// Reads a snapshot; none when it is of another version or no snapshot at all.
    pub fn read(bytes: &[u8]) -> Option<Snapshot<'static>> {
        match bytes.split_first() {
            Some((&VERSION, bytes)) => postcard::from_bytes(bytes).ok(),
            _ => None,
        }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION]).expect("states hold no type that postcard refuses")
    }

    /// The fan-outs whose lists the run still asks for: the step's index and the entry in which it fanned
    /// out.
    pub fn fanned_out(&self) -> impl Iterator<Item = (u16, u64)> {
        let asks = |step: u16| self.steps.get(usize::from(step)).is_some_and(|step| step.fan.is_some());
        self.fanned_out.iter().map(|(&step, &seq)| (step, seq)).filter(move |(step, _)| asks(*step))
    }

    /// The state of run `id` of `plan`, which began with `begin` and fans out over `lists` by step; none when
    /// it is a snapshot of something else.
    pub fn restore(
        self,
        id: RunId,
        plan: Arc<Plan>,
        begin: Begin,
        mut lists: BTreeMap<u16, Arc<[Value]>>,
    ) -> Option<State> {
        let mut steps = self.steps.into_owned();
        let is_known = |at: &StepKey| usize::from(at.step) < steps.len();
        if steps.len() != plan.steps.len() || !self.completion.iter().all(is_known) {
            return None;
        }
        for (index, step) in (0..).zip(&mut steps) {
            if let Some(fan) = &mut step.fan {
                fan.items = lists.remove(&index)?;
            }
        }
        // Every field is named, so that a new one is not forgotten here.
        let State { scope, .. } = State::new(id, Arc::clone(&plan));
        let mut state = State {
            id,
            plan,
            begin: None,
            status: self.status,
            course: self.course.into_owned(),
            started_at: self.started_at,
            completed_at: self.completed_at,
            steps,
            completion: self.completion.into_owned(),
            undoing: self.undoing.into_owned(),
            outputs: self.outputs.into_owned(),
            fault: self.fault.into_owned(),
            scope,
            worked: self.worked,
            last_at: self.last_at,
        };
        state.scope = state.scope_of(&begin);
        state.begin = Some(begin);
        Some(state)
    }
}

/// What a run's actor remembers of its stream to write snapshots.
#[derive(Clone, Debug)]
pub struct Marks {
    /// The entry in which a step, by its index, fanned out.
    fanned_out: BTreeMap<u16, u64>,
    /// The entry that carries the next snapshot.
    due: u64,
    /// There is a snapshot, fit or not.
    is_kept: bool,
}

impl Default for Marks {
    fn default() -> Self {
        Self { fanned_out: BTreeMap::new(), due: INTERVAL, is_kept: false }
    }
}

impl Marks {
    /// The marks of a run that was read from `snapshot`, which is `bytes` long and shows entry `seq`.
    pub fn of(snapshot: &Snapshot<'_>, seq: u64, bytes: usize) -> Self {
        let fanned_out = snapshot.fanned_out.clone().into_owned();
        Self { fanned_out, due: next(seq, bytes), is_kept: true }
    }

    /// There is a snapshot that does not fit.
    pub fn found_unfit(&mut self) {
        self.is_kept = true;
    }

    /// Notes `events` of entry `seq`.
    pub fn note<'a>(&mut self, seq: u64, events: impl IntoIterator<Item = &'a Event>) {
        for event in events {
            if let Event::StepFannedOut { at, .. } = event {
                self.fanned_out.insert(at.step, seq);
            }
        }
    }

    /// Has entry `seq`, behind which the run is in `state`, carry a snapshot when one is due. A run that has
    /// ended needs none.
    pub fn render(&mut self, state: &State, seq: u64, changes: &mut Changes) {
        if state.status.is_final() {
            if std::mem::take(&mut self.is_kept) {
                SnapshotRow::remove(state.stream(), changes);
            }
            return;
        }
        if seq < self.due {
            return;
        }
        let bytes = state.snapshot(&self.fanned_out).write();
        self.due = next(seq, bytes.len());
        if bytes.len() <= MAX_BYTES {
            changes.put(&SnapshotRow { stream: state.stream(), seq, state: bytes });
            self.is_kept = true;
        }
    }
}

/// The entry that carries the snapshot behind one of so many bytes at `seq`.
fn next(seq: u64, bytes: usize) -> u64 {
    seq + INTERVAL.max((bytes / BYTES_PER_ENTRY) as u64)
}

impl State {
    pub(super) fn snapshot<'a>(&'a self, fanned_out: &'a BTreeMap<u16, u64>) -> Snapshot<'a> {
        Snapshot {
            status: self.status,
            course: Cow::Borrowed(&self.course),
            started_at: self.started_at,
            completed_at: self.completed_at,
            steps: Cow::Borrowed(&self.steps),
            completion: Cow::Borrowed(&self.completion),
            undoing: Cow::Borrowed(&self.undoing),
            outputs: Cow::Borrowed(&self.outputs),
            fault: Cow::Borrowed(&self.fault),
            worked: self.worked,
            last_at: self.last_at,
            fanned_out: Cow::Borrowed(fanned_out),
        }
    }
}
