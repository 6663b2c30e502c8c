//! Who belongs to an environment: certificates, revocations, and what follows from them.
//!
//! Owns the statements members make about each other, the roster they add up to, and the tickets by which a
//! newcomer gets in. Pure: keys, times and secrets are arguments. Invariant: whoever knows the same
//! statements sees the same members and the same cuts, in whatever order they came.

mod carried;
mod cut;
mod fold;
mod invitation;
mod renewal;
mod role;
mod roster;
mod rotation;
mod statement;
#[cfg(test)]
mod tests;
mod ticket;
mod verified;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::audit::signature::{InvalidPublicKey, PublicKey};

pub use cut::{Cut, Head};
pub use fold::{NotCounted, RANK_MAX};
pub use invitation::{Invitation, NotRedeemed};
pub use role::{InvalidRole, Role};
pub use roster::{Member, NotAdmitted, Place, Placed, Roster, Standing};
pub use statement::{
    Certificate, Claim, HEADS_MAX, InvalidStatement, PRINCIPAL_MAX_CHARS, REASON_MAX_CHARS, Revocation,
    STATEMENT_BYTES_MAX, Seat, SignedStatement, Statement, Succession,
};
pub use ticket::{InvalidTicket, InvalidTicketId, Ticket, TicketId, TicketSecret};

/// An environment: a set of nodes with one roster and one timeline. Its id is the public half of its root
/// key, so that knowing the id is enough to check everything else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnvId(PublicKey);

impl EnvId {
    /// The environment rooted in `root`.
    pub fn rooted_in(root: PublicKey) -> Self {
        Self(root)
    }

    /// The root key: the one above everybody. It may be kept offline and writes no feed.
    pub fn root(&self) -> PublicKey {
        self.0
    }
}

impl fmt::Display for EnvId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for EnvId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for EnvId {
    type Err = InvalidPublicKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}
