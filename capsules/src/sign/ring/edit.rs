//! Key rings in the making: the first one of an environment, and what the next one says otherwise.
//!
//! Nothing here signs. Invariant: whatever is changed shows in the version, and a key that was ever there and
//! does not count any more stays, with the reason.

use std::collections::BTreeMap;
use std::fmt;

use xyn_store::Timestamp;

use super::{Grant, Key, RING_FORMAT_VERSION, Revoked, Ring, Role};
use crate::manifest::{Line, Slug};
use crate::sign::key::{KeyId, PublicKey};

/// What a key is let do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// What the role says, for every app.
    Role(Role),
    /// Publish this app, which then only those may who have this right.
    App(Slug),
}

impl Ring {
    /// The first ring of `env`: `key` may do everything.
    pub fn first(env: Line, key: Key, issued_at: Timestamp, expires: Timestamp) -> Self {
        let id = key.key.id();
        let roles = [Role::Root, Role::Publisher, Role::Attestor, Role::Rollback];
        let grant = |role| (role, Grant { keys: vec![id], threshold: 1 });
        Self {
            format_version: RING_FORMAT_VERSION,
            env,
            version: 1,
            issued_at,
            expires,
            keys: BTreeMap::from([(id, key)]),
            roles: roles.map(grant).into(),
            apps: BTreeMap::new(),
        }
    }

    /// The ring that follows this one, which says the same.
    #[must_use]
    pub fn next(&self, issued_at: Timestamp, expires: Timestamp) -> Self {
        let version = self.version.saturating_add(1);
        Self { version, issued_at: issued_at.max(self.issued_at), expires, ..self.clone() }
    }

    /// Lets `key` do what `right` says. Nothing happens to who may do it already.
    pub fn grant(&mut self, right: Right, key: Key) {
        let id = key.key.id();
        self.keys.entry(id).or_insert(key);
        let grant = self.granted(right);
        if !grant.keys.contains(&id) {
            grant.keys.push(id);
        }
    }

    /// Says how many of those who have a right must sign.
    pub fn require(&mut self, right: Right, threshold: u32) {
        self.granted(right).threshold = threshold;
    }

    /// Takes all rights from the key `id`, whose signatures do not count any more. Answers whether it was
    /// there. The last key with a right keeps it in name: that nobody may is no leave for others.
    pub fn revoke(&mut self, id: KeyId, at: Timestamp, reason: Line) -> bool {
        let Some(key) = self.keys.get_mut(&id) else { return false };
        key.revoked.get_or_insert(Revoked { at, reason });
        for grant in self.roles.values_mut().chain(self.apps.values_mut()) {
            if grant.keys.len() > 1 {
                grant.keys.retain(|key| *key != id);
            }
        }
        true
    }

    /// Puts `key` in the place of `old`, which is revoked. Answers whether that was there.
    pub fn rotate(&mut self, old: KeyId, key: Key, at: Timestamp, reason: Line) -> bool {
        let id = key.key.id();
        for grant in self.roles.values_mut().chain(self.apps.values_mut()) {
            if grant.keys.contains(&old) && !grant.keys.contains(&id) {
                grant.keys.push(id);
            }
        }
        self.keys.entry(id).or_insert(key);
        self.revoke(old, at, reason)
    }

    /// Every right that is given, and to whom.
    pub fn grants(&self) -> impl Iterator<Item = (Right, &Grant)> {
        let roles = self.roles.iter().map(|(role, grant)| (Right::Role(*role), grant));
        roles.chain(self.apps.iter().map(|(app, grant)| (Right::App(app.clone()), grant)))
    }

    /// The rights of the key `id`, as words.
    pub fn rights(&self, id: KeyId) -> Vec<String> {
        let has = |(_, grant): &(Right, &Grant)| grant.keys.contains(&id);
        self.grants().filter(has).map(|(right, _)| right.to_string()).collect()
    }

    fn granted(&mut self, right: Right) -> &mut Grant {
        let none = || Grant { keys: Vec::new(), threshold: 1 };
        match right {
            Right::Role(role) => self.roles.entry(role).or_insert_with(none),
            Right::App(app) => self.apps.entry(app).or_insert_with(none),
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => f.write_str(role.as_str()),
            Self::App(app) => write!(f, "app {app}"),
        }
    }
}

impl Key {
    /// A key that is good as long as the ring it is in.
    pub fn new(key: PublicKey, name: Line) -> Self {
        Self { key, name, expires: None, revoked: None }
    }
}
