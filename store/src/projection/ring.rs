//! Rows of key rings: which one says who counts in an environment.

use serde::{Deserialize, Serialize};

use super::Row;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::scope::Principal;
use crate::tables::{Key, Table};

/// A key ring that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingRow {
    /// For which environment.
    pub env: String,
    /// Which version of it.
    pub version: u64,
    /// Its envelope: the bytes as they were signed.
    pub file: Digest,
    /// When it came into force here.
    pub at: Timestamp,
    /// Who put it there.
    pub by: Principal,
}

impl Row for RingRow {
    const TABLE: Table = Table::KeyRings;

    fn key(&self) -> Key {
        Self::key_of(&self.env)
    }

    fn blobs(&self) -> Vec<Digest> {
        vec![self.file]
    }
}

impl RingRow {
    /// The key of the row of an environment.
    pub fn key_of(env: &str) -> Key {
        Key::new().text(env)
    }
}
