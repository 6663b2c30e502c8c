//! Certificates that follow each other: who may give a seat, and which certificate a renewal goes on from.
//!
//! Owns the question of who speaks for a seat. What the newest certificate of a member says is in force, whoever
//! above it said so; the [`fold`](super::fold) takes it. Pure. Invariant: a renewal is for the seat that the member
//! has and agreed to, so it changes the role and the end, and never who is above whom.

use std::collections::BTreeSet;

use super::fold::By;
use super::{Certificate, Claim, Placed, Roster, Seat};
use crate::audit::signature::PublicKey;

impl Roster {
    /// The certificate of `node` that `issuer` may renew, the newest where it may renew several: who renews it says
    /// the same with another role or end.
    pub fn renewable<'a>(
        &self,
        statements: &'a [Placed],
        issuer: PublicKey,
        node: PublicKey,
    ) -> Option<&'a Certificate> {
        let member = self.member(node)?;
        let offered = statements.iter().filter(|placed| member.certificates.contains(&placed.statement.id()));
        let renewable = offered.filter_map(|placed| match &placed.statement.statement().claim {
            Claim::Certificate(certificate) if self.may_seat(issuer, &certificate.seat) => {
                Some((placed.statement.statement().issued_at, placed.statement.id(), certificate))
            }
            _ => None,
        });
        renewable.max_by_key(|(issued_at, id, _)| (*issued_at, *id)).map(|(.., certificate)| certificate)
    }

    /// Whether `issuer` is among those who may give this seat, if it is heard.
    pub(super) fn may_seat(&self, issuer: PublicKey, seat: &Seat) -> bool {
        self.speakers(seat.beside(), seat.by()).contains(&issuer)
    }

    /// Who may give a seat below `other`, or its own to another key.
    pub(super) fn speakers(&self, other: PublicKey, by: By) -> BTreeSet<PublicKey> {
        match by {
            By::Certificate => self.line(other),
            By::Succession => self.member(other).map(|member| member.above.clone()).unwrap_or_default(),
        }
    }

    /// A member, the keys that took over from it, and all above them: who may speak of those below.
    fn line(&self, node: PublicKey) -> BTreeSet<PublicKey> {
        let above = self.member(node).map(|member| member.above.clone());
        let mut line = self.succession(node);
        line.extend(above.unwrap_or_default());
        line
    }
}
