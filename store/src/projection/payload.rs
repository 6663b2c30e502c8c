//! JSON of any size in a row: small documents in it, large ones in a blob that it names.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::json::Json;

/// A JSON document, or where it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// The document.
    Json(Json),
    /// Its text is a blob of the store.
    Blob {
        /// The blob.
        sha256: Digest,
        /// Its length.
        byte_length: u64,
    },
}

impl Payload {
    /// The longest text, in bytes, that a row holds itself.
    pub const INLINE_MAX: usize = 64 * 1024;

    /// The blob it is in, if it is in one.
    pub fn blob(&self) -> Option<Digest> {
        match self {
            Self::Json(_) => None,
            Self::Blob { sha256, .. } => Some(*sha256),
        }
    }
}
