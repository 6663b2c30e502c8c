//! Loading a run: its snapshot and the entries behind it, or all of its entries.
//!
//! Owns reading a run's stream. It trusts a snapshot no further than it fits; whatever is wrong with one
//! costs time and nothing else. Invariant: with and without a snapshot a run is loaded in the same state.

use std::sync::Arc;

use serde_json::Value;
use xyn_store::envelope::Envelope;
use xyn_store::ids::{RunId, StreamId};
use xyn_store::journal::AppendError;
use xyn_store::projection::{SnapshotRow, StepKey};
use xyn_store::{Reader, StoreError};

use super::{Inner, stream};
use crate::record;
use crate::run::actor::{Loaded, TellError};
use crate::run::{Begin, Event, Marks, Rejection, Snapshot, State};

/// Entries read in one go.
const BATCH: usize = 256;

/// Reads `run` from the journal.
pub(super) fn load(inner: &Inner, run: RunId) -> Result<Loaded, TellError> {
    let history = || History { inner, run, stream: stream(run), reader: inner.store.read()? }.load();
    let loaded = history().map_err(|error| match error {
        StoreError::Unavailable(_) | StoreError::Io { .. } => {
            TellError::Append(AppendError::Unavailable(Arc::new(error)))
        }
        lasting => TellError::Broken(format!("run {run} cannot be loaded: {lasting}")),
    })?;
    loaded.ok_or(TellError::Rejected(Rejection::Unknown))
}

/// The stream of one run.
struct History<'a> {
    inner: &'a Inner,
    run: RunId,
    stream: StreamId,
    reader: Reader,
}

impl History<'_> {
    fn load(&self) -> Result<Option<Loaded>, StoreError> {
        match self.by_snapshot() {
            Ok(Some(loaded)) => Ok(Some(loaded)),
            Ok(None) => self.fold(None),
            Err(error) => {
                tracing::debug!(run = %self.run, %error, "the snapshot is ignored and all entries are folded");
                let mut loaded = self.fold(None)?;
                loaded.iter_mut().for_each(|loaded| loaded.marks.found_unfit());
                Ok(loaded)
            }
        }
    }

    /// The run by its snapshot; none when it has no snapshot.
    fn by_snapshot(&self) -> Result<Option<Loaded>, StoreError> {
        let Some(row) = self.reader.get::<SnapshotRow>(&SnapshotRow::key_of(self.stream))? else {
            return Ok(None);
        };
        let last = self.reader.last_seq(self.stream)?;
        if row.seq > last {
            let reason =
                format!("the snapshot of entry {} is ahead of its stream, which ends at {last}", row.seq);
            return Err(self.unfoldable(reason));
        }
        let snapshot = Snapshot::read(&row.state)
            .ok_or_else(|| self.unfoldable("the snapshot is of another version"))?;
        let marks = Marks::of(&snapshot, row.seq, row.state.len());
        let lists = snapshot.fanned_out().map(|(step, seq)| Ok((step, self.list(step, seq)?)));
        let lists = lists.collect::<Result<_, StoreError>>()?;
        let begin = self.begin()?;
        let plan = self.inner.plan(&begin.created.blueprint_digest)?;
        let state = snapshot
            .restore(self.run, plan, begin, lists)
            .ok_or_else(|| self.unfoldable("the snapshot is of another plan"))?;
        self.fold(Some(Loaded { seq: row.seq, marks, ..Loaded::new(state) }))
    }

    /// How the run began: its first entry.
    fn begin(&self) -> Result<Begin, StoreError> {
        let (envelope, events) = self.entry(1)?;
        match events.into_iter().next() {
            Some(Event::Created(created)) => {
                Ok(Begin { created: *created, at: envelope.at, attribution: envelope.attribution })
            }
            _ => Err(self.unfoldable("it does not begin with its creation")),
        }
    }

    /// The list over which a step fanned out in entry `seq`.
    fn list(&self, step: u16, seq: u64) -> Result<Arc<[Value]>, StoreError> {
        let (_, events) = self.entry(seq)?;
        let items = events.into_iter().find_map(|event| match event {
            Event::StepFannedOut { at, items } if at == StepKey::step(step) => {
                items.read::<Vec<Value>>().ok()
            }
            _ => None,
        });
        let items =
            items.ok_or_else(|| self.unfoldable(format!("step {step} did not fan out in entry {seq}")))?;
        Ok(items.into())
    }

    fn entry(&self, seq: u64) -> Result<(Envelope, Vec<Event>), StoreError> {
        let entry = self.reader.stream(self.stream, seq - 1, 1)?.pop();
        let (offset, envelope) = entry.ok_or_else(|| self.unfoldable(format!("it has no entry {seq}")))?;
        let events = record::run_events(offset, &envelope)?;
        Ok((envelope, events))
    }

    /// Folds the entries behind `loaded`, or all of them.
    fn fold(&self, mut loaded: Option<Loaded>) -> Result<Option<Loaded>, StoreError> {
        loop {
            let after = loaded.as_ref().map_or(0, |loaded| loaded.seq);
            let entries = self.reader.stream(self.stream, after, BATCH)?;
            if entries.is_empty() {
                break;
            }
            for (offset, envelope) in entries {
                let events = record::run_events(offset, &envelope)?;
                let loaded = match (&mut loaded, events.first()) {
                    (Some(loaded), _) => loaded,
                    (None, Some(Event::Created(created))) => {
                        let plan = self.inner.plan(&created.blueprint_digest)?;
                        loaded.insert(Loaded::new(State::new(self.run, plan)))
                    }
                    (None, _) => return Err(self.unfoldable("it does not begin with its creation")),
                };
                for event in &events {
                    let applied = loaded.state.apply(event, envelope.at, &envelope.attribution);
                    applied.map_err(|error| self.unfoldable(error.to_string()))?;
                }
                loaded.state.forget_ended_items();
                loaded.marks.note(envelope.seq, &events);
                loaded.seq = envelope.seq;
            }
        }
        loaded.iter_mut().for_each(|loaded| loaded.shown = loaded.state.shown());
        Ok(loaded)
    }

    fn unfoldable(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Unfoldable { stream: self.stream, reason: reason.into() }
    }
}
