//! The timeline as a service: what people say on it, what the node's own work leaves on it, and what other
//! nodes bring.
//!
//! Owns the environment's founding and the handle to the one writer of the node's timeline. Decides nothing
//! about what a record means: that is the store's. Invariant: a record is written by the actor and by nobody
//! else, and whoever waits for one is answered after its commit.

pub(crate) mod actor;
mod arrivals;
mod deed;
mod desk;
mod draft;
mod event;
pub(crate) mod follower;
mod members;
pub(crate) mod milestone;
pub(crate) mod offline;
mod rotation;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use xyn_net::wire::FrameBytes;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::{self, EntryId, StreamId};
use xyn_store::journal::AppendError;
use xyn_store::scope::Principal;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::entry::Branch;
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::fork::Proof;
use xyn_store::timeline::{Hearing, Saying, Timeline, WriteError, first_certificate};
#[cfg(test)]
use xyn_store::trust::SignedStatement;
use xyn_store::trust::{EnvId, InvalidStatement, Roster};
use xyn_store::{Reader, Store, StoreError, Timestamp};

use crate::runtime::{Inner, Recording, Runtime};
use crate::services::approvals::people::People;
use actor::{Command, Handle};

pub use arrivals::arrivals;
pub(crate) use deed::{Acceptance, Deed, record, refusal, say, serve, takes_moments};
pub use deed::{Conflict, Preview};
pub use event::Event;
pub use members::MemberError;
pub(crate) use members::{Change, stream_of};

/// Why the timeline was not written.
#[derive(Debug, thiserror::Error)]
pub enum TimelineError {
    /// What was to be written cannot be.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be made durable.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The founder's certificate could not be made.
    #[error("the environment's first certificate could not be made: {0}")]
    Certificate(#[from] InvalidStatement),
    /// Who belongs cannot be changed so.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// A branch of this name begins elsewhere.
    #[error("the branch `{branch}` is there, and begins at the moment {base}")]
    Begun {
        /// The branch.
        branch: Branch,
        /// Where it begins.
        base: EntryId,
    },
    /// The branch was put away.
    #[error("the branch `{0}` was put away")]
    Closed(Branch),
    /// Nobody began the branch.
    #[error("there is no branch `{0}`")]
    NoBranch(Branch),
    /// The milestones were said already, by an append whose outcome was not known.
    #[error("these milestones are on the timeline already")]
    Said,
}

impl Runtime {
    /// Who belongs; none before the folder belongs to an environment. A started node knows it and reads nothing; in
    /// the folder of a stopped one `reader` has it from all that is heard in its records.
    pub fn roster(&self, reader: &Reader) -> Result<Option<Arc<Roster>>, StoreError> {
        self.0.roster(reader)
    }
}

impl Inner {
    /// Who belongs: see [`Runtime::roster`].
    pub(crate) fn roster(&self, reader: &Reader) -> Result<Option<Arc<Roster>>, StoreError> {
        match self.timeline() {
            Ok(timeline) => Ok(Some(timeline.roster())),
            Err(_) => Ok(reader.environment()?.map(|env| reader.roster(env)).transpose()?.map(Arc::new)),
        }
    }
}

impl TimelineError {
    /// Whether the command is what is wrong, and the timeline is as it was.
    fn is_refusal(&self) -> bool {
        !matches!(self, Self::Write(WriteError::Store(_)) | Self::Store(_) | Self::Append(_))
    }
}

/// A frame and who sent it, which need not be its author.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The sender.
    pub from: PublicKey,
    /// The frame.
    pub frame: FrameBytes,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

/// The timeline of a running node.
pub struct Service {
    store: Store,
    handle: Handle,
    shared: Arc<Shared>,
}

/// What the writer tells its readers.
struct Shared {
    env: EnvId,
    own: FeedId,
    roster: ArcSwap<Roster>,
    /// Counts commits.
    news: watch::Sender<u64>,
    /// Offset in the journal up to which milestones were looked for.
    followed: AtomicU64,
}

impl Shared {
    /// The stream of what the timeline tells the journal.
    fn stream(&self) -> StreamId {
        ids::derived(Timestamp::EPOCH, &[b"timeline", self.own.node.as_bytes()])
    }
}

impl Service {
    /// Opens the timeline of the folder's environment, and founds one where the folder has none.
    pub(crate) async fn start(inner: &Arc<Inner>, arbiter: &actor::Arbiter) -> Result<Self, TimelineError> {
        let own = FeedId { node: inner.store.key().public(), incarnation: inner.store.incarnation().id };
        let env = match inner.store.read()?.environment()? {
            Some(env) => env,
            None => found(inner, own).await?,
        };
        let roster = ArcSwap::from_pointee(inner.store.read()?.roster(env)?);
        let shared =
            Arc::new(Shared { env, own, roster, news: watch::Sender::new(0), followed: AtomicU64::new(0) });
        let handle = Handle::start(Arc::downgrade(inner), shared.clone(), arbiter);
        Ok(Self { store: inner.store.clone(), handle, shared })
    }

