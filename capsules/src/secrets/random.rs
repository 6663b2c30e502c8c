//! What only a generator writes, and what only a person writes in its place.
//!
//! Owns the measures: how many different bytes, how often letters, digits and cases take turns, entropy.
//! Invariant: all hexadecimal digests, UUIDs and words of a person are held for no secret by these alone.

use std::ops::Range;

use super::finding::Rule;
use super::kind::Kind;
use super::text::{Hit, Text, contains};

/// Lengths of a literal that is judged by its randomness; what is longer is data.
const LENGTHS: Range<usize> = 28..201;
/// Bits a byte that a random text of base64 of such a length has at least.
const ENTROPY_MIN_BITS: f32 = 4.1;
/// What people write where a secret belongs.
const PLACEHOLDERS: [&str; 27] = [
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "change-this",
    "your",
    "dummy",
    "redacted",
    "sample",
    "insert",
    "replace",
    "todo",
    "fixme",
    "not-a",
    "not_a",
    "fake",
    "notreal",
    "12345",
    "abcde",
    "qwerty",
    "foobar",
    "lorem",
    "undefined",
    "xxxx",
    "****",
    "....",
];
/// Parts of templates and commands: the value is put in later.
const TEMPLATES: [&str; 8] = ["${", "{{", "$(", "<%", "%(", "%s", "{}", "#{"];
/// Words before a literal that is random and no secret.
const PUBLIC: [&str; 22] = [
    "sha1",
    "sha2",
    "sha3",
    "sha5",
    "hash",
    "digest",
    "checksum",
    "integrity",
    "md5",
    "etag",
    "fingerprint",
    "cert",
    "public",
    "pubkey",
    "pub_key",
    "ssh-",
    "ecdsa-",
    "base64,",
    "signature",
    "nonce",
    "multihash",
    "cid",
];

/// Whether `value` stands for a secret that is not there.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let is_bracketed = matches!(value, [b'<' | b'{' | b'[' | b'%' | b'$' | b'(', ..]);
    let kinds = distinct(value);
    is_bracketed
        || kinds < 5
        || (value.len() >= 16 && kinds < 8)
        || PLACEHOLDERS.iter().chain(&TEMPLATES).any(|word| contains(value, word))
        || is_sequence(value)
}

/// How many different bytes there are.
pub(super) fn distinct(value: &[u8]) -> usize {
    counts(value).iter().filter(|count| **count > 0).count()
}

/// Whether most bytes follow on the one before: `abcdefgh`, `0123456789`.
fn is_sequence(value: &[u8]) -> bool {
    let steps = value.windows(2).filter(|pair| pair[1] == pair[0].wrapping_add(1)).count();
    value.len() > 4 && steps * 2 > value.len()
}

/// How often letters of either case and digits take turns; what is between words does not count.
pub(super) fn turns(value: &[u8]) -> usize {
    let class = |byte: u8| match byte {
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        b'0'..=b'9' => 3,
        _ => 0,
    };
    let takes_turn = |pair: &&[u8]| match (class(pair[0]), class(pair[1])) {
        (0, _) | (_, 0) => false,
        (one, next) => one != next,
    };
    value.windows(2).filter(takes_turn).count()
}

/// Bits that a byte of `value` carries, by how often each occurs in it (Shannon).
pub(super) fn entropy_bits(value: &[u8]) -> f32 {
    let length = value.len().max(1) as f32;
    let share = |count: &u32| {
        let share = *count as f32 / length;
        -share * share.log2()
    };
    counts(value).iter().filter(|count| **count > 0).map(share).sum()
}

fn counts(value: &[u8]) -> [u32; 256] {
    let mut counts = [0; 256];
    value.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    counts
}

/// The literal in `run`, when it is one that only a generator writes and no public value.
pub(super) fn judge(text: &Text<'_>, run: &Range<usize>) -> Option<Hit> {
    if text.is_binary || text.kind == Kind::Lock {
        return None;
    }
    let bytes = &text.bytes[run.clone()];
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    let assigned = memchr::memrchr(b'=', &bytes[..bytes.len() - padding]).map_or(0, |equals| equals + 1);
    let value = run.start + assigned..run.end;
    let bytes = &text.bytes[value.clone()];
    let is_one = LENGTHS.contains(&bytes.len())
        && is_mixed(bytes)
        && is_literal(text, &value)
        && entropy_bits(bytes) >= ENTROPY_MIN_BITS
        && !is_placeholder(bytes)
        && !is_public(text, value.start + 7);
    is_one.then_some(Hit { rule: Rule::HighEntropy, value })
}

/// Whether letters of both cases and digits take turns as often as in random text.
fn is_mixed(bytes: &[u8]) -> bool {
    let number = |is_such: fn(&u8) -> bool| bytes.iter().filter(|byte| is_such(byte)).count();
    let (lower, upper) = (number(u8::is_ascii_lowercase), number(u8::is_ascii_uppercase));
    let digits = number(u8::is_ascii_digit);
    let separators = bytes.len() - lower - upper - digits;
    lower >= 4
        && upper >= 4
        && digits >= 2
        && separators * 8 <= bytes.len()
        && turns(bytes) * 5 >= bytes.len() * 2
}

/// Whether it is all of a literal: in quotes, or all of a setting's value.
fn is_literal(text: &Text<'_>, value: &Range<usize>) -> bool {
    let (before, after) = (text.previous(value.start), text.bytes.get(value.end).copied());
    let is_quoted = before == after && matches!(before, Some(b'"' | b'\'' | b'`'));
    let is_setting = matches!(text.kind, Kind::Settings | Kind::Env)
        && matches!(after, None | Some(b'\n' | b'\r' | b' '))
        && text.before(value.start).trim_ascii_end().last().is_some_and(|byte| matches!(byte, b'=' | b':'));
    is_quoted || is_setting
}

/// Whether what stands before `at` on its line says that everyone may know it; `sha256-` is in the literal.
fn is_public(text: &Text<'_>, at: usize) -> bool {
    let before = text.before(at);
    let before = &before[before.len().saturating_sub(64)..];
    PUBLIC.iter().any(|word| contains(before, word))
}
