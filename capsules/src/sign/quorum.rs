//! How many of whom must have signed, and what comes of it.
//!
//! Owns the only way from an envelope to what is in it. Signatures of others, and such as do not hold for the key
//! that they name, say nothing: anybody who hands an envelope on could add one, so they are passed over and told. Where
//! none holds, an envelope was changed, and is refused for the first that does not. Invariant: a [`Verified`] was read
//! from exactly the bytes that were signed, after they were found to be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use xyn_store::{Digest, Timestamp};

use super::envelope::Envelope;
use super::error::NotVerified;
use super::key::{BadSignature, KeyId, PublicKey};
use super::payload::Payload;
use super::predicate::Predicate;
use super::ring::Right;
use super::statement::Statement;
use crate::json::shown;
use crate::manifest::Manifest;

/// Keys, and how many of them must have signed.
#[derive(Clone, Debug)]
pub struct Quorum {
    keys: BTreeMap<KeyId, PublicKey>,
    /// Keys that are known and do not count, and why.
    barred: BTreeMap<KeyId, Barred>,
    threshold: usize,
    /// By what right they count; nothing where somebody named them.
    right: Option<Right>,
}

/// A threshold that no signatures could fulfil, or that none would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuorum {
    /// Nobody would have to sign.
    #[error("a threshold of 0 would take what nobody signed; write 1 or more")]
    Zero,
    /// More than there are keys.
    #[error("a threshold of {threshold} is never met by {keys} keys")]
    TooFew {
        /// How many must sign.
        threshold: u32,
        /// How many there are, each counted once.
        keys: usize,
    },
}

/// Why a signature was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// Its key is not known here.
    Unknown,
    /// Its key may not do this.
    Role,
    /// Its key was good until then.
    Expired(Timestamp),
    /// Its key was revoked then.
    Revoked(Timestamp),
    /// Its key did not make it, or not so.
    Forged(BadSignature),
}

/// What was verified, and who signed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified<T> {
    value: T,
    digest: Digest,
    signers: Signers,
}

/// Whose signatures of an envelope hold, and whose were passed over. A key may be among both, by two signatures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signers {
    held: BTreeSet<KeyId>,
    passed_over: BTreeMap<KeyId, Barred>,
}

