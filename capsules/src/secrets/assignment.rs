//! Literals given to names that say they are secret: `api_key = "…"`, `"password": "…"`, `TOKEN=…`.
//!
//! Owns which names those are and what a literal must be to count. Invariant: a name whose secret word is
//! followed by another one (`token_count`, `password_hint`) is not such a name.

use super::finding::Rule;
use super::kind::Kind;
use super::random::{distinct, entropy_bits, is_placeholder, turns};
use super::text::{Hit, Text, contains, is_word, length_of, skip_blanks};
use super::url;

/// What may follow the secret word in a name, or end it.
const TAILS: [&str; 13] =
    ["", "s", "d", "ord", "ords", "key", "accesskey", "keybase", "value", "string", "text", "plain", "hex"];
/// What people write for a secret that is none.
const WORDS: [&str; 7] = ["test", "password", "passwd", "secret", "token", "apikey", "hunter2"];

/// What kind of secret a name promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// Something that a person may have chosen.
    Password,
    /// Something that a generator wrote.
    Token,
}

/// The literal that is given to the name with a secret word before `at`.
pub(super) fn judge(text: &Text<'_>, at: usize, promise: Promise) -> Option<Hit> {
    if text.is_binary || text.kind == Kind::Lock {
        return None;
    }
    let rest = text.after(at);
    let tail = length_of(rest, is_word);
    if !is_tail(&rest[..tail]) {
        return None;
    }
    let literal = literal(text, skip_closing(&rest[tail..]))?;
    // `after` ends where its line does, and so does everything cut from it.
    let end_of_rest = at + rest.len();
    let start = end_of_rest - literal.rest;
    let value = start..start + literal.length;
    is_secret(&text.bytes[value.clone()], promise, literal.is_quoted)
        .then_some(Hit { rule: Rule::Assignment, value })
}

fn is_tail(tail: &[u8]) -> bool {
    if tail.len() > 16 {
        return false;
    }
    let letters: Vec<u8> = tail.iter().filter(|byte| byte.is_ascii_alphabetic()).copied().collect();
    TAILS.iter().any(|known| letters.eq_ignore_ascii_case(known.as_bytes()))
}

/// `bytes` behind what may close a name: quotes, brackets, blanks.
fn skip_closing(bytes: &[u8]) -> &[u8] {
    &bytes[length_of(&bytes[..bytes.len().min(4)], |byte| {
        matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b']' | b')')
    })..]
}

/// A literal: how many bytes of the line are left where it begins, and its own.
struct Literal {
    rest: usize,
    length: usize,
    is_quoted: bool,
}

/// The literal behind `=`, `:`, `:=`, `=>` or a type and `=`; in settings it needs no quotes.
fn literal(text: &Text<'_>, bytes: &[u8]) -> Option<Literal> {
    let bytes = skip_blanks(bytes);
    let operator = length_of(bytes, |byte| matches!(byte, b'=' | b':' | b'>' | b'?' | b'!'));
    if !(1..=3).contains(&operator) {
        return None;
    }
    if bytes.starts_with(b">") {
        return element(bytes);
    }
    let mut bytes = skip_blanks(&bytes[operator..]);
    if let Some(typed) = behind_type(bytes) {
        bytes = skip_blanks(typed);
    }
    let begin =
        length_of(&bytes[..bytes.len().min(3)], |byte| matches!(byte, b'\\' | b'b' | b'r' | b'f' | b'@'));
    let quote = bytes.get(begin).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    if let Some(quote) = quote {
        let inner = &bytes[begin + 1..];
        let length = length_of(inner, |byte| byte != quote && byte != b'\\');
        let is_closed = inner.len() > length;
        return is_closed.then_some(Literal { rest: inner.len(), length, is_quoted: true });
    }
    let is_setting = matches!(text.kind, Kind::Settings | Kind::Env);
    let length =
        length_of(bytes, |byte| byte.is_ascii_graphic() && !matches!(byte, b';' | b',' | b'"' | b'\''));
    is_setting.then_some(Literal { rest: bytes.len(), length, is_quoted: false })
}

