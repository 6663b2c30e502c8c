//! Key rings: who may do what in an environment, and until when.
//!
//! Owns the document, which is signed like everything else, and what must hold of it. Four roles: `root` signs
//! the next ring, `publisher` signs capsules, `attestor` signs statements about them, `rollback` gives leave to
//! go back. An app can have publishers of its own. Invariant: a [`Ring`] names every key by what it is and
//! lets nobody in without a signature.

mod edit;
mod trust;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use xyn_store::Timestamp;

pub use edit::Right;
pub use trust::{Admitted, CLOCK_SKEW};

use super::error::NotVerified;
use super::key::{KeyId, PublicKey};
use super::payload::Payload;
use crate::json::{self, InvalidJson};
use crate::manifest::{Line, Slug};

/// The version of the format that is written, and the newest that is read.
pub const RING_FORMAT_VERSION: u32 = 1;
/// Bytes that a key ring may have.
pub const RING_MAX_BYTES: usize = 1 << 20;
/// Keys of one ring.
pub const RING_KEYS_MAX: usize = 256;

/// Who may do what in an environment. A field that is not known here is refused: it could take away a right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ring {
    /// Which version of this format it is in.
    pub format_version: u32,
    /// For which environment it is, and for no other.
    pub env: Line,
    /// Grows by one with each change.
    pub version: u64,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From when on it must have been replaced.
    pub expires: Timestamp,
    /// Every key there is, by its name.
    pub keys: BTreeMap<KeyId, Key>,
    /// What keys may do. Nobody may do what stands under no role.
    pub roles: BTreeMap<Role, Grant>,
    /// Who may publish these apps, in the place of the role `publisher`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub apps: BTreeMap<Slug, Grant>,
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sign the ring that follows.
    Root,
    /// Sign capsules.
    Publisher,
    /// Sign statements about capsules.
    Attestor,
    /// Give leave to install an older capsule.
    Rollback,
}

/// A key, and how long it is good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    /// The key.
    pub key: PublicKey,
    /// Whose it is, for people.
    pub name: Line,
    /// From when on its signatures do not count any more; as long as the ring, when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// That its signatures do not count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revoked>,
}

/// That a key was lost, leaked, or is not used any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// From when on. No signature counts then, whenever it claims to have been made.
    pub at: Timestamp,
    /// Why, for people.
    pub reason: Line,
}

/// Keys, and how many of them must sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Which keys.
    pub keys: Vec<KeyId>,
    /// How many of them.
    pub threshold: u32,
}

/// Why bytes are no key ring, or not the one that follows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRing {
    /// They are no such document.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// They are of another version.
    #[error(
        "`/formatVersion`: this program reads {RING_FORMAT_VERSION}, and this is {0}; use a newer program"
    )]
    Format(u32),
    /// More than [`RING_KEYS_MAX`].
    #[error("`/keys`: there are {0}, and there may be {RING_KEYS_MAX}")]
    TooMany(usize),
    /// A key under the name of another.
    #[error("`/keys/{said}`: the key there is `{is}`; a key is named by its SHA-256")]
    LyingKeyId {
        /// The name it stands under.
        said: KeyId,
        /// Its own.
        is: KeyId,
    },
    /// A role that is given to a key that is not there.
    #[error("`{place}`: there is no key `{key_id}` in `/keys`")]
    NoKey {
        /// Which role or app.
        place: String,
        /// What is not there.
        key_id: KeyId,
    },
    /// A key that is counted twice.
    #[error("`{place}`: names key `{key_id}` twice; a key counts once")]
    Twice {
        /// Which role or app.
        place: String,
        /// Which key.
        key_id: KeyId,
    },
    /// Nobody would have to sign.
    #[error("`{place}`: a threshold of 0 would take what nobody signed; write 1 or more")]
    Zero {
        /// Which role or app.
        place: String,
    },
    /// More signatures than there are keys.
    #[error("`{place}`: a threshold of {threshold} is never met by {keys} keys")]
    TooFew {
        /// Which role or app.
        place: String,
        /// How many must sign.
        threshold: u32,
        /// How many there are.
        keys: usize,
    },
    /// Nobody could sign a successor.
    #[error("`/roles`: there is no `root`, and nobody could sign the next ring")]
    NoRoot,
    /// It was never good.
    #[error("`/expires`: {expires} is not after `/issuedAt`, which is {issued_at}")]
    Instants {
        /// Until when.
        expires: Timestamp,
        /// From when on.
        issued_at: Timestamp,
    },
    /// The ring of another environment.
    #[error("`/env`: is `{found}`, and should be `{wanted}`")]
    Env {
        /// What it is.
        found: Line,
        /// What it should be.
        wanted: Line,
    },
    /// Not the next one.
    #[error("`/version`: is {found}, and the next one after {have} is needed")]
    Version {
        /// What it is.
        found: u64,
        /// What is there.
        have: u64,
    },
    /// Made before the one that it replaces.
    #[error("`/issuedAt`: is {found}, and the ring before it was issued at {have}")]
    Backdated {
        /// What it is.
        found: Timestamp,
        /// What is there.
        have: Timestamp,
    },
}

impl Ring {
    fn check(&self) -> Result<(), InvalidRing> {
        if self.format_version != RING_FORMAT_VERSION {
            return Err(InvalidRing::Format(self.format_version));
        }
        if self.keys.len() > RING_KEYS_MAX {
            return Err(InvalidRing::TooMany(self.keys.len()));
        }
        if let Some((&said, key)) = self.keys.iter().find(|(id, key)| key.key.id() != **id) {
            return Err(InvalidRing::LyingKeyId { said, is: key.key.id() });
        }
        if !self.roles.contains_key(&Role::Root) {
            return Err(InvalidRing::NoRoot);
        }
        for (role, grant) in &self.roles {
            self.check_grant(format!("/roles/{}", role.as_str()), grant)?;
        }
        for (app, grant) in &self.apps {
            self.check_grant(format!("/apps/{app}"), grant)?;
        }
        let (expires, issued_at) = (self.expires, self.issued_at);
        if expires <= issued_at { Err(InvalidRing::Instants { expires, issued_at }) } else { Ok(()) }
    }

    fn check_grant(&self, place: String, grant: &Grant) -> Result<(), InvalidRing> {
        let mut seen = BTreeSet::new();
        for &key_id in &grant.keys {
            if !self.keys.contains_key(&key_id) {
                return Err(InvalidRing::NoKey { place, key_id });
            }
            if !seen.insert(key_id) {
                return Err(InvalidRing::Twice { place, key_id });
            }
        }
        let (threshold, keys) = (grant.threshold, seen.len());
        match threshold as usize {
            0 => Err(InvalidRing::Zero { place }),
            least if least > keys => Err(InvalidRing::TooFew { place, threshold, keys }),
            _ => Ok(()),
        }
    }
}

impl Role {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Publisher => "publisher",
            Self::Attestor => "attestor",
            Self::Rollback => "rollback",
        }
    }
}

impl Payload for Ring {
    const TYPE: &'static str = "application/vnd.xyn.keyring.v1+json";

    fn read(bytes: &[u8]) -> Result<Self, NotVerified> {
        let ring: Self = json::read(bytes, RING_MAX_BYTES).map_err(InvalidRing::from)?;
        ring.check()?;
        Ok(ring)
    }

    fn write(&self) -> Result<Vec<u8>, NotVerified> {
        let bytes = json::write(self).map_err(InvalidRing::from)?;
        Self::read(&bytes)?;
        Ok(bytes)
    }
}
