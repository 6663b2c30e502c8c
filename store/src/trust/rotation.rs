//! Keys that take over: who asks for it, and who speaks for whom afterwards.
//!
//! Owns a member's last word: a certificate of its own seat for another key, in its own feed. By itself it changes
//! nothing; once a member above it says the same, the new key sits there. Pure. Invariant: of a member that changed
//! its key, one key speaks.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Certificate, Claim, EnvId, Head, Member, Placed, Roster, Seat, SignedStatement, Standing, Succession,
};
use crate::audit::key::NodeKey;
use crate::audit::signature::PublicKey;
use crate::timeline::feed::FeedId;

impl SignedStatement {
    /// The certificate by which its issuer hands its own seat to another key: the last thing that it says.
    pub fn farewell(&self) -> Option<&Certificate> {
        match &self.statement().claim {
            Claim::Certificate(certificate) => match &certificate.seat {
                Seat::Succeeding(succession) if succession.old == self.statement().issuer => {
                    Some(certificate)
                }
                _ => None,
            },
            Claim::Revocation(_) => None,
        }
    }
}

impl Member {
    /// What the member of `env` that goes by `key` says to hand its seat to `next`, so that this `last` counts of it; or
    /// `issuer` for it.
    pub fn farewell_to(
        &self,
        (env, key, next): (EnvId, &NodeKey, &NodeKey),
        last: BTreeMap<FeedId, Head>,
        issuer: PublicKey,
    ) -> Certificate {
        let seat = Seat::Succeeding(Succession::sign(env, key, next.public(), last));
        let consent = seat.agree(env, next);
        let (principal, role, expires) = (self.principal.clone(), self.role, self.end_by(issuer));
        Certificate { node: next.public(), seat, principal, role, expires, consent }
    }
}

impl Roster {
    /// The key that speaks for `node` now: its own, or where it handed its seat over, the one in force.
    pub fn heir(&self, node: PublicKey) -> PublicKey {
        let is_in_force =
            |key: &PublicKey| self.member(*key).is_some_and(|it| it.standing() == Standing::Active);
        self.succession(node).into_iter().find(is_in_force).unwrap_or(node)
    }

    /// `node` and the keys that it had before, however it stands.
    pub fn heritage(&self, node: PublicKey) -> BTreeSet<PublicKey> {
        let mut line = BTreeSet::new();
        let mut next = vec![node];
        while let Some(key) = next.pop() {
            if line.insert(key) {
                next.extend(self.member(key).into_iter().flat_map(|member| &member.predecessors));
            }
        }
        line
    }

    /// The last words among `statements` that nobody confirmed: each the newest of its member.
    pub fn farewells<'a>(&self, statements: &'a [Placed]) -> Vec<&'a Placed> {
        let mut open: Vec<&Placed> = statements.iter().filter(|placed| self.is_open(placed)).collect();
        let key = |placed: &Placed| (placed.statement.statement().issuer, placed.place);
        open.sort_by_key(|placed| std::cmp::Reverse(key(placed)));
        open.dedup_by_key(|placed| placed.statement.statement().issuer);
        open
    }

    /// What confirms the last word of `old` among `statements`, if `issuer` says so: its seat as it is, for the key that
    /// it names.
    pub fn confirmation(
        &self,
        statements: &[Placed],
        old: PublicKey,
        issuer: PublicKey,
    ) -> Option<Certificate> {
        let member = self.member(old)?;
        let farewells = self.farewells(statements).into_iter().map(|placed| &placed.statement);
        let mut of_old = farewells.filter(|statement| statement.statement().issuer == old);
        let farewell = of_old.next()?.farewell()?.clone();
        let (principal, role, expires) = (member.principal.clone(), member.role, member.end_by(issuer));
        Some(Certificate { principal, role, expires, ..farewell })
    }

    /// Whether it is the last word of a member that still sits, and leaves nothing behind it.
    fn is_open(&self, placed: &Placed) -> bool {
        let old = placed.statement.statement().issuer;
        let Some((certificate, place)) = placed.statement.farewell().zip(placed.place) else { return false };
        let Seat::Succeeding(succession) = &certificate.seat else { return false };
        let before = succession.last.get(&place.feed).map_or(0, |last| last.seq);
        place.feed.node == old
            && place.record.seq == before + 1
            && self.cut(place.feed).admits(place.record)
            && self.member(old).is_some_and(|member| member.standing() == Standing::Active)
    }
}
