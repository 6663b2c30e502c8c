//! Whose signatures of a capsule count: those of the environment's members, or of the keys that somebody names.
//!
//! The roster is the key ring of the environment: a member's node signs what it packs with its own key. A key that
//! was handed on still counts for what it signed; one that was revoked counts no more. Invariant: without a member
//! and without a key that was named nobody counts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use xyn_capsules::manifest::Line;
use xyn_capsules::sign::{Grant, Key, KeyId, PublicKey, RING_FORMAT_VERSION, Ring, Role, SecretKey};
use xyn_store::Timestamp;
use xyn_store::trust::Standing;

use crate::runtime::{Inner, Refusal};

/// How long a ring is good that is made for one act.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// The key that signs what this node packs.
pub(super) fn own_key(inner: &Inner) -> SecretKey {
    SecretKey::from_bytes(&inner.store.key().capsule_secret())
}

/// Who counts for an act with this `input`: `threshold` of its `keys`, or any member.
pub(crate) fn ring(inner: &Inner, input: &Value, now: Timestamp) -> Result<Ring, Refusal> {
    let env = inner.timeline()?.env().to_string();
    let env: Line = env.parse().expect("the id of an environment is a line");
    let (keys, threshold) = match named(input)? {
        keys if keys.is_empty() => (members(inner)?, 1),
        keys => {
            let threshold = input.get("threshold").and_then(Value::as_u64).unwrap_or(1);
            if threshold > keys.len() as u64 {
                let message = format!("a threshold of {threshold} is never met by {} keys", keys.len());
                return Err(Refusal::Conflict { code: "capsule_untrusted", message });
            }
            (keys, threshold as u32)
        }
    };
    let grant = || Grant { keys: keys.keys().copied().collect(), threshold };
    let roles =
        BTreeMap::from([(Role::Publisher, grant()), (Role::Attestor, grant()), (Role::Rollback, grant())]);
    Ok(Ring {
        format_version: RING_FORMAT_VERSION,
        env,
        version: 1,
        issued_at: now,
        expires: now.after(LIFETIME),
        keys,
        roles,
        apps: BTreeMap::new(),
    })
}

/// Keys that the input names.
fn named(input: &Value) -> Result<BTreeMap<KeyId, Key>, Refusal> {
    let texts = input.get("keys").and_then(Value::as_array).into_iter().flatten().enumerate();
    texts
        .map(|(index, text)| {
            let key: PublicKey = text.as_str().unwrap_or_default().parse().map_err(
                |error: xyn_capsules::sign::InvalidKey| {
                    let message = format!("`/keys/{index}`: {error}");
                    Refusal::Conflict { code: "capsule_untrusted", message }
                },
            )?;
            Ok((key.id(), entry(key, "named by who asks")))
        })
        .collect()
}

/// Keys of all who belong, or whose seat another key took.
pub(crate) fn members(inner: &Inner) -> Result<BTreeMap<KeyId, Key>, Refusal> {
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
