//! The mesh as a service: this node's timeline and those of its peers become one.
//!
//! Owns the supervised task that runs the mesh, and the handle to it. Decides nothing about records, members or
//! tickets: what peers bring goes to the timeline, and what they ask for is submitted as an intent. Invariant:
//! what others are told is durable here.

mod account;
pub(crate) mod confirm;
mod deed;
mod event;
mod follower;
mod gather;
mod invite;
mod join;
mod port;
mod task;
mod trace;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use xyn_net::driver::{Mesh, StartError, Stopped};
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::FeedRow;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::board::LeftOut;
use xyn_store::timeline::feed::FeedId;
use xyn_store::{StoreError, Timestamp};

use crate::runtime::Inner;
use account::Account;

pub use event::{Event, Span};
pub use invite::{Invite, LIFETIME_MAX, VALID_FOR_MAX};
pub use join::{JoinError, Joined, join};
pub use trace::{Line, TRACE_MAX, Trace, What};
pub use xyn_net::driver::{NotLetIn, Peer, Reach, Status, Traffic};
pub use xyn_net::proto::join::guest::NotJoined;

pub(crate) use deed::serve;

/// How long those who are connected may take to hear that this node has another key.
const HEARD_WITHIN: Duration = Duration::from_secs(1);
/// How often is looked whether they have.
const GLANCE: Duration = Duration::from_millis(20);

/// How a node takes part in the mesh.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How far away peers may be.
    pub reach: Reach,
    /// Where to listen, as multiaddrs.
    pub listen: Vec<String>,
    /// Whom to dial, besides those who are discovered: multiaddrs.
    pub peers: Vec<String>,
    /// Members through which this node is reached where nobody can dial it: multiaddrs with a peer id.
    pub relays: Vec<String>,
    /// Whether other members are reached through this node.
    pub is_relay: bool,
}

/// Why the mesh did not start.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// The wire.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What it starts with cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The mesh of a running node.
pub struct Service {
    shared: Arc<Shared>,
    started_at: Instant,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What the parts of the service share.
struct Shared {
    inner: Weak<Inner>,
    settings: Settings,
    /// When the node was started.
    since: Timestamp,
    /// None between two meshes.
    mesh: ArcSwapOption<Mesh>,
    account: Account,
    /// Whether the mesh's task panics over the next thing it has to tell.
    #[cfg(test)]
    panics: std::sync::atomic::AtomicBool,
}

impl Service {
    /// Starts the mesh of a node whose timeline is open.
    pub(crate) fn start(inner: &Arc<Inner>, settings: Settings) -> Result<Self, MeshError> {
        let shared = Arc::new(Shared {
            inner: Arc::downgrade(inner),
            settings,
            since: inner.clock.now(),
            mesh: ArcSwapOption::empty(),
            account: Account::default(),
            #[cfg(test)]
            panics: Default::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let running = task::start(&shared)?;
        let task = tokio::spawn(task::supervise(Arc::clone(&shared), running, stopped));
        Ok(Self { shared, started_at: Instant::now(), stop, task: Mutex::new(Some(task)) })
    }

    /// Who is here, and what went to and fro since the mesh was started last. An error between two starts.
    pub async fn status(&self) -> Result<Status, Stopped> {
        self.wire()?.status().await
    }

    /// What peers sent and was refused, by reason, since the node was started.
    pub fn refused(&self) -> BTreeMap<&'static str, u64> {
        self.shared.account.counts()
    }

    /// How the node takes part.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// When it was started.
    pub(crate) fn started_at(&self) -> Instant {
        self.started_at
    }

    /// What happened lately.
    pub fn trace(&self) -> &Trace {
        &self.shared.account.trace
    }

    /// This node signed a checkpoint of its log: whoever is here is asked to witness it.
    pub(crate) async fn signed(&self, checkpoint: SignedCheckpoint) {
        if let Ok(mesh) = self.wire() {
            // One that ends now offers the latest checkpoint when it is started again.
            let _ = mesh.signed(checkpoint).await;
        }
    }

    /// Is done when nobody is connected any more, or whoever is has had time to hear what there is to hear. Who has
    /// not hears it later.
    pub(crate) async fn heard(&self) {
        let alone = async {
            while self.status().await.is_ok_and(|status| !status.peers.is_empty()) {
                tokio::time::sleep(GLANCE).await;
            }
        };
        let _ = tokio::time::timeout(HEARD_WITHIN, alone).await;
    }

    /// Accounts for changes to boards that were admitted at `now` and show on none.
    pub(crate) fn account_for(&self, now: Timestamp, left_out: &[LeftOut]) {
        self.shared.account.left_out(now, left_out);
    }

    /// Accounts for something that `peer` told and that is not believed.
    pub(crate) fn disbelieve(&self, peer: PublicKey, why: String) {
        self.shared.refuse(peer, "false_account", why);
    }

    /// Says goodbye to everybody and ends the task.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the mesh did not end in good order");
        }
    }

    /// Ends the mesh that runs, as a failure of it would; the one after it panics when it begins to listen.
    #[cfg(test)]
    pub(crate) async fn break_off(&self) {
        self.shared.panics.store(true, std::sync::atomic::Ordering::SeqCst);
        self.wire().expect("it runs").stop().await.expect("it runs");
    }

    /// A desk at which nobody judges what is handed in.
    #[cfg(test)]
    pub(crate) fn unattended(&self) -> (impl xyn_net::driver::Port + use<>, impl Sized + use<>) {
        port::Desk::new(Arc::clone(&self.shared))
    }

    /// Whether the panic came.
    #[cfg(test)]
    pub(crate) fn has_panicked(&self) -> bool {
        !self.shared.panics.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// The mesh that runs; an error between two starts.
    pub(crate) fn wire(&self) -> Result<Arc<Mesh>, Stopped> {
        self.shared.mesh.load_full().ok_or(Stopped)
    }
}

impl Shared {
    /// The Runtime; none when the node has stopped.
    fn inner(&self) -> Option<Arc<Inner>> {
        self.inner.upgrade()
    }

    /// Accounts for another node that writes under this node's key: a copy of its folder that runs elsewhere. What an
    /// earlier life of this folder wrote is older than this start.
    fn note_twin(&self, own: FeedId, theirs: &FeedRow, verdicts: &[Verdict]) {
        let has_news = verdicts.iter().any(|verdict| matches!(verdict, Verdict::Admitted { .. }));
        let is_another = theirs.feed.node == own.node && theirs.feed != own;
        if has_news && is_another && theirs.head.hlc.at > self.since {
            let why = "another node goes by the key of this one, which is kept; teammates hear one of the two at a \
                       time: stop one, and let it join anew with a folder of its own";
            self.refuse(own.node, "same_key", why.to_owned());
        }
    }

    /// Accounts for the verdicts on frames of `feed` that `peer` sent.
    fn judged(&self, peer: PublicKey, feed: FeedId, verdicts: &[Verdict]) {
        if let Some(inner) = self.inner() {
            self.account.judged(inner.clock.now(), peer, feed, verdicts);
        }
    }

    /// Accounts for something that `peer` said and that was refused.
    fn refuse(&self, peer: PublicKey, reason: &'static str, why: String) {
        if let Some(inner) = self.inner() {
            self.account.refuse(inner.clock.now(), peer, reason, why);
        }
    }
}
