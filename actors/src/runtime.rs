//! The Runtime: the one authority that executes and owns state.
//!
//! Everything that wants something done hands it an [`Intent`]. It checks session and scope, asks the policies,
//! records the decision, and lets a service carry it out. Invariant: what the Runtime cannot see did not happen.

mod accept;
mod answer;
mod backlog;
mod catalog;
mod dispatch;
mod ended;
mod environment;
mod intent;
mod load;
mod metrics;
mod names;
mod places;
mod progress;
mod recording;
mod recovery;
pub(crate) mod sessions;
mod submit;
mod supervisor;
mod surroundings;
#[cfg(test)]
mod tests;
mod timers;
mod upkeep;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use xyn_store::ids::RunId;
use xyn_store::journal::Journal;
use xyn_store::projection::RunRow;
use xyn_store::scope::Principal;
use xyn_store::{Clock, Digest, Store, StoreError};

use crate::actions::Registry;
use crate::blueprint::{NodeLimits, Plan};
use crate::governance::Identity;
use crate::node::actor::Node;
use crate::services::approvals::arrive;
use crate::services::mesh::{self, Service as Mesh};
use crate::services::secrets::{Vault, VaultError};
use crate::services::timeline::{Service as Timeline, TimelineError, follower};
use crate::services::workcell::Workcells;
use crate::services::{capsules, deploy, library, settle};

pub use accept::KEY_LIFETIME;
pub use catalog::{Active, Catalog, CatalogError};
pub use environment::{Environment, Hook};
pub use intent::{Intent, Outcome, Refusal};
pub use metrics::Metrics;

pub(crate) use accept::{Accept, Accepted, Origin};
pub(crate) use answer::{decision_of, refusal};
pub(crate) use catalog::Plans;
pub(crate) use places::Ticket;
pub(crate) use progress::Held;
pub(crate) use recording::Recording;
use sessions::Sessions;
pub(crate) use submit::stream;
use supervisor::Supervisor;

/// The Runtime of a node. Cheap to clone.
#[derive(Clone)]
pub struct Runtime(pub(crate) Arc<Inner>);

/// What the Runtime's parts share.
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) registry: Registry,
    pub(crate) catalog: ArcSwap<Catalog>,
    pub(crate) plans: Plans,
    pub(crate) clock: Clock,
    pub(crate) env: Environment,
    pub(crate) ended: ended::Ended,
    pub(crate) metrics: Metrics,
    pub(crate) progress: progress::Progress,
    pub(crate) capsules: capsules::Turn,
    pub(crate) fronts: deploy::Fronts,
    pub(crate) reports: deploy::Reports,
    pub(crate) workcells: Workcells,
    pub(crate) vault: Vault,
    backlog: backlog::Backlog,
    supervisor: OnceLock<Supervisor>,
    node: OnceLock<Node>,
    sessions: OnceLock<Sessions>,
    timeline: OnceLock<Timeline>,
    mesh: OnceLock<Mesh>,
    stopping: watch::Sender<bool>,
}

