//! The driver: the cores on libp2p.
//!
//! Owns the sockets, the one task that runs them, and the handle to it. Decides nothing about records,
//! rosters or tickets: it carries what the cores say to peers and what they ask to the [`Port`]. Invariant: a
//! peer is heard only in the protocols of its side, and everything refused has a name.

mod account;
mod address;
mod behaviour;
mod blobs;
mod carry;
mod codec;
mod connections;
mod contacts;
mod depot;
mod families;
mod gate;
mod guest;
mod handshake;
mod heard;
pub mod most;
mod muxer;
mod news;
mod port;
mod punch;
mod runs;
mod spare;
mod task;
#[cfg(test)]
mod tests;
mod transport;
pub mod tried;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use xyn_store::Clock;
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::blobs::Blobs;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::Roster;

pub use account::Told;
pub use address::{InvalidAddress, named};
pub use behaviour::{EXPLICIT_MAX, INCOMING_MAX};
pub use blobs::Fetch;
pub use codec::{BadFrame, unpack};
pub use guest::{NotLetIn, join};
pub use handshake::BadHandshake;
pub use port::{Event, Peer, Port, Reach, Refusal, Status, Traffic};

use crate::proto::blobs::{NotFetched, Want};
use crate::proto::runs::NotRead;
use crate::wire::runs::{Account, Question};
use crate::wire::{Known, News};
use task::{Command, Task};

/// Commands that wait for the task; the next caller waits with them.
const COMMANDS_MAX: usize = 256;

/// How a node takes part.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen, as multiaddrs.
    pub listen: Vec<String>,
    /// Whom to dial, besides those who are discovered: multiaddrs, with a peer id at the end or without.
    pub peers: Vec<String>,
    /// Members through which this node is reached where nobody can dial it, each a multiaddr with its peer id
    /// at the end. None: it is reached directly or not at all.
    pub relays: Vec<String>,
    /// Whether other members may be reached through this node.
    pub is_relay: bool,
    /// How far away peers may be.
    pub reach: Reach,
    /// Whether to look for members on the local network (mDNS), and be seen there.
    pub discover: bool,
    /// Where the dice of reconnecting begin.
    pub seed: u64,
    /// How long one message may take to arrive.
    pub message_timeout: Duration,
    /// Members of an environment up to which everybody sends news to everybody, in one hop. In a larger one news
    /// travel in a mesh.
    pub explicit_max: usize,
    /// Connections that others may make to this node.
    pub incoming_max: u32,
}

impl Config {
    /// Reachable at `port` by QUIC and TCP over IPv6 and IPv4, and looking around.
    pub fn at_port(port: u16, reach: Reach, seed: u64) -> Self {
        let hosts = ["/ip6/::", "/ip4/0.0.0.0"];
        let listen = |host| [format!("{host}/udp/{port}/quic-v1"), format!("{host}/tcp/{port}")];
        Self {
            listen: hosts.into_iter().flat_map(listen).collect(),
            peers: Vec::new(),
            relays: Vec::new(),
            is_relay: false,
            reach,
            discover: true,
            seed,
            message_timeout: codec::MESSAGE_TIMEOUT,
            explicit_max: EXPLICIT_MAX,
            incoming_max: INCOMING_MAX,
        }
    }
}

/// What a node has and knows when its mesh starts.
#[derive(Clone, Debug)]
pub struct World {
    /// Who belongs.
    pub roster: Arc<Roster>,
    /// How far each feed is here.
    pub feeds: BTreeMap<FeedId, Known>,
    /// The last checkpoint this node vouched for, of each log.
    pub vouched: Vec<SignedCheckpoint>,
    /// Where members were reached before, as multiaddrs.
    pub contacts: Vec<(PublicKey, Vec<String>)>,
    /// What it has for members who ask, and where what it fetches goes.
    pub blobs: Blobs,
}

/// Why the mesh did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No address.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// Which.
        address: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The transport cannot use the key.
    #[error("the transport cannot use the node's key")]
    Noise(#[source] libp2p::noise::Error),
    /// No multicast.
    #[error("cannot look for members on the local network")]
    Discovery(#[source] io::Error),
}

/// The task is gone: it was stopped, or it failed and its supervisor starts another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mesh is not running")]
pub struct Stopped;

/// Why a blob is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It was given up.
    #[error(transparent)]
    NotFetched(#[from] NotFetched),
    /// The mesh ended before.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A node's hand on its mesh. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Mesh {
    commands: mpsc::Sender<Command>,
}

impl Mesh {
    /// Starts the mesh of the node with this key, on the present runtime. The task ends when it is stopped or every
    /// handle is gone; if it panics, its supervisor starts another one with the world as it is then.
    pub fn start<P: Port>(
        config: Config,
        key: &NodeKey,
        clock: Clock,
        world: World,
        port: P,
    ) -> Result<(Self, JoinHandle<()>), StartError> {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let task = Task::new(config, key, clock, world, port, inbox)?;
        Ok((Self { commands }, tokio::spawn(task.run())))
    }

    /// Tells everybody what this node wrote, durably; its feed is known so far then.
    pub async fn publish(&self, news: News, known: Known) -> Result<(), Stopped> {
        self.send(Command::Wrote(news, known)).await
    }

    /// A feed grew or was cut by other ways than the mesh.
    pub async fn grew(&self, feed: FeedId, known: Known) -> Result<(), Stopped> {
        self.send(Command::Grew(feed, known)).await
    }

    /// There are other members or cuts. Whoever does not belong any more is disconnected, and whoever does now
    /// is let in.
    pub async fn roster_changed(&self, roster: Arc<Roster>) -> Result<(), Stopped> {
        self.send(Command::Roster(roster)).await
    }

    /// This node signed a checkpoint of its log: ask everybody to witness it.
    pub async fn signed(&self, checkpoint: SignedCheckpoint) -> Result<(), Stopped> {
        self.send(Command::Signed(Box::new(checkpoint))).await
    }

    /// Fetches from whoever has it and may give it. What came of it before is not fetched again, and whoever
    /// wants the same at the same time waits for the same fetch, with the limit of the first.
    pub async fn fetch(&self, want: Want) -> Result<Fetch, Stopped> {
        let (answer, fetch) = oneshot::channel();
        self.send(Command::Fetch { want, answer }).await?;
        fetch.await.map_err(|_| Stopped)
    }

    /// What `peer` tells of a run that it ran. Nothing of it is kept.
    pub async fn read_run(
        &self,
        peer: PublicKey,
        question: Question,
    ) -> Result<Result<Account, NotRead>, Stopped> {
        let (answer, account) = oneshot::channel();
        self.send(Command::Inquire { peer, question, answer }).await?;
        let account = account.await.map_err(|_| Stopped)?;
        Ok(account.and_then(|bytes| crate::wire::decode(&bytes).map_err(|_| NotRead::False)))
    }

    /// Who is here, and what went to and fro.
    pub async fn status(&self) -> Result<Status, Stopped> {
        let (answer, status) = oneshot::channel();
        self.send(Command::Status(answer)).await?;
        status.await.map_err(|_| Stopped)
    }

    /// Says goodbye to everybody and ends the task.
    pub async fn stop(&self) -> Result<(), Stopped> {
        self.send(Command::Stop).await
    }

    async fn send(&self, command: Command) -> Result<(), Stopped> {
        self.commands.send(command).await.map_err(|_| Stopped)
    }
}
