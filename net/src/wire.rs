//! The shapes on the wire: versioned postcard in messages of at most 1 MiB.
//!
//! Owns their bytes and bounds. Verifies no record and no statement: these are opaque here. Invariant: what
//! decodes fits the bounds of its type. Variants are append-only under one version.

pub mod blobs;
mod bounded;
pub mod contacts;
mod payload;
pub mod runs;
#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::signature::Signature;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{EnvId, Head, NotRedeemed, Place, TicketId, TicketSecret};
use xyn_store::{Digest, Timestamp};

pub use bounded::Bounded;
pub use payload::Payload;

/// The most bytes of any message.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// The most bytes of one frame of records, so that a message has room for it and its address.
pub const FRAME_BYTES_MAX: usize = 768 << 10;
/// The most feeds of which one message speaks.
pub const FEEDS_MAX: usize = 4096;
/// The most frames in one message.
pub const FRAMES_MAX: usize = 4096;
/// The most statements in the answer to a ticket.
pub const STATEMENTS_MAX: usize = 4096;
/// The most hashes of a consistency proof: two for each bit of a size.
pub const PROOF_HASHES_MAX: usize = 128;
/// The parts into which a version vector is summed up.
pub const BUCKETS: usize = 16;

/// The first byte of every message.
const VERSION: u8 = 1;

/// A message of one protocol.
pub trait Message: Serialize + DeserializeOwned {
    /// The name under which two nodes agree to speak it.
    const PROTOCOL: &'static str;
    /// The most bytes it takes.
    const BYTES_MAX: usize = MESSAGE_BYTES_MAX;
}

/// Why bytes are no message.
#[derive(Debug, thiserror::Error)]
pub enum InvalidMessage {
    /// Too many bytes.
    #[error("a message of {size} bytes is longer than {max}")]
    TooLarge {
        /// Its length.
        size: usize,
        /// What its protocol allows.
        max: usize,
    },
    /// Sent by a newer version of this program.
    #[error("message version {0} is newer than this program understands; upgrade it")]
    Newer(u8),
    /// Cut short, out of bounds, or no message.
    #[error("the message is malformed")]
    Malformed(#[source] Option<postcard::Error>),
}

/// The bytes of a message.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    postcard::to_extend(message, vec![VERSION]).expect("plain data always encodes into a growing buffer")
}

/// The message in `bytes`.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, InvalidMessage> {
    if bytes.len() > M::BYTES_MAX {
        return Err(InvalidMessage::TooLarge { size: bytes.len(), max: M::BYTES_MAX });
    }
    let malformed = InvalidMessage::Malformed;
    match bytes.split_first() {
        Some((&VERSION, content)) => match postcard::take_from_bytes(content) {
            Ok((message, [])) => Ok(message),
            Ok(_) => Err(malformed(None)),
            Err(error) => Err(malformed(Some(error))),
        },
        Some((&version, _)) if version > VERSION => Err(InvalidMessage::Newer(version)),
        _ => Err(malformed(None)),
    }
}

/// Consecutive records of one feed under one signature, verbatim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Sequence number of its first record, as its sender says.
    pub from: u64,
    /// Sequence number of its last record, as its sender says.
    pub to: u64,
    /// What is signed.
    pub bytes: FrameBytes,
}

impl Frame {
    /// How many records are in it, as its sender says.
    pub fn count(&self) -> u64 {
        self.to.saturating_sub(self.from).saturating_add(1)
    }
}

/// The bytes of a frame, which others than this floor read.
pub type FrameBytes = Payload<FRAME_BYTES_MAX>;

/// How far a node has a feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The last record that counts, or that others may have built on.
    pub head: Option<Head>,
    /// Where its author signed two records, and that a proof of it is here.
    pub fork: Option<u64>,
}

/// A version vector in 256 bytes: of each part of the feeds the first half of a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary(pub [[u8; 16]; BUCKETS]);

/// Anti-entropy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sync {
    /// What I have, in short.
    Summary(Summary),
    /// What I have, where we differ.
    Have {
        /// By feed.
        feeds: Bounded<(FeedId, Known), FEEDS_MAX>,
        /// Parts of the vector of which I ask the same, a bit each.
        ask: u16,
    },
    /// Send me the frames of a feed.
    Want {
        /// Which feed.
        feed: FeedId,
        /// The record after which to begin.
        after: u64,
        /// How many bytes I will take; one frame may be more.
        credit: u32,
    },
    /// The answer to a want. No frame: there is no more.
    Frames {
        /// Which feed.
        feed: FeedId,
        /// As in the want.
        after: u64,
        /// In order, without a gap.
        frames: Bounded<Frame, FRAMES_MAX>,
    },
    /// Send me the proof that a feed forked.
    WantProof {
        /// Which feed.
        feed: FeedId,
    },
    /// The proof that a feed forked.
    Proof {
        /// Which feed.
        feed: FeedId,
        /// Two records under one number, with what shows that the author signed both.
        proof: Payload<FRAME_BYTES_MAX>,
    },
}

/// News: a frame that was just written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Which feed.
    pub feed: FeedId,
    /// What was written.
    pub frame: Frame,
}

/// What a stranger with a ticket says, and is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Join {
    /// Let me in.
    Redeem(Redeem),
    /// Come in.
    Welcome {
        /// Every statement that the newcomer needs to see itself as a member, its certificate among them.
        statements:
            Bounded<(Payload<{ xyn_store::trust::STATEMENT_BYTES_MAX }>, Option<Place>), STATEMENTS_MAX>,
    },
    /// Stay out.
    Refused(NotRedeemed),
}

/// A ticket, shown at the door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeem {
    /// The environment.
    pub env: EnvId,
    /// Which ticket.
    pub ticket: TicketId,
    /// That I hold it.
    pub secret: TicketSecret,
    /// My consent to a seat below you, by the key I came with.
    pub consent: Signature,
}

/// Nodes vouching for each other's logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Witness {
    /// My log is this long now: witness it.
    Offer(SignedCheckpoint),
    /// Show that it continues what I witnessed.
    Prove(Growth),
    /// It continues it (RFC 9162 §2.1.4).
    Proof {
        /// As asked.
        growth: Growth,
        /// The nodes of the tree that show it.
        hashes: Bounded<Digest, PROOF_HASHES_MAX>,
    },
    /// I vouch for what you offered.
    Witnessed {
        /// Its size.
        size: u64,
        /// When it was signed.
        at: Timestamp,
        /// My signature over it.
        signature: Signature,
    },
}

/// How much a log grew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    /// Whose log, and of which life.
    pub log: FeedId,
    /// Its size when it was witnessed.
    pub from: u64,
    /// Its size as it is offered.
    pub to: u64,
}

impl Sync {
    /// The one feed that it is about.
    pub fn feed(&self) -> Option<FeedId> {
        match self {
            Self::Want { feed, .. }
            | Self::Frames { feed, .. }
            | Self::WantProof { feed }
            | Self::Proof { feed, .. } => Some(*feed),
            Self::Summary(_) | Self::Have { .. } => None,
        }
    }
}

impl Message for Sync {
    const PROTOCOL: &'static str = "/xyn/sync/1";
}

impl Message for News {
    const PROTOCOL: &'static str = "/xyn/news/1";
}

impl Message for Join {
    const PROTOCOL: &'static str = "/xyn/join/1";
}

impl Message for Witness {
    const PROTOCOL: &'static str = "/xyn/witness/1";
    const BYTES_MAX: usize = 16 << 10;
}
