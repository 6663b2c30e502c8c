//! What a key ring lets in, at an instant.
//!
//! Pure: the instant is an argument. Invariant: an [`Admitted`] was signed by keys that were good then, in the
//! environment that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use xyn_store::{Digest, Timestamp};

use super::{Grant, InvalidRing, Key, Right, Ring, Role};
use crate::manifest::{Line, Manifest, Slug};
use crate::sign::envelope::Envelope;
use crate::sign::error::NotVerified;
use crate::sign::payload::Payload;
use crate::sign::predicate::Predicate;
use crate::sign::quorum::{Barred, Quorum, Verified};
use crate::sign::statement::Statement;

/// How far ahead the clock of another machine may be.
pub const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// What was let into an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted<T> {
    env: Line,
    verified: Verified<T>,
}

impl<T> Admitted<T> {
    /// Which environment.
    pub fn env(&self) -> &Line {
        &self.env
    }

    /// What, and who signed it.
    pub fn verified(&self) -> &Verified<T> {
        &self.verified
    }

    /// The same, without where.
    pub fn into_verified(self) -> Verified<T> {
        self.verified
    }

    /// What it is.
    pub fn value(&self) -> &T {
        self.verified.value()
    }
}

impl Ring {
    /// The first ring that a machine takes: signed by the `pinned` keys, which it was told to trust, and by its
    /// own root. It may be any version; from then on every successor is taken in turn.
    pub fn pinned(envelope: &Envelope, pinned: &Quorum, now: Timestamp) -> Result<Self, NotVerified> {
        let ring: Self = pinned.open(envelope)?.into_value();
        ring.admit_itself(envelope, now)?;
        not_future(ring.issued_at, now)?;
        Ok(ring)
    }

    /// A ring that this machine took before and kept: what is in `envelope` was signed by its own root.
    ///
    /// Whoever can put another one in its place decides whom to trust, as who can replace a public key.
    pub fn kept(envelope: &Envelope, now: Timestamp) -> Result<Self, NotVerified> {
        let ring = <Self as Payload>::read(envelope.unverified())?;
        ring.admit_itself(envelope, now)?;
        Ok(ring)
    }

    /// The ring that follows this one: signed by this root, and by its own.
    ///
    /// A machine that was away takes one after the other, so a key counts here that was good when the successor
    /// was issued and expired since. A revoked one never does: a root key that leaked is revoked, expired or not.
    pub fn succeed(&self, envelope: &Envelope, now: Timestamp) -> Result<Self, NotVerified> {
        // When it was issued is known only when somebody who may say so signed it.
        let root = Right::Role(Role::Root);
        let ever = self.quorum_at(self.roles.get(&Role::Root), 1, root, Timestamp::EPOCH, now);
        let signers = ever.signers::<Self>(envelope)?;
        let next = <Self as Payload>::read(envelope.unverified())?;
        if next.env != self.env {
            return Err(InvalidRing::Env { found: next.env, wanted: self.env.clone() }.into());
        }
        if self.version.checked_add(1) != Some(next.version) {
            return Err(InvalidRing::Version { found: next.version, have: self.version }.into());
        }
        if next.issued_at < self.issued_at {
            return Err(InvalidRing::Backdated { found: next.issued_at, have: self.issued_at }.into());
        }
        not_future(next.issued_at, now)?;
        self.role_at(Role::Root, next.issued_at, now).count(signers)?;
        next.admit_itself(envelope, now)?;
        Ok(next)
    }

    /// Who may act in `role` at `now`.
    pub fn quorum(&self, role: Role, now: Timestamp) -> Result<Quorum, NotVerified> {
        self.current(now)?;
        Ok(self.role_at(role, now, now))
    }

    /// Who may publish `app` at `now`: its own publishers, or those of all apps.
    pub fn publishers(&self, app: &Slug, now: Timestamp) -> Result<Quorum, NotVerified> {
        self.current(now)?;
        Ok(self.publishers_at(app, now, now))
    }

    /// Lets a capsule in, whose publishers signed it.
    pub fn manifest(&self, envelope: &Envelope, now: Timestamp) -> Result<Admitted<Manifest>, NotVerified> {
        self.current(now)?;
        self.manifest_again(envelope, now, now)
    }

