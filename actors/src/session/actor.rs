//! The actor around a session: receives commands, appends what they mean, and lets its principal in or
//! nobody.
//!
//! A thin shell that decides nothing. It stays in memory while the session is open, to close it when its time
//! is over. Invariant: it says that a session is open only after the opening is durable; when an append fails
//! it stops.

use std::sync::{Arc, Weak};

use actix::prelude::*;
use xyn_store::StoreError;
use xyn_store::ids::SessionId;
use xyn_store::journal::AppendError;
use xyn_store::scope::Attribution;

use super::{Command, IllegalEvent, Rejection, State, decide};
use crate::node::actor::by_node;
use crate::record::{self, Record};
use crate::runtime::sessions::Open;
use crate::runtime::{Inner, Recording};

/// A command for a session.
struct Tell {
    command: Command,
    by: Attribution,
}

impl Message for Tell {
    type Result = Result<(), TellError>;
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TellError {
    /// It means nothing to the session as it stands.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// It could not be made durable.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The history does not fold, or the node is stopping.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where the actors of sessions live, and whom they tell that a session is open.
pub(crate) struct Home {
    inner: Weak<Inner>,
    open: Open,
    arbiter: ArbiterHandle,
}

impl Home {
    pub(crate) fn new(inner: Weak<Inner>, open: Open, arbiter: ArbiterHandle) -> Self {
        Self { inner, open, arbiter }
    }

    /// What the Runtime's parts share; none when it is gone.
    pub(crate) fn inner(&self) -> Result<Arc<Inner>, Rejection> {
        self.inner.upgrade().ok_or(Rejection::Closed)
    }

    /// An actor of a session in `state`, whose stream ends at `seq`.
    pub(crate) fn actor(&self, state: State, seq: u64) -> Address {
        let (inner, open) = (self.inner.clone(), self.open.clone());
        let actor = move |_: &mut _| SessionActor { inner, open, state, seq };
        Address(SessionActor::start_in_arbiter(&self.arbiter, actor))
    }
}

/// The address of a session's actor, which lives as long as somebody has it.
#[derive(Clone)]
pub(crate) struct Address(Addr<SessionActor>);

impl Address {
    /// Tells the session something and waits until it is durable.
    pub(crate) async fn tell(&self, command: Command, by: Attribution) -> Result<(), TellError> {
        match self.0.send(Tell { command, by }).await {
            Ok(answer) => answer,
            // It stops when it is closed.
            Err(_) => Err(Rejection::Closed.into()),
        }
    }
}

/// Folds the history of `session`: its state, and the last entry of its stream.
pub(crate) fn load(inner: &Inner, session: SessionId) -> Result<(State, u64), StoreError> {
    let mut state = State::new(session);
    let mut seq = 0;
    // INVARIANT: a session is opened once and closed once.
    for (offset, envelope) in inner.store.read()?.stream(state.stream(), 0, 2)? {
        for record in record::decode(offset, &envelope)? {
            let Record::Session(event) = record else { continue };
            let applied = state.apply(&event, envelope.at, &envelope.attribution);
            applied.map_err(|error| unfoldable(&state, &error))?;
        }
        seq = envelope.seq;
    }
    Ok((state, seq))
}

fn unfoldable(state: &State, error: &IllegalEvent) -> StoreError {
    StoreError::Unfoldable { stream: state.stream(), reason: error.to_string() }
}

/// A session in memory.
struct SessionActor {
    inner: Weak<Inner>,
    open: Open,
    state: State,
    seq: u64,
}

impl SessionActor {
    /// Decides, applies and gathers what is to be appended; nothing when nothing follows.
    fn turn(&mut self, tell: Tell, inner: &Inner) -> Result<Option<Recording>, TellError> {
        let now = inner.clock.now();
        let events = decide(&self.state, tell.command, now)?;
        if events.is_empty() {
            return Ok(None);
        }
        for event in &events {
            let applied = self.state.apply(event, now, &tell.by);
            applied.map_err(|error| unfoldable(&self.state, &error))?;
        }
        let mut recording = Recording::default();
        self.state.render(recording.changes());
        let records: Vec<Record> = events.into_iter().map(Record::Session).collect();
        recording.entry(self.state.stream(), self.seq, now, &tell.by, &records);
        Ok(Some(recording))
    }

    /// What follows when the append is done.
    fn settle(
        &mut self,
        outcome: Result<(), AppendError>,
        context: &mut Context<Self>,
    ) -> Result<(), TellError> {
        match self.state.open().filter(|_| outcome.is_ok()) {
            Some(opened) => self.open.let_in(self.state.id, opened),
            None => {
                self.open.shut(self.state.id);
                context.stop();
            }
        }
        self.seq += 1;
        self.watch(context);
        Ok(outcome?)
    }

    /// Looks at the session again when its time is over.
    fn watch(&self, context: &mut Context<Self>) {
        let end = self.state.open().and_then(|opened| opened.expires_at);
        if let (Some(end), Some(inner)) = (end, self.inner.upgrade()) {
            let now = inner.clock.now();
            let tell = Tell { command: Command::Expire, by: by_node(now) };
            context.run_later(end.since(now), |_, context| context.notify(tell));
        }
    }
}

impl Actor for SessionActor {
    type Context = Context<Self>;
}

impl Handler<Tell> for SessionActor {
    type Result = AtomicResponse<Self, Result<(), TellError>>;

    fn handle(&mut self, tell: Tell, context: &mut Context<Self>) -> Self::Result {
        let Some(inner) = self.inner.upgrade() else {
            let stopping = StoreError::Unavailable("the node is stopping".into());
            return AtomicResponse::new(Box::pin(fut::ready(Err(stopping.into()))));
        };
        match self.turn(tell, &inner) {
            Ok(Some(recording)) => {
                let append = async move { recording.commit(&inner).await.map(drop) };
                let settled =
                    append.into_actor(self).map(|outcome, actor, context| actor.settle(outcome, context));
                AtomicResponse::new(Box::pin(settled))
            }
            Ok(None) => {
                self.watch(context);
                AtomicResponse::new(Box::pin(fut::ready(Ok(()))))
            }
            Err(error) => AtomicResponse::new(Box::pin(fut::ready(Err(error)))),
        }
    }
}
