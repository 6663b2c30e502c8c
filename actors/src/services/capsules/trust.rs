//! Whose signatures of a capsule count: those of the keys that somebody names, or of the key ring of the environment, or
//! of its members as long as it has none.
//!
//! A member's node signs what it packs with its own key. A key that was handed on still counts for what it signed; one
//! that was revoked counts no more. Invariant: nobody is deployed by naming keys where a key ring is in force, and
//! without a ring, a member and a key that was named nobody counts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use xyn_capsules::sign::{
    Grant, InvalidKey, Key, KeyId, NotVerified, PublicKey, RING_FORMAT_VERSION, Ring, Role, SecretKey,
};
use xyn_store::Timestamp;
use xyn_store::trust::Standing;

use super::{refusal, ring};
use crate::runtime::{Inner, Refusal};

/// How long a ring is good that is made for one act.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// The key that signs what this node packs.
pub(super) fn own_key(inner: &Inner) -> SecretKey {
    SecretKey::from_bytes(&inner.store.key().capsule_secret())
}

/// Keys by their names.
type Keys = BTreeMap<KeyId, Key>;

/// Who counts for an act.
pub(crate) struct Counting {
    pub(crate) ring: Ring,
    pub(crate) basis: Basis,
}

/// On whose word they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// The key ring that is in force says so.
    Ring,
    /// Whoever asks named them.
    Named,
    /// They are members.
    Members,
}

impl Counting {
    /// Who counts for an act with this `input`: those whom it names, or those of the key ring in force, or any member.
    pub(crate) fn of(inner: &Inner, input: &Value, now: Timestamp) -> Result<Self, Refusal> {
        if let Some((keys, threshold)) = named(input)? {
            return Self::made(inner, keys, threshold, Basis::Named, now);
        }
        Self::in_force(inner, now)?.map_or_else(|| Self::members(inner, now), Ok)
    }

    /// Who counts for a deployment, and for what is added to a capsule: those of the key ring in force, whoever is named
    /// besides.
    pub(crate) fn for_deployment(inner: &Inner, input: &Value, now: Timestamp) -> Result<Self, Refusal> {
        Self::in_force(inner, now)?.map_or_else(|| Self::of(inner, input, now), Ok)
    }

    /// Those of the key ring in force, if there is one.
    pub(crate) fn in_force(inner: &Inner, now: Timestamp) -> Result<Option<Self>, Refusal> {
        let known = ring::in_force(inner, now)?;
        Ok(known.map(|known| Self { ring: known.ring, basis: Basis::Ring }))
    }

    /// The same, of whom one is enough: for a signature more on a capsule that is here already.
    pub(super) fn of_any(self) -> Self {
        Self { ring: self.ring.of_any_publisher(), ..self }
    }

    /// Any member: this node signs what it packs as one of them.
    pub(super) fn members(inner: &Inner, now: Timestamp) -> Result<Self, Refusal> {
        Self::made(inner, members(inner)?, 1, Basis::Members, now)
    }

    /// A ring for one act, in which `threshold` of `keys` are let do everything.
    fn made(
        inner: &Inner,
        keys: Keys,
        threshold: u32,
        basis: Basis,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let env = inner.timeline()?.env().to_string();
        let grant = |role| (role, Grant { keys: keys.keys().copied().collect(), threshold });
        let ring = Ring {
            format_version: RING_FORMAT_VERSION,
            env: env.parse().expect("the id of an environment is a line"),
            version: 1,
            issued_at: now,
            expires: now.after(LIFETIME),
            roles: [Role::Publisher, Role::Attestor, Role::Rollback].map(grant).into(),
            keys,
            apps: BTreeMap::new(),
        };
        Ok(Self { ring, basis })
    }

    /// Why a manifest does not count that its signers signed.
    pub(crate) fn refused(&self, error: NotVerified) -> Refusal {
        let message = format!("the manifest, by {self}: {}", refusal::with_causes(&error));
        Refusal::Conflict { code: "capsule_untrusted", message }
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.basis {
            Basis::Ring => write!(f, "version {} of the key ring", self.ring.version),
            Basis::Named => f.write_str("the keys that were named"),
            Basis::Members => f.write_str("the keys of members"),
        }
    }
}

/// The keys that the input names, and how many of them must have signed; nothing where it names none.
pub(super) fn named(input: &Value) -> Result<Option<(Keys, u32)>, Refusal> {
    let untrusted = |message| Refusal::Conflict { code: "capsule_untrusted", message };
    let texts = input.get("keys").and_then(Value::as_array).into_iter().flatten().enumerate();
    let keys = texts.map(|(index, text)| {
        let key: Result<PublicKey, InvalidKey> = text.as_str().unwrap_or_default().parse();
        let key = key.map_err(|error| untrusted(format!("`/keys/{index}`: {error}")))?;
        Ok((key.id(), entry(key, "named by who asks")))
    });
    let keys: Keys = keys.collect::<Result<_, Refusal>>()?;
    let threshold = input.get("threshold").and_then(Value::as_u64).unwrap_or(1);
    match u32::try_from(threshold) {
        _ if keys.is_empty() => Ok(None),
        Ok(threshold) if threshold as usize <= keys.len() => Ok(Some((keys, threshold))),
        _ => Err(untrusted(format!("a threshold of {threshold} is never met by {} keys", keys.len()))),
    }
}

/// Keys of all who belong, or whose seat another key took.
pub(crate) fn members(inner: &Inner) -> Result<Keys, Refusal> {
    let roster = inner.timeline()?.roster();
    let counting = roster.members().filter(|(_, member)| member.standing() != Standing::Revoked);
    let keys = counting.filter_map(|(node, member)| {
        // A key under which anybody could sign is nobody's.
        let key = PublicKey::from_bytes(node.as_bytes()).ok()?;
        Some((key.id(), entry(key, member.principal.as_str())))
    });
    Ok(keys.collect())
}

fn entry(key: PublicKey, name: &str) -> Key {
    let name = name.parse().unwrap_or_else(|_| "a member".parse().expect("it is a line"));
    Key { key, name, expires: None, revoked: None }
}
