//! What was found, told without repeating it.
//!
//! Invariant: neither an excerpt nor a fingerprint lets anyone learn or guess the value that was found.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::allow::{ALLOW_FILE, ALLOW_MARK};
use super::place::{Place, escaped};
use super::{run, token};

/// Characters of a line that are shown before what was found.
const EXCERPT_MAX_CHARS: usize = 48;

/// Why something counts as a secret. Of two that overlap, the earlier one is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A private key, in one of the forms in which keys are written.
    PrivateKey,
    /// A token with the form that one provider gives its tokens.
    Token(&'static str),
    /// A password in a URL.
    UrlPassword,
    /// Credentials in an HTTP `Authorization`.
    Authorization,
    /// A value in an environment file.
    EnvValue,
    /// A literal given to a name such as `password` or `api_key`.
    Assignment,
    /// A literal that only a generator writes.
    HighEntropy,
    /// A file that is a key store, by its name.
    SecretFile,
    /// An archive that was not looked into, or not to its end.
    Unsearched,
    /// More findings in one file than are told.
    TooMany,
}

/// Names each rule but those of providers, which the table of their tokens names.
macro_rules! named {
    ($($rule:ident = $name:literal,)*) => {
        impl Rule {
            /// Its name, as files of what is allowed write it.
            pub fn name(self) -> &'static str {
                match self {
                    Self::Token(name) => name,
                    $(Self::$rule => $name,)*
                }
            }

            /// Whether a rule is called `name`.
            pub(super) fn is_name(name: &str) -> bool {
                [$($name),*].contains(&name) || token::names().any(|token| token == name)
            }
        }
    };
}

named! {
    PrivateKey = "private-key",
    UrlPassword = "url-password",
    Authorization = "authorization",
    EnvValue = "env-value",
    Assignment = "assigned-secret",
    HighEntropy = "high-entropy",
    SecretFile = "secret-file",
    Unsearched = "unsearched",
    TooMany = "too-many",
}

/// Names a finding: its rule, its place, and 16 bits of what was found. Those tell that a value was changed;
/// they are far too few to try guesses against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    fn new(rule: Rule, place: &Place, value: &[u8]) -> Self {
        let tag = Sha256::digest(value);
        let mut hash = Sha256::new();
        for part in [rule.name().as_bytes(), place.to_string().as_bytes(), &tag[..2]] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hash.finalize()[..8]);
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let is_one = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = is_one.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(|number| Self(number.to_be_bytes())).ok_or(NoFingerprint)
    }
}

/// A text that is not sixteen hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not sixteen hexadecimal digits")]
pub struct NoFingerprint;

/// Something that looks like a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Why.
    pub rule: Rule,
    /// In which file, or in what is packed in it.
    pub place: Place,
    /// Line, from 1; of base64 text, that of the text itself.
    pub line: u64,
    /// Byte of the line, from 1.
    pub column: u64,
    /// What stands before it on its line, escaped, and how long it is; or why something was not searched.
    pub excerpt: String,
    /// By which it can be allowed.
    pub fingerprint: Fingerprint,
}

impl Finding {
    /// `value` of `bytes`; of what stands before it, `clear` holds no other value.
    pub(super) fn new(
        rule: Rule,
        place: &Place,
        (line, column): (u64, u64),
        bytes: &[u8],
        value: Range<usize>,
        clear: Range<usize>,
    ) -> Self {
        let excerpt = format!("{}‹{} bytes›", excerpt(bytes, clear), value.len());
        let fingerprint = Fingerprint::new(rule, place, &bytes[value]);
        Self { rule, place: place.clone(), line, column, excerpt, fingerprint }
    }

    /// Something said of a place as a whole.
    pub(super) fn of_place(rule: Rule, place: &Place, why: &str) -> Self {
        let fingerprint = Fingerprint::new(rule, place, b"");
        Self { rule, place: place.clone(), line: 1, column: 1, excerpt: why.into(), fingerprint }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, place, line, column, excerpt, fingerprint } = self;
        write!(
            f,
            "`{place}`:{line}:{column}: {}: {excerpt}; take it out, or allow it by the line `{fingerprint}` in \
             `{ALLOW_FILE}` or by `{ALLOW_MARK}` in a comment on its line",
            rule.name()
        )
    }
}

/// The end of the last line of `clear`, without what could be a value.
fn excerpt(bytes: &[u8], clear: Range<usize>) -> String {
    let before = &bytes[clear.start.max(clear.end.saturating_sub(4 * EXCERPT_MAX_CHARS))..clear.end];
    let before = memchr::memrchr(b'\n', before).map_or(before, |newline| &before[newline + 1..]);
    let mut text = String::new();
    let mut at = 0;
    for run in run::runs(before, 0) {
        text.push_str(&String::from_utf8_lossy(&before[at..run.start]));
        text.push('…');
        at = run.end;
    }
    text.push_str(&String::from_utf8_lossy(&before[at..]));
    let text = text.trim_start();
    let cut = text.chars().count().saturating_sub(EXCERPT_MAX_CHARS);
    escaped(text.chars().skip(cut))
}
