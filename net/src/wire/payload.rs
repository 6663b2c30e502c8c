//! Opaque bytes, shared rather than copied.
//!
//! Owns bytes of a length that its type bounds. Invariant: more than that is refused before it is copied.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// At most `MAX` bytes that this floor does not read.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload<const MAX: usize>(Arc<[u8]>);

impl<const MAX: usize> Payload<MAX> {
    /// The bytes, or nothing when they are too many.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= MAX).then(|| Self(bytes.into()))
    }
}

impl<const MAX: usize> Deref for Payload<MAX> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Shows how many there are.
impl<const MAX: usize> fmt::Debug for Payload<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<const MAX: usize> Serialize for Payload<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Payload<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Bytes)
    }
}

struct Bytes<const MAX: usize>;

impl<const MAX: usize> Visitor<'_> for Bytes<MAX> {
    type Value = Payload<MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX} bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Payload<MAX>, E> {
        Payload::new(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
    }
}
