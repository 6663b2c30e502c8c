//! Stories about members, and what holds for every set of statements.

mod carried;
mod laws;
mod renewal;
mod rotation;
mod statements;
mod stories;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::audit::key::NodeKey;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::scope::Principal;
use crate::timeline::feed::FeedId;

pub(super) const ROOT: u8 = 0;
pub(super) const ALICE: u8 = 1;
pub(super) const BOB: u8 = 2;
pub(super) const CAROL: u8 = 3;
pub(super) const DAVE: u8 = 4;

pub(super) fn key(who: u8) -> NodeKey {
    NodeKey::from_secret([who + 100; 32])
}

pub(super) fn public(who: u8) -> PublicKey {
    key(who).public()
}

pub(super) fn env() -> EnvId {
    EnvId::rooted_in(public(ROOT))
}

pub(super) fn feed(who: u8) -> FeedId {
    FeedId { node: public(who), incarnation: 1 }
}

pub(super) fn head(seq: u64) -> Head {
    Head { seq, hash: Digest::of(&seq.to_be_bytes()) }
}

/// The last records that count, of the first feed of each.
pub(super) fn last(heads: &[(u8, u64)]) -> BTreeMap<FeedId, Head> {
    heads.iter().map(|(who, seq)| (feed(*who), head(*seq))).collect()
}

/// What people said, each in its own feed unless it says otherwise.
#[derive(Clone, Default)]
pub(super) struct Said {
    pub(super) placed: Vec<Placed>,
    pub(super) forks: BTreeMap<FeedId, Cut>,
    lengths: BTreeMap<u8, u64>,
}

impl Said {
    pub(super) fn roster(&self) -> Roster {
        Roster::fold(env(), &self.placed, self.forks.clone())
    }

    pub(super) fn say(&mut self, who: u8, claim: Claim) -> Digest {
        // Times run with what was said, so that the later certificate is the newer one.
        self.say_at(who, claim, self.placed.len() as i64)
    }

    /// Says it at a time of its own, in microseconds.
    pub(super) fn say_at(&mut self, who: u8, claim: Claim, at: i64) -> Digest {
        let length = self.lengths.entry(who).or_default();
        *length += 1;
        let issued_at = Timestamp::from_micros(at);
        let statement = Statement { env: env(), issuer: public(who), issued_at, claim };
        let statement = statement.sign(&key(who)).expect("rightly made");
        let id = statement.id();
        let place = (who != ROOT).then_some(Place { feed: feed(who), record: head(*length) });
        self.placed.push(Placed { statement, place });
        id
    }

    /// `who` gives `node` a seat.
    pub(super) fn seat(&mut self, who: u8, seat: Seat, node: u8, role: Role) -> Digest {
        let consent = seat.agree(env(), &key(node));
        let principal = Principal::new(format!("p{node}@home"));
        let certificate = Certificate { node: public(node), seat, principal, role, expires: None, consent };
        self.say(who, Claim::Certificate(certificate))
    }

    /// `who` lets `node` in below itself.
    pub(super) fn invite(&mut self, who: u8, node: u8) -> Digest {
        self.seat(who, Seat::Under(public(who)), node, Role::User)
    }

    /// `who` renews the certificate of `node`, if that is its to do: with this role, until this time.
    pub(super) fn renew(&mut self, who: u8, node: u8, role: Role, until: i64, at: i64) -> Option<Digest> {
        let roster = self.roster();
        let renewed = Certificate {
            role,
            expires: Some(Timestamp::from_micros(until)),
            ..roster.renewable(&self.placed, public(who), public(node))?.clone()
        };
        Some(self.say_at(who, Claim::Certificate(renewed), at))
    }

    pub(super) fn revoke(&mut self, who: u8, node: u8, heads: &[(u8, u64)]) -> Digest {
        let (node, last) = (public(node), last(heads));
        self.say(who, Claim::Revocation(Revocation { node, last, reason: "lost laptop".into() }))
    }

    /// `old` takes the key `new`, and `who` confirms it.
    pub(super) fn rotate(&mut self, who: u8, old: u8, new: u8, heads: &[(u8, u64)]) -> Digest {
        let succession = Succession::sign(env(), &key(old), public(new), last(heads));
        self.seat(who, Seat::Succeeding(succession), new, Role::User)
    }
}
