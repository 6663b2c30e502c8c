//! Where an event stands in the journal, as text and as a cursor.

use std::fmt;
use std::str::FromStr;

use xyn_store::legible::quoted;
use xyn_store::projection::Cursor;

/// A place in the journal: entry and record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Offset of the entry.
    pub offset: u64,
    /// Index of the record in it.
    pub index: u32,
}

/// A text that is no position.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a position such as 1234.0")]
pub struct InvalidPosition(String);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.offset, self.index)
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text
            .split_once('.')
            .and_then(|(offset, index)| Some((offset.parse().ok()?, index.parse().ok()?)));
        let (offset, index) = parts.ok_or_else(|| InvalidPosition(quoted(text)))?;
        Ok(Self { offset, index })
    }
}

impl Position {
    /// The place right behind this record.
    pub fn next(self) -> Self {
        Self { index: self.index.saturating_add(1), ..self }
    }

    pub(super) fn cursor(self) -> Cursor {
        let bytes = [self.offset.to_be_bytes().as_slice(), &self.index.to_be_bytes()].concat();
        Cursor::from_bytes(bytes)
    }

    pub(super) fn of(cursor: &Cursor) -> Option<Self> {
        let (offset, index) = cursor.as_bytes().split_first_chunk::<8>()?;
        let index = <[u8; 4]>::try_from(index).ok()?;
        Some(Self { offset: u64::from_be_bytes(*offset), index: u32::from_be_bytes(index) })
    }
}
