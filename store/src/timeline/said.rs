//! What this node's own feed says of who belongs.
//!
//! Owns what is not even written: more than is [heard](super::heard) of one feed, the last of which is kept for
//! revocations, and anything behind a member's last word. Invariant: it agrees with the rows of the feed.

use super::draft::Draft;
use super::feed::FeedId;
use super::heard::{Amount, Heard, STATEMENT_BYTES_PER_FEED, STATEMENTS_PER_FEED};
use super::log::WriteError;
use super::record::Body;
use super::rows;
use crate::Reader;
use crate::audit::signature::PublicKey;
use crate::error::StoreError;
use crate::reader::Order;
use crate::tables::Table;
use crate::trust::{Claim, EnvId, SignedStatement};

/// Statements of a feed that are none but revocations and a change of key: whoever renewed and let in as many as it
/// may can still turn members out.
pub(super) const STATEMENTS_RESERVED: usize = 512;
/// Bytes of a feed's statements that are kept for the same: for sixteen of the longest there are.
pub(super) const STATEMENT_BYTES_RESERVED: usize = 1 << 20;

/// How much was said, and whether that was the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    heard: Heard,
    /// Whether the feed ends with the word that hands the seat to another key.
    pub(super) is_leaving: bool,
}

impl Said {
    /// Counts the statements in the feed `own`, and looks at how it ends.
    pub(super) fn of(reader: &Reader, env: PublicKey, own: FeedId) -> Result<Self, StoreError> {
        let env = EnvId::rooted_in(env);
        let mut said = Self { heard: reader.stated(env, own)?.heard, is_leaving: false };
        let feed = rows::feed_key(&own);
        let last = reader.first_key(Table::TimelineStatements, feed.as_bytes(), None, Order::Descending)?;
        if let Some(last) = last
            && let (_, last) = rows::read_record_key(&last)?
            && reader.feed(&own)?.is_some_and(|row| row.head.seq == last)
            && let Body::Statement(bytes) = &Draft::new(env.root(), reader).record(&own, last)?.content.body
        {
            let statement = SignedStatement::decode(&bytes.0, env);
            said.is_leaving = statement.is_ok_and(|statement| statement.farewell().is_some());
        }
        Ok(said)
    }

    /// Takes note of one more statement, if there may be one.
    pub(super) fn add(&mut self, env: EnvId, bytes: &[u8]) -> Result<(), WriteError> {
        let statement = SignedStatement::decode(bytes, env).ok();
        let is_root = statement.as_ref().is_some_and(|it| it.statement().issuer == env.root());
        let is_leaving = statement.as_ref().is_some_and(|it| it.farewell().is_some());
        let is_certificate =
            statement.is_some_and(|it| matches!(it.statement().claim, Claim::Certificate(_)));
        let heard = self.heard.with(is_root, bytes.len()).ok_or(WriteError::Statements)?;
        let amount = if is_root { heard.by_root } else { heard.by_author };
        if is_certificate && !is_leaving && !leaves_room(amount) {
            return Err(WriteError::Reserved);
        }
        *self = Self { heard, is_leaving };
        Ok(())
    }
}