/// `<password>…</password>`.
fn element(bytes: &[u8]) -> Option<Literal> {
    let inner = bytes.strip_prefix(b">")?;
    let length = memchr::memmem::find(inner, b"</")?;
    Some(Literal { rest: inner.len(), length, is_quoted: true })
}

/// What stands behind `&str =`, `string =`, `Option<String> =`.
fn behind_type(bytes: &[u8]) -> Option<&[u8]> {
    let length = length_of(&bytes[..bytes.len().min(40)], |byte| is_word(byte) || b"&<>[]: ".contains(&byte));
    (length > 0).then(|| bytes[length..].strip_prefix(b"=")).flatten()
}

fn is_secret(value: &[u8], promise: Promise, is_quoted: bool) -> bool {
    let fits = match promise {
        Promise::Password => (6..=128).contains(&value.len()),
        Promise::Token => (12..=400).contains(&value.len()),
    };
    if !fits || value.iter().any(|byte| !byte.is_ascii_graphic()) || is_placeholder(value) {
        return false;
    }
    let has = |is_such: fn(&u8) -> bool| value.iter().any(is_such);
    let has_symbol = has(|byte| b"!#$%&*+?@^~".contains(byte));
    let is_code =
        has(|byte| b"()[]{}<>|\\,;`".contains(byte)) || contains(value, "://") || value.starts_with(b"/");
    if is_code || is_pathlike(value) {
        return false;
    }
    match promise {
        Promise::Password => {
            let is_word = WORDS.iter().any(|word| contains(value, word)) && turns(value) < 5;
            (has(u8::is_ascii_digit) || (has_symbol && is_quoted)) && has(u8::is_ascii_alphabetic) && !is_word
        }
        Promise::Token => {
            let is_word = WORDS.iter().any(|word| contains(value, word));
            let is_random =
                distinct(value) >= 8 && entropy_bits(value) >= 3.0 && turns(value) * 4 >= value.len();
            has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && is_random && !is_word
        }
    }
}

/// Names of modules, files and hosts: words with something between them.
fn is_pathlike(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| matches!(byte, b'.' | b'/' | b'-' | b'_' | b':'));
    let is_wordlike = |part: &[u8]| turns(part) <= 1;
    parts.clone().count() > 1 && parts.all(is_wordlike)
}

/// Whether a name promises a secret, as the environment of an application names its values.
pub(super) fn promises_secret(name: &str) -> bool {
    let name: String = name.to_ascii_lowercase().replace(['-', '.'], "_");
    let parts: Vec<&str> = name.split('_').collect();
    let says = |word: &str| parts.contains(&word) || name.ends_with(word);
    let says_one =
        ["password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "credentials", "apikey"]
            .into_iter()
            .any(says)
            || parts.last() == Some(&"pass");
    let says_key = name.ends_with("key")
        && [
            "api",
            "access",
            "private",
            "secret",
            "encryption",
            "signing",
            "master",
            "service",
            "auth",
            "account",
        ]
        .iter()
        .any(|word| name.contains(word));
    (says_one || says_key) && !name.starts_with("next_public_") && !name.ends_with("public_key")
}

/// Whether a value is one that nobody keeps to themselves: a number, a switch, a word, an address, a path.
pub(super) fn is_harmless(value: &str) -> bool {
    let is_word =
        value.len() <= 24 && value.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b',' | b' '));
    let is_number = value.parse::<f64>().is_ok();
    let is_address = value
        .split(['.', ':', '/', '-', ',', '@', '=', '?', '&', '*', ' ', '\\'])
        .all(|part| turns(part.as_bytes()) <= 2 && part.len() <= 24)
        && url::in_text(value).is_none();
    let is_turning = turns(value.as_bytes()) * 3 > value.len();
    value.is_empty()
        || is_number
        || (is_word && !is_turning)
        || is_address
        || is_placeholder(value.as_bytes()) && value.len() >= 5
}
