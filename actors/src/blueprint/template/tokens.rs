//! The words of an expression, with their places.
//!
//! Owns just enough of the lexical grammar to find variables; the engine's own parser decides what is valid.

/// A word and the byte it starts at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) offset: usize,
    pub(super) kind: Kind<'a>,
}

/// Kinds of word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Word(&'a str),
    Text(&'a str),
    Number(&'a str),
    Symbol(&'a str),
}

/// Splits `source`.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        let (length, kind) = match first {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '"' | '\'' => text(rest),
            c if c.is_ascii_digit() => {
                let length = length_while(rest, |c| c.is_ascii_alphanumeric() || c == '_');
                (length, Kind::Number(&rest[..length]))
            }
            c if c.is_alphabetic() || c == '_' => {
                let length = length_while(rest, |c| c.is_alphanumeric() || c == '_');
                (length, Kind::Word(&rest[..length]))
            }
            c => {
                let double =
                    ["==", "!=", "<=", ">=", "//", "**"].iter().any(|symbol| rest.starts_with(symbol));
                let length = if double { 2 } else { c.len_utf8() };
                (length, Kind::Symbol(&rest[..length]))
            }
        };
        found.push(Token { offset: at, kind });
        at += length;
    }
    found
}

fn length_while(text: &str, fits: impl Fn(char) -> bool) -> usize {
    text.find(|c| !fits(c)).unwrap_or(text.len())
}

/// A quoted text at the start of `rest`; an escape in it stays as it is written.
fn text(rest: &str) -> (usize, Kind<'_>) {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != bytes[0] {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    let end = at.min(bytes.len());
    // An escaped character may be of several bytes; the closing quote is always one.
    let end = (end..=rest.len()).find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
    ((end + 1).min(rest.len()), Kind::Text(&rest[1..end]))
}
