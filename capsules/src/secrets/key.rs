//! Private keys: as PEM, as OpenSSH, PGP and PuTTY write them, and as bare DER.
//!
//! Invariant: the words that begin a key are none; there must be a key behind them.

use std::ops::Range;

use super::finding::Rule;
use super::text::{Hit, Text, length_of};

/// How PEM, OpenSSH and PGP begin.
pub(super) const PEM: &[u8] = b"-----BEGIN ";
/// How PuTTY begins.
pub(super) const PUTTY: &[u8] = b"PuTTY-User-Key-File-";
/// How the bytes of OpenSSH's keys begin.
pub(super) const OPENSSH: &[u8] = b"openssh-key-v1\0";
/// PKCS #8 (RFC 5958) for RSA, for curves of NIST and for Ed25519, from the version on.
pub(super) const DER: [&[u8]; 3] = [
    b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x04",
    b"\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01",
    b"\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20",
];
/// Bytes behind the first line within which the key must begin: PGP and PEM put headers there.
const HEADERS_MAX_BYTES: usize = 400;
/// Base64 characters in a row that make a key; one line of PEM has 64.
const BODY_MIN: usize = 40;
/// Bytes that a whole key is taken to have at most.
const KEY_MAX_BYTES: usize = 8_192;

/// The PEM key that begins at `at`.
pub(super) fn pem(text: &Text<'_>, at: usize) -> Option<Hit> {
    let label = &text.bytes[at + PEM.len()..];
    let label = &label[..label.len().min(60)];
    let label = &label[..memchr::memmem::find(label, b"-----")?];
    let is_private = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    let begin = at + PEM.len() + label.len() + 5;
    (is_private && has_body(text, begin)).then(|| {
        let rest = &text.bytes[begin..text.bytes.len().min(begin + KEY_MAX_BYTES)];
        let end = memchr::memmem::find(rest, b"-----END ").unwrap_or(rest.len().min(HEADERS_MAX_BYTES));
        Hit { rule: Rule::PrivateKey, value: at..begin + end }
    })
}

/// The key of PuTTY whose file begins at `at`.
pub(super) fn putty(text: &Text<'_>, at: usize) -> Option<Hit> {
    let rest = &text.bytes[at..text.bytes.len().min(at + KEY_MAX_BYTES)];
    let private = memchr::memmem::find(rest, b"\nPrivate-Lines:")?;
    Some(Hit { rule: Rule::PrivateKey, value: at + private + 1..at + rest.len() })
}

/// The bare key in which the marker `marker` was found.
pub(super) fn bare(text: &Text<'_>, marker: Range<usize>) -> Option<Hit> {
    let rest = &text.bytes[marker.end..text.bytes.len().min(marker.end + 64)];
    // Code that writes keys holds the marker too, with zeros or with other constants behind it.
    let is_key = rest.len() >= 32 && super::random::distinct(&rest[..32]) >= 20;
    is_key.then(|| Hit { rule: Rule::PrivateKey, value: marker.start..marker.end + rest.len() })
}

/// Whether base64 follows that is long enough, also in a literal with `\n` in it or behind headers.
fn has_body(text: &Text<'_>, at: usize) -> bool {
    let rest = &text.bytes[at..text.bytes.len().min(at + HEADERS_MAX_BYTES)];
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut left = rest;
    while let Some(start) = left.iter().position(|byte| is_base64(*byte)) {
        let length = length_of(&left[start..], is_base64);
        let body = &left[start..start + length];
        if length >= BODY_MIN {
            return super::random::distinct(body) >= 10;
        }
        left = &left[start + length..];
    }
    false
}
