//! How much of a feed counts.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// How much of a feed the roster admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cut {
    /// All of it.
    Nowhere,
    /// Everything up to and with the record that has this sequence number and hash.
    After {
        /// Sequence number of the last admitted record.
        seq: u64,
        /// Its hash.
        hash: Digest,
    },
    /// None of it: its node is no member, or was revoked before it wrote this feed.
    Everything,
}

impl Cut {
    /// The number of the last admitted record, where there is one.
    pub fn seq(&self) -> Option<u64> {
        match self {
            Self::After { seq, .. } => Some(*seq),
            Self::Nowhere | Self::Everything => None,
        }
    }
}