    /// The environment.
    pub fn env(&self) -> EnvId {
        self.shared.env
    }

    /// The node's own feed.
    pub fn own(&self) -> FeedId {
        self.shared.own
    }

    /// Judges frames from others in one batch: a verdict for each, once what was admitted is durable.
    pub async fn admit(&self, frames: Vec<Sent>) -> Result<Vec<Verdict>, TimelineError> {
        self.tell(Command::Admit(Hearing::of(frames))).await
    }

    /// Judges a proof that a node wrote two records under one number: the verdict, once it is durable.
    pub async fn admit_proof(&self, proof: Proof) -> Result<Vec<Verdict>, TimelineError> {
        self.tell(Command::AdmitProof(Box::new(proof))).await
    }

    /// Says who belongs, or who no longer does.
    #[cfg(test)]
    pub(crate) async fn state(&self, statement: SignedStatement) -> Result<(), TimelineError> {
        self.tell(Command::State(Box::new(statement))).await.map(drop)
    }

    /// Has `command` carried out: the verdicts on what it brings from others.
    pub(crate) async fn tell(&self, command: Command) -> Result<Vec<Verdict>, TimelineError> {
        self.handle.tell(command).await
    }

    /// Who belongs.
    pub fn roster(&self) -> Arc<Roster> {
        self.shared.roster.load_full()
    }

    /// What people are called, here and in the environment.
    pub(crate) fn people(&self) -> People {
        People::of(&self.roster(), self.shared.own.node)
    }

    /// Every milestone before `position` in the journal was said.
    fn follows_to(&self, position: u64) {
        self.shared.followed.store(position, Ordering::Relaxed);
    }

    /// Offset in the journal up to which every milestone was said.
    pub(crate) fn followed(&self) -> u64 {
        self.shared.followed.load(Ordering::Relaxed)
    }

    /// Wakes its followers whenever records were committed, the node's own too.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.shared.news.subscribe()
    }
}

/// Founds an environment: its root key, and in one append the folder's word that it belongs there and the
/// certificate of this node. A crash before that append leaves the key, which is then used.
async fn found(inner: &Arc<Inner>, own: FeedId) -> Result<EnvId, TimelineError> {
    let root = NodeKey::found_root(inner.store.folder()).map_err(StoreError::from)?;
    let (env, key, now) = (EnvId::rooted_in(root.public()), inner.store.key(), inner.clock.now());
    let certificate = first_certificate(&root, key, Principal::local_operator(), now)?;
    let mut timeline = Timeline::open(&inner.store.read()?, env.root(), own)?;
    let written = timeline.say(key, now, vec![Saying::Statement(certificate.as_bytes().to_vec())])?;
    let mut recording = Recording::default();
    recording.changes().put_environment(env);
    recording.changes().extend(written.changes);
    recording.commit(inner).await?;
    Ok(env)
}
