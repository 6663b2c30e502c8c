//! What a node's own member has said of who belongs.
//!
//! Owns the two bounds on it: nobody listens to more than so many statements of one member, and behind a member's
//! last word nothing counts. Invariant: it agrees with the rows of the node's own feeds.

use super::STATEMENTS_PER_MEMBER;
use super::draft::Draft;
use super::feed::FeedId;
use super::log::WriteError;
use super::record::Body;
use super::rows;
use crate::Reader;
use crate::audit::signature::PublicKey;
use crate::error::StoreError;
use crate::reader::Order;
use crate::tables::Table;
use crate::trust::{EnvId, SignedStatement};

/// How much was said, and whether that was the last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    statements: usize,
    /// Whether the feed ends with the word that hands the seat to another key.
    pub(super) is_leaving: bool,
}

impl Said {
    /// Counts the statements in all feeds of the node of `own`, and looks at how its present one ends.
    pub(super) fn of(reader: &Reader, env: PublicKey, own: FeedId) -> Result<Self, StoreError> {
        let mut said = Self::default();
        let mut last = 0;
        let before = rows::record_key(&FeedId { node: own.node, incarnation: 0 }, 0);
        reader.scan(
            Table::TimelineStatements,
            &[],
            Some(before.as_bytes()),
            Order::Ascending,
            |key, _| {
                let (feed, seq) = rows::read_record_key(key)?;
                if feed.node != own.node {
                    return Ok(false);
                }
                said.statements += 1;
                last = if feed == own { seq } else { last };
                Ok(true)
            },
        )?;
        if last > 0
            && reader.feed(&own)?.is_some_and(|row| row.head.seq == last)
            && let Body::Statement(bytes) = &Draft::new(env, reader).record(&own, last)?.content.body
        {
            said.is_leaving = is_farewell(EnvId::rooted_in(env), &bytes.0);
        }
        Ok(said)
    }

    /// Takes note of one more statement, if there may be one.
    pub(super) fn add(&mut self, env: EnvId, bytes: &[u8]) -> Result<(), WriteError> {
        if self.statements >= STATEMENTS_PER_MEMBER {
            return Err(WriteError::Statements);
        }
        self.statements += 1;
        self.is_leaving = is_farewell(env, bytes);
        Ok(())
    }
}

fn is_farewell(env: EnvId, bytes: &[u8]) -> bool {
    SignedStatement::decode(bytes, env).is_ok_and(|statement| statement.farewell().is_some())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::log::Saying;
    use super::super::tests::node::Node;
    use super::super::tests::world;
    use super::*;
    use crate::audit::key::NodeKey;
    use crate::clock::Timestamp;
    use crate::scope::Principal;
    use crate::trust::{Certificate, Claim, Role, Seat, Statement, Succession};

    #[test]
    fn what_nobody_would_hear_is_refused_when_it_is_said() {
        let mut node = Node::new();
        let noise = |count| vec![Saying::Statement(b"noise".to_vec()); count];
        let said = node
            .timeline
            .say(node.store.key(), Timestamp::EPOCH, noise(STATEMENTS_PER_MEMBER))
            .expect("fits");
        node.commit(said.changes);
        for _ in 0..2 {
            let more = node.timeline.say(node.store.key(), Timestamp::EPOCH, noise(1));
            assert!(matches!(more, Err(WriteError::Statements)), "{more:?}");
            // The count is that of the rows, also after a start.
            node.reopen();
        }
        node.say(&["moments are no statements"]);
    }

    #[test]
    fn behind_the_word_that_hands_the_seat_over_nothing_is_written() {
        let mut node = Node::new();
        let (env, next) = (EnvId::rooted_in(world::env()), NodeKey::from_secret([9; 32]));
        let succession = Succession::sign(env, node.store.key(), next.public(), BTreeMap::new());
        let seat = Seat::Succeeding(succession);
        let consent = seat.agree(env, &next);
        let principal = Principal::local_operator();
        let certificate =
            Certificate { node: next.public(), seat, principal, role: Role::User, expires: None, consent };
        let (issuer, claim) = (node.store.key().public(), Claim::Certificate(certificate));
        let word = Statement { env, issuer, issued_at: Timestamp::EPOCH, claim };
        let word = word.sign(node.store.key()).expect("signs").as_bytes().to_vec();
        node.say(&["before"]);
        let said = node.timeline.say(node.store.key(), Timestamp::EPOCH, vec![Saying::Statement(word)]);
        node.commit(said.expect("fits").changes);
        for _ in 0..2 {
            let more = node.timeline.say(node.store.key(), Timestamp::EPOCH, Vec::new());
            assert!(matches!(more, Err(WriteError::Leaving)), "{more:?}");
            node.reopen();
        }
    }
}
