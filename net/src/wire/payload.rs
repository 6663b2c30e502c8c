//! Opaque bytes, shared rather than copied.
//!
//! Owns bytes of a length that its type bounds. Invariant: more than that is refused before it is copied.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// At most `MAX` bytes that this floor does not read.
#[derive(Clone)]
pub struct Payload<const MAX: usize> {
    bytes: Arc<Vec<u8>>,
    /// Where they begin in that.
    from: usize,
}

impl<const MAX: usize> Payload<MAX> {
    /// The bytes, or nothing when they are too many.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= MAX).then(|| Self { bytes: Arc::new(bytes.to_vec()), from: 0 })
    }

    /// What stands behind the first `from` bytes, without a copy; nothing when that is too much.
    pub fn behind(from: usize, bytes: Vec<u8>) -> Option<Self> {
        let length = bytes.len().checked_sub(from)?;
        (length <= MAX).then(|| Self { bytes: Arc::new(bytes), from })
    }

    /// The memory that they are in, for other use; none while others have them as well.
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        Arc::into_inner(self.bytes)
    }
}

impl<const MAX: usize> Deref for Payload<MAX> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.from..]
    }
}

impl<const MAX: usize> PartialEq for Payload<MAX> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<const MAX: usize> Eq for Payload<MAX> {}

/// Shows how many there are.
impl<const MAX: usize> fmt::Debug for Payload<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl<const MAX: usize> Serialize for Payload<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self)
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
