//! How statements add up to a roster.
//!
//! Owns the rule of the tree. A node's seat, role and cuts depend only on statements of members above it, and
//! those were settled before: the fold goes down from the root, one rank at a time. So no two members can
//! revoke each other, no circle of certificates holds itself up, and the order in which statements came
//! cannot matter. Invariant: when a rank is entered, every cut of the ranks above is final.
//!
//! Two rules follow from that. A node sits at the highest rank at which a certificate seats it, and
//! certificates for lower seats say nothing; of several for that one, by whomever above it, the newest is in force
//! and the others are renewed by it. And a revocation is for ever: it wins over every certificate by
//! the members above that seat, earlier or later; a person comes back with another key. Only a member of a
//! higher rank, not above the revoked one, may seat it anew with its consent, and answers for it: its own
//! revocation by those above takes that back.

use std::collections::{BTreeMap, BTreeSet};

use super::{Certificate, Claim, Cut, EnvId, Head, Member, Place, Placed, Role, Roster, Seat, Statement};
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::timeline::feed::FeedId;

/// How deep the tree of members goes: a bound on what a chain of bogus nodes costs.
pub const RANK_MAX: u8 = 32;

/// The last records that count, by feed.
pub(super) type Heads = BTreeMap<FeedId, Head>;

/// Why a statement, rightly signed, changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum NotCounted {
    /// Its issuer has no place in the tree; it may get one.
    #[error("its issuer is no member")]
    Stranger,
    /// A member speaks in its own feed only.
    #[error("it does not stand in its issuer's own feed")]
    Elsewhere,
    /// It stands behind the last record of that feed that counts.
    #[error("it stands past the cut of its issuer's feed")]
    PastCut,
    /// The issuer is not above the subject, or the subject has no place at all.
    #[error("its issuer does not rank above its subject")]
    NotAbove,
    /// The node has another seat, no lower than this one.
    #[error("the node has another seat")]
    Seated,
    /// The seat would be further down than the tree goes.
    #[error("the seat is more than {RANK_MAX} steps below the root")]
    TooDeep,
    /// Nobody certifies or revokes the root.
    #[error("it is about the root")]
    Root,
}

/// One statement with every place where it was found.
struct Known<'a> {
    statement: &'a Statement,
    places: BTreeSet<Place>,
}

/// What certificates of one rank offer to one node.
#[derive(Default)]
struct Offer<'a> {
    /// Each with the most its issuer can give.
    certificates: Vec<(Digest, &'a Statement, &'a Certificate, Role)>,
    above: BTreeSet<PublicKey>,
}

/// How a node comes to sit beside those that are seated.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum By {
    Certificate,
    Succession,
}

struct Fold<'a> {
    roster: Roster,
    known: BTreeMap<Digest, Known<'a>>,
    /// Certificates by the key whose seat they are below, or take over.
    certificates: BTreeMap<PublicKey, Vec<Digest>>,
    /// Revocations by their subject.
    revocations: BTreeMap<PublicKey, Vec<Digest>>,
    counted: BTreeSet<Digest>,
}

pub(super) fn fold<'a>(
    env: EnvId,
    statements: impl IntoIterator<Item = &'a Placed>,
    forks: BTreeMap<FeedId, Cut>,
) -> Roster {
    let mut fold = Fold {
        roster: Roster { env, members: BTreeMap::new(), forks, not_counted: BTreeMap::new() },
        known: BTreeMap::new(),
        certificates: BTreeMap::new(),
        revocations: BTreeMap::new(),
        counted: BTreeSet::new(),
    };
    statements.into_iter().for_each(|placed| fold.learn(placed));
    let mut above = vec![env.root()];
    for rank in 1..=RANK_MAX {
        above = fold.settle(&above, rank);
    }
    fold.roster.not_counted = fold.left_over();
    fold.roster
}

