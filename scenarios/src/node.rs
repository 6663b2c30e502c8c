//! A simulated node: the real cores over real records.
//!
//! Owns what the driver and the node around it do in production: carrying out what the cores ask for. Decides
//! nothing of its own. Invariant: whatever a core asks for comes back to it as the input that answers it.

mod attest;
pub(crate) mod chest;
mod contacts;
pub(crate) mod process;
pub(crate) mod shelf;
pub(crate) mod trade;

use std::sync::Arc;

use xyn_net::proto::blobs::{self, AskId, Parcel};
use xyn_net::proto::conduct::Misdeed;
use xyn_net::proto::join::door;
use xyn_net::proto::sync::{Proof, Refused};
use xyn_net::proto::witness::Contradiction;
use xyn_net::wire::blobs::{Answer, Ask};
use xyn_net::wire::contacts::Contact;
use xyn_net::wire::{Frame, Growth, Known, News, Redeem};
use xyn_store::Digest;
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::blobs::Manifest;
use xyn_store::projection::WitnessRow;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::NotAdmitted;

pub(crate) use chest::Chest;
pub(crate) use process::Process;
pub(crate) use shelf::Shelf;
pub(crate) use shelf::intake::Intake;

/// Which protocol a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    Sync,
    News,
    /// A question about content, by its asker's number.
    Ask(AskId),
    /// The answer to it; without a byte when the stream broke.
    Answer(AskId),
    /// What is said at the door.
    Join,
    /// What is said about logs.
    Witness,
    /// What is said about where members are.
    Contacts,
}

/// What a process wants done.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// Send a message to a neighbour.
    Send { peer: PublicKey, talk: Talk, bytes: Arc<[u8]> },
    /// Do something that takes time, and bring the result back.
    Work(Job),
    /// Judge these records, with others that come at the same time.
    HandIn(Intake),
    /// Nothing more of this blob comes for now.
    Shut(Digest),
    /// A peer's log is not what it was.
    Alarm { peer: PublicKey, why: Contradiction },
    /// Keep all that is known of where a member is.
    Located(PublicKey),
    /// A neighbour says where it is.
    Introduced(Contact),
    /// A neighbour says where another member is.
    Rumoured(Contact),
    /// A stranger has its answer and is expected to leave.
    Farewell(PublicKey),
    /// Close the connection.
    Close { peer: PublicKey, why: Closing },
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// A misdeed: the peer is shunned.
    Misdeed(Misdeed),
    /// It does not belong.
    NotAdmitted(NotAdmitted),
    /// The node cannot answer it.
    Unable,
    /// It came to the door and has no business there.
    Door(door::Closing),
}

/// Something that the node's records or its content are asked for.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Read { peer: PublicKey, feed: FeedId, after: u64, to: u64, credit: u32 },
    ReadProof { peer: PublicKey, feed: FeedId },
    Judge,
    AdmitProof { peer: PublicKey, feed: FeedId, proof: Proof },
    Content(Errand),
    Redeem { peer: PublicKey, request: Box<Redeem> },
    Prove { peer: PublicKey, growth: Growth },
    Vouch { peer: PublicKey, checkpoint: Box<SignedCheckpoint> },
    Attest(Box<WitnessRow>),
}

/// Something that the node's content is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Errand {
    Open { manifest: Arc<Manifest>, is_bundle: bool },
    Keep { object: Digest, ask: AskId, chunks: Vec<Digest>, parcel: Parcel },
    Assemble(Digest),
    Serve { id: u64, ask: Ask },
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) enum Done {
    Read { peer: PublicKey, feed: FeedId, after: u64, frames: Vec<Frame> },
    ReadProof { peer: PublicKey, feed: FeedId, proof: Option<Proof> },
    Admitted { peer: PublicKey, feed: FeedId, result: Result<Known, Refused> },
    Heard { id: Digest, news: News, result: Result<Known, Refused> },
    Content(Fetched),
    Seen(Seen),
}

/// What came of looking at a log.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Proved { peer: PublicKey, growth: Growth, hashes: Option<Vec<Digest>> },
    Vouched { peer: PublicKey, checkpoint: SignedCheckpoint, signature: Option<Signature> },
    Kept,
}

/// What came of an errand.
#[derive(Clone, Debug)]
pub(crate) enum Fetched {
    Input(blobs::Input),
    Answer { id: u64, answer: Answer },
}
