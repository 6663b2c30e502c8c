//! JSON that strangers wrote, read strictly.
//!
//! Owns what must hold of such a document before its fields are looked at: its size, its depth, how many
//! values it has, and that no object says a key twice. Refuses to guess: what two readers could understand in
//! two ways is no document. Invariant: work and memory stay within the limits, whatever the bytes are.

mod judge;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use xyn_store::legible::excerpt;

pub(crate) use judge::judge;

/// Objects and lists in one another.
pub const DEPTH_MAX: usize = 64;
/// Values of one document, those within others counted as well.
pub const VALUES_MAX: usize = 250_000;

/// Characters of a stranger's text that a message shows.
const SHOWN_MAX: usize = 200;

/// Why bytes are not the document they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct InvalidJson {
    /// Where.
    pub place: Pointer,
    /// What is wrong there.
    pub fault: JsonFault,
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// More bytes than a document of its kind may have.
    #[error("has {size_bytes} bytes, and may have {max_bytes}")]
    TooLarge {
        /// What it has.
        size_bytes: usize,
        /// What it may have.
        max_bytes: usize,
    },
    /// Deeper than [`DEPTH_MAX`].
    #[error("is more than {DEPTH_MAX} levels deep")]
    TooDeep,
    /// More than [`VALUES_MAX`].
    #[error("is one of more than {VALUES_MAX} values")]
    TooMany,
    /// A key that its object says twice.
    #[error("stands there twice; keep one of them")]
    Duplicate,
    /// No JSON.
    #[error("is no JSON: {0}")]
    Syntax(String),
    /// JSON that does not fit.
    #[error("{0}")]
    Shape(String),
}

/// A place in a document (RFC 6901), escaped and cut short so that it can be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(String);

impl Pointer {
    /// The place below `self` that is called `key`, or has that number.
    #[must_use]
    pub fn join(mut self, key: impl fmt::Display) -> Self {
        let key = key.to_string().replace('~', "~0").replace('/', "~1");
        if self.0.chars().count() < SHOWN_MAX {
            self.0.push('/');
            self.0.push_str(&shown(&key));
        }
        self
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("the document") } else { write!(f, "`{}`", self.0) }
    }
}

/// A stranger's text as it can be shown: nothing in it moves a cursor or turns what is read around.
pub fn shown(text: &str) -> String {
    excerpt(text, SHOWN_MAX)
}

/// Reads the document that is all of `bytes`, if there are at most `max_bytes`.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8], max_bytes: usize) -> Result<T, InvalidJson> {
    judge(bytes, max_bytes)?;
    parse(bytes)
}

/// Reads the fields of a document that was judged.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, InvalidJson> {
    // To know where it is all the time costs as much as reading: only a document that does not fit is read
    // for that.
    serde_json::from_slice(bytes).or_else(|_| parse_and_say_where(bytes))
}

fn parse_and_say_where<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, InvalidJson> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let mut place = Pointer::default();
        for segment in error.path() {
            place = match segment {
                Segment::Seq { index } => place.join(index),
                Segment::Map { key } | Segment::Enum { variant: key } => place.join(key),
                Segment::Unknown => place,
            };
        }
        InvalidJson { place, fault: JsonFault::Shape(shown(&error.inner().to_string())) }
    })
}

/// Writes a document, for programs and people.
pub(crate) fn write<T: Serialize>(document: &T) -> Result<Vec<u8>, InvalidJson> {
    serde_json::to_vec_pretty(document).map_err(|error| {
        let fault = JsonFault::Shape(shown(&error.to_string()));
        InvalidJson { place: Pointer::default(), fault }
    })
}
