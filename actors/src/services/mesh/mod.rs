//! The mesh as a service: this node's timeline and its peers'.
//!
//! Owns the supervised task that runs the mesh, and the handle to it. Decides nothing about records, members or
//! tickets: what peers bring goes to the timeline, and what they ask for is submitted as intents. Invariant:
//! what the mesh tells others is durable here.

mod invite;
mod trace;

use arc_swap::ArcSwapOption;
use xyn_net::driver::{Mesh, Stopped};

pub use invite::{Invite, LIFETIME_MAX};
pub use trace::{Line, TRACE_MAX, Trace, What};
pub use xyn_net::driver::{Peer, Reach, Status, Traffic};

/// How a node takes part in the mesh.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How far away peers may be.
    pub reach: Reach,
    /// Where to listen, as multiaddrs.
    pub listen: Vec<String>,
    /// Whom to dial, besides those who are discovered: multiaddrs.
    pub peers: Vec<String>,
}

/// The mesh of a running node.
pub struct Service {
    mesh: ArcSwapOption<Mesh>,
    trace: Trace,
    settings: Settings,
}

impl Service {
    /// Who is here, and what went to and fro since the mesh was started last.
    pub async fn status(&self) -> Result<Status, Stopped> {
        match self.mesh.load_full() {
            Some(mesh) => mesh.status().await,
            None => Err(Stopped),
        }
    }

    /// How the node takes part.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What happened lately.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}
