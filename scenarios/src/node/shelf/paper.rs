//! What a node keeps besides records: the tickets it gave out, and what it was told at the door.
//!
//! Invariant: that somebody came in on a ticket and that the ticket is used are one commit.

use xyn_net::proto::join::door::Decision;
use xyn_net::wire::Redeem;
use xyn_store::audit::signature::PublicKey;
use xyn_store::projection::Changes;
use xyn_store::simulation::Base;
use xyn_store::timeline::Saying;
use xyn_store::trust::{Certificate, Claim, EnvId, Invitation, NotRedeemed, Placed, Seat, Statement};
use xyn_store::{StoreError, Timestamp};

use super::Shelf;

/// Makes the folder in `base` one of `env`, which it was told of. As a node does it that joins.
pub(crate) fn join(base: &mut dyn Base, env: EnvId, told: &[Placed]) -> Result<(), StoreError> {
    let mut changes = Changes::new();
    changes.put_environment(env);
    told.iter().for_each(|placed| changes.put_told(placed));
    base.commit(changes)
}

impl Shelf {
    /// Remembers a ticket that was given out; answers whether that is kept.
    pub(crate) fn invite(&mut self, invitation: &Invitation) -> bool {
        let mut changes = Changes::new();
        changes.put(invitation);
        self.commit(changes).is_ok()
    }

    /// What is known of the ticket that `peer` shows, if it is good.
    pub(crate) fn invitation(
        &self,
        peer: PublicKey,
        request: &Redeem,
        now: Timestamp,
    ) -> Result<Invitation, NotRedeemed> {
        let row = self.base.read().and_then(|reader| reader.get(&Invitation::key_of(request.ticket)));
        let invitation: Invitation =
            row.map_err(|_| NotRedeemed::Unavailable)?.ok_or(NotRedeemed::Unknown)?;
        #[cfg(test)]
        if self.flaws.is_careless {
            return Ok(Invitation::hashed(
                invitation.id,
                invitation.env,
                invitation.principal.clone(),
                invitation.role,
                invitation.expires,
                xyn_store::Digest::of(b"any"),
            ));
        }
        invitation.check(request.env, &request.secret, peer, now)?;
        Ok(invitation)
    }

    /// Lets `peer` in on a ticket. Answers whether that is kept.
    pub(crate) fn let_in(
        &mut self,
        now: Timestamp,
        peer: PublicKey,
        invitation: Invitation,
        request: &Redeem,
    ) -> bool {
        let Invitation { principal, role, .. } = invitation.clone();
        let (seat, consent) = (Seat::Under(self.key.public()), request.consent);
        let claim =
            Claim::Certificate(Certificate { node: peer, seat, principal, role, expires: None, consent });
        let statement = Statement { env: self.env, issuer: self.key.public(), issued_at: now, claim };
        let Ok(signed) = statement.sign(&self.key) else { return false };
        let sayings = vec![Saying::Statement(signed.as_bytes().to_vec())];
        let mut changes = Changes::new();
        changes.put(&invitation.redeemed(peer));
        self.write(now, changes, |timeline, _, key| timeline.say(key, now, sayings))
    }

    /// What a newcomer is told: all that is known of who belongs, since the root spoke on paper.
    pub(crate) fn statements(&self) -> Decision {
        let recorded = self.base.read().and_then(|reader| reader.statements(self.env));
        let mut statements = Vec::clone(&self.certificates);
        statements.extend(recorded.map_err(|_| NotRedeemed::Unavailable)?);
        Ok(statements)
    }
}
