//! The projector: what the records of the journal mean as rows, for `store rebuild`.
//!
//! Uses the very code that renders rows when they are first written. Keeps the state of runs and sessions that have
//! not ended and forgets the others. Invariant: folding the log in its order gives the rows that stand there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use xyn_store::envelope::Envelope;
use xyn_store::ids::{RunId, SessionId, StreamId};
use xyn_store::projection::Changes;
use xyn_store::rebuild::Projector;
use xyn_store::{Digest, Store, StoreError};

use crate::actions::Registry;
use crate::blueprint::{NodeLimits, Plan};
use crate::record::{self, Record};
use crate::run::{Event, Shown, State};
use crate::runtime::Plans;
use crate::session;

/// Folds a whole journal into rows.
pub struct Fold {
    store: Store,
    registry: Registry,
    plans: Plans,
    runs: HashMap<StreamId, (State, Shown)>,
    sessions: HashMap<StreamId, session::State>,
}

impl Fold {
    /// A fold over the journal of `store`, whose blueprints call actions of `registry`.
    pub fn new(store: Store, registry: Registry) -> Self {
        Self { store, registry, plans: Plans::default(), runs: HashMap::new(), sessions: HashMap::new() }
    }

    fn plan(&self, digest: &Digest) -> Result<Arc<Plan>, StoreError> {
        self.plans.get(digest, &self.store, &self.registry, &NodeLimits::default())
    }

    fn fold_run(
        &mut self,
        envelope: &Envelope,
        events: &[Event],
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        let unfoldable = |reason: String| StoreError::Unfoldable { stream: envelope.stream, reason };
        if let Some(Event::Created(created)) = events.first() {
            let run = RunId::from(uuid::Uuid::from(envelope.stream));
            let state = State::new(run, self.plan(&created.blueprint_digest)?);
            let shown = state.shown();
            self.runs.insert(envelope.stream, (state, shown));
        }
        let (state, shown) = self
            .runs
            .get_mut(&envelope.stream)
            .ok_or_else(|| unfoldable("it does not begin with its creation".into()))?;
        for event in events {
            let applied = state.apply(event, envelope.at, &envelope.attribution);
            applied.map_err(|error| unfoldable(error.to_string()))?;
        }
        state.render(envelope.seq, events, shown, changes);
        state.forget_ended_items();
        if state.status.is_final() {
            self.runs.remove(&envelope.stream);
        }
        Ok(())
    }

    fn fold_session(
        &mut self,
        envelope: &Envelope,
        event: &session::Event,
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        let id = SessionId::from(uuid::Uuid::from(envelope.stream));
        let state = self.sessions.entry(envelope.stream).or_insert_with(|| session::State::new(id));
        state
            .apply(event, envelope.at, &envelope.attribution)
            .map_err(|error| StoreError::Unfoldable { stream: envelope.stream, reason: error.to_string() })?;
        state.render(changes);
        if state.closed.is_some() {
            self.sessions.remove(&envelope.stream);
        }
        Ok(())
    }
}

impl Projector for Fold {
    fn project(
        &mut self,
        offset: u64,
        envelope: &Envelope,
        changes: &mut Changes,
    ) -> Result<Vec<Cow<'static, str>>, StoreError> {
        let records = record::decode(offset, envelope)?;
        let names = record::names(&records);
        let mut events = Vec::new();
        for record in records {
            match record {
                Record::Run(event) => events.push(event),
                Record::Session(event) => self.fold_session(envelope, &event, changes)?,
                other => other.render(changes),
            }
        }
        if !events.is_empty() {
            self.fold_run(envelope, &events, changes)?;
        }
        Ok(names)
    }
}
