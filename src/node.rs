//! The only place where the parts of a node are wired together: store, Runtime, API.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use xyn_actors::actions;
use xyn_actors::runtime::{Environment, Runtime, StartError};
use xyn_actors::services::mesh::{self, JoinError, MeshError};
use xyn_api::{AppState, Guard};
use xyn_store::trust::Ticket;
use xyn_store::{Clock, DATABASE_FILE, Options, Store, StoreError, Timestamp, durable};

use crate::door::door;
use crate::shell;

mod lan;

/// Name of the file in the data folder that says where a running node listens.
pub const NODE_FILE: &str = "node.json";

/// How long it may take until the mesh listens; a node that waits longer starts without knowing where.
const MESH_LISTENS_WITHIN: Duration = Duration::from_secs(2);
/// How long a node that stops may hold its folder.
const RELEASED_WITHIN: Duration = Duration::from_secs(10);
/// How often is looked whether something has come to be.
const GLANCE: Duration = Duration::from_millis(5);

/// How a node is started.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The data folder.
    pub data: PathBuf,
    /// Addresses to listen on; loopback only.
    pub listen: Vec<SocketAddr>,
    /// The environment it serves.
    pub env: Environment,
    /// Bytes of blobs that the folder may hold.
    pub blob_quota_bytes: u64,
    /// How it takes part in the mesh; none when it works alone.
    pub mesh: Option<mesh::Settings>,
    /// The ticket with which the folder joins an environment at its first start.
    pub join: Option<Ticket>,
    /// Addresses of the catalogue for the local network.
    pub lan_catalogue: Vec<SocketAddr>,
}

/// Where a running node can be reached; kept in the data folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeFile {
    /// The process.
    pub pid: u32,
    /// Addresses it listens on.
    pub listen: Vec<SocketAddr>,
    /// When it was started.
    pub started_at: Timestamp,
    /// The folder that it has: a copy of it is another one.
    pub folder: FolderId,
}

/// Device and inode of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderId(u64, u64);

impl FolderId {
    /// That of the folder at `path`.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self(metadata.dev(), metadata.ino()))
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The Runtime.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An address that is not loopback.
    #[error(
        "`{0}` is not a loopback address; other addresses need authentication, which this version does not have"
    )]
    NotLoopback(SocketAddr),
    /// An address that cannot be used.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// What is to be reached there.
        what: Listener,
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// No node was ever started here.
    #[error("`{}` holds no node; start one with `xyn up --data {}`", .0.display(), shell::word(.0))]
    NoNode(PathBuf),
    /// The folder does not belong to the ticket's environment.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The mesh.
    #[error("the mesh does not start")]
    Mesh(#[from] MeshError),
    /// A file of the folder.
    #[error("cannot write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// What a node listens for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Commands and Studio.
    Api,
    /// The catalogue for the local network.
    Catalogue,
}

/// A node that is up: everything is recovered and the addresses are bound.
pub struct Node {
    store: Store,
    runtime: Runtime,
    background: xyn_actors::runtime::Background,
    listeners: Vec<TcpListener>,
    state: AppState,
    catalogue: Vec<TcpListener>,
    file: PathBuf,
    /// Whether this start made the data folder.
    pub is_new: bool,
}

/// Why a node serves no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop.
    Stopped,
    /// Its seat is that of the key prepared in its folder, by which the next start goes.
    HandedOver,
}

impl Node {
    /// Opens the folder, starts the Runtime and binds the addresses. A folder that is held by nobody who answers is
    /// waited for: a node that stops lets go of it soon.
    pub async fn start(options: NodeOptions) -> Result<Self, NodeError> {
        let (deadline, file) = (Instant::now() + RELEASED_WITHIN, options.data.join(NODE_FILE));
        loop {
            match Self::start_now(options.clone()).await {
                Err(NodeError::Store(StoreError::InUse { .. }))
                    if Instant::now() < deadline && !file.exists() =>
                {
                    tokio::time::sleep(GLANCE).await;
                }
                done => return done,
            }
        }
    }

