//! Values in environment files.
//!
//! Invariant: a value whose name says that it is secret counts whatever it is, as long as it is there.

use super::assignment::{is_harmless, promises_secret};
use super::finding::Rule;
use super::random::is_placeholder;
use super::text::{Hit, Text, length_of, skip_blanks};

/// The values of the lines that begin in `range`.
pub(super) fn values(text: &Text<'_>, range: std::ops::Range<usize>) -> Vec<Hit> {
    let begins_line = |at: usize| text.previous(at).is_none_or(|before| before == b'\n');
    let newlines = memchr::memchr_iter(b'\n', &text.bytes[range.clone()]).map(|at| range.start + at + 1);
    let first = begins_line(range.start).then_some(range.start);
    let starts = first.into_iter().chain(newlines).filter(|start| range.contains(start));
    starts.filter_map(|start| value(text, start)).collect()
}

/// The value of the line `NAME=value` that begins at `start`.
fn value(text: &Text<'_>, start: usize) -> Option<Hit> {
    let line = text.after(start);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let end = start + line.len();
    let line = skip_blanks(line);
    let line = line.strip_prefix(b"export ").map_or(line, skip_blanks);
    let name = &line[..length_of(line, |byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')];
    let rest = skip_blanks(skip_blanks(&line[name.len()..]).strip_prefix(b"=")?);
    let (value, begin) = match rest.first() {
        Some(quote @ (b'"' | b'\'')) => {
            let inner = &rest[1..];
            (&inner[..length_of(inner, |byte| byte != *quote)], end - inner.len())
        }
        _ => {
            let comment = memchr::memmem::find(rest, b" #").unwrap_or(rest.len());
            (rest[..comment].trim_ascii_end(), end - rest.len())
        }
    };
    let (name, shown) = (std::str::from_utf8(name).ok()?, String::from_utf8_lossy(value));
    let is_one = if promises_secret(name) {
        let is_placeholder = value.len() >= 5 && is_placeholder(value);
        !matches!(value, b"" | b"true" | b"false") && !is_placeholder
    } else {
        !is_harmless(&shown)
    };
    (!name.is_empty() && is_one).then_some(Hit { rule: Rule::EnvValue, value: begin..begin + value.len() })
}
