//! What a node is told of reading runs, and what it must do.
//!
//! Owns the words between core and driver. Invariant: each question among the outputs names the input that
//! answers it.

use xyn_store::audit::signature::PublicKey;

use super::ANSWER_TIMEOUT;
use crate::proto::conduct::Misdeed;
use crate::wire::runs::{Piece, Question, Runs, Withheld};

/// The driver's number of a question that is asked here.
pub type ReadId = u64;
/// The core's number of an account that is being made.
pub type TellId = u64;

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
        /// A [`Runs`].
        bytes: Vec<u8>,
    },
    /// Somebody here wants to be told of a run.
    Read {
        /// The driver's number of it.
        read: ReadId,
        /// The node that ran it.
        peer: PublicKey,
        /// What.
        question: Question,
    },
    /// The answer to [`Output::Tell`].
    Told {
        /// As told.
        tell: TellId,
        /// The piece that was asked for, or why there is none.
        result: Result<Piece, Withheld>,
    },
    /// Time passed.
    Tick,
}

/// Why a run was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRead {
    /// The node that ran it is not here, or left before it had answered.
    #[error("that node is not connected")]
    Away,
    /// It did not answer.
    #[error("that node did not answer within {} seconds", ANSWER_TIMEOUT.as_secs())]
    Late,
    /// It tells nothing.
    #[error(transparent)]
    Withheld(#[from] Withheld),
    /// What it sent is not what it said it would be.
    #[error("what that node sent is not what it said it would be")]
    False,
    /// The run goes on faster than it can be told.
    #[error("the run goes on faster than it can be told")]
    Changing,
    /// Too much is being read already.
    #[error("too many runs of other nodes are being read already")]
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
        message: Runs,
    },
    /// Ask the node what it tells `peer`, and answer with [`Input::Told`].
    Tell {
        /// The number of it.
        tell: TellId,
        /// Who asks.
        peer: PublicKey,
        /// What it asks.
        question: Question,
        /// From which byte of the account on.
        from: u32,
    },
    /// Answer whoever wanted to be told: the bytes of an [`Account`](crate::wire::runs::Account).
    Read {
        /// As told.
        read: ReadId,
        /// What came of it.
        result: Result<Vec<u8>, NotRead>,
    },
    /// Close the connection, shun the peer and say why in the log.
    Drop {
        /// Whose.
        peer: PublicKey,
        /// Why.
        reason: Misdeed,
    },
}
