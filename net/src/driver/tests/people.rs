//! Who is who, and what they say about each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use xyn_store::audit::checkpoint::{Checkpoint, SignedCheckpoint};
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::scope::Principal;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{
    Certificate, Claim, EnvId, Head, Invitation, Place, Placed, Revocation, Role, Roster, Seat, Statement,
    Ticket, TicketId, TicketSecret,
};
use xyn_store::{Digest, Timestamp};

pub(super) fn key(who: u8) -> NodeKey {
    NodeKey::from_secret([who; 32])
}

pub(super) fn public(who: u8) -> PublicKey {
    key(who).public()
}

pub(super) fn feed(who: u8) -> FeedId {
    FeedId { node: public(who), incarnation: 1 }
}

pub(super) fn root() -> NodeKey {
    key(99)
}

pub(super) fn env() -> EnvId {
    EnvId::rooted_in(root().public())
}

pub(super) fn said(issuer: &NodeKey, claim: Claim) -> Placed {
    let statement = Statement { env: env(), issuer: issuer.public(), issued_at: Timestamp::EPOCH, claim };
    Placed { statement: statement.sign(issuer).expect("rightly made"), place: None }
}

/// `host` lets a newcomer in, in the first record of its feed.
pub(super) fn newcomer(host: u8, node: PublicKey, consent: Signature) -> Placed {
    let record = Head { seq: 1, hash: Digest::of(b"record") };
    let place = Some(Place { feed: feed(host), record });
    Placed { place, ..certified(&key(host), node, consent) }
}

/// `issuer` gives `node` a seat, to which it agreed.
pub(super) fn certified(issuer: &NodeKey, node: PublicKey, consent: Signature) -> Placed {
    let seat = Seat::Under(issuer.public());
    let principal = Principal::new("someone@home");
    let role = Role::User;
    said(issuer, Claim::Certificate(Certificate { node, seat, principal, role, expires: None, consent }))
}

pub(super) fn member(who: u8) -> Placed {
    certified(&root(), public(who), Seat::Under(root().public()).agree(env(), &key(who)))
}

pub(super) fn roster(members: &[u8], revoked: &[u8]) -> Arc<Roster> {
    let mut placed: Vec<Placed> = members.iter().map(|who| member(*who)).collect();
    placed.extend(revoked.iter().map(|who| {
        let (node, last) = (public(*who), BTreeMap::new());
        said(&root(), Claim::Revocation(Revocation { node, last, reason: "left".into() }))
    }));
    Arc::new(Roster::fold(env(), &placed, BTreeMap::new()))
}

pub(super) fn checkpoint(who: u8) -> SignedCheckpoint {
    let node = public(who);
    Checkpoint { node, incarnation: 1, size: 3, root: Digest::of(b"root"), at: Timestamp::EPOCH }
        .sign(&key(who))
}

/// A ticket of a host at an address.
pub(super) fn ticket(host: u8, address: &str, secret: [u8; 16]) -> Ticket {
    Ticket {
        id: TicketId([7; 8]),
        env: env(),
        issuer: public(host),
        addresses: vec![address.to_owned()],
        secret: TicketSecret::from_bytes(secret),
        expires: Timestamp::MAX,
    }
}

/// What a host remembers of its ticket.
pub(super) fn invitation(host: u8) -> Invitation {
    Invitation::of(&ticket(host, "", [5; 16]), Principal::new("new@home"), Role::User)
}
