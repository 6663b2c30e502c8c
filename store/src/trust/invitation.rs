//! Invitations: what the inviting node remembers of a ticket, and when it lets somebody in on it.
//!
//! Owns the rules of redeeming. Keeps no secret, only its hash, and issues no certificate: a redeemed
//! invitation says which one to issue. Invariant: an invitation admits one key. The same key may ask again,
//! since the answer may have been lost.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{EnvId, Role, Ticket, TicketId, TicketSecret};
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::scope::Principal;

/// What the secret's hash begins with.
const DOMAIN: &[u8] = b"xyn ticket secret v1\n";

/// A ticket as its issuer keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Which ticket.
    pub id: TicketId,
    /// The environment it opens.
    pub env: EnvId,
    /// Whom the newcomer's certificate names.
    pub principal: Principal,
    /// What that principal may do.
    pub role: Role,
    /// Until when it can be redeemed.
    pub expires: Timestamp,
    secret_hash: Digest,
    redeemed_by: Option<PublicKey>,
}

/// Why nobody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
pub enum NotRedeemed {
    /// No ticket with this id was given out here, or it was withdrawn.
    #[error("this node gave out no such ticket")]
    Unknown,
    /// For another environment.
    #[error("the ticket is for another environment")]
    OtherEnv,
    /// Another secret.
    #[error("the ticket's secret is wrong")]
    Secret,
    /// Too late.
    #[error("the ticket has expired")]
    Expired,
    /// Another key came first.
    #[error("the ticket has been used")]
    Used,
    /// The policies of the node that gave it out do not let anybody in, or want to be asked first.
    #[error("the policies of the node that gave out the ticket do not let this node in")]
    Denied,
    /// That node cannot look at the ticket, or write down that it was used.
    #[error("the node that gave out the ticket cannot redeem it at the moment; try again")]
    Unavailable,
}

impl NotRedeemed {
    /// The name under which it is counted.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "ticket_unknown",
            Self::OtherEnv => "ticket_of_other_env",
            Self::Secret => "ticket_wrong_secret",
            Self::Expired => "ticket_expired",
            Self::Used => "ticket_used",
            Self::Denied => "ticket_denied",
            Self::Unavailable => "ticket_unavailable",
        }
    }
}

impl Invitation {
    /// What to remember of `ticket`, which admits a device of `principal`.
    pub fn of(ticket: &Ticket, principal: Principal, role: Role) -> Self {
        let Ticket { id, env, expires, .. } = *ticket;
        Self { id, env, principal, role, expires, secret_hash: ticket.secret_hash(), redeemed_by: None }
    }

    /// The same where the ticket itself is not known, but the [hash](Ticket::secret_hash) of its secret.
    pub fn hashed(
        id: TicketId,
        env: EnvId,
        principal: Principal,
        role: Role,
        expires: Timestamp,
        secret_hash: Digest,
    ) -> Self {
        Self { id, env, principal, role, expires, secret_hash, redeemed_by: None }
    }

    /// The key that came in on it.
    pub fn redeemed_by(&self) -> Option<PublicKey> {
        self.redeemed_by
    }

    /// Whether `node` may come in. Someone who does not know the secret learns nothing about the ticket but
    /// that.
    pub fn check(
        &self,
        env: EnvId,
        secret: &TicketSecret,
        node: PublicKey,
        now: Timestamp,
    ) -> Result<(), NotRedeemed> {
        let given = hash(self.id, secret);
        let same = given.as_bytes().ct_eq(self.secret_hash.as_bytes());
        if env != self.env {
            Err(NotRedeemed::OtherEnv)
        } else if !bool::from(same) {
            Err(NotRedeemed::Secret)
        } else if let Some(first) = self.redeemed_by {
            if first == node { Ok(()) } else { Err(NotRedeemed::Used) }
        } else if self.expires <= now {
            Err(NotRedeemed::Expired)
        } else {
            Ok(())
        }
    }

    /// The invitation after [`check`](Self::check) let `node` in.
    pub fn redeemed(self, node: PublicKey) -> Self {
        Self { redeemed_by: Some(node), ..self }
    }
}

impl Ticket {
    /// What its issuer keeps of the secret.
    pub fn secret_hash(&self) -> Digest {
        hash(self.id, &self.secret)
    }
}

fn hash(id: TicketId, secret: &TicketSecret) -> Digest {
    Digest::of_parts(&[DOMAIN, &id.0, secret.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::ticket::tests::ticket;

    const ALICE: PublicKey = PublicKey::from_bytes([1; 32]);
    const MALLORY: PublicKey = PublicKey::from_bytes([2; 32]);

    fn invitation() -> Invitation {
        Invitation::of(&ticket(), Principal::new("alice@home"), Role::User)
    }

    #[test]
    fn a_ticket_lets_one_key_in_however_often_it_asks() {
        let (ticket, open) = (ticket(), invitation());
        let before = ticket.expires.before(std::time::Duration::from_micros(1));
        assert_eq!(open.check(ticket.env, &ticket.secret, ALICE, before), Ok(()));
        let used = open.redeemed(ALICE);
        assert_eq!(used.check(ticket.env, &ticket.secret, MALLORY, before), Err(NotRedeemed::Used));
        let later = ticket.expires.after(std::time::Duration::from_secs(1));
        assert_eq!(used.check(ticket.env, &ticket.secret, ALICE, later), Ok(()), "the first answer was lost");
    }

    #[test]
    fn each_wrong_ticket_is_refused_for_its_own_reason() {
        let (ticket, open) = (ticket(), invitation());
        let early = Timestamp::EPOCH;
        let other = EnvId::rooted_in(MALLORY);
        let guess = TicketSecret::from_bytes([0; 16]);
        let cases = [
            (open.check(other, &ticket.secret, ALICE, early), NotRedeemed::OtherEnv),
            (open.check(ticket.env, &guess, ALICE, early), NotRedeemed::Secret),
            (open.check(ticket.env, &ticket.secret, ALICE, ticket.expires), NotRedeemed::Expired),
            (open.check(ticket.env, &guess, ALICE, ticket.expires), NotRedeemed::Secret),
        ];
        for (result, reason) in cases {
            assert_eq!(result, Err(reason));
        }
    }

    #[test]
    fn what_is_kept_of_a_ticket_does_not_open_anything() {
        let kept = postcard::to_stdvec(&invitation()).expect("plain data");
        let secret = *ticket().secret.as_bytes();
        assert!(!kept.windows(secret.len()).any(|window| window == secret));
    }
}
