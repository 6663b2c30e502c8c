//! The bytes that are being searched, and what rules ask of them.
//!
//! Invariant: every question is bounded; a line without end costs no more than [`LINE_LOOK_BYTES`].

use std::ops::Range;

use super::finding::Rule;
use super::kind::Kind;

/// Bytes before and after a place that a rule may look at.
pub(super) const LINE_LOOK_BYTES: usize = 512;

/// A file, or as much of it as is in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    /// All of it.
    pub(super) bytes: &'a [u8],
    /// What it is for.
    pub(super) kind: Kind,
    /// Whether it is no text: then only keys and tokens are looked for.
    pub(super) is_binary: bool,
}

/// A value that a rule holds for a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) rule: Rule,
    pub(super) value: Range<usize>,
}

impl<'a> Text<'a> {
    /// What stands before `at` on its line, as far as rules look.
    pub(super) fn before(&self, at: usize) -> &'a [u8] {
        let before = &self.bytes[at.saturating_sub(LINE_LOOK_BYTES)..at];
        memchr::memrchr(b'\n', before).map_or(before, |newline| &before[newline + 1..])
    }

    /// What stands from `at` on in its line, as far as rules look.
    pub(super) fn after(&self, at: usize) -> &'a [u8] {
        let after = &self.bytes[at.min(self.bytes.len())..];
        let after = &after[..after.len().min(LINE_LOOK_BYTES)];
        memchr::memchr(b'\n', after).map_or(after, |newline| &after[..newline])
    }

    /// The byte before `at`.
    pub(super) fn previous(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).map(|before| self.bytes[before])
    }

    /// Whether a word can begin at `at`, also right after an escape in a literal.
    pub(super) fn begins_word(&self, at: usize) -> bool {
        let Some(previous) = self.previous(at) else { return true };
        let before = &self.bytes[at.saturating_sub(3)..at];
        let is_escape = matches!(before, [.., b'\\', b'n' | b'r' | b't']) || matches!(before, [b'%', _, _]);
        !previous.is_ascii_alphanumeric() || is_escape
    }
}

/// How many bytes at the beginning of `bytes` are such.
pub(super) fn length_of(bytes: &[u8], is_such: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !is_such(*byte)).unwrap_or(bytes.len())
}

/// `bytes` without the blanks it begins with.
pub(super) fn skip_blanks(bytes: &[u8]) -> &[u8] {
    &bytes[length_of(bytes, |byte| matches!(byte, b' ' | b'\t'))..]
}

/// Whether `word`, in lower case, is somewhere in `bytes`, in any case.
pub(super) fn contains(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// A character of a name.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}
