//! What a node is told, and what it must do.
//!
//! Owns the words between core and driver. Invariant: each question among the outputs names the input that
//! answers it.

use std::sync::Arc;

use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::Roster;

use crate::proto::conduct::Misdeed;
use crate::wire::{self, FRAME_BYTES_MAX, Frame, Known, Payload};

/// The proof that a feed forked: opaque here.
pub type Proof = Payload<FRAME_BYTES_MAX>;

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// A member is connected.
    Connected(PublicKey),
    /// It is gone.
    Disconnected(PublicKey),
    /// It sent a message.
    Received {
        /// Who.
        peer: PublicKey,
        /// A [`wire::Sync`].
        bytes: Vec<u8>,
    },
    /// A feed grew or was found to fork, by other ways than an [`Output::Admit`].
    Grew {
        /// Which.
        feed: FeedId,
        /// How far it is known, and counts, now.
        known: Known,
    },
    /// News from this peer do not continue what is here.
    Gap(PublicKey),
    /// Other members or cuts. Feeds that are cut anew come as [`Input::Grew`], and whoever is no member any
    /// more is disconnected by the driver.
    Roster(Arc<Roster>),
    /// The answer to [`Output::Read`].
    Read {
        /// Who asked.
        peer: PublicKey,
        /// Which feed.
        feed: FeedId,
        /// As asked.
        after: u64,
        /// In order; the first one may begin earlier.
        frames: Vec<Frame>,
    },
    /// The answer to [`Output::ReadProof`].
    ReadProof {
        /// Who asked.
        peer: PublicKey,
        /// Which feed.
        feed: FeedId,
        /// The proof that it forked.
        proof: Proof,
    },
    /// The answer to [`Output::Admit`] and [`Output::AdmitProof`].
    Admitted {
        /// Who sent it.
        peer: PublicKey,
        /// Which feed.
        feed: FeedId,
        /// How far the feed is known, durably, now.
        result: Result<Known, Refused>,
    },
    /// Time passed.
    Tick,
}

/// Why frames or a proof were not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// They are false, or not what they are said to be.
    #[error("they do not verify")]
    False,
    /// They are rightly signed frames, and say what this program does not take from their author: seen by whoever has
    /// what comes before them.
    #[error("they say what is not taken from their author")]
    Unfit {
        /// Whether a newer version of this program understands them.
        is_newer: bool,
    },
    /// They are frames of a newer version of this program.
    #[error("a newer version of this program wrote them")]
    Newer,
    /// Rightly signed, but the first does not continue the record before it: the feed forked further back.
    #[error("they do not continue what is here")]
    Unlinked,
    /// The roster does not admit them.
    #[error("the roster does not admit them")]
    Cut,
    /// Their author writes faster than anybody takes it. Whoever sent them is not to blame.
    #[error("their author writes faster than is taken")]
    Paced,
    /// Nothing can be kept at the moment.
    #[error("nothing can be kept at the moment")]
    Busy,
}

/// What the driver must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message.
    Send {
        /// To whom.
        peer: PublicKey,
        /// What.
        message: wire::Sync,
    },
    /// Read the frames of a feed, and answer with [`Input::Read`].
    Read {
        /// Who asked.
        peer: PublicKey,
        /// Which feed.
        feed: FeedId,
        /// The record after which to begin.
        after: u64,
        /// The last record to send.
        to: u64,
        /// How many bytes to read; the first frame may be longer.
        credit: u32,
    },
    /// Read the proof that a feed forked, and answer with [`Input::ReadProof`].
    ReadProof {
        /// Who asked.
        peer: PublicKey,
        /// Which feed.
        feed: FeedId,
    },
    /// Verify and keep frames, and answer with [`Input::Admitted`].
    Admit {
        /// Who sent them.
        peer: PublicKey,
        /// Which feed.
        feed: FeedId,
        /// In order, without a gap.
        frames: Vec<Frame>,
    },
    /// Verify and keep the proof that a feed forked, and answer with [`Input::Admitted`].
    AdmitProof {
        /// Who sent it.
        peer: PublicKey,
        /// Which feed.
        feed: FeedId,
        /// Two records under one number.
        proof: Proof,
    },
    /// Close the connection, shun the peer and say why in the log.
    Drop {
        /// Whose.
        peer: PublicKey,
        /// Why.
        reason: Misdeed,
    },
}
