//! Runs on the wire: a member asks the node that ran one what it did, step by step.
//!
//! Owns what a question names, and in what pieces an account travels that may be longer than a message. Decides
//! nothing about who may know. Invariant: a message at every bound fits its protocol.

mod account;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use xyn_store::Digest;
use xyn_store::ids::{EntryId, RunId};
use xyn_store::projection::StepKey;

use super::{MESSAGE_BYTES_MAX, Message, Payload};

pub use account::{Account, Run, Step, Wait};

/// The most bytes of an account in one message.
pub const PIECE_BYTES_MAX: usize = MESSAGE_BYTES_MAX - 128;
/// The most bytes of an account: a step whose input and output are as long as may be fits.
pub const ACCOUNT_BYTES_MAX: usize = 8 << 20;
/// The most steps of one account.
pub const STEPS_MAX: usize = 200;
/// The most bytes of the name of a step.
pub const NAME_BYTES_MAX: usize = 1 << 10;

/// The name of a step; opaque here.
pub type Name = Payload<NAME_BYTES_MAX>;

/// What is asked of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The run.
    pub run: RunId,
    /// The moment of the asked node that names it.
    pub moment: EntryId,
    /// What of it.
    pub part: Part,
}

/// What of a run is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// How it stands.
    Whole,
    /// Steps, in the plan's order.
    Steps {
        /// Those behind this one; from the first on when none is named.
        after: Option<StepKey>,
        /// How many at most. Fewer may come, because an account has a bound.
        limit: u16,
    },
    /// The step with this name, or an item of its fan-out.
    Step(Name),
}

/// Questions about runs, and their answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Runs {
    /// Tell me of a run.
    Ask {
        /// The asker's number of it.
        number: u64,
        /// What.
        question: Question,
        /// From which byte of the account on.
        from: u32,
    },
    /// A piece of the account.
    Piece {
        /// As asked.
        number: u64,
        /// From where was asked on.
        piece: Piece,
    },
    /// Nothing is told.
    Withheld {
        /// As asked.
        number: u64,
        /// Why.
        why: Withheld,
    },
}

/// A piece of an account, as long as it can be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The digest of the whole account: while a run goes on, the next piece may be one of another.
    pub whole: Digest,
    /// The length of the whole account.
    pub length: u32,
    /// The bytes.
    pub bytes: Payload<PIECE_BYTES_MAX>,
}

impl Piece {
    /// The piece of `account` from byte `from` on; none of one that is too long.
    pub fn of(account: &[u8], from: u32) -> Option<Self> {
        let length = u32::try_from(account.len()).ok().filter(|_| account.len() <= ACCOUNT_BYTES_MAX)?;
        let rest = account.get(from as usize..).unwrap_or_default();
        let bytes = Payload::new(&rest[..rest.len().min(PIECE_BYTES_MAX)])?;
        Some(Self { whole: Digest::of(account), length, bytes })
    }
}

/// Why nothing is told of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Withheld {
    /// It is not there, or no moment of that node names it.
    #[error("it is not there, or no moment of that node names it")]
    Unknown,
    /// A policy of that node denies it.
    #[error("a policy of that node denies `runs.read`")]
    Denied,
    /// It has more bytes than an account may have.
    #[error("it is longer than {ACCOUNT_BYTES_MAX} bytes, and is told by no message")]
    TooLarge,
    /// It cannot be read now.
    #[error("that node cannot read it now")]
    Unavailable,
}

impl Message for Runs {
    const PROTOCOL: &'static str = "/xyn/runs/1";
}

impl Message for Account {
    const PROTOCOL: &'static str = Runs::PROTOCOL;
    const BYTES_MAX: usize = ACCOUNT_BYTES_MAX;
}
