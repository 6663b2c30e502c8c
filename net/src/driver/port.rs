//! What the mesh asks of the node, and what it tells it.
//!
//! Owns the words between driver and node; names nothing of the transport. Invariant: every question is
//! answered, so that what the cores wait for comes.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::NotAdmitted;
use xyn_store::{Digest, Timestamp};

use super::codec::BadFrame;
use super::handshake::BadHandshake;
use crate::proto::conduct::Misdeed;
use crate::proto::join::door;
use crate::proto::sync::{Proof, Refused};
use crate::proto::witness::Contradiction;
use crate::wire::runs::{Question, Withheld};
use crate::wire::{Frame, Growth, Known, Redeem};

/// The node, as the mesh sees it. How many questions are open at a time is bounded by the cores.
pub trait Port: Send + Sync + 'static {
    /// Frames of a feed after record `after`, up to record `to`, of about `credit` bytes. None when they are
    /// gone, or cannot be read now.
    fn read(&self, feed: FeedId, after: u64, to: u64, credit: u32)
    -> impl Future<Output = Vec<Frame>> + Send;

    /// The proof that a feed forked; none when it cannot be read now.
    fn read_proof(&self, feed: FeedId) -> impl Future<Output = Option<Proof>> + Send;

    /// Verifies and keeps frames that `peer` sent, and says how far the feed is known then, durably. Frames
    /// behind a gap may be kept aside or forgotten.
    fn admit(
        &self,
        peer: PublicKey,
        feed: FeedId,
        frames: Vec<Frame>,
    ) -> impl Future<Output = Result<Known, Refused>> + Send;

    /// Verifies and keeps the proof, which `peer` sent, that a feed forked.
    fn admit_proof(
        &self,
        peer: PublicKey,
        feed: FeedId,
        proof: Proof,
    ) -> impl Future<Output = Result<Known, Refused>> + Send;

    /// Whether a ticket lets `peer` in.
    fn redeem(&self, peer: PublicKey, request: Redeem) -> impl Future<Output = door::Decision> + Send;

    /// The proof that this node's log grew and nothing else; none when there is none.
    fn prove(&self, growth: Growth) -> impl Future<Output = Option<Vec<Digest>>> + Send;

    /// Keeps a peer's checkpoint durably and signs it as a witness; none when it cannot be kept now.
    fn vouch(&self, checkpoint: SignedCheckpoint) -> impl Future<Output = Option<Signature>> + Send;

    /// What `peer` is told of a run: the bytes of an [`Account`](crate::wire::runs::Account). Whether it may know is
    /// decided for each question anew.
    fn tell_run(
        &self,
        peer: PublicKey,
        question: Question,
    ) -> impl Future<Output = Result<Vec<u8>, Withheld>> + Send;

    /// Takes note. Must not wait.
    fn notice(&self, event: Event);
}

/// What the node is told.
#[derive(Debug)]
pub enum Event {
    /// The mesh is reachable at this address.
    Listening(String),
    /// A member is here.
    Connected(PublicKey),
    /// A member is gone.
    Disconnected(PublicKey),
    /// A member is reached there, as it showed: worth remembering.
    Located {
        /// Who.
        node: PublicKey,
        /// Where, as multiaddrs: all that is known.
        addresses: Vec<String>,
    },
    /// Somebody, or something somebody did, was refused.
    Refused {
        /// Who; unknown before the handshake.
        peer: Option<PublicKey>,
        /// Why.
        why: Refusal,
    },
    /// A witness vouches for this node's log. Its signature verifies.
    Witnessed {
        /// Who.
        witness: PublicKey,
        /// For what.
        checkpoint: SignedCheckpoint,
        /// Its signature.
        signature: Signature,
    },
    /// A member's log is not what it was.
    Alarm {
        /// Whose.
        peer: PublicKey,
        /// What it signed before.
        before: SignedCheckpoint,
        /// What it signed now.
        now: SignedCheckpoint,
        /// How they disagree.
        why: Contradiction,
    },
}

/// Why somebody was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The roster does not admit it.
    #[error(transparent)]
    NotAdmitted(NotAdmitted),
    /// It was dropped for a misdeed a while ago.
    #[error("it was dropped a while ago, and is not talked to yet")]
    Shunned,
    /// It did something.
    #[error(transparent)]
    Misdeed(Misdeed),
    /// It sent what is no message, or not in time.
    #[error(transparent)]
    Frame(BadFrame),
    /// The door closed on it.
    #[error(transparent)]
    Door(door::Closing),
    /// Nobody knows who it is.
    #[error("{why} (from {from})")]
    Handshake {
        /// Where it is: a multiaddr without a port.
        from: String,
        /// Why not.
        why: BadHandshake,
    },
    /// A peer id that is no Ed25519 key, or another key than the one that was dialled.
    #[error("peer id `{found}` is not that of the node that was expected")]
    NotItsKey {
        /// The peer id.
        found: String,
        /// Whether it is that of another member.
        is_member: bool,
    },
    /// Not on the local network, to which the settings keep this node.
    #[error("it is not on the local network")]
    Far,
    /// It became a member, or ceased to be one, and comes back on the other side.
    #[error("its standing changed")]
    OtherSide,
    /// Too many connections.
    #[error("too many connections: {0}")]
    Crowded(String),
    /// It does not speak this protocol with this node: another version, or it does not know this node as a
    /// member yet.
    #[error("it does not speak {0} with this node")]
    Protocol(&'static str),
    /// It takes news slower than they come.
    #[error("it takes news too slowly: some were not sent to it, and have to be asked for")]
    NewsUnsent,
    /// A connection on which it answers no ping.
    #[error("a connection to it is dead: {0}")]
    Silent(String),
}

