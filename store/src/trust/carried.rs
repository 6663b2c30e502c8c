//! What the root says, whoever carries it.
//!
//! Owns which of its words a member says again. The root writes no feed: its words stand in those of members and
//! count wherever they are heard; but nobody asks for what stands behind the cut of a feed or in that of a stranger,
//! so that one node may have heard a word there and the others never do. Which feeds will count for the others, having
//! heard other words in another order, nobody can know: so each member says all of them itself. Pure. Invariant: a
//! member is asked to say a word once, and none to say it for an answer.

use std::collections::BTreeMap;

use super::{Claim, Cut, Placed, Roster, SignedStatement};
use crate::timeline::feed::FeedId;

impl Roster {
    /// Of the root's words among `statements` those that a node is to say in its feed `own`, where that is not cut:
    /// each that it has not said in a feed of its own, as far as that counts; revocations first.
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
            let is_said = match place {
                // In no record: simulated members have certificates on paper, and so have the others there.
                None => matches!(said.claim, Claim::Certificate(_)),
                Some(at) => at.feed.node == own.node && self.cut(at.feed).admits(at.record),
            };
            let order = (matches!(said.claim, Claim::Certificate(_)), statement.id());
            let (_, is_known) = words.entry(order).or_insert((statement, false));
            *is_known |= is_said;
        }
        words.into_values().filter(|(_, is_said)| !is_said).map(|(statement, _)| statement).collect()
    }
}