    /// The same ring where one publisher is enough: to find out who of them signed, not whether they are enough.
    #[must_use]
    pub fn of_any_publisher(&self) -> Self {
        let mut ring = self.clone();
        let publishers = ring.roles.get_mut(&Role::Publisher).into_iter().chain(ring.apps.values_mut());
        publishers.for_each(|grant| grant.threshold = 1);
        ring
    }

    /// Lets a capsule in again, which was let in at `at`. What only expired since, be it a key or this ring, does not
    /// stand in the way back; what was revoked does.
    pub fn manifest_again(
        &self,
        envelope: &Envelope,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Admitted<Manifest>, NotVerified> {
        // Which app it is, and so who must sign, is read only from what some publisher signed.
        let (some, right) = (self.apps.values().chain(self.roles.get(&Role::Publisher)), Role::Publisher);
        let signers = self.quorum_at(some, 1, Right::Role(right), at, now).signers::<Manifest>(envelope)?;
        let manifest = <Manifest as Payload>::read(envelope.unverified())?;
        let counted = self.publishers_at(&manifest.id.app, at, now).count(signers)?;
        not_future(manifest.created_at, now)?;
        Ok(Admitted { env: self.env.clone(), verified: Verified::new(manifest, envelope, counted) })
    }

    /// Lets a statement about the content `tree` in, signed by who may say such a thing.
    pub fn statement<P: Predicate>(
        &self,
        envelope: &Envelope,
        tree: &Digest,
        now: Timestamp,
    ) -> Result<Admitted<Statement<P>>, NotVerified> {
        let verified = self.quorum(P::ROLE, now)?.statement(envelope, tree)?;
        Ok(Admitted { env: self.env.clone(), verified })
    }

    fn publishers_at(&self, app: &Slug, at: Timestamp, now: Timestamp) -> Quorum {
        match self.apps.get(app) {
            Some(grant) => self.quorum_at([grant], grant.threshold, Right::App(app.clone()), at, now),
            None => self.role_at(Role::Publisher, at, now),
        }
    }

    fn current(&self, now: Timestamp) -> Result<(), NotVerified> {
        if self.expires <= now {
            return Err(NotVerified::RingExpired { env: self.env.clone(), at: self.expires });
        }
        // A clock that was set back would make keys good again that are not.
        not_future(self.issued_at, now)
    }

    /// Checks that its own root signed the ring, so that who is to sign the next one can.
    fn admit_itself(&self, envelope: &Envelope, now: Timestamp) -> Result<(), NotVerified> {
        self.role_at(Role::Root, self.issued_at, now).open::<Self>(envelope).map(drop)
    }

    fn role_at(&self, role: Role, at: Timestamp, now: Timestamp) -> Quorum {
        let grant = self.roles.get(&role);
        self.quorum_at(grant, grant.map_or(1, |grant| grant.threshold), Right::Role(role), at, now)
    }

    /// `threshold` of the keys in `grants`, which `right` names, that were good at `at` and are not revoked by `now`.
    fn quorum_at<'a>(
        &self,
        grants: impl IntoIterator<Item = &'a Grant>,
        threshold: u32,
        right: Right,
        at: Timestamp,
        now: Timestamp,
    ) -> Quorum {
        let granted: BTreeSet<_> = grants.into_iter().flat_map(|grant| &grant.keys).collect();
        let (mut keys, mut barred) = (BTreeMap::new(), BTreeMap::new());
        for (id, key) in &self.keys {
            match key.bar(at, now).or_else(|| (!granted.contains(id)).then_some(Barred::Role)) {
                Some(why) => drop(barred.insert(*id, why)),
                None => drop(keys.insert(*id, key.key)),
            }
        }
        Quorum::of_ring(keys, barred, threshold, right)
    }
}

impl Key {
    /// Why its signatures do not count.
    fn bar(&self, at: Timestamp, now: Timestamp) -> Option<Barred> {
        let revoked = self.revoked.as_ref().map(|revoked| revoked.at).filter(|revoked| *revoked <= now);
        let expired = self.expires.filter(|expires| *expires <= at);
        revoked.map(Barred::Revoked).or(expired.map(Barred::Expired))
    }
}

fn not_future(at: Timestamp, now: Timestamp) -> Result<(), NotVerified> {
    if at > now.after(CLOCK_SKEW) { Err(NotVerified::Future { at, now }) } else { Ok(()) }
}