impl Refusal {
    /// Whether it is for something that no honest peer does.
    pub(super) fn is_misdeed(&self) -> bool {
        matches!(self, Self::Misdeed(_) | Self::Frame(BadFrame::TooLarge { .. } | BadFrame::Packed))
    }

    /// Whether it is worth a warning: it comes from a key that was taken from its holder, which somebody may have got
    /// hold of; nobody honest causes it; a stranger answers where a member was dialled, and may want to be taken for it;
    /// or this node has all that it may have of something. Of the rest a node hears while everybody is honest: standings
    /// change, lines are bad, and addresses go to other members.
    pub(super) fn is_alarming(&self) -> bool {
        match self {
            Self::NotAdmitted(why) => matches!(why, NotAdmitted::Revoked(_)),
            // A member of whom this node has not heard yet has no ticket to show.
            Self::Door(why) => *why != door::Closing::Silent,
            Self::Handshake { why, .. } => matches!(why, BadHandshake::False(_)),
            // A line may be bad; but one that stalls for as long as this ends a connection.
            Self::Misdeed(_)
            | Self::Frame(BadFrame::TooLarge { .. } | BadFrame::Packed | BadFrame::Slow(_)) => true,
            Self::Crowded(_) => true,
            Self::Frame(BadFrame::Cut) | Self::Shunned | Self::Far | Self::OtherSide => false,
            Self::NotItsKey { is_member, .. } => !is_member,
            Self::Protocol(_) | Self::NewsUnsent | Self::Silent(_) => false,
        }
    }

    /// The name under which it is counted.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NotAdmitted(NotAdmitted::Stranger(_)) => "stranger",
            Self::NotAdmitted(NotAdmitted::Revoked(_)) => "revoked",
            Self::NotAdmitted(NotAdmitted::Retired(_)) => "retired",
            Self::NotAdmitted(NotAdmitted::Expired(..)) => "expired",
            Self::Shunned => "shunned",
            Self::Misdeed(Misdeed::Lie) => "lie",
            Self::Misdeed(Misdeed::FalseChunk) => "false_chunk",
            Self::Misdeed(Misdeed::FalseManifest) => "false_manifest",
            Self::Misdeed(Misdeed::Flood) => "flood",
            Self::Misdeed(Misdeed::Stall) => "stall",
            Self::Misdeed(Misdeed::Unasked) => "unasked",
            Self::Misdeed(Misdeed::Malformed) => "malformed",
            Self::Misdeed(Misdeed::Newer) => "newer",
            Self::Misdeed(Misdeed::Empty) => "empty",
            Self::Frame(BadFrame::TooLarge { .. }) => "too_large",
            Self::Frame(BadFrame::Slow(_)) => "slow",
            Self::Frame(BadFrame::Packed) => "packed_wrong",
            Self::Frame(BadFrame::Cut) => "cut_short",
            Self::Door(_) => "door",
            Self::Handshake { .. } => "handshake",
            Self::NotItsKey { .. } => "not_its_key",
            Self::Far => "far",
            Self::OtherSide => "other_side",
            Self::Crowded(_) => "crowded",
            Self::Protocol(_) => "protocol",
            Self::NewsUnsent => "news_unsent",
            Self::Silent(_) => "silent",
        }
    }
}

/// Who is here, and what went to and fro.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Where this node is reachable, with its peer id: what a ticket says.
    pub listening: Vec<String>,
    /// Connected members, by key.
    pub peers: Vec<Peer>,
    /// Since the mesh was started.
    pub traffic: Traffic,
}

/// A connected member.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its key.
    pub node: PublicKey,
    /// Where it is, as the transport sees it.
    pub address: String,
    /// Since when.
    pub since: Timestamp,
    /// Records that it says it has and this node has not.
    pub lag_records: u64,
    /// How long a ping takes.
    pub round_trip: Option<Duration>,
}

/// Counters that only grow.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// Records that came from peers and were new.
    pub records_in: u64,
    /// Records sent: in answer to peers that asked, and as news; those count once, however many hear them.
    pub records_out: u64,
    /// Bytes of answers about blobs that came, most of them chunks.
    pub blob_bytes_in: u64,
    /// Bytes of such answers sent.
    pub blob_bytes_out: u64,
    /// Bytes of messages received, as they are before they are packed; handshakes and framing not counted.
    pub bytes_in: u64,
    /// Bytes of messages sent to peers, as they are before they are packed; news count once, however many hear them.
    pub bytes_out: u64,
    /// Frames and proofs that were not admitted, and everybody refused, by [`Refusal::label`] or reason.
    pub refused: BTreeMap<&'static str, u64>,
}

/// How far the mesh reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere.
    #[default]
    Anywhere,
    /// The local network: whoever is elsewhere is neither dialled nor answered.
    Lan,
}
