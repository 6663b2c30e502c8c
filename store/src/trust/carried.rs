//! What the root says, whoever carries it.
//!
//! Owns which of its words a member says again. The root writes no feed: its words stand in those of members and
//! count wherever they are heard; but nobody asks for what stands behind the cut of a feed, so that one node may
//! have heard a word there and the others never do. Pure. Invariant: a member is asked to say a word once, and
//! none to say it for an answer.

use std::collections::BTreeMap;

use super::{Claim, Cut, Placed, Roster, SignedStatement};
use crate::timeline::feed::FeedId;

impl Roster {
    /// Of the root's words among `statements` those that a node is to say in its feed `own`, where that is not cut:
    /// each revocation that it has not said, since whoever carried it may be cut off by the one that it turns out
    /// before all have heard it; and each certificate that stands only where nothing counts.
    pub fn unsaid<'a>(&self, statements: &'a [Placed], own: FeedId) -> Vec<&'a SignedStatement> {
        if self.cut(own) != Cut::Nowhere {
            return Vec::new();
        }
        let mut words = BTreeMap::new();
        for Placed { statement, place } in statements {
            let said = statement.statement();
            if said.issuer != self.env.root() {
                continue;
            }
            let is_said = match (&said.claim, place) {
                (Claim::Certificate(_), None) => true,
                (Claim::Revocation(_), None) => false,
                (claim, Some(place)) => {
                    let is_theirs = matches!(claim, Claim::Certificate(_)) || place.feed.node == own.node;
                    is_theirs && self.cut(place.feed).admits(place.record)
                }
            };
            let (_, is_known) = words.entry(statement.id()).or_insert((statement, false));
            *is_known |= is_said;
        }
        words.into_values().filter(|(_, is_said)| !is_said).map(|(statement, _)| statement).collect()
    }
}
