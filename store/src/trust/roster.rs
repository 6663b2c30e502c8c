//! The roster: who belongs now, and how much of each feed counts.
//!
//! Owns the answers. How statements add up to them is in [`fold`](super::fold). Invariant: time decides only
//! whom to talk to, never what counts. An author's clock cannot be checked and readers' clocks differ, so a
//! certificate that ran out closes the door (records of its node no longer come in at first hand) but takes
//! nothing back; whoever wants records not to count revokes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::fold::{self, Heads, NotCounted};
use super::{Cut, EnvId, Head, Role, SignedStatement};
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::scope::Principal;
use crate::timeline::feed::FeedId;

/// Where a statement stands: which record of which feed carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The feed.
    pub feed: FeedId,
    /// The record.
    pub record: Head,
}

/// A statement and where it was found; the same one may be found in several places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The statement.
    pub statement: SignedStatement,
    /// `None` when it came without a record (from a file, say): then only the root's counts.
    pub place: Option<Place>,
}

/// Members and cuts of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    pub(super) env: EnvId,
    pub(super) members: BTreeMap<PublicKey, Member>,
    pub(super) forks: BTreeMap<FeedId, Cut>,
    pub(super) not_counted: BTreeMap<Digest, NotCounted>,
}

/// A node that has, or had, a place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Whose device it is.
    pub principal: Principal,
    /// What the principal may do with it: what its certificate says, or less where its issuer may less.
    pub role: Role,
    /// Steps below the root.
    pub rank: u8,
    /// Who certified it, as its newest certificate says.
    pub issuer: PublicKey,
    /// When, by the issuer's clock.
    pub issued_at: Timestamp,
    /// Until when others connect to it: what its certificate says, or earlier where its issuer belongs no longer.
    pub expires: Option<Timestamp>,
    /// What its certificate says of that.
    pub(super) certified_until: Option<Timestamp>,
    /// Everyone who may renew and revoke it.
    pub(super) above: BTreeSet<PublicKey>,
    /// The certificates that offer its seat; the newest one is in force.
    pub(super) certificates: BTreeSet<Digest>,
    /// Keys whose seat this one took.
    pub(super) predecessors: BTreeSet<PublicKey>,
    /// Keys that may speak for this one's people.
    pub(super) successors: BTreeSet<PublicKey>,
    /// Why it was revoked, for people.
    pub revoked_because: Option<String>,
    /// What the revocations of it and its predecessors leave.
    pub(super) revoked: Option<Heads>,
    /// What its successions leave.
    pub(super) retired: Option<Heads>,
}

/// How a member stands, whatever the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It belongs.
    Active,
    /// It handed its seat to another key.
    Retired,
    /// It, or the key it succeeded, was revoked.
    Revoked,
}

/// Why this node does not talk to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum NotAdmitted {
    /// No certificate that counts.
    #[error("node `{0}` is no member of this environment")]
    Stranger(PublicKey),
    /// It was revoked.
    #[error("node `{0}` was revoked")]
    Revoked(PublicKey),
    /// It has another key now.
    #[error("node `{0}` changed its key")]
    Retired(PublicKey),
    /// Its certificate ran out.
    #[error("the certificate of node `{0}` expired at {1}")]
    Expired(PublicKey, Timestamp),
}

