//! Pages of a list: opaque cursors that stay valid while rows arrive.

use std::fmt;
use std::str::FromStr;

use crate::legible::quoted;

/// Where the next page begins: the key of the last row of this one. Shown as hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

/// A text that is no cursor of ours.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a cursor; use the `next_cursor` of the page before")]
pub struct InvalidCursor(String);

impl Cursor {
    /// A cursor over a list that is kept elsewhere than in one table.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// What it was made from.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Bytes that a cursor may have: the longest key there is, which has a branch in it, fits.
pub const CURSOR_MAX_BYTES: usize = 1024;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidCursor(quoted(text));
        let fits = text.len().is_multiple_of(2) && (2..=2 * CURSOR_MAX_BYTES).contains(&text.len());
        if !fits || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let byte = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).map_err(|_| invalid());
        (0..text.len()).step_by(2).map(byte).collect::<Result<_, _>>().map(Self)
    }
}

/// One page of rows.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins; none at the end. A page may be short, even empty, and still have a next one: a
    /// list looks at a bounded number of rows per page.
    pub next: Option<Cursor>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_their_text_and_strangers_are_refused() {
        let cursor = Cursor(vec![0, 255, 16]);
        assert_eq!(cursor.to_string().parse::<Cursor>().expect("own output parses"), cursor);
        for text in ["", "0", "zz", "é0", &"00".repeat(CURSOR_MAX_BYTES + 1)] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
