//! What happened to a session: the facts its stream consists of.
//!
//! Variants and fields are append-only: postcard writes them by position, and old journals stay readable.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xyn_store::Timestamp;

/// A fact about a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It was opened for the principal to whom the entry is attributed.
    Opened {
        /// How it came: `loopback`, `token`, `browser`.
        via: String,
        /// When it ends by itself; none for one that lasts as long as the node runs.
        expires_at: Option<Timestamp>,
    },
    /// It was closed.
    Closed {
        /// Why.
        reason: Reason,
    },
}

/// Why a session was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Somebody asked for it.
    Asked,
    /// Its time was over.
    Expired,
    /// The node stopped in good order.
    NodeStopped,
    /// The node was killed while it was open; said by its next start.
    NodeKilled,
}

impl Event {
    /// The catalogue's name for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "xyn.session.opened",
            Self::Closed { .. } => "xyn.session.closed",
        }
    }

    /// What it says.
    pub(crate) fn data(&self) -> Value {
        match self {
            Self::Opened { via, expires_at: None } => json!({ "via": via }),
            Self::Opened { via, expires_at } => json!({ "via": via, "expires_at": expires_at }),
            Self::Closed { reason } => json!({ "reason": reason }),
        }
    }
}
