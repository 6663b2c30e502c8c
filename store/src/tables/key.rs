//! Keys of rows, put together from parts.
//!
//! Invariant: keys sort as their parts do, one after the other.

/// Builds a key from parts; integers are big-endian, so that keys sort as their parts do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// An empty key, the prefix of all.
    pub fn new() -> Self {
        Self(Vec::with_capacity(40))
    }

    /// Appends raw bytes.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends a text and a terminator. Texts in keys hold no NUL; one that does is cut there.
    pub fn text(mut self, text: &str) -> Self {
        let end = text.find('\0').unwrap_or(text.len());
        self.0.extend_from_slice(&text.as_bytes()[..end]);
        self.0.push(0);
        self
    }

    /// Appends a byte.
    pub fn u8(self, value: u8) -> Self {
        self.bytes(&[value])
    }

    /// Appends a 16-bit integer.
    pub fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends a 32-bit integer.
    pub fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends a 64-bit integer.
    pub fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, owned.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