/// Why a Runtime did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The library.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A rebuild was begun and not finished.
    #[error("a rebuild of this folder was not finished; run `xyn store rebuild`")]
    HalfRebuilt,
    /// Secrets that its key does not open.
    #[error(transparent)]
    Secrets(#[from] VaultError),
    /// Threads.
    #[error("cannot start the actor threads")]
    Threads(#[source] std::io::Error),
    /// The timeline.
    #[error(transparent)]
    Timeline(#[from] TimelineError),
    /// The first records could not be written.
    #[error("cannot record the start: {0}")]
    Record(Refusal),
}

/// What runs beside the requests, until the node stops.
pub struct Background {
    tasks: Vec<JoinHandle<()>>,
}

impl Runtime {
    /// A Runtime that answers questions about `store` and refuses intents: for a stopped node's folder.
    pub fn read_only(
        store: Store,
        registry: Registry,
        clock: Clock,
        env: Environment,
    ) -> Result<Self, StartError> {
        if store.is_half_rebuilt()? {
            return Err(StartError::HalfRebuilt);
        }
        let reader = store.read()?;
        let catalog = Catalog::load(&reader, &registry, &env.limits)?;
        let position = reader.position(dispatch::FOLLOWER)?;
        drop(reader);
        Ok(Self(Arc::new(Inner {
            journal: store.journal()?,
            vault: Vault::of(store.folder()),
            store,
            registry,
            catalog: ArcSwap::from_pointee(catalog),
            plans: Plans::default(),
            clock,
            env,
            ended: ended::Ended::default(),
            metrics: Metrics::default(),
            backlog: backlog::Backlog::new(position),
            progress: progress::Progress::default(),
            capsules: capsules::Turn::default(),
            fronts: deploy::Fronts::default(),
            reports: deploy::Reports::default(),
            workcells: Workcells::default(),
            supervisor: OnceLock::new(),
            node: OnceLock::new(),
            sessions: OnceLock::new(),
            timeline: OnceLock::new(),
            mesh: OnceLock::new(),
            stopping: watch::Sender::new(false),
        })))
    }

    /// Starts the Runtime over `store`: actors, recovery, dispatch, timers and cron.
    pub async fn start(
        store: Store,
        registry: Registry,
        clock: Clock,
        env: Environment,
    ) -> Result<(Self, Background), StartError> {
        store.started()?;
        capsules::clean(&store);
        deploy::end_orphans(&store);
        let runtime = Self::read_only(store, registry, clock, env)?;
        let inner = &runtime.0;
        inner.vault.list()?;
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let limit = inner.env.limits.concurrency;
        let supervisor =
            Supervisor::start(Arc::downgrade(inner), threads, limit).map_err(StartError::Threads)?;
        let node = Node::start(inner, supervisor.system()).await.map_err(StartError::Record)?;
        let sessions = Sessions::start(inner, &supervisor).await.map_err(StartError::Record)?;
        let timeline = Timeline::start(inner, supervisor.system()).await?;
        // INVARIANT: nobody else holds this Runtime yet, so the cells are empty.
        let _ = inner.supervisor.set(supervisor);
        let _ = inner.node.set(node);
        let _ = inner.sessions.set(sessions);
        let _ = inner.timeline.set(timeline);
        library::seed(inner).await.map_err(StartError::Record)?;
        deploy::serve_all(inner).await?;
        // What the node does by itself comes behind recovery: a run that is woken knows what the stop left of it.
        let recovered = recovery::recover(inner.clone()).shared();
        // A word that had come before the stop was in time, though its deadline passed while nobody was here.
        let (before, words) = (arrive::hear(inner.clone()), arrive::follow(inner.clone()));
        let heard = recovered.clone().then(|()| before).shared();
        let (dispatch, timers) = (dispatch::follow(inner.clone()), timers::serve(inner.clone()));
        let tasks = vec![
            tokio::spawn(settle::serve(inner.clone())),
            tokio::spawn(recovered.then(|()| dispatch)),
            tokio::spawn(heard.clone().then(|()| timers)),
            tokio::spawn(heard.then(|()| words)),
            tokio::spawn(timers::serve_cron(inner.clone())),
            tokio::spawn(upkeep::serve(inner.clone())),
            tokio::spawn(deploy::keep_serving(inner.clone())),
            tokio::spawn(follower::follow(inner.clone())),
            tokio::spawn(mesh::confirm::follow(inner.clone())),
        ];
        Ok((runtime, Background { tasks }))
    }

    /// Lets the node take part in the mesh of its environment, until it stops.
    pub fn start_mesh(&self, settings: mesh::Settings) -> Result<(), mesh::MeshError> {
        let mesh = Mesh::start(&self.0, settings)?;
        // INVARIANT: the node's one start of a mesh comes from where its parts are wired.
        let _ = self.0.mesh.set(mesh);
        Ok(())
    }

    /// The store, for reading.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The registered actions.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// What is in force.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.0.catalog.load_full()
    }

    /// The plan that runs with this blueprint digest follow, which may be older than what is active.
    pub fn plan(&self, digest: &Digest) -> Result<Arc<Plan>, StoreError> {
        self.0.plan(digest)
    }

    /// The node's limits on blueprints.
    pub fn limits(&self) -> &NodeLimits {
        &self.0.env.limits
    }

    /// The timeline; none for a stopped node.
    pub fn timeline(&self) -> Option<&Timeline> {
        self.0.timeline.get()
    }

    /// The mesh; none for a node that is stopped or takes no part in one.
    pub fn mesh(&self) -> Option<&Mesh> {
        self.0.mesh.get()
    }

    /// Is done when this node's seat was handed to the key that is prepared in its folder, and whoever is connected
    /// knows it, or had time to hear it. From then on only a start under that key goes on.
    pub async fn handed_over(&self) {
        match self.timeline() {
            Some(timeline) => timeline.handed_over().await,
            None => std::future::pending().await,
        }
        if let Some(mesh) = self.mesh() {
            mesh.heard().await;
        }
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The environment.
    pub fn env(&self) -> &Environment {
        &self.0.env
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Runs in memory.
    pub fn runs_in_memory(&self) -> usize {
        self.0.supervisor.get().map_or(0, Supervisor::in_memory)
    }

    /// Runs that wait for a place.
    pub fn runs_in_line(&self) -> usize {
        self.0.supervisor.get().map_or(0, Supervisor::in_line)
    }

    /// Entries of the journal that were not dispatched yet.
    pub fn event_backlog(&self) -> u64 {
        self.0.backlog.entries(*self.0.journal.head().borrow())
    }

    /// Entries of the journal in which milestones were not looked for yet.
    pub fn milestone_backlog(&self) -> u64 {
        let followed = self.timeline().map_or(0, Timeline::followed);
        self.0.journal.head().borrow().saturating_sub(followed)
    }

    /// Waits for the end of `run`; none when it has not ended `within` the time.
    pub async fn ended(&self, run: RunId, within: Duration) -> Result<Option<RunRow>, Refusal> {
        let row = || -> Result<RunRow, Refusal> {
            let row = self.0.store.read()?.get::<RunRow>(&RunRow::key_of(run))?;
            row.ok_or_else(|| Refusal::NotFound { kind: "run", id: run.to_string() })
        };
        let now = row()?;
        if now.status.is_final() {
            return Ok(Some(now));
        }
        let end = self.0.ended.subscribe(run);
        // It may have ended between the look and the subscription.
        let now = row()?;
        let found = if now.status.is_final() {
            drop(end);
            Some(now)
        } else {
            tokio::time::timeout(within, end).await.ok().and_then(Result::ok)
        };
        self.0.ended.tidy(run);
        Ok(found)
    }

    /// Stops in good order: no new intents, the stop recorded, everything appended written.
    pub async fn stop(&self, background: Background) {
        self.0.stopping.send_replace(true);
        self.0.workcells.stop();
        if let Some(mesh) = self.0.mesh.get() {
            mesh.stop().await;
        }
        for task in background.tasks {
            task.abort();
            // An aborted task answers with its abortion.
            let _ = task.await;
        }
        self.0.fronts.close().await;
        self.0.reports.finish().await;
        if let Some(sessions) = self.0.sessions.get() {
            sessions.stop().await;
        }
        if let Some(node) = self.0.node.get() {
            node.stop(self.0.clock.now()).await;
            if let Err(error) = upkeep::checkpoint(&self.0).await {
                tracing::warn!(%error, "the stop has no checkpoint");
            }
        }
        if let Some(supervisor) = self.0.supervisor.get() {
            supervisor.stop();
        }
    }
}

impl Inner {
    /// The supervisor of runs.
    pub(crate) fn supervisor(&self) -> &Supervisor {
        self.supervisor.get().expect("runs are told something only by a started Runtime")
    }

    /// The node's own actor; none for a stopped node.
    pub(crate) fn node(&self) -> Option<&Node> {
        self.node.get()
    }

    /// The mesh; none for a node that takes no part in one.
    pub(crate) fn mesh(&self) -> Option<&Mesh> {
        self.mesh.get()
    }

    /// The timeline, of which a started Runtime has one.
    pub(crate) fn timeline(&self) -> Result<&Timeline, StoreError> {
        self.timeline.get().ok_or_else(|| StoreError::Unavailable("the node is not running".into()))
    }

    /// The plan with this digest.
    pub(crate) fn plan(&self, digest: &Digest) -> Result<Arc<Plan>, StoreError> {
        self.plans.get(digest, &self.store, &self.registry, &self.env.limits)
    }

    /// A principal with the roles and teams it has in this environment.
    pub(crate) fn identity_of(&self, principal: &Principal) -> Identity {
        if principal.as_str() == Principal::LOCAL_OPERATOR {
            return Identity::local_operator();
        }
        Identity::bare(principal.clone())
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }
}
