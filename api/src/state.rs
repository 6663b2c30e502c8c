//! What every route shares: the Runtime, the guard, the metrics and the word that the node stops.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use xyn_actors::runtime::{Intent, Outcome, Refusal, Runtime};
use xyn_actors::services::mesh::Status;
use xyn_store::projection::Row;
use xyn_store::scope::Principal;
use xyn_store::tables::Key;
use xyn_store::{Reader, StoreError, Timestamp};

use crate::error::ApiError;
use crate::guard::Guard;
use crate::limits::STREAMS_MAX;
use crate::metrics::Metrics;
use crate::rate::Rate;

/// What every route shares. Clones are the same state.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

struct Inner {
    runtime: Runtime,
    guard: Guard,
    metrics: Metrics,
    started_at: Timestamp,
    streams: Arc<Semaphore>,
    addresses: Rate<IpAddr>,
    principals: Rate<Principal>,
    stopping: watch::Sender<bool>,
}

impl AppState {
    /// The state of an API over `runtime` that lets in what `guard` does.
    pub fn new(runtime: Runtime, guard: Guard) -> Self {
        let started_at = runtime.clock().now();
        let streams = Arc::new(Semaphore::new(STREAMS_MAX));
        let (stopping, _) = watch::channel(false);
        let metrics = Metrics::default();
        let addresses = Rate::new("address", runtime.limits());
        let principals = Rate::new("principal", runtime.limits());
        Self(Arc::new(Inner {
            runtime,
            guard,
            metrics,
            started_at,
            streams,
            addresses,
            principals,
            stopping,
        }))
    }

    /// Ends all event streams; what else is under way goes on.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// The authority behind every route.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// Who may call.
    pub(crate) fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// How often each address may ask.
    pub(crate) fn addresses(&self) -> &Rate<IpAddr> {
        &self.0.addresses
    }

    /// How long the API is up.
    pub(crate) fn uptime(&self) -> Duration {
        self.0.runtime.clock().now().since(self.0.started_at)
    }

    /// Places of event streams.
    pub(crate) fn streams(&self) -> &Arc<Semaphore> {
        &self.0.streams
    }

    /// Becomes true when the node stops.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.0.stopping.subscribe()
    }

    /// Who is connected, and what went to and fro; none while no mesh runs.
    pub(crate) async fn mesh_status(&self) -> Option<Status> {
        self.0.runtime.mesh()?.status().await.ok()
    }

    /// Hands an intent to the Runtime.
    pub(crate) async fn submit(&self, intent: Intent) -> Result<Outcome, ApiError> {
        self.0.principals.take(|| intent.identity.principal.clone(), Instant::now())?;
        let (action, stage) = (intent.action.clone(), self.0.runtime.stage_of(&intent));
        let done = self.0.runtime.submit(intent).await;
        done.map_err(|refusal| match &refusal {
            // What was asked of the policies, so that whoever is denied can ask them again.
            Refusal::Denied(_) => {
                ApiError::from(refusal).with("action", action).with("stage", stage.as_str())
            }
            _ => refusal.into(),
        })
    }

    /// Reads a row or two. For lists see [`AppState::scan`].
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Reader) -> Result<T, StoreError>) -> Result<T, ApiError> {
        Ok(read(&self.0.runtime.store().read()?)?)
    }

    /// The row at `key`: the `kind` called `id`, or the answer that there is none.
    pub(crate) fn row<R: Row>(&self, key: &Key, kind: &str, id: impl Display) -> Result<R, ApiError> {
        self.read(|reader| reader.get::<R>(key))?.ok_or_else(|| ApiError::not_found(kind, &id.to_string()))
    }

    /// Reads many rows, away from the threads that serve requests.
    pub(crate) async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = self.0.runtime.store().clone();
        blocking(move || Ok(read(&store.read()?)?)).await
    }
}

/// Runs what blocks away from the threads that serve requests.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(ApiError::unexpected(&error.to_string())),
    }
}