/// Whether behind so much whoever must be turned out still can be.
fn leaves_room(said: Amount) -> bool {
    said.count <= STATEMENTS_PER_FEED - STATEMENTS_RESERVED
        && said.bytes <= STATEMENT_BYTES_PER_FEED - STATEMENT_BYTES_RESERVED
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::head::Effect;
    use super::super::log::Saying;
    use super::super::pen::Pen;
    use super::super::tests::node::Node;
    use super::super::tests::world;
    use super::*;
    use crate::audit::key::NodeKey;
    use crate::clock::Timestamp;
    use crate::scope::Principal;
    use crate::timeline::Bytes;
    use crate::trust::{Certificate, Claim, Head, Revocation, Role, Seat, Statement, Succession};

    #[test]
    fn what_nobody_would_hear_is_refused_when_it_is_said() {
        let mut node = Node::new();
        let noise = |count| vec![Saying::Statement(b"noise".to_vec()); count];
        let said =
            node.timeline.say(node.store.key(), Timestamp::EPOCH, noise(STATEMENTS_PER_FEED)).expect("fits");
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
    fn where_renewals_are_refused_a_revocation_still_fits_and_so_it_is_with_the_words_of_the_root() {
        let mut node = Node::new();
        let (env, bob) = (EnvId::rooted_in(world::env()), NodeKey::from_secret([9; 32]));
        let said = |by: &NodeKey, claim: Claim| {
            let statement = Statement { env, issuer: by.public(), issued_at: Timestamp::EPOCH, claim };
            Saying::Statement(statement.sign(by).expect("signs").as_bytes().to_vec())
        };
        let seat = Seat::Under(node.store.key().public());
        let consent = seat.agree(env, &bob);
        let (principal, role) = (Principal::local_operator(), Role::User);
        let claim = Claim::Certificate(Certificate {
            node: bob.public(),
            seat,
            principal,
            role,
            expires: None,
            consent,
        });
        let last = Revocation { node: bob.public(), last: BTreeMap::new(), reason: "gone".into() };
        let root = NodeKey::from_secret([200; 32]);
        let certificate = said(node.store.key(), claim.clone());
        let revocation = said(node.store.key(), Claim::Revocation(last.clone()));
        let mut say = |sayings: Vec<Saying>| {
            let said = node.timeline.say(node.store.key(), Timestamp::EPOCH, sayings)?;
            node.commit(said.changes);
            // The count is that of the rows.
            node.reopen();
            Ok::<_, WriteError>(())
        };
        let most = STATEMENTS_PER_FEED - STATEMENTS_RESERVED;
        say(vec![certificate.clone(); most]).expect("fits");
        let refused = say(vec![certificate]);
        assert!(matches!(refused, Err(WriteError::Reserved)), "{refused:?}");
        say(vec![revocation.clone(); STATEMENTS_RESERVED]).expect("fits");
        let refused = say(vec![revocation]);
        assert!(matches!(refused, Err(WriteError::Statements)), "{refused:?}");
        // What the root says is not its own, and has as much room.
        say(vec![said(&root, claim.clone()); most]).expect("fits");
        let refused = say(vec![said(&root, claim)]);
        assert!(matches!(refused, Err(WriteError::Reserved)), "{refused:?}");
        say(vec![said(&root, Claim::Revocation(last)); STATEMENTS_RESERVED]).expect("fits");
    }

    #[test]
    fn of_long_words_a_feed_takes_fewer_and_keeps_as_many_bytes_for_revocations() {
        let mut node = Node::new();
        let (env, bob) = (EnvId::rooted_in(world::env()), NodeKey::from_secret([9; 32]));
        let said = |claim: Claim| {
            let issuer = node.store.key().public();
            let statement = Statement { env, issuer, issued_at: Timestamp::EPOCH, claim };
            statement.sign(node.store.key()).expect("signs").as_bytes().to_vec()
        };
        let seat = Seat::Under(node.store.key().public());
        let consent = seat.agree(env, &bob);
        let (principal, role) = (Principal::local_operator(), Role::User);
        let renewal = Certificate { node: bob.public(), seat, principal, role, expires: None, consent };
        let renewal = said(Claim::Certificate(renewal));
        let last = (0..500).map(|incarnation| {
            let hash = crate::Digest::of(b"last");
            (FeedId { node: bob.public(), incarnation }, Head { seq: 1, hash })
        });
        let gone = Revocation { node: bob.public(), last: last.collect(), reason: "gone".into() };
        let gone = said(Claim::Revocation(gone));
        let mut say = |word: &[u8], count: usize| {
            let words = vec![Saying::Statement(word.to_vec()); count];
            let said = node.timeline.say(node.store.key(), Timestamp::EPOCH, words)?;
            node.commit(said.changes);
            // The sum is that of the rows.
            node.reopen();
            Ok::<_, WriteError>(())
        };
        let room = STATEMENT_BYTES_PER_FEED - STATEMENT_BYTES_RESERVED;
        let revocations = room / gone.len();
        say(&gone, revocations).expect("fits");
        let renewals = (room - revocations * gone.len()) / renewal.len();
        say(&renewal, renewals).expect("fits");
        let refused = say(&renewal, 1);
        assert!(matches!(refused, Err(WriteError::Reserved)), "{refused:?}");
        let left = STATEMENT_BYTES_PER_FEED - revocations * gone.len() - renewals * renewal.len();
        say(&gone, left / gone.len()).expect("that room was kept");
        let refused = say(&gone, 1);
        assert!(matches!(refused, Err(WriteError::Statements)), "{refused:?}");
    }

    #[test]
    fn behind_one_that_nobody_hears_not_even_a_short_one_is_said() {
        let mut node = Node::new();
        // Another program wrote more than is heard, in this node's name.
        let mut pen = Pen::new(&node.timeline, node.store.key(), Timestamp::EPOCH).expect("a member");
        for bytes in std::iter::repeat_n(60 << 10, 1 + STATEMENT_BYTES_PER_FEED / (60 << 10)) {
            let body = Body::Statement(Bytes(vec![0; bytes]));
            pen.write(Timestamp::EPOCH, body, &Effect::Statement).expect("fits");
        }
        let written = pen.put_down(&mut node.timeline);
        node.commit(written.changes);
        node.reopen();
        let short = vec![Saying::Statement(b"short".to_vec())];
        let refused = node.timeline.say(node.store.key(), Timestamp::EPOCH, short);
        assert!(matches!(refused, Err(WriteError::Statements)), "{refused:?}");
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
