//! A simulated node: the real cores over real records.
//!
//! Owns what the driver and the node around it do in production: carrying out what the cores ask for. Decides
//! nothing of its own. Invariant: whatever a core asks for comes back to it as the input that answers it.

pub(crate) mod process;
pub(crate) mod shelf;

use std::sync::Arc;

use xyn_net::proto::conduct::Misdeed;
use xyn_net::proto::sync::{Proof, Refused};
use xyn_net::wire::{Frame, Known, News};
use xyn_store::Digest;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::NotAdmitted;

pub(crate) use process::Process;
pub(crate) use shelf::Shelf;

/// Which protocol a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    Sync,
    News,
}

/// What a process wants done.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// Send a message to a neighbour.
    Send { peer: PublicKey, talk: Talk, bytes: Arc<[u8]> },
    /// Do something that takes time, and bring the result back.
    Work(Job),
    /// Close the connection.
    Close { peer: PublicKey, why: Closing },
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closing {
    /// A misdeed: the peer is shunned.
    Misdeed(Misdeed),
    /// It does not belong.
    NotAdmitted(NotAdmitted),
    /// The node cannot answer it.
    Unable,
}

/// Something that the node's records are asked for.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Read { peer: PublicKey, feed: FeedId, after: u64, to: u64, credit: u32 },
    ReadProof { peer: PublicKey, feed: FeedId },
    Admit { peer: PublicKey, feed: FeedId, frames: Vec<Frame> },
    AdmitProof { peer: PublicKey, feed: FeedId, proof: Proof },
    Hear { id: Digest, news: News },
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) enum Done {
    Read { peer: PublicKey, feed: FeedId, after: u64, frames: Vec<Frame> },
    ReadProof { peer: PublicKey, feed: FeedId, proof: Option<Proof> },
    Admitted { peer: PublicKey, feed: FeedId, result: Result<Known, Refused> },
    Heard { id: Digest, news: News, result: Result<Known, Refused> },
}