impl<'a> Fold<'a> {
    fn learn(&mut self, placed: &'a Placed) {
        let (id, statement) = (placed.statement.id(), placed.statement.statement());
        if statement.env != self.roster.env {
            return;
        }
        if let Some(known) = self.known.get_mut(&id) {
            known.places.extend(placed.place);
            return;
        }
        self.known.insert(id, Known { statement, places: placed.place.into_iter().collect() });
        let index = match &statement.claim {
            Claim::Certificate(certificate) => self.certificates.entry(certificate.seat.beside()),
            Claim::Revocation(revocation) => self.revocations.entry(revocation.node),
        };
        index.or_default().push(id);
    }

    /// Seats and settles everyone below the members `above`: who may say what of them, and what is cut.
    fn settle(&mut self, above: &[PublicKey], rank: u8) -> Vec<PublicKey> {
        let mut seated = Vec::new();
        let mut newest = self.seat(above, rank, By::Certificate);
        // Whoever takes over a seat may be followed by yet another key.
        while !newest.is_empty() {
            seated.extend(&newest);
            newest = self.seat(&newest, rank, By::Succession);
        }
        // Predecessors come before their successors, so that what is cut of them is known.
        seated.iter().for_each(|node| self.revoke(*node));
        seated
    }

    /// Seats whoever is offered a seat beside one of `others`.
    fn seat(&mut self, others: &[PublicKey], rank: u8, by: By) -> Vec<PublicKey> {
        let mut offers: BTreeMap<PublicKey, Offer<'a>> = BTreeMap::new();
        for &other in others {
            let above = self.roster.speakers(other, by);
            for id in self.certificates.get(&other).cloned().unwrap_or_default() {
                let statement = self.known[&id].statement;
                let Claim::Certificate(certificate) = &statement.claim else {
                    continue;
                };
                let fits = certificate.seat.by() == by && certificate.node != self.roster.env.root();
                if !fits || !above.contains(&statement.issuer) {
                    continue;
                }
                let Some(most) = self.heard(id) else {
                    continue;
                };
                self.hand_over(id, certificate);
                if !self.roster.members.contains_key(&certificate.node) {
                    let offer = offers.entry(certificate.node).or_default();
                    offer.certificates.push((id, statement, certificate, most));
                    offer.above.extend(&above);
                }
            }
        }
        let seated = offers.keys().copied().collect();
        offers.into_iter().for_each(|(node, offer)| self.take(node, offer, rank));
        seated
    }

    /// Retires a member that named a successor, wherever that one sits: its last word was confirmed by those
    /// above it, and who else gives the new key a seat must not undo that.
    fn hand_over(&mut self, id: Digest, certificate: &Certificate) {
        if let Seat::Succeeding(succession) = &certificate.seat
            && let Some(old) = self.roster.members.get_mut(&succession.old)
        {
            old.successors.insert(certificate.node);
            restrict(&mut old.retired, &succession.last);
            self.counted.insert(id);
        }
    }

    fn take(&mut self, node: PublicKey, offer: Offer<'a>, rank: u8) {
        self.counted.extend(offer.certificates.iter().map(|(id, ..)| id));
        let taken = offer.certificates.iter().filter(|(_, _, it, _)| it.seat.by() == By::Succession);
        let predecessors = taken.map(|(_, _, certificate, _)| certificate.seat.beside()).collect();
        let newest = offer.certificates.iter().max_by_key(|(id, statement, ..)| (statement.issued_at, *id));
        let (_, statement, certificate, most) = newest.expect("an offer begins with a certificate");
        let member = Member {
            principal: certificate.principal.clone(),
            role: certificate.role.min(*most),
            rank,
            issuer: statement.issuer,
            issued_at: statement.issued_at,
            expires: earlier(certificate.expires, self.end_of(statement.issuer)),
            certified_until: certificate.expires,
            above: offer.above,
            certificates: offer.certificates.iter().map(|(id, ..)| *id).collect(),
            predecessors,
            successors: BTreeSet::new(),
            revoked_because: None,
            revoked: None,
            retired: None,
        };
        self.roster.members.insert(node, member);
    }

    /// How long a member belongs, or where it changed its key the one that has its seat: the end of all it lets in.
    fn end_of(&self, issuer: PublicKey) -> Option<Timestamp> {
        self.roster.member(self.roster.heir(issuer))?.expires
    }

