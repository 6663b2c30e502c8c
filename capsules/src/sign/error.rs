//! Why something signed is not taken.

use std::collections::BTreeMap;

use xyn_store::{Digest, Timestamp};

use super::envelope::InvalidEnvelope;
use super::key::{BadSignature, KeyId};
use super::quorum::Barred;
use super::ring::{InvalidRing, Right};
use super::statement::InvalidStatement;
use crate::manifest::{InvalidManifest, Line};

/// Why an envelope was not opened, or not for this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// It is none.
    #[error(transparent)]
    Envelope(#[from] InvalidEnvelope),
    /// It holds something else.
    #[error("the envelope holds `{found}`, and should hold `{wanted}`")]
    Type {
        /// What it says that it holds.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Nobody signed.
    #[error("nobody signed it; get it again from who made it, signed")]
    Unsigned,
    /// No signature holds, and this one does not.
    #[error("the signature of key `{key_id}` {source}: the envelope was changed, or the key id is a lie")]
    Signature {
        /// Who is said to have made it.
        key_id: KeyId,
        /// Why it does not hold.
        source: BadSignature,
    },
    /// Too few signed.
    #[error("{have} of {need} needed signatures{}{}", right_text(right.as_ref()), passed_over_text(passed_over))]
    Threshold {
        /// How many count.
        have: usize,
        /// How many are needed.
        need: usize,
        /// Which right those must have who sign; nothing where somebody named them.
        right: Option<Right>,
        /// Whose do not, and why.
        passed_over: BTreeMap<KeyId, Barred>,
    },
    /// It speaks of other content.
    #[error("the statement is about content `{found}`, not about `{wanted}`")]
    Subject {
        /// What it speaks of.
        found: Digest,
        /// What it should speak of.
        wanted: Digest,
    },
    /// It was made later than now.
    #[error("it says that it was made at {at}, and here it is {now}; set the clock that is wrong")]
    Future {
        /// When it says that it was made.
        at: Timestamp,
        /// The present.
        now: Timestamp,
    },
    /// The key ring is too old to be trusted.
    #[error("the key ring of `{env}` expired at {at}; get its successor")]
    RingExpired {
        /// Whose ring.
        env: Line,
        /// When.
        at: Timestamp,
    },
    /// Its content is no manifest.
    #[error("no manifest: {0}")]
    Manifest(#[from] InvalidManifest),
    /// Its content is no statement of this kind.
    #[error("no such statement: {0}")]
    Statement(#[from] InvalidStatement),
    /// Its content is no key ring, or not the one that follows.
    #[error("no such key ring: {0}")]
    Ring(#[from] InvalidRing),
}

/// Keys named in one message.
const NAMED: usize = 4;

fn right_text(right: Option<&Right>) -> String {
    right.map(|right| format!(" of `{right}` keys")).unwrap_or_default()
}

fn passed_over_text(keys: &BTreeMap<KeyId, Barred>) -> String {
    let named = keys.iter().take(NAMED).map(|(id, why)| format!("; key `{id}` {why}"));
    let more = (keys.len() > NAMED).then(|| format!("; and {} more", keys.len() - NAMED));
    named.chain(more).collect()
}
