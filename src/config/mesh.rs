//! Whether a node takes part in the mesh, where it listens and whom it dials.
//!
//! Invariant: nothing listens beyond this machine unless the settings say so.

use clap::ValueEnum;
use serde::Deserialize;
use xyn_actors::services::mesh::{Reach, Settings};

/// Where a node in the mesh listens when nothing says otherwise.
pub(super) const DEFAULT_LISTEN: [&str; 4] = [
    "/ip6/::/udp/4311/quic-v1",
    "/ip6/::/tcp/4311",
    "/ip4/0.0.0.0/udp/4311/quic-v1",
    "/ip4/0.0.0.0/tcp/4311",
];

/// Whether a node takes part in the mesh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum MeshMode {
    /// It does, with members wherever they are.
    On,
    /// It does, on the local network alone.
    Lan,
    /// It works alone.
    #[default]
    Off,
}

/// What the settings say about the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshSettings {
    /// Whether the node takes part.
    pub mode: MeshMode,
    /// Where it listens, as multiaddrs.
    pub listen: Vec<String>,
    /// Whom it dials, as multiaddrs.
    pub peers: Vec<String>,
}

impl MeshMode {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Lan => "lan",
            Self::Off => "off",
        }
    }
}

impl MeshSettings {
    /// What the mesh is started with; none when the node works alone.
    pub fn service(&self) -> Option<Settings> {
        let reach = match self.mode {
            MeshMode::On => Reach::Anywhere,
            MeshMode::Lan => Reach::Lan,
            MeshMode::Off => return None,
        };
        Some(Settings { reach, listen: self.listen.clone(), peers: self.peers.clone() })
    }
}
