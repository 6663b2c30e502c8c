//! How much is heard of what a feed says of who belongs.
//!
//! Owns the bounds, and reads as far as they go: whenever who belongs changes, all that is heard is read again, so that
//! whoever never stops talking must not be read to the end. They hold for each feed by itself: what a key said is not
//! displaced by another feed, which whoever stole the key may number as the first; nor by which feeds a node has.
//! Invariant: what is heard of a feed follows from its records alone, so it is the same on every node, in whatever
//! order they came.

use super::draft::Draft;
use super::feed::FeedId;
use super::record::Body;
use super::rows;
use crate::Reader;
use crate::error::StoreError;
use crate::reader::Order;
use crate::tables::Table;
use crate::trust::{EnvId, Head, Place, Placed, SignedStatement};

/// Statements of its author that are heard in one feed, and as many of the root's that it carries.
pub const STATEMENTS_PER_FEED: usize = 2_048;
/// Bytes of them, and as many of the root's. What a node reads is at most twice this for each feed that it has; how
/// fast those become more is for the [pace](super::STATEMENT_BYTES_PER_HOUR_MAX) to say.
pub const STATEMENT_BYTES_PER_FEED: usize = 4 << 20;

/// What is heard in one feed.
#[derive(Default)]
pub(super) struct Stated {
    pub(super) statements: Vec<Placed>,
    pub(super) heard: Heard,
}

/// How much is heard in one feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Statements of its author, and what is none.
    pub(super) by_author: Amount,
    /// Statements of the root.
    pub(super) by_root: Amount,
    /// Whether one did not fit: nothing behind it is heard, however short.
    is_over: bool,
}

/// So many statements, of so many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) count: usize,
    pub(super) bytes: usize,
}

impl Heard {
    /// With one more, where that is heard as well.
    pub(super) fn with(self, is_root: bool, bytes: usize) -> Option<Self> {
        let mut more = self;
        let amount = if is_root { &mut more.by_root } else { &mut more.by_author };
        *amount = Amount { count: amount.count + 1, bytes: amount.bytes + bytes };
        let fits = amount.count <= STATEMENTS_PER_FEED && amount.bytes <= STATEMENT_BYTES_PER_FEED;
        (fits && !self.is_over).then_some(more)
    }
}

impl Reader {
    /// What is heard in the records of `feed`. What does not decode or is signed wrong is left out, but counted: anyone
    /// can put bytes into a record. What the root said, which nobody can make up, is counted for itself. Behind the
    /// first that does not fit nothing is looked at any more.
    pub(super) fn stated(&self, env: EnvId, feed: FeedId) -> Result<Stated, StoreError> {
        let mut places = Vec::new();
        let prefix = rows::feed_key(&feed);
        self.scan(Table::TimelineStatements, prefix.as_bytes(), None, Order::Ascending, |key, _| {
            places.push(rows::read_record_key(key)?.1);
            Ok(places.len() < 2 * STATEMENTS_PER_FEED)
        })?;
        let draft = Draft::new(env.root(), self);
        let mut stated = Stated::default();
        for seq in places {
            let record = draft.record(&feed, seq)?;
            let Body::Statement(bytes) = &record.content.body else { continue };
            let statement = SignedStatement::decode(&bytes.0, env).ok();
            let is_root = statement.as_ref().is_some_and(|it| it.statement().issuer == env.root());
            let Some(heard) = stated.heard.with(is_root, bytes.0.len()) else {
                stated.heard.is_over = true;
                break;
            };
            stated.heard = heard;
            let place = Some(Place { feed, record: Head { seq, hash: record.hash } });
            stated.statements.extend(statement.map(|statement| Placed { statement, place }));
        }
        Ok(stated)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::node::{Node, admitted};
    use super::super::tests::world::{Author, env, moment};
    use super::*;
    use crate::Timestamp;
    use crate::audit::key::NodeKey;
    use crate::timeline::Bytes;
    use crate::trust::{Claim, Revocation, Statement};

    /// A word of `by` that a node is gone which nobody knows.
    fn revocation(by: &NodeKey) -> Vec<u8> {
        let node = NodeKey::from_secret([99; 32]).public();
        let claim = Claim::Revocation(Revocation { node, last: Default::default(), reason: "gone".into() });
        let (env, issued_at) = (EnvId::rooted_in(env()), Timestamp::EPOCH);
        let signed = Statement { env, issuer: by.public(), issued_at, claim }.sign(by).expect("signs");
        signed.as_bytes().to_vec()
    }

    /// Frames of a feed that says `words`.
    fn frames(mut author: Author, words: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
        let bodies = words.into_iter().map(|word| Body::Statement(Bytes(word)));
        let records: Vec<_> = bodies.map(|body| author.write(moment(1), body)).collect();
        records.chunks(8).map(|records| author.frame(records)).collect()
    }

    #[test]
    fn of_long_words_so_many_bytes_are_heard_in_each_feed_on_every_node_the_same() {
        const LONG: usize = 32 << 10;
        let (bore, other, root) = (Author::new(1, 1), Author::new(2, 1), NodeKey::from_secret([200; 32]));
        let word = revocation(&bore.key());
        let noise = |bytes: usize| {
            let long = std::iter::repeat_n(vec![0; LONG], bytes / LONG);
            long.chain([vec![0; bytes % LONG]])
        };
        let most = STATEMENT_BYTES_PER_FEED;
        // The last byte that is heard is that of the word; the root's are counted apart.
        let said = [word.clone(), revocation(&root)];
        let full = frames(bore.clone(), noise(most - word.len()).chain(said));
        // One byte more: that word is not heard, and neither is what stands behind it, however short.
        let word = revocation(&other.key());
        let said = [word.clone(), revocation(&root), b"short".to_vec()];
        let over = frames(other.clone(), noise(most - word.len() + 1).chain(said));
        let heard = |frames: &[&[Vec<u8>]], turn: usize| {
            let mut node = Node::new();
            for part in frames.iter().flat_map(|frames| frames.chunks(turn)) {
                let verdicts = node.admit(part);
                assert!(verdicts.iter().all(|verdict| admitted(verdict).0 > 0));
            }
            let reader = node.store.read().expect("reads");
            let places = reader.statements(EnvId::rooted_in(env())).expect("reads").into_iter();
            places.map(|it| (it.place.expect("a record").feed, it.statement.id())).collect::<Vec<_>>()
        };
        let one = heard(&[&full, &over], usize::MAX);
        let expected = [revocation(&bore.key()), revocation(&root)];
        assert_eq!(one, expected.map(|word| (bore.feed, crate::Digest::of(&word))));
        assert_eq!(heard(&[&over, &full], 1), one, "whatever came first");
    }

    #[test]
    fn the_root_s_words_are_bounded_as_well() {
        let (env, feed) = (EnvId::rooted_in(env()), Author::new(1, 1).feed);
        let root = revocation(&NodeKey::from_secret([200; 32]));
        let one = Heard::default().with(true, STATEMENT_BYTES_PER_FEED - root.len()).expect("fits");
        let full = one.with(true, root.len()).expect("fits");
        assert_eq!(full.with(true, 1), None);
        assert!(full.with(false, STATEMENT_BYTES_PER_FEED).is_some(), "its author's are counted apart");
        let none = Node::new().store.read().expect("reads").stated(env, feed).expect("reads");
        assert_eq!((none.statements.len(), none.heard), (0, Heard::default()));
    }
}
