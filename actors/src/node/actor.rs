//! The actor of the node: one writer of the library and of the node's own stream.

use std::sync::{Arc, Weak};

use actix::prelude::*;
use serde_json::Value;
use xyn_store::ids::{self, EventId, StreamId};
use xyn_store::journal::AppendError;
use xyn_store::projection::Subject;
use xyn_store::scope::{Attribution, CorrelationId, Principal};
use xyn_store::{StoreError, Timestamp};

use super::{Change, Command, IllegalEvent, Rejection, State, decide};
use crate::actions::Effects;
use crate::record::Record;
use crate::runtime::{Accept, Inner, Recording, Refusal};
use crate::services::library;

/// A command for the node, and the intent that carries it.
pub(crate) struct Tell {
    /// The command.
    pub(crate) command: Command,
    /// Who tells it.
    pub(crate) by: Attribution,
    /// The intent that the command carries out; none for what the node does by itself.
    pub(crate) accept: Option<Accept>,
}

/// What a command brought about: its subject, and what the one who gave it is answered.
pub(crate) type Told = (Option<Subject>, Value);

impl Message for Tell {
    type Result = Result<Told, LibraryError>;
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LibraryError {
    /// It means nothing to the node as it stands.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The core decided something it then did not accept: a fault of this program.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
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
        let address = NodeActor::start_in_arbiter(arbiter, move |_| NodeActor {
            inner: weak,
            stream,
            seq,
            state: State::default(),
        });
        let start = Command::Start {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: inner.store.incarnation().id,
        };
        let node = Self { address };
        let told = node.does(start, inner.clock.now()).await;
        told.map_err(|error| Refusal::Unavailable(error.to_string()))?;
        Ok(node)
    }

    /// Tells the node something.
    pub(crate) async fn tell(&self, tell: Tell) -> Result<Told, LibraryError> {
        match self.address.send(tell).await {
            Ok(answer) => answer,
            Err(error) => Err(StoreError::Unavailable(error.to_string()).into()),
        }
    }

    /// Has the node do something by itself.
    async fn does(&self, command: Command, now: Timestamp) -> Result<Told, LibraryError> {
        self.tell(Tell { command, by: by_node(now), accept: None }).await
    }

    /// Records the node's stop.
    pub(crate) async fn stop(&self, now: Timestamp) {
        if let Err(error) = self.does(Command::Stop, now).await {
            tracing::error!(%error, "the node's stop could not be recorded");
        }
    }
}

/// One writer of the node's stream.
struct NodeActor {
    inner: Weak<Inner>,
    stream: StreamId,
    seq: u64,
    state: State,
}

impl NodeActor {
    fn inner(&self) -> Result<Arc<Inner>, LibraryError> {
        let stopping = || StoreError::Unavailable("the node is stopping".into());
        Ok(self.inner.upgrade().ok_or_else(stopping)?)
    }

    /// Looks up what the command is about, decides, and applies what follows.
    fn turn(&mut self, inner: &Inner, command: Command) -> Result<Change, LibraryError> {
        library::look_up(inner, &command, &mut self.state)?;
        let change = decide(&self.state, command, inner.clock.now())?;
        for event in &change.events {
            self.state.apply(event)?;
        }
        Ok(change)
    }

    /// Appends what a command came to, and puts it in force when it is durable.
    fn append(
        &mut self,
        inner: Arc<Inner>,
        change: Change,
        by: Attribution,
        accept: Option<Accept>,
    ) -> ResponseActFuture<Self, Result<Told, LibraryError>> {
        let Change { events, artifact, subject, answer } = change;
        let now = inner.clock.now();
        let mut recording = Recording::default();
        let accepted =
            accept.zip(subject.clone()).map(|(accept, by)| accept.done(by).answering(answer.clone()));
        let record = accepted.and_then(|accepted| recording.accept(accepted, now, &by));
        let effects = Effects { artifacts: artifact.into_iter().collect(), ..Effects::default() };
        let kept = recording.effects(effects, None, now, &by);
        library::keep_sources(&events, &mut recording);
        let facts = events.iter().cloned().map(Record::Node);
        let records: Vec<Record> = record.into_iter().chain(kept).chain(facts).collect();
        recording.entry(self.stream, self.seq, now, &by, &records);
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
            library::put_in_force(&inner, &events);
            Ok((subject, answer))
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
            let change = self.turn(&inner, tell.command)?;
            Ok((inner, change))
        });
        AtomicResponse::new(match decided {
            Ok((inner, change)) => self.append(inner, change, tell.by, tell.accept),
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
