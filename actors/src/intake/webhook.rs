//! Standard Webhooks signatures: `v1,` + base64 of HMAC-SHA256 over `id.timestamp.body`.
//!
//! Owns the check of who sent a webhook and when. Refuses messages outside the replay window. Invariant: the
//! time a check takes does not tell how much of a signature was right.
//!
//! Source: <https://www.standardwebhooks.com>, specification 1.0.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};
use xyn_store::Timestamp;
use xyn_store::ids::{EventId, derived};

/// How far a message's time may be from now, both ways.
pub const REPLAY_WINDOW: Duration = Duration::from_secs(300);
/// Longest `webhook-id`.
const MAX_ID_BYTES: usize = 256;
/// Signatures that are looked at.
const MAX_SIGNATURES: usize = 16;
/// Sizes of key material that the specification allows.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// A shared secret, `whsec_` + base64 of 24 to 64 bytes. Never shown.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// A text that is no webhook secret. The text is not repeated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is `whsec_` and the base64 of 24 to 64 bytes")]
pub struct InvalidSecret;

impl FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let encoded = text.strip_prefix("whsec_").ok_or(InvalidSecret)?;
        let key = STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        if KEY_BYTES.contains(&key.len()) { Ok(Self(key)) } else { Err(InvalidSecret) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A message whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The sender's id of the message: the same over its retries.
    pub id: String,
    /// When this attempt was sent, by the sender's clock.
    pub sent_at: Timestamp,
}

impl Verified {
    /// The event that this message is on `hook`, whichever attempt arrives.
    pub fn event_id(&self, hook: &str) -> EventId {
        derived(Timestamp::EPOCH, &[b"webhook", hook.as_bytes(), self.id.as_bytes()])
    }
}

/// Why a webhook is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A header of the signature is absent.
    #[error("header `{0}` is missing")]
    Missing(&'static str),
    /// A header does not read as the specification says.
    #[error("header `{header}` is malformed: {reason}")]
    Malformed {
        /// Which header.
        header: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// The message is older than the replay window.
    #[error("the message was sent {0} s ago, more than 300 s: a replay, or a clock is wrong")]
    Stale(i64),
    /// The message comes from beyond the replay window.
    #[error("the message was sent {0} s in the future, more than 300 s: a clock is wrong")]
    Early(i64),
    /// No signature was made with a secret of this hook.
    #[error("no signature matches a secret of this hook")]
    NoMatch,
}

/// Checks a message against every secret of a hook. `header` looks a header up by its lowercase name.
pub fn verify<'a>(
    secrets: &[Secret],
    header: impl Fn(&str) -> Option<&'a [u8]>,
    body: &[u8],
    now: Timestamp,
) -> Result<Verified, Rejection> {
    let text = |name: &'static str| {
        let bytes = header(name).ok_or(Rejection::Missing(name))?;
        let malformed = |reason| Rejection::Malformed { header: name, reason };
        std::str::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))
    };
    let (id, sent, signatures) = (text(ID)?, text(TIMESTAMP)?, text(SIGNATURE)?);
    check_id(id)?;
    let sent_at = check_time(sent, now)?;
    // Once for each secret, not for each signature: the body may be large and the list hostile.
    let expected: Vec<_> = secrets.iter().map(|secret| digest(secret, id, sent, body)).collect();
    let mut matched = Choice::from(0);
    for signature in signatures.split_ascii_whitespace().take(MAX_SIGNATURES) {
        let Some(given) = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok()) else {
            // Another version, or damaged: a sender may sign in several ways at once.
            continue;
        };
        for digest in &expected {
            matched |= digest.as_slice().ct_eq(&given);
        }
    }
    if bool::from(matched) { Ok(Verified { id: id.to_owned(), sent_at }) } else { Err(Rejection::NoMatch) }
}

/// The signature of a message, as one entry of `webhook-signature`.
pub fn sign(secret: &Secret, id: &str, sent_at: Timestamp, body: &[u8]) -> String {
    let seconds = (sent_at.as_micros() / 1_000_000).to_string();
    format!("v1,{}", STANDARD.encode(digest(secret, id, &seconds, body)))
}

fn digest(secret: &Secret, id: &str, seconds: &str, body: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).expect("HMAC takes keys of every length");
    for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn check_id(id: &str) -> Result<(), Rejection> {
    let reason = if id.is_empty() || id.len() > MAX_ID_BYTES {
        "1 to 256 characters are allowed"
    } else if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        "only visible ASCII characters are allowed"
    } else if id.contains('.') {
        // The dot ends the id in what is signed; with one inside, a signature would fit two messages.
        "a dot is not allowed"
    } else {
        return Ok(());
    };
    Err(Rejection::Malformed { header: ID, reason })
}

fn check_time(text: &str, now: Timestamp) -> Result<Timestamp, Rejection> {
    let malformed = Rejection::Malformed { header: TIMESTAMP, reason: "not a count of seconds since 1970" };
    if text.is_empty() || text.len() > 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed);
    }
    let Ok(seconds) = text.parse::<i64>() else {
        return Err(malformed);
    };
    let age = now.as_micros() / 1_000_000 - seconds;
    let window = REPLAY_WINDOW.as_secs() as i64;
    match age {
        _ if age > window => Err(Rejection::Stale(age)),
        _ if age < -window => Err(Rejection::Early(-age)),
        _ => Ok(Timestamp::from_micros(seconds * 1_000_000)),
    }
}

#[cfg(test)]
mod tests;