    /// Applies the revocations of `node`, and those of the keys before it.
    fn revoke(&mut self, node: PublicKey) {
        let member = &self.roster.members[&node];
        let mut revoked = None;
        // Of several reasons the statement with the smallest digest gives it, whichever came first.
        let mut because: Option<(Digest, &str)> = None;
        for old in &member.predecessors {
            self.roster.members[old].revoked.iter().for_each(|heads| restrict(&mut revoked, heads));
        }
        for &id in self.revocations.get(&node).into_iter().flatten() {
            let Known { statement, .. } = &self.known[&id];
            if let Claim::Revocation(revocation) = &statement.claim
                && member.above.contains(&statement.issuer)
                && self.heard(id).is_some()
            {
                restrict(&mut revoked, &revocation.last);
                self.counted.insert(id);
                let said = (id, revocation.reason.as_str());
                because = Some(because.map_or(said, |known| known.min(said)));
            }
        }
        let mut before = member.predecessors.iter().map(|old| &self.roster.members[old]);
        let because = because
            .map(|(_, reason)| reason.to_owned())
            .or_else(|| before.find_map(|old| old.revoked_because.clone()));
        let member = self.roster.members.get_mut(&node).expect("it was just read");
        (member.revoked, member.revoked_because) = (revoked, because);
    }

    /// The role in which the issuer of a statement is heard; none when it does not stand where it counts.
    fn heard(&self, id: Digest) -> Option<Role> {
        let Known { statement, places } = &self.known[&id];
        if statement.issuer == self.roster.env.root() {
            return Some(Role::OwnerAdmin);
        }
        let mut own = places.iter().filter(|place| place.feed.node == statement.issuer);
        let admitted = own.any(|place| self.roster.cut(place.feed).admits(place.record));
        admitted.then(|| self.roster.members[&statement.issuer].role)
    }

    fn left_over(&self) -> BTreeMap<Digest, NotCounted> {
        let left = self.known.keys().filter(|id| !self.counted.contains(id));
        left.map(|id| (*id, self.reason(*id))).collect()
    }

    /// Why a statement did not count.
    fn reason(&self, id: Digest) -> NotCounted {
        let Known { statement, places } = &self.known[&id];
        let (root, issuer) = (self.roster.env.root(), statement.issuer);
        if issuer != root && self.roster.member(issuer).is_none() {
            return NotCounted::Stranger;
        }
        if self.heard(id).is_none() {
            let own = places.iter().any(|place| place.feed.node == issuer);
            return if own { NotCounted::PastCut } else { NotCounted::Elsewhere };
        }
        match &statement.claim {
            Claim::Revocation(revocation) if revocation.node == root => NotCounted::Root,
            Claim::Revocation(_) => NotCounted::NotAbove,
            Claim::Certificate(certificate) => self.unseated(issuer, certificate),
        }
    }

    fn unseated(&self, issuer: PublicKey, certificate: &Certificate) -> NotCounted {
        if certificate.node == self.roster.env.root() {
            NotCounted::Root
        } else if !self.roster.may_seat(issuer, &certificate.seat) {
            NotCounted::NotAbove
        } else if self.roster.member(certificate.node).is_some() {
            NotCounted::Seated
        } else {
            NotCounted::TooDeep
        }
    }
}

impl Seat {
    /// The key below which the seat is, or which leaves it.
    pub(super) fn beside(&self) -> PublicKey {
        match self {
            Self::Under(parent) => *parent,
            Self::Succeeding(succession) => succession.old,
        }
    }

    pub(super) fn by(&self) -> By {
        match self {
            Self::Under(_) => By::Certificate,
            Self::Succeeding(_) => By::Succession,
        }
    }
}

/// The earlier of two ends, either of which may be never.
fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

/// Keeps of each feed what both keep; a feed that one of them does not list is not kept.
fn restrict(bounds: &mut Option<Heads>, heads: &Heads) {
    let both = |known: &Heads| {
        let shared = known.iter().filter_map(|(feed, head)| Some((*feed, *head.min(heads.get(feed)?))));
        shared.collect()
    };
    *bounds = Some(bounds.as_ref().map_or_else(|| heads.clone(), both));
}
