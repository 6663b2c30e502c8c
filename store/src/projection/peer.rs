//! Rows about other nodes: who was invited, where they are, and what is vouched for.

use serde::{Deserialize, Serialize};

use super::Row;
use crate::audit::checkpoint::SignedCheckpoint;
use crate::audit::signature::{PublicKey, Signature};
use crate::tables::{Key, Table};
use crate::trust::{Invitation, TicketId};

impl Row for Invitation {
    const TABLE: Table = Table::Invitations;

    fn key(&self) -> Key {
        Self::key_of(self.id)
    }
}

impl Invitation {
    /// The key of an invitation's row.
    pub fn key_of(ticket: TicketId) -> Key {
        Key::new().bytes(&ticket.0)
    }
}

/// For how long whoever comes in on a ticket belongs. Without such a row it is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermRow {
    /// The ticket.
    pub ticket: TicketId,
    /// Seconds for which the certificate is good, from when it is issued.
    pub valid_for_s: u64,
}

impl Row for TermRow {
    const TABLE: Table = Table::InvitationTerms;

    fn key(&self) -> Key {
        Invitation::key_of(self.ticket)
    }
}

/// Where a node was said to be reachable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactRow {
    /// The node.
    pub node: PublicKey,
    /// As multiaddrs.
    pub addresses: Vec<String>,
}

impl Row for ContactRow {
    const TABLE: Table = Table::Contacts;

    fn key(&self) -> Key {
        Key::new().bytes(self.node.as_bytes())
    }
}

/// The last checkpoint of a log for which this node vouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VouchedRow(pub SignedCheckpoint);

impl Row for VouchedRow {
    const TABLE: Table = Table::Vouched;

    fn key(&self) -> Key {
        let checkpoint = &self.0.checkpoint;
        Key::new().bytes(checkpoint.node.as_bytes()).u64(checkpoint.incarnation)
    }
}

/// A witness's word for this node's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessRow {
    /// Who vouches.
    pub witness: PublicKey,
    /// For what.
    pub checkpoint: SignedCheckpoint,
    /// Its signature.
    pub signature: Signature,
}

impl Row for WitnessRow {
    const TABLE: Table = Table::Witnesses;

    fn key(&self) -> Key {
        Key::new().u64(self.checkpoint.checkpoint.size).bytes(self.witness.as_bytes())
    }
}