    async fn start_now(options: NodeOptions) -> Result<Self, NodeError> {
        if let Some(address) = options.listen.iter().find(|address| !address.ip().is_loopback()) {
            return Err(NodeError::NotLoopback(*address));
        }
        let is_new = !options.data.join(DATABASE_FILE).exists();
        let clock = Clock::system();
        let mut store_options = Options::default();
        store_options.blob_quota_bytes = options.blob_quota_bytes;
        let store = Store::open(&options.data, store_options)?;
        if let Some(ticket) = options.join {
            mesh::join(&store, &clock, ticket).await?;
        }
        let listeners = bind(Listener::Api, options.listen).await?;
        let catalogue = bind(Listener::Catalogue, options.lan_catalogue).await?;
        // A program whose file is gone builds nothing, and says so when it should.
        let door = door().map_err(|error| format!("the file of this program is not to be found: {error}"));
        let env = Environment { door, ..options.env };
        let (runtime, background) =
            Runtime::start(store.clone(), actions::builtin(), clock.clone(), env).await?;
        if let Some(settings) = options.mesh
            && let Err(error) = runtime.start_mesh(settings)
        {
            runtime.stop(background).await;
            return Err(error.into());
        }
        let ports = listeners.iter().filter_map(|listener| listener.local_addr().ok()).map(|at| at.port());
        let state = AppState::new(runtime.clone(), Guard::loopback(ports.collect()));
        let file = options.data.join(NODE_FILE);
        let node = Self { store, runtime, background, listeners, state, catalogue, file, is_new };
        node.announce(clock.now())?;
        Ok(node)
    }

    /// Addresses the node listens on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Where the catalogue for the local network listens.
    pub fn catalogue_addresses(&self) -> Vec<SocketAddr> {
        self.catalogue.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Where the mesh listens, as soon as it does and no address more has come between two looks; nowhere when the node
    /// works alone.
    pub async fn mesh_addresses(&self) -> Vec<String> {
        let Some(mesh) = self.runtime.mesh() else { return Vec::new() };
        let listening = async {
            let mut before = Vec::new();
            loop {
                let found = mesh.status().await.map(|status| status.listening).unwrap_or_default();
                if !found.is_empty() && found == before {
                    return found;
                }
                before = found;
                tokio::time::sleep(GLANCE).await;
            }
        };
        tokio::time::timeout(MESH_LISTENS_WITHIN, listening).await.unwrap_or_default()
    }

    fn announce(&self, started_at: Timestamp) -> Result<(), NodeError> {
        let file = FolderId::of(self.file.parent().unwrap_or(&self.file)).map(|folder| NodeFile {
            pid: std::process::id(),
            listen: self.addresses(),
            started_at,
            folder,
        });
        let text = file.and_then(|file| Ok(serde_json::to_vec(&file)?));
        text.and_then(|text| durable::put(&self.file, &text))
            .map_err(|source| NodeError::Write { path: self.file.clone(), source })
    }

    /// Serves until `shutdown` is done, or until the node has another key, then stops in good order.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) -> Ended {
        let mut ended = Ended::Stopped;
        let until = async {
            tokio::select! {
                () = shutdown => {}
                () = self.runtime.handed_over() => ended = Ended::HandedOver,
            }
            // So that who finds the folder held waits for it. A node that is gone is found by its lock: a file that
            // stays behind misleads nobody for long.
            let _ = std::fs::remove_file(&self.file);
        };
        let (told, stopping) = tokio::sync::oneshot::channel::<()>();
        let catalogue = lan::serve(self.catalogue, &self.runtime, async {
            // Whoever would tell is gone: that is the word as well.
            let _ = stopping.await;
        });
        let api = async {
            xyn_api::serve(self.listeners, self.state, until).await;
            drop(told);
        };
        tokio::join!(api, catalogue);
        self.runtime.stop(self.background).await;
        drop(self.runtime);
        self.store.close();
        ended
    }
}

/// Binds all of `addresses`, for `what` listens there.
async fn bind(what: Listener, addresses: Vec<SocketAddr>) -> Result<Vec<TcpListener>, NodeError> {
    let mut listeners = Vec::new();
    for address in addresses {
        let bound = TcpListener::bind(address).await;
        listeners.push(bound.map_err(|source| NodeError::Listen { what, address, source })?);
    }
    Ok(listeners)
}

/// The API over the folder of a stopped node: it answers questions and refuses intents.
pub fn open_reader(data: &Path, env: Environment) -> Result<(xyn_api::Router, Store), NodeError> {
    if !data.join(DATABASE_FILE).exists() {
        return Err(NodeError::NoNode(data.to_owned()));
    }
    let store = Store::open(data, Options::default())?;
    let runtime = Runtime::read_only(store.clone(), actions::builtin(), Clock::system(), env)?;
    Ok((xyn_api::router(AppState::new(runtime, Guard::in_process())), store))
}