impl Quorum {
    /// `threshold` of `keys`; a key given twice is one.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>, threshold: u32) -> Result<Self, InvalidQuorum> {
        let keys: BTreeMap<_, _> = keys.into_iter().map(|key| (key.id(), key)).collect();
        match threshold as usize {
            0 => Err(InvalidQuorum::Zero),
            least if least > keys.len() => Err(InvalidQuorum::TooFew { threshold, keys: keys.len() }),
            threshold => Ok(Self { keys, barred: BTreeMap::new(), threshold, right: None }),
        }
    }

    /// The one `key`.
    pub fn one(key: PublicKey) -> Self {
        let keys = BTreeMap::from([(key.id(), key)]);
        Self { keys, barred: BTreeMap::new(), threshold: 1, right: None }
    }

    /// What a key ring allows; its threshold is at least 1, and may be out of reach.
    pub(super) fn of_ring(
        keys: BTreeMap<KeyId, PublicKey>,
        barred: BTreeMap<KeyId, Barred>,
        threshold: u32,
        right: Right,
    ) -> Self {
        Self { keys, barred, threshold: threshold.max(1) as usize, right: Some(right) }
    }

    /// Who counts.
    pub fn members(&self) -> impl Iterator<Item = KeyId> {
        self.keys.keys().copied()
    }

    /// How many of them must have signed.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// By what right they count; nothing where somebody named them.
    pub fn right(&self) -> Option<&Right> {
        self.right.as_ref()
    }

    /// Opens a manifest, whenever it was made.
    pub fn manifest(&self, envelope: &Envelope) -> Result<Verified<Manifest>, NotVerified> {
        self.open(envelope)
    }

    /// Opens a statement about the content `tree`.
    pub fn statement<P: Predicate>(
        &self,
        envelope: &Envelope,
        tree: &Digest,
    ) -> Result<Verified<Statement<P>>, NotVerified> {
        let verified: Verified<Statement<P>> = self.open(envelope)?;
        verified.value.subject.is(tree)?;
        Ok(verified)
    }

    pub(super) fn open<T: Payload>(&self, envelope: &Envelope) -> Result<Verified<T>, NotVerified> {
        let counted = self.count(self.signers::<T>(envelope)?)?;
        Ok(Verified::new(T::read(envelope.unverified())?, envelope, counted))
    }

    /// Whose signatures hold; at least one does.
    pub(super) fn signers<T: Payload>(&self, envelope: &Envelope) -> Result<Signers, NotVerified> {
        if envelope.payload_type() != T::TYPE {
            let found = shown(envelope.payload_type());
            return Err(NotVerified::Type { found, wanted: T::TYPE });
        }
        if envelope.signatures().is_empty() {
            return Err(NotVerified::Unsigned);
        }
        let message = envelope.pre_authentication();
        let (mut held, mut passed_over) = (BTreeSet::new(), BTreeMap::new());
        let mut forged = None;
        for signature in envelope.signatures() {
            let named = signature.key_id.map(|id| (id, self.keys.get(&id)));
            match named {
                Some((id, Some(key))) => match key.verify(&message, &signature.bytes) {
                    Ok(()) => drop(held.insert(id)),
                    Err(source) => {
                        forged.get_or_insert(NotVerified::Signature { key_id: id, source });
                        passed_over.insert(id, Barred::Forged(source));
                    }
                },
                Some((id, None)) => {
                    passed_over.insert(id, self.why(&id));
                }
                None => {
                    let mut rest = self.keys.iter().filter(|(id, _)| !held.contains(id));
                    let maker = rest.find(|(_, key)| key.verify(&message, &signature.bytes).is_ok());
                    held.extend(maker.map(|(id, _)| *id));
                }
            }
        }
        match forged {
            _ if !held.is_empty() => Ok(Signers { held, passed_over }),
            Some(forged) => Err(forged),
            None => Err(self.missed(0, passed_over)),
        }
    }

    /// Those of `signers` who count here, when they are enough.
    pub(super) fn count(&self, signers: Signers) -> Result<Signers, NotVerified> {
        let Signers { held, mut passed_over } = signers;
        let (counted, others): (BTreeSet<_>, BTreeSet<_>) =
            held.into_iter().partition(|id| self.keys.contains_key(id));
        passed_over.extend(others.into_iter().map(|id| (id, self.why(&id))));
        match counted.len() >= self.threshold {
            true => Ok(Signers { held: counted, passed_over }),
            false => Err(self.missed(counted.len(), passed_over)),
        }
    }

    /// Why a key that is not among those that count does not.
    fn why(&self, id: &KeyId) -> Barred {
        self.barred.get(id).copied().unwrap_or(Barred::Unknown)
    }

    fn missed(&self, have: usize, passed_over: BTreeMap<KeyId, Barred>) -> NotVerified {
        NotVerified::Threshold { have, need: self.threshold, right: self.right.clone(), passed_over }
    }
}

impl<T> Verified<T> {
    /// `value`, which was read from what `envelope` holds, and `signers`, who were counted.
    pub(super) fn new(value: T, envelope: &Envelope, signers: Signers) -> Self {
        Self { value, digest: envelope.digest(), signers }
    }

    /// What it is.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// What it is, without who signed it.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Of the bytes that were signed.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Who signed it and counts, each key once.
    pub fn signers(&self) -> &BTreeSet<KeyId> {
        &self.signers.held
    }

    /// Signatures that do not count, and why, for people.
    pub fn passed_over(&self) -> Vec<String> {
        let lines = self.signers.passed_over.iter();
        lines.map(|(id, why)| format!("the signature of key `{id}` does not count: the key {why}")).collect()
    }
}

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("is not known here"),
            Self::Role => f.write_str("may not do this"),
            Self::Expired(at) => write!(f, "expired at {at}"),
            Self::Revoked(at) => write!(f, "was revoked at {at}"),
            Self::Forged(source) => write!(f, "is named for a signature that {source}"),
        }
    }
}
