//! The actor of the node: one writer of the library and of the node's own stream.

use std::sync::{Arc, Weak};

use actix::prelude::*;
use serde_json::Value;
use xyn_store::ids::{self, EventId, StreamId};
use xyn_store::journal::AppendError;
use xyn_store::projection::Subject;
use xyn_store::scope::{Attribution, CorrelationId, Principal};
use xyn_store::{StoreError, Timestamp};

use super::{Change, Command, Rejection, View, decide};
use crate::actions::Effects;
use crate::record::Record;
use crate::runtime::{Accept, Inner, Recording, Refusal};
use crate::services::library;

/// A command for the library, and the intent that carries it.
pub(crate) struct Tell {
    /// The command.
    pub(crate) command: Command,
    /// Who tells it.
    pub(crate) by: Attribution,
    /// The intent that the command carries out; none for what the node ships with.
    pub(crate) accept: Option<Accept>,
}

/// What a command brought about: its subject, and what the one who gave it is answered.
pub(crate) type Told = (Subject, Value);

/// Records of the node's own, without a command.
struct Note(Vec<Record>);

impl Message for Tell {
    type Result = Result<Told, LibraryError>;
}

impl Message for Note {
    type Result = Result<(), LibraryError>;
}

/// Why the library was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LibraryError {
    /// The command means nothing to it as it stands.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be made durable.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// The handle to the node's actor.
pub(crate) struct Node {
    address: Addr<NodeActor>,
}

impl Node {
    /// Starts the actor and records the node's start.
    pub(crate) async fn start(inner: &Arc<Inner>, arbiter: &ArbiterHandle) -> Result<Self, Refusal> {
        let stream = stream(inner);
        let seq = last_seq(inner, stream)?;
        let weak = Arc::downgrade(inner);
        let address = NodeActor::start_in_arbiter(arbiter, move |_| NodeActor { inner: weak, stream, seq });
        let started = Record::NodeStarted {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: inner.store.incarnation().id,
        };
        let node = Self { address };
        node.note(vec![started]).await?;
        Ok(node)
    }

    /// Tells the library something.
    pub(crate) async fn tell(&self, tell: Tell) -> Result<Told, LibraryError> {
        match self.address.send(tell).await {
            Ok(answer) => answer,
            Err(error) => Err(StoreError::Unavailable(error.to_string()).into()),
        }
    }

    async fn note(&self, records: Vec<Record>) -> Result<(), Refusal> {
        let answer = self.address.send(Note(records)).await;
        let answer = answer.map_err(|error| Refusal::Unavailable(error.to_string()))?;
        answer.map_err(|error| Refusal::Unavailable(error.to_string()))
    }

    /// Records the node's stop.
    pub(crate) async fn stop(&self) {
        if let Err(error) = self.note(vec![Record::NodeStopped]).await {
            tracing::error!(%error, "the node's stop could not be recorded");
        }
    }
}

/// One writer of the node's stream.
struct NodeActor {
    inner: Weak<Inner>,
    stream: StreamId,
    seq: u64,
}

impl NodeActor {
    fn inner(&self) -> Result<Arc<Inner>, LibraryError> {
        let stopping = || StoreError::Unavailable("the node is stopping".into());
        Ok(self.inner.upgrade().ok_or_else(stopping)?)
    }

    /// Appends what a command came to.
    fn change(
        &mut self,
        inner: Arc<Inner>,
        change: Change,
        by: Attribution,
        accept: Option<Accept>,
    ) -> ResponseActFuture<Self, Result<Told, LibraryError>> {
        let Change { records, artifact, subject, answer } = change;
        let now = inner.clock.now();
        let mut recording = Recording::default();
        let accepted = accept.map(|accept| accept.done(subject.clone()).answering(answer.clone()));
        let record = accepted.and_then(|accepted| recording.accept(accepted, now, &by));
        let effects = Effects { artifacts: artifact.into_iter().collect(), ..Effects::default() };
        let kept = recording.effects(effects, None, now, &by);
        library::keep_sources(&records, &mut recording);
        let before = record.into_iter().chain(kept).collect();
        let appended = self.append(inner, recording, before, records, by);
        Box::pin(appended.map(move |appended, _, _| appended.map(|()| (subject, answer))))
    }

    /// Appends `recording` with an entry of `before` and `records`, and puts these in force when it is durable.
    fn append(
        &mut self,
        inner: Arc<Inner>,
        mut recording: Recording,
        before: Vec<Record>,
        records: Vec<Record>,
        by: Attribution,
    ) -> ResponseActFuture<Self, Result<(), LibraryError>> {
        let all: Vec<Record> = before.into_iter().chain(records.iter().cloned()).collect();
        recording.entry(self.stream, self.seq, inner.clock.now(), &by, &all);
        let append = async move {
            let receipt = recording.commit(&inner).await;
            (inner, receipt)
        };
        Box::pin(append.into_actor(self).map(move |(inner, receipt), actor, _| {
            match receipt {
                Ok(_) => actor.seq += 1,
                Err(error) => {
                    // The outcome may be unknown: the stream itself knows where it stands.
                    if let Ok(seq) = last_seq(&inner, actor.stream) {
                        actor.seq = seq;
                    }
                    return Err(error.into());
                }
            }
            library::put_in_force(&inner, &records);
            Ok(())
        }))
    }
}

impl Actor for NodeActor {
    type Context = Context<Self>;
}

impl Handler<Tell> for NodeActor {
    type Result = AtomicResponse<Self, Result<Told, LibraryError>>;

    fn handle(&mut self, tell: Tell, _: &mut Context<Self>) -> Self::Result {
        let decided = self.inner().and_then(|inner| {
            let view: View = library::view(&inner, &tell.command)?;
            let change = decide(&view, tell.command, inner.clock.now())?;
            Ok((inner, change))
        });
        AtomicResponse::new(match decided {
            Ok((inner, change)) => self.change(inner, change, tell.by, tell.accept),
            Err(error) => Box::pin(fut::ready(Err(error))),
        })
    }
}

impl Handler<Note> for NodeActor {
    type Result = AtomicResponse<Self, Result<(), LibraryError>>;

    fn handle(&mut self, note: Note, _: &mut Context<Self>) -> Self::Result {
        AtomicResponse::new(match self.inner() {
            Ok(inner) => {
                let by = by_node(inner.clock.now());
                self.append(inner, Recording::default(), Vec::new(), note.0, by)
            }
            Err(error) => Box::pin(fut::ready(Err(error))),
        })
    }
}

/// The node's own stream: of this key and this life of the folder.
fn stream(inner: &Inner) -> StreamId {
    let key = inner.store.key().public();
    ids::derived(Timestamp::EPOCH, &[b"node", key.as_bytes()])
}

fn last_seq(inner: &Inner, stream: StreamId) -> Result<u64, StoreError> {
    inner.store.read()?.last_seq(stream)
}

/// The attribution of what the node does by itself.
pub(crate) fn by_node(now: Timestamp) -> Attribution {
    let correlation_id = CorrelationId::from(ids::fresh::<EventId>(now));
    Attribution { actor: Principal::new("node"), session: None, correlation_id, causation_id: None }
}
