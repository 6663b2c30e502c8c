//! Passwords in URLs, and what stands behind `Basic` and `Bearer`.
//!
//! Invariant: a user name alone is no secret, unless only a generator writes it.

use std::ops::Range;

use data_encoding::{BASE64, BASE64_NOPAD};

use super::finding::Rule;
use super::kind::Kind;
use super::random::{is_placeholder, turns};
use super::text::{Hit, Text, contains, length_of};

/// What people write for a password that is none. Databases of developers have them, too.
const DEFAULTS: [&str; 30] = [
    "password",
    "passwd",
    "pass",
    "pwd",
    "pw",
    "secret",
    "token",
    "user",
    "username",
    "admin",
    "root",
    "postgres",
    "mysql",
    "guest",
    "test",
    "testing",
    "foo",
    "bar",
    "baz",
    "pass1",
    "hunter2",
    "letmein",
    "minio",
    "minioadmin",
    "redis",
    "rabbitmq",
    "mongo",
    "apikey",
    "credentials",
    "secretpassword",
];

/// The password in the URL whose `://` is at `at`.
pub(super) fn judge(text: &Text<'_>, at: Range<usize>) -> Option<Hit> {
    if text.is_binary {
        return None;
    }
    let rest = text.after(at.end);
    let authority = &rest[..length_of(rest, |byte| byte.is_ascii_graphic() && !is_end(byte))];
    let credentials = &authority[..memchr::memrchr(b'@', authority)?];
    let host = &authority[credentials.len() + 1..];
    let value = match memchr::memchr(b':', credentials) {
        Some(colon) if is_password(&credentials[colon + 1..], &credentials[..colon]) => {
            at.end + colon + 1..at.end + credentials.len()
        }
        None if is_token(credentials) => at.end..at.end + credentials.len(),
        _ => return None,
    };
    let is_of_somewhere = host.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'[')
        && !contains(host, "example");
    is_of_somewhere.then_some(Hit { rule: Rule::UrlPassword, value })
}

/// What ends the part of a URL that names user and host.
fn is_end(byte: u8) -> bool {
    matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' | b',' | b';' | b'|')
}

fn is_password(password: &[u8], user: &[u8]) -> bool {
    let is_default = |default: &&str| password.eq_ignore_ascii_case(default.as_bytes());
    let is_variable = memchr::memchr3(b'$', b'{', b'(', password).is_some() || password.starts_with(b"[");
    password.len() >= 3
        && password != user
        && !is_variable
        && !DEFAULTS.iter().any(is_default)
        && !(password.len() < 5 && password.iter().all(u8::is_ascii_alphabetic))
        && (password.len() < 5 || !is_placeholder(password))
}

fn is_token(user: &[u8]) -> bool {
    user.len() >= 20
        && user.iter().all(u8::is_ascii_alphanumeric)
        && turns(user) >= 5
        && !is_placeholder(user)
}

/// The credentials behind `Basic ` or `Bearer `, which ends at `at`.
pub(super) fn authorization(text: &Text<'_>, at: usize, is_basic: bool) -> Option<Hit> {
    if text.is_binary {
        return None;
    }
    let rest = text.after(at);
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let value = &rest[..length_of(rest, in_token)];
    let is_one = if is_basic { is_basic_pair(value) } else { is_bearer(value) };
    is_one.then(|| Hit { rule: Rule::Authorization, value: at..at + value.len() })
}

fn is_bearer(value: &[u8]) -> bool {
    value.len() >= 20 && turns(value) >= 6 && value.iter().any(u8::is_ascii_digit) && !is_placeholder(value)
}

fn is_basic_pair(value: &[u8]) -> bool {
    let decoded = BASE64.decode(value).or_else(|_| BASE64_NOPAD.decode(value));
    decoded.is_ok_and(|pair| {
        let is_text = pair.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
        let halves = memchr::memchr(b':', &pair).map(|colon| pair.split_at(colon));
        is_text
            && halves.is_some_and(|(user, password)| !user.is_empty() && is_password(&password[1..], user))
    })
}

/// The first password of a URL in `value`.
pub(super) fn in_text(value: &str) -> Option<Hit> {
    let text = Text { bytes: value.as_bytes(), kind: Kind::Other, is_binary: false };
    memchr::memmem::find_iter(text.bytes, b"://").find_map(|at| judge(&text, at..at + 3))
}