impl Roster {
    /// What `statements` add up to. `forks` says where feeds are cut because their author signed two records
    /// at one number; the proof of that needs no roster.
    pub fn fold<'a>(
        env: EnvId,
        statements: impl IntoIterator<Item = &'a Placed>,
        forks: BTreeMap<FeedId, Cut>,
    ) -> Self {
        fold::fold(env, statements, forks)
    }

    /// The environment.
    pub fn env(&self) -> EnvId {
        self.env
    }

    /// How much of `feed` counts.
    pub fn cut(&self, feed: FeedId) -> Cut {
        let Some(member) = self.members.get(&feed.node) else {
            return Cut::Everything;
        };
        let fork = self.forks.get(&feed).copied().unwrap_or(Cut::Nowhere);
        let bounds = [&member.revoked, &member.retired].into_iter().flatten();
        bounds.fold(fork, |cut, heads| {
            cut.and(heads.get(&feed).map_or(Cut::Everything, |head| Cut::from(*head)))
        })
    }

    /// The member with this key, however it stands.
    pub fn member(&self, node: PublicKey) -> Option<&Member> {
        self.members.get(&node)
    }

    /// Whether it belongs, itself or by its heir: whoever is no stranger and was not revoked.
    pub fn belongs(&self, node: PublicKey) -> bool {
        self.member(node).is_some_and(|member| member.standing() != Standing::Revoked)
    }

    /// Whether it had a place, and has it no more.
    pub fn is_out(&self, node: PublicKey) -> bool {
        self.member(node).is_some_and(|member| member.standing() != Standing::Active)
    }

    /// All who have, or had, a place, by key.
    pub fn members(&self) -> impl Iterator<Item = (PublicKey, &Member)> {
        self.members.iter().map(|(node, member)| (*node, member))
    }

    /// Whether to dial `node`, or to answer it.
    pub fn admit(&self, node: PublicKey, now: Timestamp) -> Result<&Member, NotAdmitted> {
        let member = self.members.get(&node).ok_or(NotAdmitted::Stranger(node))?;
        match (member.standing(), member.expires) {
            (Standing::Revoked, _) => Err(NotAdmitted::Revoked(node)),
            (Standing::Retired, _) => Err(NotAdmitted::Retired(node)),
            (Standing::Active, Some(expires)) if expires <= now => Err(NotAdmitted::Expired(node, expires)),
            (Standing::Active, _) => Ok(member),
        }
    }

    /// When the first of the certificates that run out does so, or did.
    pub fn first_expiry(&self) -> Option<Timestamp> {
        self.members.values().filter_map(|member| member.expires).min()
    }

    /// Whether `issuer` may renew and revoke `subject`.
    pub fn ranks_above(&self, issuer: PublicKey, subject: PublicKey) -> bool {
        self.members.get(&subject).is_some_and(|member| member.above.contains(&issuer))
    }

    /// `node` and the keys that took its seat, one after the other.
    pub fn succession(&self, node: PublicKey) -> BTreeSet<PublicKey> {
        let mut line = BTreeSet::new();
        let mut next = vec![node];
        while let Some(key) = next.pop() {
            if line.insert(key) {
                next.extend(self.members.get(&key).into_iter().flat_map(|member| &member.successors));
            }
        }
        line
    }

    /// Whether a statement is heard where it was found: the root's anywhere, a member's in its own feed, as far as that
    /// counts.
    pub fn hears(&self, placed: &Placed) -> bool {
        let issuer = placed.statement.statement().issuer;
        let is_own = |at: Place| at.feed.node == issuer && self.cut(at.feed).admits(at.record);
        issuer == self.env.root() || placed.place.is_some_and(is_own)
    }

    /// The statements that change nothing, each with the reason.
    pub fn not_counted(&self) -> &BTreeMap<Digest, NotCounted> {
        &self.not_counted
    }
}

impl Member {
    /// How it stands, whatever the time.
    pub fn standing(&self) -> Standing {
        match (&self.revoked, &self.retired) {
            (Some(_), _) => Standing::Revoked,
            (None, Some(_)) => Standing::Retired,
            (None, None) => Standing::Active,
        }
    }

    /// The end of a certificate by `issuer` that changes nothing about when this member's ends. By who issued the
    /// present one it goes on to end with its issuer's, also when that is renewed.
    pub fn end_by(&self, issuer: PublicKey) -> Option<Timestamp> {
        if issuer == self.issuer { self.certified_until } else { self.expires }
    }
}
